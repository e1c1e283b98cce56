//! The probe tells what happened, no more and no less: checked against small servers of our own.

#![cfg(test)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use octroi_tests::probe::rate::{self, Connections};
use octroi_tests::probe::{Ask, Failure, Outcome, Probe};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

const HOST: &str = "https://www.acme.apps.test/some/path?q=1";

#[tokio::test]
async fn sees_the_certificate_the_protocol_and_what_the_server_was_asked() {
    let server = Server::start(&["h2", "http/1.1"]).await;
    for (offered, agreed) in [(vec!["h2", "http/1.1"], "h2"), (vec!["http/1.1"], "http/1.1")] {
        let probe = Probe::offering(&server.ca, &offered).unwrap();
        let answer = probe.ask(&Ask::get(HOST, server.address).unwrap().header("x-one", "1")).await.unwrap();
        let tls = answer.tls.as_ref().unwrap();
        assert_eq!(tls.alpn.as_deref(), Some(agreed));
        assert_eq!(tls.sans, ["acme.apps.test", "*.acme.apps.test"]);
        assert_eq!((tls.issuer.as_str(), tls.name_for("www.acme.apps.test")), ("lab-ca", Some("*.acme.apps.test")));
        assert_eq!((answer.code, answer.header("x-saw-one")), (200, Some("1")));
        assert_eq!(answer.body, "www.acme.apps.test /some/path?q=1");
    }
}

#[tokio::test]
async fn names_another_host_in_the_handshake_than_in_the_request() {
    let server = Server::start(&["h2"]).await;
    let probe = Probe::trusting(&server.ca).unwrap();
    let ask = Ask::get("https://www.globex.apps.test/", server.address).unwrap().sni("www.acme.apps.test");
    assert_eq!(probe.ask(&ask).await.unwrap().body, "www.globex.apps.test /");
}

#[tokio::test]
async fn tells_failures_apart() {
    let server = Server::start(&["h2"]).await;
    let stranger = Server::start(&["h2"]).await;
    let ask = Ask::get(HOST, server.address).unwrap();
    let mistrusted = Probe::trusting(&stranger.ca).unwrap().ask(&ask).await;
    assert!(matches!(mistrusted, Err(Failure::Tls(_))), "{mistrusted:?}");

    let probe = Probe::trusting(&server.ca).unwrap().timeout(Duration::from_millis(300));
    let wrong = probe.ask(&Ask::get("https://www.globex.apps.test/", server.address).unwrap()).await;
    assert!(matches!(wrong, Err(Failure::Tls(_))), "{wrong:?}");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let unanswered = probe.ask(&Ask::get(HOST, address).unwrap()).await;
    assert!(matches!(unanswered, Err(Failure::Timeout)), "{unanswered:?}");
    drop(silent);
    let refused = probe.ask(&Ask::get(HOST, address).unwrap()).await;
    assert!(matches!(refused, Err(Failure::Connect(_))), "{refused:?}");
}

#[tokio::test]
async fn connects_and_hangs_up_without_a_request() {
    let server = Server::start(&["h2"]).await;
    let stranger = Server::start(&["h2"]).await;
    let ask = Ask::get(HOST, server.address).unwrap();
    let probe = Probe::trusting(&server.ca).unwrap().without_resumption();
    for _ in 0..3 {
        probe.connect(&ask).await.unwrap();
    }
    assert_eq!(probe.ask(&ask).await.unwrap().code, 200, "the server takes it well");
    let mistrusted = Probe::trusting(&stranger.ca).unwrap().connect(&ask).await;
    assert!(matches!(mistrusted, Err(Failure::Tls(_))), "{mistrusted:?}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ask = Ask::get(HOST, silent.local_addr().unwrap()).unwrap();
    let unanswered = probe.timeout(Duration::from_millis(300)).connect(&ask).await;
    assert!(matches!(unanswered, Err(Failure::Timeout)), "{unanswered:?}");
}

#[tokio::test]
async fn waits_for_a_code_and_counts_the_others() {
    let server = Server::start(&["h2"]).await;
    let probe = Probe::trusting(&server.ca).unwrap();
    let ask = Ask::get(HOST, server.address).unwrap();
    assert_eq!(probe.until_status(&ask, 200, Duration::from_secs(1)).await.unwrap().others.len(), 0);

    let late = probe.until_status(&ask, 503, Duration::from_millis(100)).await.unwrap_err().to_string();
    assert!(late.contains("x 200"), "{late}");
}

#[tokio::test]
async fn keeps_its_rate_and_shows_when_the_server_went_away() {
    for connections in [Connections::Fresh, Connections::Kept] {
        let server = Server::start(&["h2"]).await;
        let probe = Probe::trusting(&server.ca).unwrap();
        let ask = Ask::get(HOST, server.address).unwrap();
        let stop = CancellationToken::new();
        let run = rate::run(&probe, &ask, 100, connections, Duration::from_secs(2), &stop);
        let (run, ()) = tokio::join!(run, async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            server.stop.cancel();
        });

        assert_eq!(run.samples.len(), 200, "{connections:?}");
        let good = run.histogram()[&Outcome::Code(200)];
        let (first, last) = run.disturbed(200).unwrap();
        println!("{connections:?}: {}; disturbed {first:?} to {last:?}", rate::counted(&run.histogram()));
        assert!((80..=120).contains(&good), "{connections:?}: {good}");
        assert_eq!(run.failed(200), 200 - good);
        assert!(first > Duration::from_millis(800) && last > Duration::from_millis(1900));
        assert!(run.latency(200, 50).unwrap() < Duration::from_millis(500));
    }
}

#[tokio::test]
async fn a_run_ends_when_it_is_cancelled() {
    let server = Server::start(&["h2"]).await;
    let probe = Probe::trusting(&server.ca).unwrap();
    let ask = Ask::get(HOST, server.address).unwrap();
    let stop = CancellationToken::new();
    let run = rate::run(&probe, &ask, 50, Connections::Kept, Duration::from_mins(1), &stop);
    let (run, ()) = tokio::join!(run, async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.cancel();
    });
    assert!((5..=15).contains(&run.samples.len()), "{}", run.samples.len());
}

/// Answers with what it was asked, until it is stopped.
struct Server {
    address: SocketAddr,
    ca: String,
    stop: CancellationToken,
}

impl Server {
    async fn start(protocols: &[&str]) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "lab-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["acme.apps.test", "*.acme.apps.test"].map(String::from);
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        tls.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = serve(listener, TlsAcceptor::from(Arc::new(tls)), stop.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(served));
        Self { address, ca: ca.pem(), stop }
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, stop: CancellationToken) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let tls = tls.clone();
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            let Ok(stream) = tls.accept(tcp).await else { return };
            let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let stream = TokioIo::new(stream);
            // An error here is the client's to see.
            let _ = if two {
                http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service_fn(echo)).await
            } else {
                http1::Builder::new().serve_connection(stream, service_fn(echo)).await
            };
        }));
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let header = request.headers().get("host").and_then(|host| host.to_str().ok());
    let host = request.uri().host().or(header).unwrap_or_default();
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    let mut response = Response::new(Full::from(format!("{host} {path}")));
    if let Some(one) = request.headers().get("x-one") {
        response.headers_mut().insert("x-saw-one", one.clone());
    }
    Ok(response)
}
