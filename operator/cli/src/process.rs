//! What the long-running commands share: how they log, and how they are told to end.

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// What is logged, and how. Log lines go to the standard error.
#[derive(clap::Args)]
pub struct Log {
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

impl Log {
    /// Begins to log.
    ///
    /// # Errors
    /// When the filter is none.
    pub fn init(&self) -> Result<()> {
        let filter =
            EnvFilter::try_new(&self.log).context("--log is no filter: write info, or info,octroi_controller=debug")?;
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Text => log.init(),
            LogFormat::Json => log.json().init(),
        }
        Ok(())
    }
}

/// A token that is cancelled by SIGTERM and SIGINT.
pub fn shutdown_on_signal() -> CancellationToken {
    let shutdown = CancellationToken::new();
    tokio::spawn(cancel_on_signal(shutdown.clone()));
    shutdown
}

async fn cancel_on_signal(shutdown: CancellationToken) {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    shutdown.cancel();
}
