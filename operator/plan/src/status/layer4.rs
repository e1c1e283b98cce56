//! Whether a tenant's ports are listened on, and if not, why; and what looks at none of what passes there.

use octroi_api::PortStatus;
use octroi_api::conditions::Reason;

use super::bounded;
use crate::compile::{edge, entry};
use crate::facts::Facts;
use crate::resolve::ResolvedTenant;
use crate::resolve::hosts::ClaimState;
use crate::resolve::layer4::ResolvedPort;
use crate::world::World;

/// What is said of a port that is ready: who reads it is to know what does not hold there.
const UNSEEN: &str =
    "passed on as it comes: the firewall, rate limits, authentication and the page of a suspension do not look at it";

/// The status of one port.
pub fn status(port: &ResolvedPort, tenant: &ResolvedTenant, world: &World) -> PortStatus {
    let obstacle = port.obstacle.clone().or_else(|| listener_obstacle(port, tenant, world));
    let message = obstacle.as_ref().map_or_else(|| passed_on(port), |(_, message)| message.clone());
    PortStatus {
        name: port.name.clone(),
        port: port.port.into(),
        ready: obstacle.is_none(),
        reason: obstacle.map(|(reason, _)| reason.as_str().into()),
        message: Some(bounded(message)),
    }
}

fn passed_on(port: &ResolvedPort) -> String {
    match port.claims.iter().find(|claim| claim.state == ClaimState::Taken) {
        Some(claim) => format!(
            "{UNSEEN}; the move to class '{}' would close it, since the port belongs to somebody else there",
            claim.class
        ),
        None => UNSEEN.into(),
    }
}

fn listener_obstacle(port: &ResolvedPort, tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    let Some(Facts::Entry { programmed, failing, .. }) = world.get(&entry::key(&tenant.name)).map(|o| &o.facts) else {
        return Some((Reason::Progressing, "waiting for the entry".into()));
    };
    let listeners = port.listeners();
    if let Some((_, why)) = failing.iter().find(|(name, _)| listeners.iter().any(|(own, _)| own == name)) {
        return Some((Reason::NotProgrammed, format!("the data plane says {why}")));
    }
    if let Some(why) = policy_obstacle(port, tenant, world) {
        return Some((Reason::NotProgrammed, why));
    }
    (!programmed.is_done()).then(|| (Reason::Progressing, "waiting for the data plane".into()))
}

/// Envoy Gateway 1.9.1 lets everybody connect while it refuses the policy, and calls the listener programmed.
fn policy_obstacle(port: &ResolvedPort, tenant: &ResolvedTenant, world: &World) -> Option<String> {
    let key = edge::policy_of_port(tenant, port);
    let Facts::Policy { refused: Some(why) } = &world.get(&key)?.facts else { return None };
    let next = format!("see kubectl describe securitypolicy -n {} {}", key.namespace, key.name);
    Some(format!("the data plane refuses {key}, and everybody may connect: {why}; {next}"))
}
