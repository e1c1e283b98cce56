//! The tables, and the file.

use std::fmt;
use std::path::Path;

use octroi_load::figures::Spread;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::Args;
use crate::environment::Environment;
use crate::stage::DataPlane;
use crate::{Error, Result};

/// Below so many percent of the machine's time idle it has nothing left: whoever asks then waits for a core, and not for a tenant.
const FULL: f64 = 10.0;
/// Fewer rounds have no spread worth the name.
const ENOUGH_ROUNDS: u32 = 5;

/// Which of the rounds' figures has to keep to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// The middle one.
    Median,
    /// Every one.
    Worst,
}

/// What a figure says of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It has none.
    None,
    /// It is kept.
    Kept,
    /// It is not.
    Missed,
    /// It is not, on a machine that had no time left: that says nothing of tenants.
    MachineFull,
    /// There is no figure.
    NotMeasured,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Kept => "kept",
            Self::Missed => "MISSED",
            Self::MachineFull => "MACHINE FULL: says nothing",
            Self::NotMeasured => "NOT MEASURED",
        }
    }
}

/// One figure, over all rounds.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    id: String,
    spread: Option<Spread>,
    unit: &'static str,
    target: Option<(f64, Judged)>,
    /// The machine's idle time meanwhile, in percent.
    idle: Option<Spread>,
    /// What it is when the same is compared with the same, in its unit.
    noise: Option<f64>,
}

impl Figure {
    pub(super) fn new(id: impl Into<String>, spread: Option<Spread>, unit: &'static str) -> Self {
        Self { id: id.into(), spread, unit, target: None, idle: None, noise: None }
    }

    /// With a target; with none when that could not be measured.
    #[must_use]
    pub(super) fn at_most(mut self, target: Option<f64>, judged: Judged) -> Self {
        self.target = target.map(|target| (target, judged));
        self
    }

    /// It is worth nothing where the machine is full.
    #[must_use]
    pub(super) fn on_a_machine_with(mut self, idle: Option<Spread>) -> Self {
        self.idle = idle;
        self
    }

    /// How far legs that are the same are from each other, each figure a distance.
    #[must_use]
    pub(super) fn with_noise(mut self, same: Option<Spread>) -> Self {
        self.noise = same.map(|same| same.median);
        self
    }

    fn judged(&self) -> Option<(f64, f64)> {
        let ((target, judged), spread) = (self.target?, self.spread?);
        Some((if judged == Judged::Median { spread.median } else { spread.max }, target))
    }

    /// Whether it is no further from its target than legs that are the same are from each other.
    fn is_within_the_noise(&self) -> bool {
        self.judged().zip(self.noise).is_some_and(|((value, target), noise)| (value - target).abs() <= noise)
    }

    fn verdict(&self) -> Verdict {
        if self.target.is_none() {
            return Verdict::None;
        }
        let Some((value, target)) = self.judged() else { return Verdict::NotMeasured };
        let full = self.idle.is_some_and(|idle| idle.median < FULL);
        match value <= target {
            true => Verdict::Kept,
            false if full => Verdict::MachineFull,
            false => Verdict::Missed,
        }
    }

    fn as_json(&self) -> Value {
        json!({
            "id": self.id, "unit": self.unit, "verdict": self.verdict(),
            "value": self.spread.map(|spread| spread.median),
            "min": self.spread.map(|spread| spread.min), "max": self.spread.map(|spread| spread.max),
            "noise": self.noise, "withinTheNoise": self.is_within_the_noise(),
            "target": self.target.map(|(target, _)| target),
            "judged": self.target.map(|(_, judged)| if judged == Judged::Median { "median" } else { "max" }),
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number =
            |read: fn(&Spread) -> f64| self.spread.as_ref().map_or_else(|| "-".into(), |s| format!("{:.2}", read(s)));
        let target = self.target.map(|(target, judged)| {
            format!("{} <= {target:.2}", if judged == Judged::Median { "median" } else { "max" })
        });
        write!(
            f,
            "{:<38}{:>12}{:>12}{:>12}  {:<11}{:<19}{}{}",
            self.id,
            number(|s| s.median),
            number(|s| s.min),
            number(|s| s.max),
            self.unit,
            target.unwrap_or_default(),
            self.verdict().as_str(),
            if self.is_within_the_noise() { ", within the noise" } else { "" }
        )
    }
}

/// What was measured, on what.
pub struct Report {
    environment: Environment,
    args: Args,
    plane: &'static str,
    figures: Vec<Figure>,
    notes: Vec<String>,
    legs: Vec<Value>,
}

impl Report {
    pub(super) fn new(environment: Environment, args: &Args, plane: DataPlane) -> Self {
        let plane = match plane {
            DataPlane::EnvoyGateway => "Envoy Gateway",
            DataPlane::Kgateway => "kgateway",
        };
        Self { environment, args: args.clone(), plane, figures: Vec::new(), notes: Vec::new(), legs: Vec::new() }
    }

    pub(super) fn add(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(super) fn leg(&mut self, part: &str, what: &str, round: usize, seen: &Value) {
        self.legs.push(json!({"part": part, "leg": what, "round": round, "seen": seen}));
    }

    pub(super) fn end(&mut self) {
        self.environment.end();
    }

    /// Writes everything down, each leg included.
    pub(super) fn keep(&self, file: &Path) -> Result<()> {
        let what = || Error::io(file.display().to_string());
        let figures: Vec<Value> = self.figures.iter().map(Figure::as_json).collect();
        let whole = json!({
            "dataPlane": self.plane, "versions": self.environment, "settings": self.args,
            "figures": figures, "notes": self.notes, "legs": self.legs,
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
        let Args { rounds, seconds, .. } = self.args;
        writeln!(f, "On {}; {rounds} rounds of legs of {seconds} s", self.plane)?;
        writeln!(
            f,
            "{:<38}{:>12}{:>12}{:>12}  {:<11}{:<19}VERDICT",
            "FIGURE", "median", "min", "max", "unit", "target"
        )?;
        for figure in &self.figures {
            writeln!(f, "{figure}")?;
        }
        for note in &self.notes {
            writeln!(f, "- {note}")?;
        }
        writeln!(f, "{}", self.environment.summary())?;
        writeln!(
            f,
            "This program ran on a machine of its own or on the proxies': idle says what was left of this one"
        )?;
        if rounds < ENOUGH_ROUNDS {
            writeln!(f, "FOR A LOOK ONLY: {rounds} rounds, and {ENOUGH_ROUNDS} are the least")?;
        }
        if !self.environment.release_build {
            writeln!(f, "FOR A LOOK ONLY: this program is no release build, and takes more of the cores than it must")?;
        }
        write!(f, "Each leg: target/bench/edge-load.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(values: &[f64], judged: Judged) -> Figure {
        Figure::new("x", Spread::of(values.iter().copied()), "x").at_most(Some(1.2), judged)
    }

    #[test]
    fn a_median_may_have_a_bad_round_and_a_worst_may_not() {
        let values = [1.0, 1.1, 9.0];
        assert_eq!(figure(&values, Judged::Median).verdict(), Verdict::Kept);
        assert_eq!(figure(&values, Judged::Worst).verdict(), Verdict::Missed);
        assert_eq!(figure(&[1.2], Judged::Median).verdict(), Verdict::Kept);
    }

    #[test]
    fn a_full_machine_excuses_nothing_that_was_kept_and_says_nothing_of_the_rest() {
        let on =
            |idle: f64, values: &[f64]| figure(values, Judged::Median).on_a_machine_with(Spread::of([idle])).verdict();
        assert_eq!(on(2.0, &[1.5]), Verdict::MachineFull);
        assert_eq!(on(2.0, &[1.1]), Verdict::Kept);
        assert_eq!(on(50.0, &[1.5]), Verdict::Missed);
    }

    #[test]
    fn a_figure_says_when_it_is_no_further_from_its_target_than_nothing_is() {
        let with = |value: f64, noise: f64| {
            let figure = figure(&[value], Judged::Median).with_noise(Spread::of([noise]));
            (figure.verdict(), figure.is_within_the_noise())
        };
        assert_eq!(with(1.3, 0.2), (Verdict::Missed, true));
        assert_eq!(with(1.1, 0.2), (Verdict::Kept, true));
        assert_eq!(with(1.5, 0.2), (Verdict::Missed, false));
        assert!(!figure(&[1.2], Judged::Median).is_within_the_noise(), "nobody knows");
    }

    #[test]
    fn what_was_not_measured_is_not_kept() {
        assert_eq!(figure(&[], Judged::Median).verdict(), Verdict::NotMeasured);
        assert_eq!(figure(&[1.0, f64::NAN], Judged::Median).verdict(), Verdict::NotMeasured);
        let without = Figure::new("x", Spread::of([1.0]), "x").at_most(None, Judged::Median);
        assert_eq!(without.verdict(), Verdict::None);
        assert_eq!(figure(&[], Judged::Median).as_json()["value"], Value::Null);
    }
}
