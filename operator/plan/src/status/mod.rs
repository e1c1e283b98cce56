//! From a plan and what was observed to a status. Ready=True is written for a generation only when every child of it was
//! observed in place, and judged by the data plane and by cert-manager after that.

pub mod certificates;
pub mod class;
mod gateway;
mod hardening;
mod hosts;
mod layer4;
pub mod routes;
pub mod tenant;
mod upstreams;

use octroi_api::conditions::{ConditionType, Reason, Verdict};

use crate::child::ChildKey;
use crate::diff::Changes;
use crate::facts::Progress;

/// A write that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which object.
    pub key: ChildKey,
    /// What the API server said, and what to do.
    pub message: String,
}

/// Items of a kind that a status lists.
const MAX_FAILING: usize = 20;
/// Longest message of a condition here: enough to act on, and a bound for the store.
const MAX_MESSAGE: usize = 1000;

fn holds(kind: ConditionType, message: impl Into<String>) -> Verdict {
    Verdict { kind, holds: Some(true), reason: Reason::Ready, message: message.into() }
}

fn fails(kind: ConditionType, reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { kind, holds: Some(false), reason, message: bounded(message.into()) }
}

fn unknown(kind: ConditionType, reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { kind, holds: None, reason, message: bounded(message.into()) }
}

pub(crate) fn bounded(message: String) -> String {
    if message.len() > MAX_MESSAGE { bounded_to(&message, MAX_MESSAGE) } else { message }
}

/// At most so many bytes of a message.
fn bounded_to(message: &str, most: usize) -> String {
    if message.len() <= most {
        return message.to_owned();
    }
    let end = (0..=most).rev().find(|i| message.is_char_boundary(*i)).unwrap_or_default();
    format!("{}…", message.get(..end).unwrap_or_default())
}

/// What keeps the children of a plan from being in place; `None` when all are.
fn obstacle(changes: &Changes, failures: &[Failure]) -> Option<(Reason, String)> {
    if let Some(first) = failures.first() {
        let more = if failures.len() > 1 { format!(" (and {} more)", failures.len() - 1) } else { String::new() };
        return Some((Reason::ApplyFailed, format!("{}: {}{more}", first.key, first.message)));
    }
    if !changes.missing_apis.is_empty() {
        let crds: Vec<String> = changes.missing_apis.iter().filter_map(|k| k.crd_name()).collect();
        let message =
            format!("install what brings {}: everything else is done, and the rest follows by itself", crds.join(", "));
        return Some((Reason::MissingApi, message));
    }
    if let Some(key) = changes.missing.first() {
        return Some((
            Reason::Progressing,
            format!("{} of the objects are not in place yet, such as {key}", changes.missing.len()),
        ));
    }
    let key = changes.leftover.first()?;
    Some((Reason::Progressing, format!("{} objects are still to be taken away, such as {key}", changes.leftover.len())))
}

/// What another controller has still to do, in words; `None` when it is done.
fn obstacle_of(progress: Option<&Progress>, who: &str, failed: Reason, next: &str) -> Option<(Reason, String)> {
    match progress {
        Some(Progress::Done) => None,
        Some(Progress::Failed(why)) => Some((failed, format!("{who} says {why}; {next}"))),
        Some(Progress::Pending(Some(why))) => Some((Reason::Progressing, format!("{who} says {why}; {next}"))),
        Some(Progress::Pending(None)) | None => Some((Reason::Progressing, format!("waiting for {who}; {next}"))),
    }
}
