//! A client that sends bytes as they are and takes the first answer: no library of HTTP would send what the tests send.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than Envoy waits for the rest of a request: nothing that works takes as long.
const PATIENCE: Duration = Duration::from_mins(1);

/// An answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What Envoy calls the request, when it came as far as to have a name.
    pub request_id: Option<String>,
    /// What has come of the body so far.
    pub body: Vec<u8>,
}

/// Sends bytes on a connection of their own. None: it was closed without an answer.
///
/// # Errors
/// When there is no connection, no end of waiting, or the answer is not HTTP.
pub async fn exchange(to: SocketAddr, bytes: &[u8], whole: bool) -> io::Result<Option<Answer>> {
    let talk = async {
        let mut stream = TcpStream::connect(to).await?;
        // Envoy may refuse a request, and close, before all of it was written: its answer is there all the same.
        let written = stream.write_all(bytes).await;
        let mut received = Vec::new();
        loop {
            let count = match stream.read_buf(&mut received).await {
                Ok(count) => count,
                Err(_) if !received.is_empty() || written.is_err() => 0,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
                Err(error) => return Err(error),
            };
            match read(&received)? {
                Some(answer) if count == 0 || !whole => return Ok(Some(answer)),
                None if count == 0 => return Ok(None),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, talk).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// The first answer that is a final one, if its head is there.
fn read(mut bytes: &[u8]) -> io::Result<Option<Answer>> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(bytes).map_err(io::Error::other)? {
            httparse::Status::Partial => return Ok(None),
            httparse::Status::Complete(length) => length,
        };
        let status = head.code.unwrap_or_default();
        bytes = &bytes[length..];
        // 100: go on with the body. It was sent already.
        if status >= 200 || status == 101 {
            let id = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("x-request-id"));
            let request_id = id.and_then(|header| String::from_utf8(header.value.to_vec()).ok());
            return Ok(Some(Answer { status, request_id, body: bytes.to_vec() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, read};

    #[test]
    fn the_first_final_answer_counts() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\nX-Request-Id: 7\r\n\r\nno";
        let answer = Answer { status: 403, request_id: Some("7".into()), body: b"no".to_vec() };
        assert_eq!(read(bytes).unwrap(), Some(answer));
        assert_eq!(read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2").unwrap(), None);
        assert!(read(b"SSH-2.0\r\n").is_err());
    }
}
