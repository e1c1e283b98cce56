//! A call of Envoy Gateway's rate limit service that does nothing: what a limit that is counted there costs at least.
//!
//! The service is the one that Envoy asks, with the certificates that Envoy shows (Envoy Gateway 1.9.1,
//! internal/infrastructure/kubernetes/ratelimit and internal/crypto); the call is its health check, which looks nothing up.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::Api;
use octroi_load::figures::{millis, percentile};
use tokio_util::sync::CancellationToken;

use super::WARM;
use super::args::Args;
use crate::probe::rate::{self, Connections};
use crate::probe::{Ask, Outcome, Probe};
use crate::stage::Stage;
use crate::{Error, Result};

const NAMESPACE: &str = "envoy-gateway-system";
const SERVICE: &str = "envoy-ratelimit";
const PORT: u16 = 8081;
/// What Envoy shows, and whom it trusts.
const SECRET: &str = "envoy";
/// An empty message: not compressed, of no length.
const NOTHING: [u8; 5] = [0; 5];

/// At p50, in microseconds.
pub(super) async fn measure(stage: &Stage, args: &Args) -> Result<f64> {
    let (probe, ask) = (probe(stage).await?, ask(stage).await?);
    probe.until_status(&ask, 200, Duration::from_secs(10)).await?;
    let stop = CancellationToken::new();
    let run = rate::run(&probe, &ask, args.rate, Connections::Kept, WARM + args.counted(), &stop).await;
    let lost = run.failed(200);
    let counted = run.samples.iter().filter(|sample| sample.at >= WARM && sample.outcome == Outcome::Code(200));
    let took = percentile(counted.map(|sample| sample.took.saturating_sub(sample.late)).collect(), 50);
    match took {
        Some(took) if lost == 0 => Ok(millis(took) * 1000.0),
        _ => Err(failed(&format!("{lost} of {} calls had no answer", run.samples.len()))),
    }
}

async fn probe(stage: &Stage) -> Result<Probe> {
    let secrets = Api::<Secret>::namespaced(stage.client.clone(), NAMESPACE);
    let secret = secrets.get(SECRET).await.map_err(Error::kube(format!("Secret {NAMESPACE}/{SECRET}")))?;
    let read = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        let bytes = bytes.ok_or_else(|| failed(&format!("Secret {NAMESPACE}/{SECRET} has no {key}")))?;
        String::from_utf8(bytes.0.clone()).map_err(Error::failed(key))
    };
    Probe::showing(&read("ca.crt")?, &read("tls.crt")?, &read("tls.key")?)
}

async fn ask(stage: &Stage) -> Result<Ask> {
    let services = Api::<Service>::namespaced(stage.client.clone(), NAMESPACE);
    let service = services.get(SERVICE).await.map_err(Error::kube(format!("Service {NAMESPACE}/{SERVICE}")))?;
    let address: Option<IpAddr> = service.spec.and_then(|spec| spec.cluster_ip).and_then(|ip| ip.parse().ok());
    let address = address.ok_or_else(|| failed("its Service has no address"))?;
    let url = format!("https://{SERVICE}.{NAMESPACE}/grpc.health.v1.Health/Check");
    let ask = Ask::get(&url, SocketAddr::new(address, PORT))?.method(Method::POST).body(Bytes::from_static(&NOTHING));
    Ok(ask.header("content-type", "application/grpc").header("te", "trailers"))
}

fn failed(detail: &str) -> Error {
    Error::Failed { what: "a call of the rate limit service".into(), detail: detail.into() }
}
