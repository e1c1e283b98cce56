//! `make bench`: how long it takes from a Tenant applied to the first 200 through the tenant's own hostname, beside the
//! same objects applied by kubectl. A program and no test: its figures depend on the machine.
//!
//! # What is compared
//! - **octroi**: `kubectl apply --server-side` of one Tenant. Octroi makes the rest.
//! - **kubectl**: `kubectl apply --server-side` of one file with what `octroi render` prints for such a Tenant, in that
//!   order: claims, namespaces, rights, certificate, Gateway, policies, entry. Nothing waits in between.
//!
//! # What makes it fair
//! - Both clocks start just before kubectl is started, and stop at the first 200. Both pay for one kubectl process.
//! - Both need a certificate that cert-manager issues while the clock runs, of the same issuer and kind; a Dedicated one
//!   needs a proxy pod, of the same size.
//! - Both get the same route and the same Service, written by this process with the same calls as soon as the tenant's
//!   namespace is there. The backend runs beforehand, elsewhere: the Service has no selector, and an EndpointSlice names
//!   that pod.
//! - Both are probed in the same way: a new connection every 10 ms, given up after 250 ms, at an address that is known
//!   beforehand (Shared) or read from the Gateway's status every 10 ms (Dedicated).
//! - The shared Gateway has a tenant already in both. Each leg takes everything away, and waits, before the next begins.
//! - Rounds alternate, and so does who begins. The first round of each mode is thrown away: it warms images and caches.
//!
//! What is left against Octroi: it runs, and watches, in both legs.
//!
//! # How to run it
//! The operator must be a release build, of the same binary that renders (the report says whether it was):
//! ```text
//! cargo build --release -p octroi
//! tag=$(sha256sum target/release/octroi | cut -c1-12)
//! lab/lab.sh image octroi.test/octroi:$tag target/release/octroi
//! eval "$(lab/lab.sh env)"
//! $(lab/lab.sh bin helm) upgrade octroi charts/octroi -n octroi-system --reuse-values --set image.tag=$tag --wait
//! make bench                            # OCTROI_BENCH_ROUNDS=10 by default
//! ```
//! It prints a table and writes `target/bench/first-200.json`, with the machine and all versions. Run it on a machine that
//! does nothing else: a ratio of medians forgives noise, a ratio of the worst does not.

mod leg;
mod objects;
mod report;

use std::path::PathBuf;

use self::leg::Bench;
pub use self::report::Report;
use crate::stage::{self, Stage};
use crate::{Error, Result, environment, script};

/// How many rounds count, for each mode.
const ROUNDS_SETTING: &str = "OCTROI_BENCH_ROUNDS";
const ROUNDS: usize = 10;

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// A Tenant is applied.
    Octroi,
    /// What Octroi would make of it is applied.
    Kubectl,
}

impl Leg {
    /// As tables name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Octroi => "octroi",
            Self::Kubectl => "kubectl",
        }
    }
}

/// Where tenants enter, in the order of the report.
const MODES: [&str; 2] = ["Shared", "Dedicated"];

/// Measures, and returns what came of it.
///
/// # Errors
/// When the lab, Octroi or its binary is not there, or a tenant does not answer in time.
pub async fn run() -> Result<Report> {
    let rounds = rounds()?;
    let octroi = octroi_binary()?;
    let mut report = None;
    stage::run("bench", async |stage| {
        report = Some(measure(stage, &octroi, rounds).await?);
        Ok(())
    })
    .await?;
    let report =
        report.ok_or_else(|| Error::Failed { what: "the bench".into(), detail: "it measured nothing".into() })?;
    report.keep(&script::repository().join("target/bench/first-200.json"))?;
    Ok(report)
}

async fn measure(stage: &Stage, octroi: &std::path::Path, rounds: usize) -> Result<Report> {
    let mut report = Report::new(environment::read(stage, Some(octroi)).await?);
    let bench = Bench::set(stage, octroi).await?;
    for round in 0..=rounds {
        for mode in MODES {
            let order = if round % 2 == 0 { [Leg::Octroi, Leg::Kubectl] } else { [Leg::Kubectl, Leg::Octroi] };
            for leg in order {
                let took = bench.measure(leg, mode, round).await?;
                let warms = if round == 0 { " (warms up)" } else { "" };
                eprintln!("bench: round {round}  {mode:9}  {:7}  {:6.3} s{warms}", leg.as_str(), took.as_secs_f64());
                if round > 0 {
                    report.add(mode, leg, took);
                }
            }
        }
    }
    report.environment.end();
    Ok(report)
}

fn rounds() -> Result<usize> {
    match std::env::var(ROUNDS_SETTING) {
        Ok(text) => text.parse().map_err(Error::failed(format!("{ROUNDS_SETTING}={text}"))),
        Err(_) => Ok(ROUNDS),
    }
}

/// Beside this program, where cargo puts both.
fn octroi_binary() -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(Error::io("this program's path"))?;
    let octroi = own.with_file_name("octroi");
    if octroi.is_file() {
        return Ok(octroi);
    }
    Err(Error::Missing {
        what: format!("there is no {}", octroi.display()),
        next: "cargo build --release -p octroi".into(),
    })
}
