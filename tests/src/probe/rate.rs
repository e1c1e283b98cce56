//! Requests at a constant rate, whatever becomes of them: how a move, a drain or a crash looks from outside.
//!
//! Open loop ([`octroi_load::open_loop`]): a request is sent when its time has come, also while earlier ones hang, and its latency
//! counts from that time. A closed loop would pause exactly when there is something to see.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use octroi_load::figures::percentile;
use octroi_load::open_loop::{self, Schedule};
use tokio_util::sync::CancellationToken;

use super::connect::Connection;
use super::{Answer, Ask, Failure, Outcome, Probe};

/// Whether requests share connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// Each request opens its own: what new visitors see.
    Fresh,
    /// Idle ones are used again: what a visitor in the middle of something sees.
    Kept,
}

/// One request of a run.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it was due, from the start of the run.
    pub at: Duration,
    /// From then until it was begun: what this program itself is late by.
    pub late: Duration,
    /// From when it was due to its end.
    pub took: Duration,
    /// What became of it.
    pub outcome: Outcome,
}

/// A whole run, in the order in which requests were due.
#[derive(Clone, Debug)]
pub struct Run {
    /// When it started.
    pub started: SystemTime,
    /// Every request.
    pub samples: Vec<Sample>,
    /// Why requests had no answer: when each was due, and what went wrong.
    pub failures: Vec<(Duration, Failure)>,
}

impl Run {
    /// How often each outcome was seen.
    pub fn histogram(&self) -> BTreeMap<Outcome, usize> {
        let mut counts = BTreeMap::new();
        for sample in &self.samples {
            *counts.entry(sample.outcome).or_default() += 1;
        }
        counts
    }

    /// How many requests came to anything else than this code.
    pub fn failed(&self, code: u16) -> usize {
        self.samples.iter().filter(|sample| sample.outcome != Outcome::Code(code)).count()
    }

    /// From the first to the last request that did not get this code: `None` when all did.
    pub fn disturbed(&self, code: u16) -> Option<(Duration, Duration)> {
        let mut bad = self.samples.iter().filter(|sample| sample.outcome != Outcome::Code(code));
        let first = bad.next()?;
        Some((first.at, bad.next_back().unwrap_or(first).at))
    }

    /// What so many percent of the requests with this code stayed within; `None` when there was none.
    pub fn latency(&self, code: u16, percent: usize) -> Option<Duration> {
        let answered = self.samples.iter().filter(|sample| sample.outcome == Outcome::Code(code));
        percentile(answered.map(|sample| sample.took).collect(), percent)
    }
}

/// Asks `per_second` times a second until the duration is over or the token is cancelled, whichever is first; then
/// waits for the requests under way.
pub async fn run(
    probe: &Probe,
    ask: &Ask,
    per_second: u32,
    connections: Connections,
    duration: Duration,
    stop: &CancellationToken,
) -> Run {
    let started = SystemTime::now();
    let pool = Arc::new(Pool { idle: Mutex::default(), keep: connections == Connections::Kept });
    let done = open_loop::run(Schedule::lasting(per_second, duration), stop, || {
        let (probe, ask, pool) = (probe.clone(), ask.clone(), Arc::clone(&pool));
        async move {
            let answered = pool.ask(&probe, &ask).await;
            (Outcome::of(&answered), answered.err())
        }
    })
    .await;
    let (mut samples, mut failures) = (Vec::with_capacity(done.len()), Vec::new());
    for one in done {
        let (outcome, failure) = one.came;
        samples.push(Sample { at: one.at, late: one.late, took: one.took, outcome });
        failures.extend(failure.map(|failure| (one.at, failure)));
    }
    Run { started, samples, failures }
}

/// Into a second, so that clocks that are not quite alike say the same one.
const INTO_A_SECOND: Duration = Duration::from_millis(50);

/// Waits for the beginning of the next second of the wall clock: whoever counts by such seconds, as Envoy Gateway's rate limit
/// does, then counts whole ones.
pub async fn at_a_second() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let into = Duration::from_nanos(u64::from(now.subsec_nanos()));
    tokio::time::sleep(Duration::from_secs(1).saturating_sub(into) + INTO_A_SECOND).await;
}

/// Connections that wait for their next request.
struct Pool {
    idle: Mutex<Vec<Connection>>,
    keep: bool,
}

impl Pool {
    async fn ask(&self, probe: &Probe, ask: &Ask) -> Result<Answer, Failure> {
        tokio::time::timeout(probe.timeout, self.ask_unbounded(probe, ask)).await.unwrap_or(Err(Failure::Timeout))
    }

    async fn ask_unbounded(&self, probe: &Probe, ask: &Ask) -> Result<Answer, Failure> {
        let mut connection = match self.take() {
            Some(idle) => idle,
            None => Connection::open(probe, ask).await?,
        };
        let answer = connection.send(ask).await?;
        if self.keep {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(answer)
    }

    /// One that the server has closed while it was idle is left out, as every HTTP client does: nobody's request was
    /// on it.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if connection.is_open() {
                return Some(connection);
            }
        }
        None
    }
}

/// A histogram in one line, the most frequent first.
pub fn counted<K: Display>(counts: &BTreeMap<K, usize>) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let parts: Vec<_> = sorted.into_iter().map(|(what, count)| format!("{count} x {what}")).collect();
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}
