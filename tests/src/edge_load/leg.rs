//! One leg: requests of one visitor, and what the machine did meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use octroi_load::cpu::Clocks;
use octroi_load::figures::{millis, percentile};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::probe::rate::{self, Connections, Run, Sample};
use crate::probe::{Ask, Outcome, Probe};

/// This program, as `ps -o comm` shows it.
const OWN: &str = "edge-load";
/// Whose time is counted, and what it is called in tables. The operator is an `octroi` too, and does nothing meanwhile.
pub(super) const PROGRAMS: [(&str, &str); 6] = [
    (OWN, "this program"),
    ("envoy", "Envoys"),
    ("octroi", "firewall"),
    ("ratelimit", "rate limit service"),
    ("redis-server", "Redis"),
    ("echo", "backends"),
];

/// How fast, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) per_second: u32,
    /// Before it counts.
    pub(super) warm: Duration,
    pub(super) counted: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    each: BTreeMap<Outcome, usize>,
    /// Of those that were answered by 200, and count.
    took: Vec<Duration>,
    /// The same, without what this program was late by.
    answered_in: Vec<Duration>,
    late: Vec<Duration>,
    pub(super) clocks: Clocks,
}

impl Leg {
    pub(super) async fn measure(probe: &Probe, ask: &Ask, pace: Pace) -> Self {
        let names = PROGRAMS.map(|(comm, _)| comm);
        let before = Clocks::read(&names);
        let stop = CancellationToken::new();
        let lasting = pace.warm + pace.counted;
        let run = rate::run(probe, ask, pace.per_second, Connections::Kept, lasting, &stop).await;
        Self::of(&run, pace.warm, Clocks::read(&names).since(&before))
    }

    fn of(run: &Run, warm: Duration, clocks: Clocks) -> Self {
        let counted: Vec<&Sample> = run.samples.iter().filter(|sample| sample.at >= warm).collect();
        let good = || counted.iter().filter(|sample| sample.outcome == Outcome::Code(200));
        Self {
            each: run.histogram(),
            took: good().map(|sample| sample.took).collect(),
            answered_in: good().map(|sample| sample.took.saturating_sub(sample.late)).collect(),
            late: counted.iter().map(|sample| sample.late).collect(),
            clocks,
        }
    }

    /// All that were asked, those that warm up too.
    pub(super) fn asked(&self) -> usize {
        self.each.values().sum()
    }

    /// All that came to anything else than 200, those that warm up too.
    pub(super) fn lost(&self) -> usize {
        self.asked() - self.each.get(&Outcome::Code(200)).copied().unwrap_or_default()
    }

    /// Those that count and were answered by 200.
    pub(super) fn passed(&self) -> usize {
        self.took.len()
    }

    /// From when it was due, in milliseconds; no number when nothing was answered.
    pub(super) fn took(&self, percent: usize) -> f64 {
        of(&self.took, percent)
    }

    /// From when it was begun.
    pub(super) fn answered_in(&self, percent: usize) -> f64 {
        of(&self.answered_in, percent)
    }

    /// What this program was late by.
    pub(super) fn late(&self, percent: usize) -> f64 {
        of(&self.late, percent)
    }

    /// Of a program, in milliseconds of a core for each request; no number when it does not run on this machine.
    pub(super) fn core_for_one(&self, comm: &str) -> f64 {
        let asked = u32::try_from(self.asked()).unwrap_or(u32::MAX);
        self.clocks.named.get(comm).map_or(f64::NAN, |seconds| seconds * 1000.0 / f64::from(asked.max(1)))
    }

    /// All of several legs as one.
    pub(super) fn pooled<'a>(legs: impl IntoIterator<Item = &'a Self>, percent: usize) -> f64 {
        of(&legs.into_iter().flat_map(|leg| leg.took.iter().copied()).collect::<Vec<_>>(), percent)
    }

    /// For the file.
    pub(super) fn as_json(&self) -> Value {
        let each: BTreeMap<String, usize> = self.each.iter().map(|(what, count)| (what.to_string(), *count)).collect();
        json!({
            "outcomes": each, "counted": self.took.len(),
            "p50": self.took(50), "p99": self.took(99), "max": self.took(100), "lateP50": self.late(50), "lateP99": self.late(99),
            "idleShare": self.clocks.idle_share(), "coreSeconds": self.clocks.named,
        })
    }

    /// One line while it runs.
    pub(super) fn line(&self) -> String {
        format!(
            "p50 {:8.2} ms  p99 {:8.2} ms  late p99 {:6.2} ms  idle {:3.0} %  {}",
            self.took(50),
            self.took(99),
            self.late(99),
            self.clocks.idle_share() * 100.0,
            rate::counted(&self.each)
        )
    }
}

fn of(taken: &[Duration], percent: usize) -> f64 {
    percentile(taken.to_vec(), percent).map_or(f64::NAN, millis)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn sample(at: u32, took: u32, outcome: Outcome) -> Sample {
        Sample { at: at * MS, late: MS, took: took * MS, outcome }
    }

    fn leg(samples: Vec<Sample>) -> Leg {
        let clocks = Clocks { whole: 2.0, idle: 1.0, named: [("envoy", 0.4)].into() };
        Leg::of(&Run { started: SystemTime::now(), samples, failures: Vec::new() }, 100 * MS, clocks)
    }

    #[test]
    fn what_warms_up_is_lost_when_it_fails_and_no_figure_when_it_does_not() {
        let ok = Outcome::Code(200);
        let leg = leg(vec![
            sample(0, 900, ok),
            sample(50, 5000, Outcome::Timeout),
            sample(100, 10, ok),
            sample(150, 30, ok),
            sample(200, 7000, Outcome::Code(429)),
        ]);
        assert_eq!((leg.asked(), leg.lost()), (5, 2));
        assert_eq!(leg.took(50).to_bits(), 10.0_f64.to_bits());
        assert_eq!(leg.took(99).to_bits(), 30.0_f64.to_bits());
        assert_eq!(leg.answered_in(50).to_bits(), 9.0_f64.to_bits());
        assert!((leg.core_for_one("envoy") - 80.0).abs() < 1e-9);
        assert!(leg.core_for_one("redis-server").is_nan(), "what is not there has not used 0");
        assert_eq!(Leg::pooled([&leg, &leg], 99).to_bits(), 30.0_f64.to_bits());
    }

    #[test]
    fn nothing_answered_is_no_figure() {
        let leg = leg(vec![sample(200, 5000, Outcome::Timeout)]);
        assert!(leg.took(99).is_nan() && leg.answered_in(50).is_nan() && leg.lost() == 1);
    }
}
