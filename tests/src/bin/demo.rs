//! `make demo`, once the lab runs and Octroi is installed on it.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match octroi_tests::demo::run().await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("demo: error: {error}");
            ExitCode::FAILURE
        }
    }
}
