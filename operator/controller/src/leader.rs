//! One replica works at a time: a Lease, written with its resourceVersion, whose expiry each replica measures by its own
//! clock from when it last saw the lease change. Clocks of different nodes are never compared, so a skewed one can neither
//! steal the lease nor keep it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::Config;
use crate::error::RunError;
use crate::health::Health;

/// The name of the Lease.
const NAME: &str = "octroi";
/// A lease that was not renewed for so long is free.
const DURATION: Duration = Duration::from_secs(15);
/// A leader that could not renew for so long stops: well before anybody else may take over.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often it is renewed, or looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// The lease, while held.
pub struct Held {
    api: Api<Lease>,
    identity: String,
    lease: tokio::sync::Mutex<Lease>,
    renewed: Mutex<Instant>,
}

/// Waits until this replica leads; `None` when `shutdown` comes first. A replica that stands by is ready.
///
/// # Errors
/// When the very first look at the lease fails.
pub async fn acquire(
    client: &Client,
    config: &Config,
    health: &Health,
    shutdown: &CancellationToken,
) -> Result<Option<Held>, RunError> {
    let api: Api<Lease> = Api::namespaced(client.clone(), &config.namespace);
    let mut seen: Option<(String, Instant)> = None;
    let mut is_first = true;
    loop {
        match attempt(&api, &config.identity, &mut seen).await {
            Ok(Some(lease)) => {
                health.set_ready(false);
                return Ok(Some(Held {
                    api,
                    identity: config.identity.clone(),
                    lease: lease.into(),
                    renewed: Instant::now().into(),
                }));
            }
            Ok(None) => health.set_ready(true),
            Err(source) if is_first => {
                let namespace = config.namespace.clone();
                return Err(RunError::Lease { namespace, name: NAME.into(), source: Box::new(source) });
            }
            Err(error) => warn!(%error, "cannot look at the lease; it is tried again"),
        }
        if is_first {
            info!("standing by");
        }
        is_first = false;
        tokio::select! {
            () = sleep(PERIOD) => {}
            () = shutdown.cancelled() => return Ok(None),
        }
    }
}

/// Takes the lease if it is free: never held, given back, or unchanged for [`DURATION`] of our own clock.
async fn attempt(
    api: &Api<Lease>,
    identity: &str,
    seen: &mut Option<(String, Instant)>,
) -> Result<Option<Lease>, kube::Error> {
    let Some(current) = api.get_opt(NAME).await? else {
        let fresh = Lease {
            metadata: ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() },
            spec: Some(spec(identity, 0)),
        };
        return overtaken(api.create(&PostParams::default(), &fresh).await);
    };
    let version = current.resource_version().unwrap_or_default();
    let holder = current.spec.as_ref().and_then(|s| s.holder_identity.clone()).unwrap_or_default();
    let unchanged_for = match seen {
        Some((known, since)) if *known == version => since.elapsed(),
        _ => {
            *seen = Some((version, Instant::now()));
            Duration::ZERO
        }
    };
    if !holder.is_empty() && holder != identity && unchanged_for < DURATION {
        return Ok(None);
    }
    let transitions = current.spec.as_ref().and_then(|s| s.lease_transitions).unwrap_or_default();
    let mut taken = current;
    taken.spec = Some(spec(identity, transitions + i32::from(holder != identity)));
    overtaken(api.replace(NAME, &PostParams::default(), &taken).await)
}

fn overtaken(result: Result<Lease, kube::Error>) -> Result<Option<Lease>, kube::Error> {
    match result {
        Ok(lease) => Ok(Some(lease)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}

fn spec(identity: &str, transitions: i32) -> LeaseSpec {
    let now = MicroTime(Timestamp::now());
    LeaseSpec {
        holder_identity: Some(identity.into()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        lease_transitions: Some(transitions),
        ..LeaseSpec::default()
    }
}

impl Held {
    /// Renews the lease, and returns only when it is lost: taken by somebody else, or not renewed for [`DEADLINE`].
    pub async fn keep(&self) -> RunError {
        loop {
            sleep(PERIOD).await;
            let left = DEADLINE.saturating_sub(self.age());
            let started = Instant::now();
            match timeout(left, self.renew()).await {
                Ok(Ok(())) => *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = started,
                Ok(Err(kube::Error::Api(status))) if status.code == 409 || status.code == 404 => {
                    return RunError::LeaseLost;
                }
                Ok(Err(error)) => warn!(%error, "cannot renew the lease; it is tried again"),
                Err(_) => {}
            }
            if !self.is_current() {
                return RunError::LeaseLost;
            }
        }
    }

    /// Whether nobody else can lead yet: asked before every write, since a process may have stood still in between.
    pub fn is_current(&self) -> bool {
        self.age() < DEADLINE
    }

    fn age(&self) -> Duration {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    async fn renew(&self) -> Result<(), kube::Error> {
        let mut lease = self.lease.lock().await;
        let mut next = lease.clone();
        next.spec.get_or_insert_default().renew_time = Some(MicroTime(Timestamp::now()));
        *lease = self.api.replace(NAME, &PostParams::default(), &next).await?;
        Ok(())
    }

    /// Gives the lease back, so that another replica need not wait for it to expire.
    pub async fn release(&self) {
        let mut next = self.lease.lock().await.clone();
        let spec = next.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            return;
        }
        spec.holder_identity = Some(String::new());
        // Whoever waits takes it when it expires anyway.
        let _ = timeout(PERIOD, self.api.replace(NAME, &PostParams::default(), &next)).await;
    }
}
