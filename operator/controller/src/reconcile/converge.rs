//! Plan, write, plan again.

use std::collections::BTreeMap;

use octroi_plan::ChildKey;
use octroi_plan::diff::{Action, Change, Changes};
use octroi_plan::status::Failure;
use octroi_plan::world::World;

use super::Context;
use crate::apply;
use crate::error::ReconcileError;

/// Rounds until a plan must have settled: claims, namespaces, the rest, a move, what is left over.
const MAX_ROUNDS: usize = 10;

/// Carries out a plan until nothing is left to write or a write fails, and returns the last plan and what failed.
///
/// # Errors
/// When the lease ran out meanwhile.
pub async fn converge<P>(
    context: &Context,
    plan: impl Fn(&mut World) -> P,
    changes: impl Fn(&P) -> Option<&Changes>,
) -> Result<(P, Vec<Failure>), ReconcileError> {
    let mut applied = BTreeMap::new();
    let mut current = plan(&mut context.state.world());
    for _ in 0..MAX_ROUNDS {
        let Some(writes) = changes(&current).map(|c| &c.writes).filter(|w| !w.is_empty()) else {
            return Ok((current, Vec::new()));
        };
        if let Some(failure) = stubborn(writes, &mut applied) {
            return Ok((current, vec![failure]));
        }
        if !context.lease.is_current() {
            return Err(ReconcileError::Stale);
        }
        let applied = apply::all(&context.client, writes, &context.state, &context.metrics).await;
        current = plan(&mut context.state.world());
        if !applied.failures.is_empty() {
            return Ok((current, applied.failures));
        }
        if applied.is_overtaken {
            return Err(ReconcileError::Unsettled);
        }
    }
    Err(ReconcileError::Unsettled)
}

/// An object that would be applied a third time in one reconcile does not keep what it is given: writing on would be a
/// fight. The second time is for lists that were put right in between.
fn stubborn(writes: &[Change], applied: &mut BTreeMap<(ChildKey, String), usize>) -> Option<Failure> {
    let mut bodies = writes.iter().filter_map(|write| match &write.action {
        Action::Apply(body) => Some((&write.key, body)),
        Action::Create(_) | Action::Adopt(..) | Action::Reclaim(_) | Action::Delete(_) | Action::Release(_) => None,
    });
    let (key, _) = bodies.find(|(key, body)| {
        let count = applied.entry(((*key).clone(), body.to_string())).or_default();
        *count += 1;
        *count > MOST_APPLIES
    })?;
    Some(Failure { key: key.clone(), message: STUBBORN.into() })
}

const MOST_APPLIES: usize = 2;
const STUBBORN: &str =
    "it does not keep what is applied: another controller or an admission policy changes it; see its managedFields";
