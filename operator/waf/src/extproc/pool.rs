//! Where requests are inspected: on threads of their own, as many as there are cores, with a limit to how many wait.

use std::sync::Arc;

use tokio::sync::{AcquireError, Semaphore, TryAcquireError};
use tokio::task::JoinError;

/// How much is done at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that are inspected at the same time; as many as cores.
    pub workers: usize,
    /// Requests that are inspected or wait for it; more are turned away at once. Each holds its body.
    pub in_flight: usize,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// Too many wait already.
    #[error("too many requests are being inspected")]
    Overloaded,
    /// It panicked.
    #[error("the inspection broke off: {0}")]
    Broken(#[from] JoinError),
    /// The pool is gone.
    #[error("the service ends")]
    Closed,
}

impl From<AcquireError> for PoolError {
    fn from(_: AcquireError) -> Self {
        Self::Closed
    }
}

/// The threads.
#[derive(Clone, Debug)]
pub struct Pool {
    in_flight: Arc<Semaphore>,
    workers: Arc<Semaphore>,
}

impl Pool {
    /// With these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            in_flight: Arc::new(Semaphore::new(limits.in_flight)),
            workers: Arc::new(Semaphore::new(limits.workers)),
        }
    }

    /// Does some work when its turn comes.
    ///
    /// # Errors
    /// At once, when too many wait; and when the work panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PoolError> {
        let place = Arc::clone(&self.in_flight).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => PoolError::Overloaded,
            TryAcquireError::Closed => PoolError::Closed,
        })?;
        let worker = Arc::clone(&self.workers).acquire_owned().await?;
        // The permits go with the work: it computes on when whoever asked for it has gone away.
        let done = tokio::task::spawn_blocking(move || {
            let _held = (place, worker);
            work()
        });
        Ok(done.await?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::{Limits, Pool, PoolError};

    #[tokio::test]
    async fn more_than_may_wait_are_turned_away_at_once() {
        let pool = Pool::new(Limits { workers: 1, in_flight: 2 });
        let (release, gate) = channel::<()>();
        let (started, running) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    started.send(()).unwrap();
                    gate.recv().unwrap();
                })
                .await
            }
        });
        running.await.unwrap();
        let mut second = Box::pin(pool.run(|| 2));
        assert!(futures::poll!(second.as_mut()).is_pending());
        assert!(matches!(pool.run(|| 3).await, Err(PoolError::Overloaded)));
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(second.await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_own_request() {
        let pool = Pool::new(Limits { workers: 1, in_flight: 1 });
        assert!(matches!(pool.run(|| panic!("on purpose")).await, Err::<(), _>(PoolError::Broken(_))));
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
    }
}
