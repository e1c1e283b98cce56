//! The status of a Tenant.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::{ConditionType, Reason, Verdict, stamp};
use octroi_api::{
    DomainStatus, FailingItem, GatewayStatus, NamespacesStatus, PortStatus, Tenant, TenantState, TenantStatus,
    UpstreamStatus, labels,
};

use super::{
    Failure, MAX_FAILING, bounded, certificates, fails, gateway, holds, hosts, layer4, obstacle, routes, upstreams,
};
use crate::child::{Child, ChildKey};
use crate::compile::limits;
use crate::diff::Changes;
use crate::facts::Facts;
use crate::kind::ChildKind;
use crate::rejection::{Rejection, summary};
use crate::resolve::ResolvedTenant;
use crate::resolve::namespaces::Unadopted;
use crate::resolve::{layer4::unsupported_of as of_ports, upstreams::unsupported_of as of_upstreams};
use crate::routes::judge;
use crate::tenant::TenantPlan;
use crate::world::World;

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
    if let Some(judged) = judge::of_plan(tenant, plan, world) {
        status.0.routes = Some(routes::of(&judged));
    }
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
    let domains: Vec<DomainStatus> = tenant.hosts.iter().map(|h| hosts::status(h, tenant, world)).collect();
    let ports: Vec<PortStatus> = tenant.ports.iter().map(|port| layer4::status(port, tenant, world)).collect();
    let upstreams: Vec<UpstreamStatus> =
        tenant.upstreams.iter().map(|upstream| upstreams::status(upstream, tenant, world)).collect();
    let namespaces = namespaces(tenant, changes, world, failures);
    let verdicts = vec![
        accepted(tenant),
        namespaces_ready(&namespaces),
        certificates::ready(tenant, desired, world),
        gateway::programmed(tenant, world),
    ];
    let ready = held(tenant, ready(&verdicts, unready(&domains, &ports, &upstreams), changes, failures));
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
        layer4: ports,
        upstreams,
        namespaces: Some(namespaces),
        ..TenantStatus::default()
    };
    (status, verdicts.into_iter().chain([ready, capabilities(tenant)]).collect())
}

/// What is less strict than the class is not refused: a class that becomes stricter takes nobody's entry away.
fn accepted(tenant: &ResolvedTenant) -> Verdict {
    let clamped = &tenant.clamped;
    if clamped.is_empty() {
        return holds(ConditionType::Accepted, "the spec is valid");
    }
    let reason = Reason::Clamped;
    Verdict { kind: ConditionType::Accepted, holds: Some(true), reason, message: bounded(clamped.join("; ")) }
}

/// A tenant is served although something that it asks for cannot be done: who reads its status is to know.
fn capabilities(tenant: &ResolvedTenant) -> Verdict {
    let others = [of_ports(&tenant.ports, tenant.class.data_plane), of_upstreams(&tenant.upstreams)].concat();
    let of_requests = tenant.http.unsupported.iter().chain(&tenant.rate_limit.unsupported).copied();
    let unsupported: Vec<&str> = of_requests.chain(others.iter().map(String::as_str)).collect();
    if unsupported.is_empty() {
        return holds(ConditionType::CapabilitiesSupported, "the data plane can do everything that the Tenant sets");
    }
    let message = format!(
        "the data plane of class '{}' cannot do {}: remove them, or name a class that can; see docs/edge.md",
        tenant.class.name,
        unsupported.join(", ")
    );
    fails(ConditionType::CapabilitiesSupported, Reason::Unsupported, message)
}

/// The first host, or else port, or else upstream that is not as it should be, and why.
fn unready(domains: &[DomainStatus], ports: &[PortStatus], upstreams: &[UpstreamStatus]) -> Option<(Reason, String)> {
    let said = |what: &str, reason: Option<&String>, message: Option<&String>| {
        let reason = Reason::ALL.into_iter().find(|r| reason.is_some_and(|said| r.as_str() == said));
        (reason.unwrap_or(Reason::Progressing), format!("{what}: {}", message.map_or("", String::as_str)))
    };
    let domain = domains.iter().find(|domain| !domain.ready);
    let domain = domain.map(|domain| said(&domain.host, domain.reason.as_ref(), domain.message.as_ref()));
    let port = || ports.iter().find(|port| !port.ready);
    domain
        .or_else(|| {
            let of_port = |port: &PortStatus| {
                said(&format!("spec.layer4[{}]", port.name), port.reason.as_ref(), port.message.as_ref())
            };
            port().map(of_port)
        })
        .or_else(|| {
            let upstream = upstreams.iter().find(|upstream| !upstream.ready)?;
            let what = format!("spec.upstreams[{}]", upstream.name);
            Some(said(&what, upstream.reason.as_ref(), upstream.message.as_ref()))
        })
}

fn ready(verdicts: &[Verdict], unready: Option<(Reason, String)>, changes: &Changes, failures: &[Failure]) -> Verdict {
    if let Some((reason, message)) = obstacle(changes, failures) {
        return fails(ConditionType::Ready, reason, message);
    }
    if let Some(bad) = verdicts.iter().find(|v| v.holds != Some(true)) {
        return fails(ConditionType::Ready, bad.reason, bad.message.clone());
    }
    match unready {
        Some((reason, message)) => fails(ConditionType::Ready, reason, message),
        None => holds(ConditionType::Ready, "everything of this generation was seen in place"),
    }
}

/// A Cordoned tenant is served as it is, so it stays Ready; a Suspended one is not.
fn held(tenant: &ResolvedTenant, ready: Verdict) -> Verdict {
    if ready.holds != Some(true) || tenant.state.state == TenantState::Active {
        return ready;
    }
    let (holds, effect) = match tenant.state.state {
        TenantState::Suspended => (false, "every host answers 503 with the platform's page; nothing was deleted"),
        _ => (true, "its routes are served as they are and take nothing new"),
    };
    let state = tenant.state.state.as_str();
    let (by, next) = match &tenant.state.hold {
        Some(hold) if hold.state == tenant.state.state => {
            let reason = hold.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let until = hold.until.map(|until| format!(" until {until}")).unwrap_or_default();
            (format!("{}{until}{reason}", labels::HOLD), format!("octroi resume {}", tenant.name))
        }
        _ => ("spec.state".to_owned(), "set spec.state: Active".to_owned()),
    };
    let message = bounded(format!("{state} by {by}: {effect}. To end it: {next}"));
    Verdict { holds: Some(holds), reason: Reason::Held, message, ..ready }
}

fn namespaces(tenant: &ResolvedTenant, changes: &Changes, world: &World, failures: &[Failure]) -> NamespacesStatus {
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
            let missing = changes.missing.iter().find(|k| inside(k)).map(|key| format!("{key} is not in place yet"));
            let message = missing.or_else(|| uncounted(namespace, world))?;
            Some(FailingItem { name: namespace.clone(), reason: Reason::Progressing.as_str().into(), message })
        })
        .collect();
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let ready = tenant.namespaces.len() - failing.len();
    let unadopted = tenant.unadopted.iter().map(unadopted);
    NamespacesStatus {
        desired: count(tenant.namespaces.len() + tenant.unadopted.len()),
        ready: count(ready),
        failing: unadopted.chain(failing).take(MAX_FAILING).collect(),
    }
}

fn unadopted(namespace: &Unadopted) -> FailingItem {
    let (reason, message) = match &namespace.objections {
        None => (Reason::Progressing, "what is in it is being looked at".to_owned()),
        Some(objections) => {
            (Reason::AdoptionRefused, format!("adoption waits until this is put right: {}", objections.join("; ")))
        }
    };
    FailingItem { name: namespace.name.clone(), reason: reason.as_str().into(), message: bounded(message) }
}

/// What of a namespace's quota does not hold yet.
fn uncounted(namespace: &str, world: &World) -> Option<String> {
    let key = limits::quota_key(namespace);
    let Some(Facts::Quota { pending: Some(limit) }) = world.get(&key).map(|o| &o.facts) else { return None };
    Some(format!(
        "waiting for Kubernetes to count {limit} for {key}; if it stays so, see whether kube-controller-manager runs its controller resourcequota"
    ))
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

fn address(gateway: &ChildKey, world: &World) -> Option<String> {
    match world.get(gateway).map(|o| &o.facts) {
        Some(Facts::Gateway { address, .. }) => address.clone(),
        _ => None,
    }
}
