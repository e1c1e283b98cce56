//! `make bench`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match octroi_tests::bench::run().await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: error: {error}");
            ExitCode::FAILURE
        }
    }
}
