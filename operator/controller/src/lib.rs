//! The only crate that talks to a cluster: watches feed the [`World`](octroi_plan::world::World), plans are computed from
//! it, and their writes are carried out.
//!
//! There is no read in a reconcile: everything is known from watches and from the replies to our own writes. At rest
//! there is no call but the lease and the watches. This crate must never decide what a Tenant is turned into.
#![deny(missing_docs)]

mod apis;
mod apply;
mod backoff;
mod discovery;
mod error;
mod finalizer;
mod health;
mod leader;
mod metrics;
mod observe;
mod reconcile;
mod snapshot;
mod state;
mod triggers;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use kube::Client;
use tokio_util::sync::CancellationToken;
use tracing::info;

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
}

/// Runs the operator until `shutdown` is cancelled.
///
/// # Errors
/// When the address cannot be bound, the API server cannot be reached at the start, or the lease is lost: then the
/// process must end, so that no stale leader writes.
pub async fn run(client: Client, config: Config, shutdown: CancellationToken) -> Result<(), RunError> {
    let metrics = Arc::new(metrics::Metrics::default());
    let health = health::Health::default();
    let server = tokio::spawn(health::serve(config.listen, health.clone(), Arc::clone(&metrics), shutdown.clone()));

    let lease = leader::acquire(&client, &config, &health, &shutdown).await?;
    let Some(lease) = lease else { return server.await.map_err(|_| RunError::Task)? };
    info!(identity = config.identity, "leading");
    metrics.leader.set(1);

    let work = reconcile::run(client, &config, Arc::clone(&metrics), health, shutdown.clone());
    let outcome = tokio::select! {
        lost = lease.keep(shutdown.clone()) => lost,
        worked = work => worked,
        ended = server => ended.map_err(|_| RunError::Task)?,
    };
    shutdown.cancel();
    lease.release().await;
    outcome
}
