//! The table, and the file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use octroi_load::figures::Spread;
use serde_json::{Value, json};

use super::{Leg, MODES};
use crate::environment::Environment;
use crate::{Error, Result};

/// At most so many times what kubectl takes, in the middle and at worst.
const TARGETS: [f64; 2] = [1.1, 1.3];

/// What was measured, on what.
pub struct Report {
    pub(super) environment: Environment,
    taken: BTreeMap<(&'static str, Leg), Vec<Duration>>,
}

impl Report {
    pub(super) fn new(environment: Environment) -> Self {
        Self { environment, taken: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, mode: &'static str, leg: Leg, took: Duration) {
        self.taken.entry((mode, leg)).or_default().push(took);
    }

    /// p50 and worst, in seconds.
    fn figures(&self, mode: &'static str, leg: Leg) -> Option<[f64; 2]> {
        let taken = self.taken.get(&(mode, leg))?;
        let spread = Spread::of(taken.iter().map(Duration::as_secs_f64))?;
        Some([spread.median, spread.max])
    }

    /// Ours to kubectl's: p50 and worst.
    fn ratios(&self, mode: &'static str) -> Option<[f64; 2]> {
        let (ours, theirs) = (self.figures(mode, Leg::Octroi)?, self.figures(mode, Leg::Kubectl)?);
        Some([ours[0] / theirs[0], ours[1] / theirs[1]])
    }

    /// Writes everything down, each single figure included.
    pub(super) fn keep(&self, file: &Path) -> Result<()> {
        let what = || Error::io(file.display().to_string());
        let modes: Vec<Value> = MODES.into_iter().map(|mode| self.as_json(mode)).collect();
        let whole = json!({"environment": self.environment, "targets": TARGETS, "modes": modes});
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir).map_err(what())?;
        }
        let text = serde_json::to_string_pretty(&whole).map_err(Error::failed("the report"))?;
        std::fs::write(file, text + "\n").map_err(what())
    }

    fn as_json(&self, mode: &'static str) -> Value {
        let leg = |leg: Leg| {
            let seconds: Vec<f64> =
                self.taken.get(&(mode, leg)).into_iter().flatten().map(Duration::as_secs_f64).collect();
            let [p50, worst] = self.figures(mode, leg).unwrap_or_default();
            json!({"seconds": seconds, "p50": p50, "worst": worst})
        };
        let [p50, worst] = self.ratios(mode).unwrap_or_default();
        json!({
            "mode": mode, "octroi": leg(Leg::Octroi), "kubectl": leg(Leg::Kubectl),
            "ratio": {"p50": p50, "worst": worst},
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "From apply to the first 200 of the tenant's own host, in seconds (target: {TARGETS:?} x kubectl)"
        )?;
        writeln!(
            f,
            "{:<11}{:>8}{:>16}{:>16}{:>8}{:>18}{:>16}{:>8}",
            "MODE", "ROUNDS", "octroi p50", "kubectl p50", "ratio", "octroi worst", "kubectl worst", "ratio"
        )?;
        for mode in MODES {
            let figures = (self.figures(mode, Leg::Octroi), self.figures(mode, Leg::Kubectl), self.ratios(mode));
            let (Some(ours), Some(theirs), Some(ratio)) = figures else { continue };
            let rounds = self.taken.get(&(mode, Leg::Octroi)).map_or(0, Vec::len);
            writeln!(
                f,
                "{mode:<11}{rounds:>8}{:>16.3}{:>16.3}{:>8.2}{:>18.3}{:>16.3}{:>8.2}",
                ours[0], theirs[0], ratio[0], ours[1], theirs[1], ratio[1]
            )?;
        }
        writeln!(f, "{}", self.environment.summary())?;
        if !(self.environment.release_build && self.environment.operator_is_this_binary == Some(true)) {
            writeln!(
                f,
                "NOT COMPARABLE: the operator in the cluster is not a release build of this tree (see the doc of octroi_tests::bench)"
            )?;
        }
        write!(f, "Each figure: target/bench/first-200.json")
    }
}
