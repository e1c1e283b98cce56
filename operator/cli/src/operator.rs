//! `octroi operator`: the operator itself.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use kube::Client;
use octroi_controller::Config;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

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
    /// How log lines are written.
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
    /// What is logged: a level, or targets with levels as in `info,octroi_controller=debug`.
    #[arg(long, env = "OCTROI_LOG", default_value = "info")]
    log: String,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Runs the command.
///
/// # Errors
/// When there is no cluster, the address is taken, or the lease is lost.
pub async fn run(args: Args) -> Result<()> {
    let filter =
        EnvFilter::try_new(&args.log).context("--log is no filter: write info, or info,octroi_controller=debug")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    let shutdown = CancellationToken::new();
    tokio::spawn(cancel_on_signal(shutdown.clone()));
    let client = Client::try_default().await.context("no cluster: set KUBECONFIG, or run in a pod")?;
    let config = Config { listen: args.listen, namespace: args.namespace, identity: args.identity };
    Ok(octroi_controller::run(client, config, shutdown).await?)
}

async fn cancel_on_signal(shutdown: CancellationToken) {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    shutdown.cancel();
}
