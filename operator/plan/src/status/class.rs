//! The status of a TenantClass.

use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::{ConditionType, Reason, Verdict, stamp};
use octroi_api::{ClassShard, TenantClass, TenantClassStatus};

use super::{Failure, certificates, fails, hardening, holds, obstacle};
use crate::child::Child;
use crate::class::ClassPlan;
use crate::diff::Changes;
use crate::facts::{Facts, Progress};
use crate::rejection::summary;
use crate::resolve::class::ResolvedClass;
use crate::resolve::placement::shard;
use crate::world::World;

const MAX_SHARDS: usize = 50;

/// The status of a TenantClass after its plan was carried out as far as it went; `None` when there is nothing left to say
/// it of.
pub fn of(
    class: &TenantClass,
    plan: &ClassPlan,
    world: &World,
    failures: &[Failure],
    now: Timestamp,
) -> Option<TenantClassStatus> {
    let old = class.status.clone().unwrap_or_default();
    let name = class.metadata.name.clone().unwrap_or_default();
    let generation = class.metadata.generation.unwrap_or_default();
    let (shards, verdicts) = match plan {
        ClassPlan::Orphan => return None,
        ClassPlan::TearDown(changes) => {
            let message = changes.leftover.first().map(|key| format!("waiting for {key} to go")).unwrap_or_default();
            (old.shards.clone(), vec![fails(ConditionType::Ready, Reason::Terminating, message)])
        }
        ClassPlan::Reject(rejections) => {
            let reason = rejections.first().map_or(Reason::Invalid, |r| r.reason);
            let message = summary(rejections);
            let accepted = fails(ConditionType::Accepted, reason, message.clone());
            (old.shards.clone(), vec![accepted, fails(ConditionType::Ready, reason, message)])
        }
        ClassPlan::Keep { resolved, desired, changes } => {
            let accepted = holds(ConditionType::Accepted, "the spec is valid");
            let capabilities = capabilities(&resolved.class);
            let ready = ready(desired, changes, world, failures);
            (
                shard_list(&name, resolved.shards, world),
                vec![accepted, ready, capabilities, hardening::of(&resolved.class, world)],
            )
        }
    };
    Some(TenantClassStatus {
        observed_generation: Some(generation),
        tenants: Some(i32::try_from(world.tenants_of(&name)).unwrap_or(i32::MAX)),
        shards,
        conditions: stamp(verdicts, &old.conditions, generation, now),
    })
}

fn ready(desired: &[Child], changes: &Changes, world: &World, failures: &[Failure]) -> Verdict {
    if let Some((reason, message)) = obstacle(changes, failures) {
        return fails(ConditionType::Ready, reason, message);
    }
    let unfinished = desired.iter().find_map(|child| {
        let observed = world.get(&child.key)?;
        let (progress, reason) = match &observed.facts {
            Facts::Gateway { programmed, .. } => (programmed, Reason::NotProgrammed),
            Facts::Certificate(view) => (&view.issued, Reason::CertificateNotReady),
            _ => return None,
        };
        match progress {
            Progress::Done => None,
            Progress::Pending(None) => Some((Reason::Progressing, format!("waiting for {}", child.key))),
            Progress::Pending(Some(why)) => Some((Reason::Progressing, format!("waiting for {}: {why}", child.key))),
            Progress::Failed(why) => Some((reason, format!("{}: {why}", child.key))),
        }
    });
    let overdue = || {
        desired.iter().find_map(|child| {
            let (reason, why) = certificates::overdue(&child.key, world)?;
            Some((reason, format!("{}: {why}", child.key)))
        })
    };
    match unfinished.or_else(overdue) {
        Some((reason, message)) => fails(ConditionType::Ready, reason, message),
        None => holds(ConditionType::Ready, "everything of this generation was seen in place"),
    }
}

/// A class is served although something of it cannot be done: who reads its status is to know.
fn capabilities(class: &ResolvedClass) -> Verdict {
    if class.unsupported.is_empty() {
        return holds(ConditionType::CapabilitiesSupported, "the data plane can do everything that is set");
    }
    let fields = class.unsupported.join(", ");
    let message = format!(
        "the data plane cannot do {fields}: remove them, or name a GatewayClass of Envoy Gateway; see docs/edge.md"
    );
    fails(ConditionType::CapabilitiesSupported, Reason::Unsupported, message)
}

fn shard_list(class: &str, shards: usize, world: &World) -> Vec<ClassShard> {
    (0..shards.min(MAX_SHARDS))
        .map(|index| {
            let gateway = shard(class, index);
            let tenants = world.placements().values().filter(|placed| **placed == gateway).count();
            let address = match world.get(&gateway.key()).map(|o| &o.facts) {
                Some(Facts::Gateway { address, .. }) => address.clone(),
                _ => None,
            };
            ClassShard { name: gateway.name, tenants: i32::try_from(tenants).unwrap_or(i32::MAX), address }
        })
        .collect()
}
