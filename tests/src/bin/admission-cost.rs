//! `make bench-admission`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match octroi_tests::admission_cost::run().await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("admission-cost: error: {error}");
            ExitCode::FAILURE
        }
    }
}
