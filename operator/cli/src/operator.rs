//! `octroi operator`: the operator itself.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use kube::Client;
use octroi_controller::{Config, Place};

use crate::process::{Log, shutdown_on_signal};

/// Runs the operator against the cluster of the kubeconfig, or of the pod it runs in.
#[derive(clap::Args)]
pub struct Args {
    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The operator's own namespace, for its lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "octroi-system")]
    namespace: String,
    /// Who this replica is among the others.
    #[arg(long, env = "POD_NAME", default_value = "octroi-local")]
    identity: String,
    /// The ConfigMap that Envoy Gateway is configured by; TenantClasses say whether it weakens tenants.
    #[arg(long, default_value = "envoy-gateway-system/envoy-gateway-config", value_name = "NAMESPACE/NAME")]
    envoy_gateway: Place,
    /// The Deployment of kgateway; TenantClasses say whether it weakens tenants.
    #[arg(long, default_value = "kgateway-system/kgateway", value_name = "NAMESPACE/NAME")]
    kgateway: Place,
    #[command(flatten)]
    log: Log,
}

/// Runs the command.
///
/// # Errors
/// When there is no cluster, the address is taken, or the lease is lost.
pub async fn run(args: Args) -> Result<()> {
    args.log.init()?;
    let shutdown = shutdown_on_signal();
    let client = Client::try_default().await.context("no cluster: set KUBECONFIG, or run in a pod")?;
    let config = Config {
        listen: args.listen,
        namespace: args.namespace,
        identity: args.identity,
        envoy_gateway: args.envoy_gateway,
        kgateway: args.kgateway,
    };
    Ok(octroi_controller::run(client, config, shutdown).await?)
}
