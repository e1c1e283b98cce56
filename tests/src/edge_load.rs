//! `make bench-edge`: what the rate limiter costs a request, and what a tenant notices of another one that floods the same edge.
//! A program and no test: its figures depend on the machine.
//!
//! # What is compared
//! - **limiter**: the same requests of tenants of one Gateway, one after the other: one without a limit, one with a limit far above
//!   what is asked, and once more one without, which says what two tenants that are the same differ by. The firewall is off: it
//!   takes many times as long. Beside it, of a tenant that is asked four times its limit, how much passes.
//! - **noisy**: tenant B is asked steadily, and alone, or while tenant A of the same Gateway floods by ten times its limit: with
//!   requests, with whole TLS handshakes on new connections, with bodies of 1 MiB. The firewall is on, and takes such bodies.
//!
//! # What makes it fair
//! - Open loop ([`octroi_load::open_loop`]): a request that waits counts from when it was due.
//! - Legs alternate, A B A B A; none is dropped. A leg with noise is compared with the mean of the quiet ones around it.
//! - What legs that are the same differ by is printed too. A figure that is no further from its target than that is kept or missed
//!   `within the noise`.
//! - The time of the cores is the kernel's own count: of this program, the Envoys, the firewall, the rate limit service, and what
//!   was left idle. **This program and the proxies share the machine.** Where the machine had nothing left, a p99 above its target
//!   says nothing about tenants, and is not called missed: see [`report::Verdict`].
//!
//! It prints tables and writes `target/bench/edge-load.json`, with each leg, the machine and all versions.

mod args;
mod cast;
mod leg;
mod limiter;
mod noise;
mod noisy;
mod null_grpc;
mod report;

use std::time::Duration;

pub use self::args::Args;
use self::args::Part;
pub use self::report::Report;
use crate::stage::{self, Stage};
use crate::{Error, Result, environment, script};

/// As many connections as a flood has open when nothing is answered any more. With less of them, this program loses requests itself.
const OPEN_FILES: u64 = 8192;

/// Connections open, and what the leg before has left comes to rest; not counted.
const WARM: Duration = Duration::from_secs(2);

/// What was measured, and what ended it early.
pub struct Outcome {
    /// All of it, or as much as there was until then.
    pub report: Option<Report>,
    /// Why it is not all.
    pub ended: Result<()>,
}

/// Measures; takes away what it made also when it fails or is interrupted, and writes down what there was until then.
pub async fn run(args: &Args) -> Outcome {
    let mut report = None;
    let ended = stage::run("edge", async |stage| {
        let report = report.insert(Report::new(environment::read(stage, None).await?, args, stage.plane));
        tokio::select! {
            measured = measure(stage, args, report) => measured,
            _ = tokio::signal::ctrl_c() => {
                Err(Error::Failed { what: "the benchmark".into(), detail: "interrupted".into() })
            }
        }
    })
    .await;
    let kept = report.as_mut().map_or(Ok(()), |report: &mut Report| {
        report.end();
        report.keep(&script::repository().join("target/bench/edge-load.json"))
    });
    Outcome { report, ended: ended.and(kept) }
}

async fn measure(stage: &Stage, args: &Args, report: &mut Report) -> Result<()> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(few) = open_files(&limits).filter(|limit| *limit < OPEN_FILES) {
        report.note(format!(
            "this program may open {few} files: what is lost may be its own fault (ulimit -n {OPEN_FILES})"
        ));
    }
    if args.has(Part::Limiter) {
        limiter::measure(stage, args, report).await?;
    }
    if args.has(Part::Noisy) {
        noisy::measure(stage, args, report).await?;
    }
    Ok(())
}

/// The soft limit, as proc(5) shows it; `None` where there is none.
fn open_files(limits: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_open_files_is_found() {
        let limits =
            "Limit Soft Hard Units\nMax open files            1024                 524288               files\n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files("Max open files unlimited unlimited files"), None);
        assert_eq!(open_files(""), None);
    }
}
