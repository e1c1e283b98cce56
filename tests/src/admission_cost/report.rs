//! The table, and the file.

use std::fmt;
use std::path::Path;

use kube::Client;
use octroi_load::figures::millis;
use serde::Serialize;
use serde_json::{Value, json};

use super::TARGET;
use super::series::{Series, Taken, percentile};
use crate::{Error, Result};

/// How many policies are named.
const DEAREST: usize = 10;

/// What one policy takes when no other is bound, in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Alone {
    pub(super) policy: String,
    pub(super) typical: f64,
    pub(super) worst: f64,
}

/// What was measured.
pub struct Report {
    kubernetes: String,
    policies: Vec<String>,
    load_before: String,
    rows: Vec<(usize, Series)>,
    pub(super) alone: Vec<Alone>,
}

fn at(taken: &Taken, percent: usize) -> f64 {
    millis(percentile(taken.all(), percent))
}

/// How far apart two halves of the same writes are at p99: what is below that, this machine cannot tell.
fn noise(taken: &Taken) -> f64 {
    let [even, odd] = [false, true].map(|odd| millis(percentile(taken.half(odd), 99)));
    (even - odd).abs()
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

impl Report {
    pub(super) async fn new(client: &Client, policies: &[String]) -> Result<Self> {
        let version = client.apiserver_version().await.map_err(Error::kube("the API server's version"))?;
        let policies = policies.to_vec();
        Ok(Self { kubernetes: version.git_version, policies, load_before: load(), rows: Vec::new(), alone: Vec::new() })
    }

    pub(super) fn add(&mut self, tenants: usize, series: Series) {
        self.rows.push((tenants, series));
    }

    /// The dearest policies, alone.
    fn alone(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "In the API server's policies, on average, with one bound beside the default parent (of {}, the dearest):",
            self.alone.len()
        )?;
        writeln!(f, "  {:<28}{:>8}{:>8}", "POLICY", "typical", "worst")?;
        let mut alone: Vec<_> = self.alone.iter().collect();
        alone.sort_by(|one, other| other.worst.total_cmp(&one.worst));
        for Alone { policy, typical, worst } in alone.into_iter().take(DEAREST) {
            writeln!(f, "  {policy:<28}{typical:>8.2}{worst:>8.2}")?;
        }
        Ok(())
    }

    /// Whether every row keeps to the target.
    pub fn holds(&self) -> bool {
        let target = millis(TARGET);
        self.rows.iter().all(|(_, series)| at(&series.on, 99) - at(&series.off, 99) <= target)
    }

    /// Writes everything down, each single figure included.
    pub(super) fn keep(&self, file: &Path) -> Result<()> {
        let what = || Error::io(file.display().to_string());
        let arm = |taken: &Taken| {
            let server = taken.server();
            json!({
                "milliseconds": taken.all().into_iter().map(millis).collect::<Vec<_>>(),
                "p50": at(taken, 50), "p99": at(taken, 99), "noise": noise(taken), "server": {
                    "plugins": server.plugins, "processor": server.processor,
                },
            })
        };
        let row = |(tenants, series): &(usize, Series)| {
            json!({
                "tenants": tenants, "route": series.route.as_str(),
                "without": arm(&series.off), "with": arm(&series.on),
            })
        };
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        let whole = json!({
            "kubernetes": self.kubernetes, "policies": self.policies, "targetMilliseconds": millis(TARGET),
            "loadBefore": self.load_before, "loadAfter": load(), "rows": rows, "alone": self.alone,
        });
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir).map_err(what())?;
        }
        let text = serde_json::to_string_pretty(&whole).map_err(Error::failed("the report"))?;
        std::fs::write(file, text + "\n").map_err(what())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "A write of an HTTPRoute with and without the chart's {} admission policies, in ms",
            self.policies.len()
        )?;
        writeln!(
            f,
            "{:>7}  {:<8}{:>7}{:>12}{:>10}{:>8}{:>12}{:>10}{:>8}{:>8}{:>16}{:>16}",
            "TENANTS",
            "ROUTE",
            "WRITES",
            "p50 without",
            "p50 with",
            "more",
            "p99 without",
            "p99 with",
            "more",
            "noise",
            "policies' mean",
            "server's CPU"
        )?;
        for (tenants, series) in &self.rows {
            let (off, on) = (&series.off, &series.on);
            writeln!(
                f,
                "{tenants:>7}  {:<8}{:>7}{:>12.2}{:>10.2}{:>8.2}{:>12.2}{:>10.2}{:>8.2}{:>8.2}{:>16}{:>16}",
                series.route.as_str(),
                format!("2x{}", off.count()),
                at(off, 50),
                at(on, 50),
                at(on, 50) - at(off, 50),
                at(off, 99),
                at(on, 99),
                at(on, 99) - at(off, 99),
                noise(off),
                format!("{:.2} -> {:.2}", off.server().plugins, on.server().plugins),
                format!("{:.2} -> {:.2}", off.server().processor, on.server().processor),
            )?;
        }
        self.alone(f)?;
        writeln!(
            f,
            "target: at most {:.0} more at p99: {}",
            millis(TARGET),
            if self.holds() { "kept" } else { "MISSED" }
        )?;
        writeln!(f, "Kubernetes {}, load {} before and {} after", self.kubernetes, self.load_before, load())?;
        write!(f, "Each figure: target/bench/admission-cost.json")
    }
}
