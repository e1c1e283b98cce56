//! A TLS greeting that offers one version, byte by byte: the client library knows no version that is too old to accept.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{Error, Result};

const LIMIT: Duration = Duration::from_secs(5);
const HANDSHAKE: u8 = 22;

/// TLS versions by their number on the wire (RFC 5246, appendix E).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 2246.
    Tls10,
    /// RFC 4346.
    Tls11,
    /// RFC 5246.
    Tls12,
}

/// Whether the server goes on with a client that speaks this version and no newer one. An alert, or a closed connection, is
/// a refusal.
///
/// # Errors
/// When nobody listens, or nothing is said in time.
pub async fn is_accepted(address: SocketAddr, host: &str, version: Version) -> Result<bool> {
    let what = || format!("a {version:?} greeting to {host}");
    let greeted = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&hello(host, version)).await?;
        let mut kind = [0];
        Ok(stream.read(&mut kind).await.is_ok_and(|read| read == 1 && kind == [HANDSHAKE]))
    };
    timeout(LIMIT, greeted).await.map_err(Error::failed(what()))?.map_err(Error::io(what()))
}

/// What a client says first.
pub fn hello(host: &str, version: Version) -> Vec<u8> {
    let wire = match version {
        Version::Tls10 => [3, 1],
        Version::Tls11 => [3, 2],
        Version::Tls12 => [3, 3],
    };
    // AES-GCM with ECDSA and RSA for 1.2, AES-CBC with both for what is older.
    let suites: [u16; 4] = [0xc02b, 0xc02f, 0xc009, 0xc013];
    let name = [&[0][..], &sized(host.as_bytes())].concat();
    let extensions = [
        extension(0, &sized(&name)),
        extension(10, &sized(&[0x00, 0x17, 0x00, 0x18])),
        extension(11, &[1, 0]),
        extension(13, &sized(&[0x04, 0x03, 0x08, 0x04, 0x04, 0x01])),
    ]
    .concat();
    let body =
        [&wire[..], &[7; 32], &[0], &sized(&suites.map(u16::to_be_bytes).concat()), &[1, 0], &sized(&extensions)]
            .concat();
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[HANDSHAKE, 3, 1][..], &sized(&message)].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized(data)].concat()
}

/// Prefixed by its length in two bytes.
#[expect(clippy::cast_possible_truncation, reason = "a name of DNS has at most 253 bytes, and the rest is fixed")]
fn sized(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    [&length.to_be_bytes()[..], data].concat()
}
