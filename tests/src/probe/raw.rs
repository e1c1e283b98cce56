//! A connection whose bytes the caller writes: for clients that are slow, silent or malformed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Ask, Failure, Probe};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An open connection on which nothing was said yet.
pub struct Raw {
    stream: Box<dyn Stream>,
}

/// What a server said until it closed the connection.
#[derive(Debug)]
pub struct Closed {
    /// Its bytes.
    pub said: Vec<u8>,
    /// How long the connection lived from the call on.
    pub after: Duration,
}

impl Probe {
    /// Connects, with TLS where the URL says so, and says nothing.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn raw(&self, ask: &Ask) -> Result<Raw, Failure> {
        let opened = async {
            let tcp = connect(ask).await?;
            if ask.url.scheme_str() != Some("https") {
                return Ok(Raw { stream: Box::new(tcp) });
            }
            let name = ServerName::try_from(ask.host().to_owned()).map_err(|error| Failure::Tls(error.to_string()))?;
            let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await;
            Ok(Raw { stream: Box::new(stream.map_err(|error| Failure::Tls(error.to_string()))?) })
        };
        timeout(self.timeout, opened).await.unwrap_or(Err(Failure::Timeout))
    }

    /// Connects and does not even begin TLS.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn silent(&self, ask: &Ask) -> Result<Raw, Failure> {
        Ok(Raw { stream: Box::new(connect(ask).await?) })
    }
}

async fn connect(ask: &Ask) -> Result<TcpStream, Failure> {
    TcpStream::connect(ask.address).await.map_err(|error| Failure::Connect(error.to_string()))
}

impl Raw {
    /// Sends these bytes.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn say(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| Failure::Http(error.to_string()))
    }

    /// Reads some bytes; none when the server has closed the connection.
    ///
    /// # Errors
    /// When nothing comes in time.
    pub async fn hear(&mut self, limit: Duration) -> Result<Vec<u8>, Failure> {
        let mut buffer = vec![0; 16 * 1024];
        let read = timeout(limit, self.stream.read(&mut buffer)).await.map_err(|_| Failure::Timeout)?;
        // A reset is an end, too.
        buffer.truncate(read.unwrap_or(0));
        Ok(buffer)
    }

    /// Reads until the server closes the connection.
    ///
    /// # Errors
    /// When it has not done so in time.
    pub async fn until_closed(&mut self, limit: Duration) -> Result<Closed, Failure> {
        let since = Instant::now();
        let mut said = Vec::new();
        loop {
            let bytes = self.hear(limit.saturating_sub(since.elapsed())).await?;
            if bytes.is_empty() {
                return Ok(Closed { said, after: since.elapsed() });
            }
            said.extend(bytes);
        }
    }
}
