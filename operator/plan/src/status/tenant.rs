//! The status of a Tenant.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::{ConditionType, Reason, Verdict, stamp};
use octroi_api::{DomainStatus, FailingItem, GatewayStatus, NamespacesStatus, Tenant, TenantStatus};

use super::{Failure, bounded, fails, holds, obstacle};
use crate::child::{Child, ChildKey};
use crate::compile::entry;
use crate::diff::Changes;
use crate::facts::{Facts, Progress};
use crate::kind::ChildKind;
use crate::rejection::{Rejection, summary};
use crate::resolve::ResolvedTenant;
use crate::resolve::hosts::{ClaimState, ResolvedHost};
use crate::resolve::placement::Waiting;
use crate::tenant::TenantPlan;
use crate::world::World;

const MAX_FAILING: usize = 20;

/// The status of a Tenant after its plan was carried out as far as it went; `None` when there is nothing left to say it
/// of.
pub fn of(
    tenant: &Tenant,
    plan: &TenantPlan,
    world: &World,
    failures: &[Failure],
    now: Timestamp,
) -> Option<TenantStatus> {
    let old = tenant.status.clone().unwrap_or_default();
    let generation = tenant.metadata.generation.unwrap_or_default();
    let mut status = match plan {
        TenantPlan::Orphan => return None,
        TenantPlan::TearDown(changes) => terminating(&old, changes, failures),
        TenantPlan::Reject(rejections) => rejected(&old, rejections),
        TenantPlan::Keep { resolved, desired, changes } => kept(resolved, desired, changes, world, failures),
    };
    status.0.observed_generation = Some(generation);
    status.0.conditions = merge(stamp(status.1, &old.conditions, generation, now), &old.conditions);
    Some(status.0)
}

/// Aspects that this plan says nothing of stay as they were, with the generation they were judged for.
fn merge(new: Vec<Condition>, old: &[Condition]) -> Vec<Condition> {
    let kept: Vec<Condition> = old.iter().filter(|o| new.iter().all(|n| n.type_ != o.type_)).cloned().collect();
    new.into_iter().chain(kept).collect()
}

fn rejected(old: &TenantStatus, rejections: &[Rejection]) -> (TenantStatus, Vec<Verdict>) {
    let reason = rejections.first().map_or(Reason::Invalid, |r| r.reason);
    let message = summary(rejections);
    let verdicts =
        vec![fails(ConditionType::Accepted, reason, message.clone()), fails(ConditionType::Ready, reason, message)];
    (old.clone(), verdicts)
}

fn terminating(old: &TenantStatus, changes: &Changes, failures: &[Failure]) -> (TenantStatus, Vec<Verdict>) {
    let message = match obstacle(changes, failures) {
        Some((Reason::ApplyFailed, message)) => message,
        _ => changes.leftover.first().map_or_else(String::new, |key| {
            format!("{} objects are left; waiting for {key} to go", changes.leftover.len())
        }),
    };
    (old.clone(), vec![fails(ConditionType::Ready, Reason::Terminating, message)])
}

fn kept(
    tenant: &ResolvedTenant,
    desired: &[Child],
    changes: &Changes,
    world: &World,
    failures: &[Failure],
) -> (TenantStatus, Vec<Verdict>) {
    let domains: Vec<DomainStatus> = tenant.hosts.iter().map(|h| domain(h, tenant, world)).collect();
    let namespaces = namespaces(tenant, changes, failures);
    let verdicts = vec![
        holds(ConditionType::Accepted, "the spec is valid"),
        namespaces_ready(&namespaces),
        certificates_ready(tenant, desired, world),
        gateway_programmed(tenant, world),
    ];
    let ready = ready(&verdicts, &domains, changes, failures);
    let serving = &tenant.placement.serving;
    let status = TenantStatus {
        class_name: Some(tenant.class.name.clone()),
        url: tenant.hosts.first().map(|h| format!("https://{}", h.host)),
        gateway: Some(GatewayStatus {
            mode: serving.mode(),
            name: serving.name.clone(),
            namespace: serving.namespace.clone(),
            address: address(&serving.key(), world),
        }),
        domains,
        namespaces: Some(namespaces),
        ..TenantStatus::default()
    };
    (status, verdicts.into_iter().chain([ready]).collect())
}

fn ready(verdicts: &[Verdict], domains: &[DomainStatus], changes: &Changes, failures: &[Failure]) -> Verdict {
    if let Some((reason, message)) = obstacle(changes, failures) {
        return fails(ConditionType::Ready, reason, message);
    }
    if let Some(bad) = verdicts.iter().find(|v| !v.holds) {
        return fails(ConditionType::Ready, bad.reason, bad.message.clone());
    }
    match domains.iter().find(|d| !d.ready) {
        Some(domain) => {
            let reason = Reason::ALL.into_iter().find(|r| Some(r.as_str()) == domain.reason.as_deref());
            let message = format!("{}: {}", domain.host, domain.message.as_deref().unwrap_or_default());
            fails(ConditionType::Ready, reason.unwrap_or(Reason::Progressing), message)
        }
        None => holds(ConditionType::Ready, "everything of this generation was seen in place"),
    }
}

fn namespaces(tenant: &ResolvedTenant, changes: &Changes, failures: &[Failure]) -> NamespacesStatus {
    let failing: Vec<FailingItem> = tenant
        .namespaces
        .iter()
        .filter_map(|namespace| {
            let inside = |key: &ChildKey| {
                key.namespace == *namespace || (key.kind == ChildKind::Namespace && key.name == *namespace)
            };
            if let Some(failure) = failures.iter().find(|f| inside(&f.key)) {
                let message = bounded(format!("{}: {}", failure.key, failure.message));
                return Some(FailingItem {
                    name: namespace.clone(),
                    reason: Reason::ApplyFailed.as_str().into(),
                    message,
                });
            }
            let key = changes.missing.iter().find(|k| inside(k))?;
            let message = format!("{key} is not in place yet");
            Some(FailingItem { name: namespace.clone(), reason: Reason::Progressing.as_str().into(), message })
        })
        .collect();
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    NamespacesStatus {
        desired: count(tenant.namespaces.len()),
        ready: count(tenant.namespaces.len() - failing.len()),
        failing: failing.into_iter().take(MAX_FAILING).collect(),
    }
}

fn namespaces_ready(namespaces: &NamespacesStatus) -> Verdict {
    match namespaces.failing.first() {
        None => holds(ConditionType::NamespacesReady, format!("{} of {}", namespaces.ready, namespaces.desired)),
        Some(first) => {
            let reason = Reason::ALL.into_iter().find(|r| r.as_str() == first.reason).unwrap_or(Reason::Progressing);
            fails(ConditionType::NamespacesReady, reason, format!("{}: {}", first.name, first.message))
        }
    }
}

fn certificates_ready(tenant: &ResolvedTenant, desired: &[Child], world: &World) -> Verdict {
    let class_wildcard = desired.iter().any(|c| c.key.kind == ChildKind::ReferenceGrant);
    let of_class = class_wildcard.then(|| {
        let secret = tenant.hosts.first().map(|h| h.secret.clone());
        secret.map(|s| ChildKey::new(ChildKind::Certificate, &s.namespace, &s.name))
    });
    let own = desired.iter().filter(|c| c.key.kind == ChildKind::Certificate).map(|c| c.key.clone());
    let needed: Vec<ChildKey> = own.chain(of_class.flatten()).collect();
    let bad = needed.iter().find_map(|key| certificate_obstacle(key, world).map(|why| (key, why)));
    match bad {
        _ if needed.is_empty() => {
            fails(ConditionType::CertificatesReady, Reason::Progressing, "no host is claimed yet")
        }
        None => holds(ConditionType::CertificatesReady, format!("{} issued", needed.len())),
        Some((key, why)) => {
            fails(ConditionType::CertificatesReady, Reason::CertificateNotReady, format!("{}: {why}", key.name))
        }
    }
}

fn certificate_obstacle(key: &ChildKey, world: &World) -> Option<String> {
    let next = format!("see kubectl describe certificate -n {} {}", key.namespace, key.name);
    match world.get(key).map(|o| &o.facts) {
        Some(Facts::Certificate { issued: Progress::Done }) => None,
        Some(Facts::Certificate { issued: Progress::Failed(why) }) => Some(format!("cert-manager says {why}; {next}")),
        _ => Some(format!("waiting for cert-manager; {next}")),
    }
}

fn gateway_programmed(tenant: &ResolvedTenant, world: &World) -> Verdict {
    const KIND: ConditionType = ConditionType::GatewayProgrammed;
    let placement = &tenant.placement;
    let target = &placement.target;
    match placement.waiting {
        Some(Waiting::ForConsent) => {
            let mode = target.mode().as_str();
            let message = format!(
                "served by {}/{} until the move to {}/{} is accepted: its address changes, and the old one stops answering at once, before clients' DNS follows. To move: kubectl annotate tenant {} octroi.dev/accept-gap={mode}",
                placement.serving.namespace, placement.serving.name, target.namespace, target.name, tenant.name
            );
            return fails(KIND, Reason::GapNotAccepted, message);
        }
        Some(Waiting::ForProxy) => {
            let message = format!(
                "served by {}/{} until {}/{} is programmed",
                placement.serving.namespace, placement.serving.name, target.namespace, target.name
            );
            return fails(KIND, Reason::Progressing, message);
        }
        None => {}
    }
    match world.get(&target.key()).map(|o| &o.facts) {
        Some(Facts::Gateway { programmed: Progress::Done, .. }) => {}
        Some(Facts::Gateway { programmed: Progress::Failed(why), .. }) => {
            let message = format!(
                "the data plane says of its gateway: {why}; see kubectl describe gateway -n {} {}",
                target.namespace, target.name
            );
            return fails(KIND, Reason::NotProgrammed, message);
        }
        _ => return fails(KIND, Reason::Progressing, "waiting for the data plane to program the gateway"),
    }
    entry_programmed(tenant, world)
}

fn entry_programmed(tenant: &ResolvedTenant, world: &World) -> Verdict {
    const KIND: ConditionType = ConditionType::GatewayProgrammed;
    let target = &tenant.placement.target;
    match world.get(&entry::key(&tenant.name)).map(|o| &o.facts) {
        Some(Facts::Entry { parent, programmed: Progress::Done, .. })
            if (parent.0.as_str(), parent.1.as_str()) == (target.namespace.as_str(), target.name.as_str()) =>
        {
            holds(KIND, format!("by {}/{}", target.namespace, target.name))
        }
        Some(Facts::Entry { programmed: Progress::Failed(why), .. }) => {
            let namespace = tenant.name.gateway_namespace();
            let message =
                format!("the data plane says {why}; see kubectl describe listenerset -n {namespace} {}", tenant.name);
            fails(KIND, Reason::NotProgrammed, message)
        }
        _ => fails(KIND, Reason::Progressing, "waiting for the data plane to program the entry"),
    }
}

fn domain(host: &ResolvedHost, tenant: &ResolvedTenant, world: &World) -> DomainStatus {
    let state = domain_obstacle(host, tenant, world);
    DomainStatus {
        host: host.host.to_string(),
        ready: state.is_none(),
        reason: state.as_ref().map(|(reason, _)| reason.as_str().into()),
        message: state.map(|(_, message)| bounded(message)),
    }
}

fn domain_obstacle(host: &ResolvedHost, tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    match host.claim {
        ClaimState::Taken => {
            let message = "this host, or one that it overlaps with, belongs to somebody else: remove it from spec.domains, or ask the run team who owns it";
            return Some((Reason::HostTaken, message.into()));
        }
        ClaimState::Free => return Some((Reason::Progressing, "waiting for its claim".into())),
        ClaimState::Ours => {}
    }
    let certificate = ChildKey::new(ChildKind::Certificate, &host.secret.namespace, &host.secret.name);
    if let Some(why) = certificate_obstacle(&certificate, world) {
        return Some((Reason::CertificateNotReady, why));
    }
    match world.get(&entry::key(&tenant.name)).map(|o| &o.facts) {
        Some(Facts::Entry { programmed, failing, .. }) => {
            if let Some((_, why)) = failing.iter().find(|(name, _)| *name == host.host.object_name()) {
                return Some((Reason::NotProgrammed, format!("the data plane says {why}")));
            }
            (!programmed.is_done()).then(|| (Reason::Progressing, "waiting for the data plane".into()))
        }
        _ => Some((Reason::Progressing, "waiting for the entry".into())),
    }
}

fn address(gateway: &ChildKey, world: &World) -> Option<String> {
    match world.get(gateway).map(|o| &o.facts) {
        Some(Facts::Gateway { address, .. }) => address.clone(),
        _ => None,
    }
}
