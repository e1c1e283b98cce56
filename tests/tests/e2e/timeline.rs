//! Runs of a constant rate beside each other, on one clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use octroi_tests::probe::rate::{self, Connections, Run};
use octroi_tests::probe::{Ask, Outcome, Probe};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// No run lasts longer, whatever happens to its test.
const LONGEST: Duration = Duration::from_mins(4);

/// Less than the second after which a lost SYN is sent again: a request tells of the moment it was sent in.
const PATIENCE: Duration = Duration::from_millis(950);
/// For as long it is watched that what answers goes on to.
const STEADILY: Duration = Duration::from_secs(3);

/// Asks on and on for a while; every answer must have this code.
pub async fn answers_steadily(probe: &Probe, ask: &Ask, code: u16) {
    let end = Instant::now() + STEADILY;
    while Instant::now() < end {
        let outcome = Outcome::of(&probe.ask(ask).await);
        assert_eq!(outcome, Outcome::Code(code), "it answered, and no longer does");
    }
}

/// A run under way.
pub struct Running {
    stop: CancellationToken,
    run: JoinHandle<Run>,
}

impl Running {
    /// Starts asking.
    pub fn start(probe: &Probe, ask: &Ask, per_second: u32, connections: Connections) -> Self {
        let stop = CancellationToken::new();
        let (probe, ask, token) = (probe.clone().timeout(PATIENCE), ask.clone(), stop.clone());
        let run = async move { rate::run(&probe, &ask, per_second, connections, LONGEST, &token).await };
        Self { stop, run: tokio::spawn(run) }
    }

    /// Stops asking, and waits for the last answers.
    pub async fn stop(self) -> Line {
        self.stop.cancel();
        Line(self.run.await.unwrap())
    }
}

/// What one run saw, by the clock.
pub struct Line(pub Run);

impl Line {
    fn sent(&self, sample: &rate::Sample) -> SystemTime {
        self.0.started + sample.at
    }

    /// When the first request with this code was answered.
    pub fn first_answer(&self, code: u16) -> Option<SystemTime> {
        let answered = self.0.samples.iter().filter(|s| s.outcome == Outcome::Code(code));
        answered.map(|s| self.sent(s) + s.took).min()
    }

    /// When the last request was sent that got this code.
    pub fn last_sent(&self, code: u16) -> Option<SystemTime> {
        self.0.samples.iter().filter(|s| s.outcome == Outcome::Code(code)).map(|s| self.sent(s)).max()
    }

    /// When the first request was sent from which on all got this code.
    pub fn steady_from(&self, code: u16) -> Option<SystemTime> {
        let last_bad = self.0.samples.iter().rposition(|s| s.outcome != Outcome::Code(code));
        let next = last_bad.map_or(0, |index| index + 1);
        self.0.samples.get(next).map(|s| self.sent(s))
    }

    /// How many requests were sent from then on, and came to what.
    pub fn since(&self, moment: SystemTime) -> BTreeMap<Outcome, usize> {
        let mut counts = BTreeMap::new();
        for sample in self.0.samples.iter().filter(|s| self.sent(s) >= moment) {
            *counts.entry(sample.outcome).or_default() += 1;
        }
        counts
    }
}

/// Seconds from one moment to another, negative when it is before.
pub fn seconds(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(later) => later.as_secs_f64(),
        Err(earlier) => -earlier.duration().as_secs_f64(),
    }
}

/// As a figure of a table.
pub fn shown(from: SystemTime, to: Option<SystemTime>) -> String {
    to.map_or_else(|| "never".into(), |to| format!("{:+.2} s", seconds(from, to)))
}
