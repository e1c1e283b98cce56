//! Whether the data plane has a tenant's entry, and if not, what it waits for.

use octroi_api::conditions::{ConditionType, Reason, Verdict};

use super::{fails, holds, obstacle_of};
use crate::compile::{edge, entry};
use crate::facts::Facts;
use crate::resolve::ResolvedTenant;
use crate::resolve::placement::Waiting;
use crate::world::World;

const KIND: ConditionType = ConditionType::GatewayProgrammed;

/// The verdict on a tenant's gateway and entry.
pub fn programmed(tenant: &ResolvedTenant, world: &World) -> Verdict {
    let target = &tenant.placement.target;
    let waiting = move_obstacle(tenant)
        .or_else(|| gateway_obstacle(tenant, world))
        .or_else(|| entry_obstacle(tenant, world))
        .or_else(|| policy_obstacle(tenant, world));
    match waiting {
        Some((reason, message)) => fails(KIND, reason, message),
        None => holds(KIND, format!("by {}/{}", target.namespace, target.name)),
    }
}

fn move_obstacle(tenant: &ResolvedTenant) -> Option<(Reason, String)> {
    let (serving, target) = (&tenant.placement.serving, &tenant.placement.target);
    let served = format!("served by {}/{} until", serving.namespace, serving.name);
    match tenant.placement.waiting? {
        Waiting::ForProxy => {
            Some((Reason::Progressing, format!("{served} {}/{} is programmed", target.namespace, target.name)))
        }
        Waiting::ForConsent => {
            let mode = target.mode().as_str();
            let message = format!(
                "{served} the move to {}/{} is accepted: its address changes, and the old one stops answering at once, before clients' DNS follows. To move: kubectl annotate --overwrite tenant {} octroi.dev/accept-gap={mode}",
                target.namespace, target.name, tenant.name
            );
            Some((Reason::GapNotAccepted, message))
        }
    }
}

fn gateway_obstacle(tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    let target = &tenant.placement.target;
    let next = format!("see kubectl describe gateway -n {} {}", target.namespace, target.name);
    let progress = match world.get(&target.key()).map(|o| &o.facts) {
        Some(Facts::Gateway { programmed, .. }) => Some(programmed),
        _ => None,
    };
    let proxy = || {
        let message =
            format!("waiting for a pod of the proxy; see kubectl get deployments,pods -n {}", target.namespace);
        (!world.has_proxy(target, tenant.class.data_plane)).then_some((Reason::Progressing, message))
    };
    obstacle_of(progress, "the data plane", Reason::NotProgrammed, &next).or_else(proxy)
}

/// A data plane that refuses the policy of an entry answers with errors on all of its routes, and calls the entry programmed.
fn policy_obstacle(tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    let (key, why) = edge::policies_of_entry(tenant).into_iter().find_map(|key| match &world.get(&key)?.facts {
        Facts::Policy { refused: Some(why) } => Some((key, why)),
        _ => None,
    })?;
    let next = format!("see kubectl describe {} -n {} {}", key.kind.api().plural, key.namespace, key.name);
    let message = format!("the data plane refuses {key}, and its routes answer with errors: {why}; {next}");
    Some((Reason::NotProgrammed, message))
}

fn entry_obstacle(tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    let target = &tenant.placement.target;
    let next = format!("see kubectl describe listenerset -n {} {}", tenant.name.gateway_namespace(), tenant.name);
    let progress = match world.get(&entry::key(&tenant.name)).map(|o| &o.facts) {
        Some(Facts::Entry { parent: (namespace, name), programmed, .. })
            if *namespace == target.namespace && *name == target.name =>
        {
            Some(programmed)
        }
        _ => None,
    };
    obstacle_of(progress, "the data plane", Reason::NotProgrammed, &next)
}
