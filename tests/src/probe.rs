//! An HTTP and HTTPS client that sees what a curl with `--resolve` sees: the code, the body, the certificate served.
//!
//! It never follows redirects, never retries, and never sends a request a second time: a probe counts what happened.

mod answer;
mod connect;
mod failure;
pub mod rate;
mod raw;
pub mod tls_hello;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::{Method, Uri};
use rustls::client::{Resumption, WantsClientCert};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

pub use self::answer::{Answer, Served};
use self::connect::Connection;
pub use self::failure::{Failure, Outcome};
pub use self::raw::{Closed, Raw};
use crate::{Error, Result};

const TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// One request: what to ask, and which address to ask it of.
#[derive(Clone, Debug)]
pub struct Ask {
    url: Uri,
    address: SocketAddr,
    method: Method,
    sni: Option<String>,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Ask {
    /// GET `url`, its host resolved to `address`.
    ///
    /// # Errors
    /// When the URL is not one with a host.
    pub fn get(url: &str, address: SocketAddr) -> Result<Self> {
        let url: Uri = url.parse().map_err(Error::failed(format!("the URL {url}")))?;
        if url.host().is_none() {
            return Err(Error::Failed { what: format!("the URL {url}"), detail: "it has no host".into() });
        }
        Ok(Self { url, address, method: Method::GET, sni: None, headers: Vec::new(), body: Bytes::new() })
    }

    /// Names another server in the TLS handshake than in the request, as an attacker would.
    #[must_use]
    pub fn sni(mut self, name: &str) -> Self {
        self.sni = Some(name.to_owned());
        self
    }

    /// Another method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// With a body, whose length is said.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// One more header; `host` replaces the URL's own in the request, not in the handshake.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn host(&self) -> &str {
        self.url.host().unwrap_or_default()
    }
}

/// What [`Probe::until_status`] saw.
#[derive(Debug)]
pub struct Waited {
    /// From the call to the answer.
    pub elapsed: Duration,
    /// The answer.
    pub answer: Answer,
    /// Every other outcome on the way, counted.
    pub others: BTreeMap<Outcome, usize>,
}

/// The client: whom it trusts, and how long it waits.
#[derive(Clone)]
pub struct Probe {
    tls: Arc<ClientConfig>,
    timeout: Duration,
}

impl Probe {
    /// Trusts the certificates of this PEM text and nothing else; offers HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// When the text holds no certificate.
    pub fn trusting(ca_pem: &str) -> Result<Self> {
        Self::offering(ca_pem, &["h2", "http/1.1"])
    }

    /// As [`Probe::trusting`], with these protocols offered by ALPN.
    ///
    /// # Errors
    /// As [`Probe::trusting`].
    pub fn offering(ca_pem: &str, protocols: &[&str]) -> Result<Self> {
        Ok(Self::with(trust(ca_pem)?.with_no_client_auth(), protocols))
    }

    /// As [`Probe::trusting`], and shows this certificate when it is asked for one; both in PEM.
    ///
    /// # Errors
    /// As [`Probe::trusting`], and when the key is not the certificate's.
    pub fn showing(ca_pem: &str, certificate: &str, key: &str) -> Result<Self> {
        let what = "the client's certificate";
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(Error::failed(what))?;
        let tls = trust(ca_pem)?.with_client_auth_cert(chain.map_err(Error::failed(what))?, key);
        Ok(Self::with(tls.map_err(Error::failed(what))?, &["h2", "http/1.1"]))
    }

    fn with(mut tls: ClientConfig, protocols: &[&str]) -> Self {
        tls.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self { tls: Arc::new(tls), timeout: TIMEOUT }
    }

    /// Waits that long for one answer, connection included, instead of 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Remembers no session: every handshake is a whole one.
    #[must_use]
    pub fn without_resumption(mut self) -> Self {
        Arc::make_mut(&mut self.tls).resumption = Resumption::disabled();
        self
    }

    /// Connects as for this request, and hangs up without a word.
    ///
    /// # Errors
    /// Why there was no connection, or no TLS.
    pub async fn connect(&self, ask: &Ask) -> Result<(), Failure> {
        let opened = async { Connection::open(self, ask).await.map(drop) };
        tokio::time::timeout(self.timeout, opened).await.unwrap_or(Err(Failure::Timeout))
    }

    /// Asks once, on a connection of its own.
    ///
    /// # Errors
    /// Why there was no answer. Any answer is a success, whatever its code.
    pub async fn ask(&self, ask: &Ask) -> Result<Answer, Failure> {
        let asked = async { Connection::open(self, ask).await?.send(ask).await };
        tokio::time::timeout(self.timeout, asked).await.unwrap_or(Err(Failure::Timeout))
    }

    /// Asks until the answer has that code; a new connection each time.
    ///
    /// # Errors
    /// When the deadline passes; the message counts what was seen instead.
    pub async fn until_status(&self, ask: &Ask, code: u16, deadline: Duration) -> Result<Waited> {
        self.until(ask, deadline, &format!("code {code}"), |answer| answer.code == code).await
    }

    /// Asks until the answer is as wanted; a new connection each time.
    ///
    /// # Errors
    /// As [`Probe::until_status`].
    pub async fn until(
        &self,
        ask: &Ask,
        deadline: Duration,
        wanted: &str,
        accept: impl Fn(&Answer) -> bool,
    ) -> Result<Waited> {
        let since = Instant::now();
        let mut others: BTreeMap<Outcome, usize> = BTreeMap::new();
        loop {
            let answered = self.ask(ask).await;
            match answered {
                Ok(answer) if accept(&answer) => return Ok(Waited { elapsed: since.elapsed(), answer, others }),
                other => *others.entry(Outcome::of(&other)).or_default() += 1,
            }
            if since.elapsed() > deadline {
                return Err(Error::NotInTime {
                    what: format!("{} at {} answers with {wanted}", ask.url, ask.address),
                    waited: since.elapsed(),
                    state: format!("seen instead: {}", rate::counted(&others)),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn trust(ca_pem: &str) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let what = "the authority to trust";
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.map_err(Error::failed(what))?).map_err(Error::failed(what))?;
    }
    if roots.is_empty() {
        return Err(Error::Failed { what: what.into(), detail: "the PEM text holds no certificate".into() });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(Error::failed("TLS"))?.with_root_certificates(roots))
}
