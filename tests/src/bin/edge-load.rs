//! `make bench-edge`.

use std::process::ExitCode;

use clap::Parser as _;
use octroi_tests::edge_load::{self, Args, Outcome};

#[tokio::main]
async fn main() -> ExitCode {
    let Outcome { report, ended } = edge_load::run(&Args::parse()).await;
    if let Some(report) = report {
        println!("{report}");
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("edge-load: error: {error}");
            ExitCode::FAILURE
        }
    }
}
