//! The only crate that talks to a cluster: watches feed the [`World`](octroi_plan::world::World), plans are computed from
//! it, and their writes are carried out.
//!
//! There is no read in a reconcile: everything is known from watches and from the replies to our own writes. At rest
//! there is no call but the lease and the watches. This crate must never decide what a Tenant is turned into.
#![deny(missing_docs)]

mod adoption;
mod apis;
mod apply;
mod backoff;
mod control_planes;
mod discovery;
mod dns;
mod error;
mod finalizer;
mod health;
mod leader;
mod metrics;
mod observe;
mod proxies;
mod reconcile;
mod routes;
mod snapshot;
mod state;
mod triggers;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use kube::Client;
use tokio_util::sync::CancellationToken;
use tracing::info;

pub use adoption::inventories;
pub use control_planes::Place;
pub use error::RunError;
pub use snapshot::{read_object, read_world};

/// What the operator needs to know to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub listen: SocketAddr,
    /// The namespace of the Lease: the operator's own.
    pub namespace: String,
    /// Who we are among the replicas: the pod's name.
    pub identity: String,
    /// The ConfigMap that Envoy Gateway is configured by, whether it is there or not.
    pub envoy_gateway: Place,
    /// The Deployment of kgateway, whether it is there or not.
    pub kgateway: Place,
}

/// Runs the operator until `shutdown` is cancelled.
///
/// # Errors
/// When the address cannot be bound, the API server cannot be reached at the start, or the lease is lost: then the
/// process must end, so that no stale leader writes.
pub async fn run(client: Client, config: Config, shutdown: CancellationToken) -> Result<(), RunError> {
    let metrics = Arc::new(metrics::Metrics::default());
    let health = health::Health::default();
    let server = health::serve(config.listen, health.clone(), Arc::clone(&metrics), shutdown.clone());
    tokio::select! {
        Err(error) = server => Err(error),
        outcome = lead(client, &config, metrics, health, shutdown.clone()) => outcome,
    }
}

/// Waits for the lease, and works for as long as it is held. On `shutdown` the reconciles that run are finished first.
async fn lead(
    client: Client,
    config: &Config,
    metrics: Arc<metrics::Metrics>,
    health: health::Health,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let Some(lease) = leader::acquire(&client, config, &health, &shutdown).await? else { return Ok(()) };
    info!(identity = config.identity, "leading");
    metrics.leader.set(1);
    let lease = Arc::new(lease);
    tokio::select! {
        lost = lease.keep() => return Err(lost),
        () = reconcile::run(client, config, Arc::clone(&lease), metrics, health, shutdown) => {}
    }
    lease.release().await;
    Ok(())
}
