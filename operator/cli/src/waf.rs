//! `octroi waf`: the web application firewall that the data planes ask.

mod cluster;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use octroi_waf::extproc::{self, AuditLog, Feed, Files, Limits, Shared};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::process::{Log, shutdown_on_signal};

/// Serves the web application firewall to Envoy, as an external processor. The audit log goes to the standard output.
#[derive(clap::Args)]
pub struct Args {
    /// Where Envoy asks, by gRPC.
    #[arg(long, default_value = "127.0.0.1:9002", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    metrics_listen: SocketAddr,
    /// Other rules than those built in: a folder with @crs-setup.conf.example and @owasp_crs, as the Go module coraza-coreruleset
    /// has it.
    #[arg(long, value_name = "FOLDER")]
    rules: Option<PathBuf>,
    /// The tenants' profiles from a file, to try it without a cluster. Default: what the operator writes into the cluster.
    #[arg(long, value_name = "FILE")]
    profiles: Option<PathBuf>,
    /// How often the two are looked at for changes, in seconds. Wrong ones are not taken into use.
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    reload_every: u64,
    /// Requests that are inspected at the same time; the number of cores when not given.
    #[arg(long, value_name = "COUNT")]
    workers: Option<NonZeroUsize>,
    /// Requests that are inspected or wait for it; more are turned away, and fail as the data plane is set up.
    #[arg(long, default_value = "256", value_name = "COUNT")]
    max_in_flight: NonZeroUsize,
    /// How long requests under way are waited for at the end, in seconds.
    #[arg(long, default_value = "25", value_name = "SECONDS")]
    drain: u64,
    #[command(flatten)]
    log: Log,
}

/// Runs the command.
///
/// # Errors
/// When rules or profiles are wrong at the start, an address is taken, or requests are still under way after the drain.
pub async fn run(args: Args) -> Result<()> {
    args.log.init()?;
    let shutdown = shutdown_on_signal();
    let client = if args.profiles.is_none() { Some(cluster::client().await?) } else { None };
    let files = Files { rules: args.rules, profiles: args.profiles };
    let (watched, rules, profiles) =
        tokio::task::spawn_blocking(|| files.load()).await?.context("nothing to serve by")?;
    let workers = args.workers.map_or_else(|| available_parallelism().map_or(1, NonZeroUsize::get), NonZeroUsize::get);
    let limits = Limits { workers, in_flight: args.max_in_flight.get() };
    let audit = AuditLog::new(io::stdout()).context("no thread for the audit log")?;
    let shared = Arc::new(Shared::new(rules, profiles, audit, limits));
    if let Some(client) = client {
        // Nobody is to be refused because its profile is still on its way.
        let (ready, all_there) = oneshot::channel();
        tokio::spawn(cluster::follow(client, Feed::new(Arc::clone(&shared)), ready, shutdown.clone()));
        all_there.await.context("ended before all profiles were there")?;
    }

    let asked = bind(args.listen).await?;
    let scraped = bind(args.metrics_listen).await?;
    tracing::info!(listen = %args.listen, workers, "the firewall serves");
    let http = tokio::spawn(extproc::serve_http(scraped, Arc::clone(&shared), shutdown.clone()));
    let every = Duration::from_secs(args.reload_every);
    tokio::spawn(extproc::watch(watched, Arc::clone(&shared), every, shutdown.clone()));
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(Duration::from_secs(args.drain)).await;
    };
    tokio::select! {
        done = extproc::serve(asked, shared, shutdown.clone()) => done?,
        () = late => bail!("requests were still under way after {} s", args.drain),
    }
    http.await??;
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))
}
