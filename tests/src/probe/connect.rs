//! One connection: TCP, TLS where the URL says so, then HTTP/2 or HTTP/1.1 as agreed.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Answer, Ask, Failure, Probe, Served};

/// An open connection to one address.
pub(super) struct Connection {
    sender: Sender,
    tls: Option<Served>,
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    pub(super) async fn open(probe: &Probe, ask: &Ask) -> Result<Self, Failure> {
        let tcp = TcpStream::connect(ask.address).await.map_err(|error| Failure::Connect(error.to_string()))?;
        // Small requests must not wait for each other's acknowledgements.
        tcp.set_nodelay(true).map_err(|error| Failure::Connect(error.to_string()))?;
        if ask.url.scheme_str() != Some("https") {
            return Ok(Self { sender: Sender::one(tcp).await?, tls: None });
        }
        let name = ask.sni.as_deref().unwrap_or_else(|| ask.host()).to_owned();
        let name = ServerName::try_from(name).map_err(|error| Failure::Tls(error.to_string()))?;
        let connector = TlsConnector::from(Arc::clone(&probe.tls));
        let stream = connector.connect(name, tcp).await.map_err(|error| Failure::Tls(error.to_string()))?;
        let served = served(&stream)?;
        let sender = match served.alpn.as_deref() {
            Some("h2") => Sender::two(stream).await?,
            _ => Sender::one(stream).await?,
        };
        Ok(Self { sender, tls: Some(served) })
    }

    /// Sends one request and reads its whole answer.
    pub(super) async fn send(&mut self, ask: &Ask) -> Result<Answer, Failure> {
        let response = match &mut self.sender {
            Sender::One(sender) => {
                sender.ready().await.map_err(broken)?;
                sender.send_request(request(ask, false)?).await.map_err(broken)?
            }
            Sender::Two(sender) => {
                sender.ready().await.map_err(broken)?;
                sender.send_request(request(ask, true)?).await.map_err(broken)?
            }
        };
        self.read(response).await
    }

    /// Whether the server has not closed it, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        match &self.sender {
            Sender::One(sender) => !sender.is_closed(),
            Sender::Two(sender) => !sender.is_closed(),
        }
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Answer, Failure> {
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(broken)?.to_bytes();
        Ok(Answer { code: head.status.as_u16(), headers: head.headers, body, tls: self.tls.clone() })
    }
}

impl Sender {
    async fn one<S>(stream: S) -> Result<Self, Failure>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends when the sender is dropped; an error of the connection reaches the request that was on it.
        tokio::spawn(connection);
        Ok(Self::One(sender))
    }

    async fn two<S>(stream: S) -> Result<Self, Failure>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(broken)?;
        tokio::spawn(connection);
        Ok(Self::Two(sender))
    }
}

fn served(stream: &TlsStream<TcpStream>) -> Result<Served, Failure> {
    let (_, session) = stream.get_ref();
    let leaf = session.peer_certificates().and_then(<[_]>::first);
    let leaf = leaf.ok_or_else(|| Failure::Tls("the server showed no certificate".into()))?;
    Served::read(leaf, session.alpn_protocol())
}

/// HTTP/2 wants the whole URL, whose host becomes `:authority`; HTTP/1.1 wants the path, and the host as a header.
fn request(ask: &Ask, two: bool) -> Result<Request<Full<Bytes>>, Failure> {
    let invalid = |error: hyper::http::Error| Failure::Http(error.to_string());
    let own = ask.url.authority().map_or_else(String::new, ToString::to_string);
    let named = ask.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = named.map_or(own, |(_, value)| value.clone());
    let path = ask.url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(ask.method.clone());
    if two {
        let scheme = ask.url.scheme_str().unwrap_or("https");
        let url = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
        request = request.uri(url.map_err(invalid)?);
    } else {
        request = request.uri(path).header(HOST, host);
    }
    for (name, value) in ask.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        let name = HeaderName::try_from(name).map_err(|error| Failure::Http(error.to_string()))?;
        let value = HeaderValue::try_from(value).map_err(|error| Failure::Http(error.to_string()))?;
        request = request.header(name, value);
    }
    request.body(Full::new(ask.body.clone())).map_err(invalid)
}

#[expect(clippy::needless_pass_by_value, reason = "it is the shape map_err wants")]
fn broken(error: hyper::Error) -> Failure {
    Failure::Http(error.to_string())
}
