//! How long until a failed reconcile is tried again: doubling, with jitter, per object.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_mins(1);

/// Failures in a row, by object.
#[derive(Default)]
pub struct Backoff {
    failures: Mutex<HashMap<String, u32>>,
    jitter: RandomState,
}

impl Backoff {
    /// Another failure of this object: how long to wait.
    pub fn failed(&self, object: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(object.to_owned()).or_default();
        *count += 1;
        let full = FIRST.saturating_mul(1 << (*count - 1).min(16)).min(LONGEST);
        spread(full, self.jitter.hash_one((object, *count)))
    }

    /// This object is well again.
    pub fn succeeded(&self, object: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}

/// How long until a broken watch is opened again: up to [`LONGEST_WATCH`], since one that waits for a
/// CustomResourceDefinition is not woken when that comes.
#[derive(Default)]
pub struct WatchBackoff {
    failures: u32,
    jitter: RandomState,
}

const LONGEST_WATCH: Duration = Duration::from_secs(5);

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        let full = FIRST.saturating_mul(1 << (self.failures - 1).min(16)).min(LONGEST_WATCH);
        Some(spread(full, self.jitter.hash_one(self.failures)))
    }
}

impl kube::runtime::utils::Backoff for WatchBackoff {
    fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Between half and all of it, so that a crowd that failed together does not come back together.
fn spread(full: Duration, random: u64) -> Duration {
    let thousandths = u32::try_from(random % 1000).unwrap_or_default();
    full / 2 + full.mul_f64(f64::from(thousandths) / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_waits_five_seconds_at_most() {
        assert!(WatchBackoff::default().take(40).all(|wait| wait <= LONGEST_WATCH && wait >= FIRST / 2));
    }

    #[test]
    fn waits_double_up_to_a_minute_and_start_over() {
        let backoff = Backoff::default();
        let waits: Vec<Duration> = (0..20).map(|_| backoff.failed("tenant/acme")).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits[19] >= LONGEST / 2 && waits[19] <= LONGEST);
        backoff.succeeded("tenant/acme");
        assert!(backoff.failed("tenant/acme") <= FIRST);
    }
}
