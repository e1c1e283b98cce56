//! `make crs`: the regression tests of the OWASP Core Rule Set, and a corpus of ordinary requests, through Octroi's firewall.
//!
//! It knows the firewall only by what `octroi-waf` offers, and ends with an error when a test leaves the pass set, when a ledger
//! says what is no longer so, or when an ordinary request is refused that the ledger does not name.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use octroi_crs::error::Result;
use octroi_crs::{regression, through, traffic};

/// Runs the tests of the Core Rule Set and the ordinary requests.
#[derive(Parser)]
struct Args {
    /// A folder with `rules` and `tests`, as `lab/lab.sh dir coreruleset` names it.
    #[arg(long, value_name = "FOLDER")]
    coreruleset: PathBuf,
    /// An Envoy, as `lab/lab.sh bin envoy` names it: sends the tests through it, too.
    #[arg(long, value_name = "FILE")]
    envoy: Option<PathBuf>,
    /// Runs only tests whose id starts with this, such as 942100 or 942100-7, and shows all that the engine said.
    #[arg(long, value_name = "ID")]
    only: Option<String>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crs: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool> {
    if let Some(id) = &args.only {
        regression::show(&args.coreruleset, id)?;
        return through_envoy(args, id);
    }
    let traffic = traffic::run(&args.coreruleset)?;
    println!("{traffic}");
    let regression = regression::run(&args.coreruleset)?;
    println!("{regression}");
    let through = through_envoy(args, "")?;
    Ok(traffic.is_good() && regression.is_good() && through)
}

fn through_envoy(args: &Args, only: &str) -> Result<bool> {
    let Some(envoy) = &args.envoy else { return Ok(true) };
    let report = through::run(&args.coreruleset, envoy, only)?;
    println!("{report}");
    if !only.is_empty() {
        return Ok(report.is_good());
    }
    let corpus = through::corpus::run(&args.coreruleset, envoy)?;
    println!("{corpus}");
    Ok(report.is_good() && corpus.problems.is_empty())
}
