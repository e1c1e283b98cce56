//! The server behind Envoy: it answers as [`crate::upstream`] does, and remembers what arrived.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::upstream;
use crate::wire::{self, Received};

/// What arrived, by what Envoy calls the request.
#[derive(Clone, Debug, Default)]
pub struct Arrived(Arc<Mutex<HashMap<String, Received>>>);

impl Arrived {
    /// What arrived of a request.
    pub fn of(&self, request_id: &str) -> Option<Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(request_id).cloned()
    }

    /// Takes a request down.
    pub fn add(&self, request: Received) {
        let id = request.header("x-request-id").map(|id| String::from_utf8_lossy(id).into_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.unwrap_or_default(), request);
    }
}

/// Serves until it is dropped.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, arrived: Arrived) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let arrived = arrived.clone();
        // What goes wrong on one connection is Envoy's to report: it answers 503.
        tokio::spawn(async move { connection(stream, &arrived).await });
    }
}

async fn connection(mut stream: TcpStream, arrived: &Arrived) -> io::Result<()> {
    let mut bytes = Vec::new();
    while !is_whole(&bytes) {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    let request = wire::received(&bytes);
    let answer = upstream::answer(&request);
    arrived.add(request);
    let mut out = format!("HTTP/1.1 {} -\r\nContent-Length: {}\r\n", answer.status, answer.body.len()).into_bytes();
    for (name, value) in &answer.headers {
        out.extend([name.as_slice(), b": ", value, b"\r\n"].concat());
    }
    out.extend([b"Connection: close\r\n\r\n", answer.body.as_slice()].concat());
    stream.write_all(&out).await
}

/// Whether all of a request is there, as Envoy writes it: with a length that is right, or in chunks.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4) else { return false };
    let request = wire::received(&bytes[..head]);
    if request.header("transfer-encoding").is_some() {
        return bytes.ends_with(b"0\r\n\r\n");
    }
    let length = request.header("content-length").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    bytes.len() - head >= length.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn a_request_is_whole_with_its_body() {
        for (bytes, whole) in [
            (&b"GET / HTTP/1.1\r\nHost: h\r\n"[..], false),
            (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true),
            (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na", false),
            (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab", true),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", false),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", true),
        ] {
            assert_eq!(is_whole(bytes), whole, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
