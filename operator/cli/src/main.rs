//! `octroi`: the operator, and the tools of those who run it. Also usable as `kubectl octroi`.

mod cluster;
mod crds;
mod diff;
mod doctor;
mod hold;
mod input;
mod operator;
mod process;
mod render;
mod screen;
mod status;
mod waf;
mod yaml;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Multi-tenant Gateway API: one Tenant per client, a gateway they cannot break.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator.
    Operator(operator::Args),
    /// Run the web application firewall that the data planes ask.
    Waf(waf::Args),
    /// Print, offline, what the operator would apply.
    Render(render::Args),
    /// Print what the operator would change in the cluster.
    Diff(diff::Args),
    /// Print what of the data planes, the guards and the classes has to be put right.
    Doctor(doctor::Args),
    /// Print the state of a Tenant, on one screen.
    Status(status::Args),
    /// Take a Tenant out of service, or cordon it, whatever its spec says.
    Suspend(hold::Suspend),
    /// Take the hold off a Tenant.
    Resume(hold::Resume),
    /// Print or write the CustomResourceDefinitions.
    Crds(crds::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            // The chain of causes on one line, never a stack trace, whatever RUST_BACKTRACE says.
            eprintln!("octroi: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Operator(args) => operator::run(args).await?,
        Command::Waf(args) => waf::run(args).await?,
        Command::Render(args) => render::run(&args)?,
        Command::Diff(args) => return diff::run(&args).await,
        Command::Doctor(args) => return doctor::run(&args).await,
        Command::Status(args) => status::run(&args).await?,
        Command::Suspend(args) => hold::suspend(args).await?,
        Command::Resume(args) => hold::resume(args).await?,
        Command::Crds(args) => crds::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}
