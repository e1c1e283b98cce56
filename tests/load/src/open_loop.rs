//! Something done at a constant rate, whatever becomes of it.
//!
//! Open loop: each one is begun when its time has come, also while earlier ones hang, and what it took counts from that time. A
//! closed loop would wait for the slow ones, and so leave out what would have been asked meanwhile (coordinated omission).

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How much, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    per_second: u32,
    count: u32,
}

impl Schedule {
    /// As many as are due before that time is over; at least one a second.
    pub fn lasting(per_second: u32, duration: Duration) -> Self {
        let per_second = per_second.max(1);
        let due = (duration.as_nanos() * u128::from(per_second)).div_ceil(1_000_000_000);
        Self { per_second, count: u32::try_from(due).unwrap_or(u32::MAX) }
    }

    /// So many, one after the other; at least one a second.
    pub fn of(per_second: u32, count: u32) -> Self {
        Self { per_second: per_second.max(1), count }
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// When this one is due, from the start, the first being number 0. What a division leaves does not add up.
    pub fn due(self, number: u32) -> Duration {
        Duration::from_secs(1) * number / self.per_second
    }
}

/// One of them, done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done<T> {
    /// When it was due, from the start.
    pub at: Duration,
    /// From then until it was begun: what the generator itself is late by.
    pub late: Duration,
    /// From when it was due to its end.
    pub took: Duration,
    /// What came of it.
    pub came: T,
}

/// Does it as often as the schedule says, or until the token is cancelled; then waits for what is under way. In the order in which they were due.
pub async fn run<T, F>(schedule: Schedule, stop: &CancellationToken, mut begin: impl FnMut() -> F) -> Vec<Done<T>>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Instant::now();
    let mut due = clock(schedule, start);
    let mut under_way = JoinSet::new();
    while let Some(Some(at)) = stop.run_until_cancelled(due.recv()).await {
        let work = begin();
        under_way.spawn(async move {
            let late = start.elapsed().saturating_sub(at);
            let came = work.await;
            Done { at, late, took: start.elapsed().saturating_sub(at), came }
        });
    }
    let mut done = under_way.join_all().await;
    done.sort_by_key(|one| one.at);
    done
}

/// Says when each is due. A thread sleeps to the tenth of a millisecond; the runtime's own clock knows whole ones. It ends when
/// nobody listens any more.
fn clock(schedule: Schedule, start: Instant) -> mpsc::UnboundedReceiver<Duration> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for at in (0..schedule.count).map(|number| schedule.due(number)) {
            std::thread::sleep((start + at).saturating_duration_since(Instant::now()));
            if sender.send(at).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_schedule_has_all_that_are_due_before_its_end() {
        for (per_second, duration, count) in
            [(100, 1000 * MS, 100), (100, 1001 * MS, 101), (3, 1000 * MS, 3), (1, 500 * MS, 1), (0, 2000 * MS, 2)]
        {
            let schedule = Schedule::lasting(per_second, duration);
            assert_eq!(schedule.count(), count, "{per_second} a second for {duration:?}");
            assert!(schedule.due(count - 1) < duration && schedule.due(count) >= duration);
        }
        assert_eq!(Schedule::lasting(100, Duration::ZERO).count(), 0);
    }

    #[test]
    fn what_a_division_leaves_does_not_add_up() {
        let schedule = Schedule::of(3, 7);
        assert_eq!(schedule.due(3), Duration::from_secs(1));
        assert_eq!(schedule.due(3_000_000), Duration::from_secs(1_000_000));
    }

    /// The server stands still for 100 ms: all that were due meanwhile were slow, and not the one that hung alone.
    #[tokio::test]
    async fn what_is_due_while_another_hangs_counts_from_when_it_was_due() {
        let server = Arc::new(tokio::sync::Mutex::new(()));
        let asked = AtomicU32::new(0);
        let done = run(Schedule::of(100, 20), &CancellationToken::new(), || {
            let (server, number) = (Arc::clone(&server), asked.fetch_add(1, Ordering::Relaxed));
            async move {
                let _one_at_a_time = server.lock().await;
                if number == 0 {
                    tokio::time::sleep(100 * MS).await;
                }
            }
        })
        .await;
        assert_eq!(done.len(), 20);
        assert!(done.windows(2).all(|two| two[0].at < two[1].at), "in order: {done:?}");
        for one in done.iter().take_while(|one| one.at < 90 * MS) {
            assert!(one.took + one.at >= 100 * MS, "due at {:?}, it had to wait: {:?}", one.at, one.took);
            assert!(one.late <= one.took);
        }
    }

    #[tokio::test]
    async fn stops_when_it_is_told_and_waits_for_what_is_under_way() {
        let stop = CancellationToken::new();
        let since = Instant::now();
        let (done, ()) = tokio::join!(run(Schedule::of(1, 60), &stop, || tokio::time::sleep(300 * MS)), async {
            tokio::time::sleep(100 * MS).await;
            stop.cancel();
        });
        assert_eq!(done.len(), 1);
        assert!(done[0].took >= 300 * MS && since.elapsed() < Duration::from_secs(20), "{done:?}");
    }
}
