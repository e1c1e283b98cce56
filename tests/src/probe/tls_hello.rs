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

/// What a client offers, by the numbers of IANA's registry of TLS parameters.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The only version.
    pub version: Version,
    /// Cipher suites.
    pub suites: &'static [u16],
    /// Groups for the key exchange, and for the certificate's key.
    pub groups: &'static [u16],
}

/// Groups of the key exchange.
pub const P_256: u16 = 0x0017;
/// As [`P_256`].
pub const P_384: u16 = 0x0018;
/// As [`P_256`].
pub const X25519: u16 = 0x001d;
/// `ECDHE-ECDSA-AES128-GCM-SHA256`.
pub const ECDSA_AES_128: u16 = 0xc02b;
/// `ECDHE-ECDSA-AES256-GCM-SHA384`.
pub const ECDSA_AES_256: u16 = 0xc02c;

impl Offer {
    /// What every client of that version has: AES-GCM with ECDSA and RSA for 1.2, AES-CBC with both for what is older.
    pub const fn of(version: Version) -> Self {
        Self { version, suites: &[ECDSA_AES_128, 0xc02f, 0xc009, 0xc013], groups: &[P_256, P_384] }
    }
}

/// Whether the server goes on with a client that speaks this version and no newer one.
///
/// # Errors
/// As [`accepts`].
pub async fn is_accepted(address: SocketAddr, host: &str, version: Version) -> Result<bool> {
    accepts(address, host, &Offer::of(version)).await
}

/// Whether the server goes on with a client that offers this. An alert, or a closed connection, is a refusal.
///
/// # Errors
/// When nobody listens, or nothing is said in time.
pub async fn accepts(address: SocketAddr, host: &str, offer: &Offer) -> Result<bool> {
    let what = || format!("a greeting to {host} with {offer:x?}");
    let greeted = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&hello(host, offer)).await?;
        let mut kind = [0];
        Ok(stream.read(&mut kind).await.is_ok_and(|read| read == 1 && kind == [HANDSHAKE]))
    };
    timeout(LIMIT, greeted).await.map_err(Error::failed(what()))?.map_err(Error::io(what()))
}

/// What a client says first.
pub fn hello(host: &str, offer: &Offer) -> Vec<u8> {
    let wire = match offer.version {
        Version::Tls10 => [3, 1],
        Version::Tls11 => [3, 2],
        Version::Tls12 => [3, 3],
    };
    let numbers = |all: &[u16]| sized(&all.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>());
    let name = [&[0][..], &sized(host.as_bytes())].concat();
    let extensions = [
        extension(0, &sized(&name)),
        extension(10, &numbers(offer.groups)),
        extension(11, &[1, 0]),
        extension(13, &sized(&[0x04, 0x03, 0x08, 0x04, 0x04, 0x01])),
    ]
    .concat();
    let body = [&wire[..], &[7; 32], &[0], &numbers(offer.suites), &[1, 0], &sized(&extensions)].concat();
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
