//! Whether a tenant's hosts have their certificates and are served, and if not, why.

use octroi_api::conditions::{ConditionType, Reason, Verdict};
use octroi_api::{DomainStatus, labels};

use super::{bounded, fails, holds, obstacle_of};
use crate::child::{Child, ChildKey};
use crate::compile::entry;
use crate::facts::Facts;
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::hosts::{ClaimState, ResolvedHost};
use crate::world::World;

/// The verdict on all certificates that a tenant's entry needs.
pub fn certificates_ready(tenant: &ResolvedTenant, desired: &[Child], world: &World) -> Verdict {
    const KIND: ConditionType = ConditionType::CertificatesReady;
    // The class's own is beside its Gateways, and no child of the tenant.
    let shared =
        tenant.owned_hosts().find(|host| host.secret.namespace == labels::GATEWAYS_NAMESPACE).map(certificate_key);
    let own = desired.iter().filter(|c| c.key.kind == ChildKind::Certificate).map(|c| c.key.clone());
    let needed: Vec<ChildKey> = own.chain(shared).collect();
    if needed.is_empty() {
        return fails(KIND, Reason::Progressing, "no host is claimed yet");
    }
    match needed.iter().find_map(|key| Some((key, certificate_obstacle(key, world)?))) {
        None => holds(KIND, format!("{} issued", needed.len())),
        Some((key, (reason, why))) => fails(KIND, reason, format!("{}: {why}", key.name)),
    }
}

/// The status of one host.
pub fn status(host: &ResolvedHost, tenant: &ResolvedTenant, world: &World) -> DomainStatus {
    let state = host_obstacle(host, tenant, world);
    DomainStatus {
        host: host.host.to_string(),
        ready: state.is_none(),
        reason: state.as_ref().map(|(reason, _)| reason.as_str().into()),
        message: state.map(|(_, message)| bounded(message)),
    }
}

fn certificate_key(host: &ResolvedHost) -> ChildKey {
    ChildKey::new(ChildKind::Certificate, &host.secret.namespace, &host.secret.name)
}

fn certificate_obstacle(key: &ChildKey, world: &World) -> Option<(Reason, String)> {
    let next = format!("see kubectl describe certificate -n {} {}", key.namespace, key.name);
    let progress = match world.get(key).map(|o| &o.facts) {
        Some(Facts::Certificate { issued }) => Some(issued),
        _ => None,
    };
    obstacle_of(progress, "cert-manager", Reason::CertificateNotReady, &next)
}

fn host_obstacle(host: &ResolvedHost, tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    match host.claim {
        ClaimState::Taken => {
            let message = "this host, or one that it overlaps with, belongs to somebody else: remove it from spec.domains, or ask the run team who owns it";
            return Some((Reason::HostTaken, message.into()));
        }
        ClaimState::Free => return Some((Reason::Progressing, "waiting for its claim".into())),
        ClaimState::Ours => {}
    }
    certificate_obstacle(&certificate_key(host), world).or_else(|| listener_obstacle(host, tenant, world))
}

fn listener_obstacle(host: &ResolvedHost, tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    let Some(Facts::Entry { programmed, failing, .. }) = world.get(&entry::key(&tenant.name)).map(|o| &o.facts) else {
        return Some((Reason::Progressing, "waiting for the entry".into()));
    };
    if let Some((_, why)) = failing.iter().find(|(name, _)| *name == host.host.object_name()) {
        return Some((Reason::NotProgrammed, format!("the data plane says {why}")));
    }
    (!programmed.is_done()).then(|| (Reason::Progressing, "waiting for the data plane".into()))
}
