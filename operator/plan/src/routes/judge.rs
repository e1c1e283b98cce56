//! What is to be said of each route of a tenant: first what can be seen without a data plane, then what that says.

use std::borrow::Cow;

use octroi_api::names::Hostname;
use octroi_api::{RouteProblem, Tenant, TenantState, labels};

use super::observed::{Refusal, Route, Verdict};
use super::{RouteKey, RouteKind};
use crate::child::Owner;
use crate::compile::entry_config;
use crate::kind::ChildKind;
use crate::resolve::class::DataPlane;
use crate::resolve::hosts::ClaimState;
use crate::resolve::state;
use crate::status::bounded;
use crate::tenant::TenantPlan;
use crate::world::World;

/// Own hosts that a message lists.
const MAX_HOSTS: usize = 4;

/// What a tenant's routes are judged by.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The tenant.
    pub tenant: String,
    /// The hosts that are its own, or about to be.
    pub hosts: Vec<Hostname>,
    /// What serves it; unknown while its Tenant is refused.
    pub data_plane: Option<DataPlane>,
    /// Whether it is suspended.
    pub is_suspended: bool,
    /// Why, as far as that was said.
    pub why_suspended: Option<String>,
}

/// A route, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Which route.
    pub key: RouteKey,
    /// Its uid.
    pub uid: String,
    /// What is to be said.
    pub outcome: Outcome,
}

/// What is to be said of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is served.
    Accepted,
    /// The data plane has still to judge its present generation.
    Pending,
    /// It is not served, or not in full.
    Problem(Problem),
}

/// What is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// In one word.
    pub word: RouteProblem,
    /// What is wrong.
    pub fault: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    fn new(word: RouteProblem, fault: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { word, fault: fault.into(), remedy: remedy.into() }
    }

    /// Both in one, within the bounds of a status and of an Event.
    pub fn message(&self) -> String {
        bounded(format!("{}: {}", self.fault, self.remedy))
    }
}

impl Standing {
    /// What the routes of a Tenant are judged by: its plan, or, while it is refused, what it owns.
    pub fn of(tenant: &Tenant, plan: &TenantPlan, world: &World) -> Self {
        let name = tenant.metadata.name.clone().unwrap_or_default();
        let (hosts, data_plane) = match plan {
            TenantPlan::Keep { resolved, .. } => {
                let own = resolved.hosts.iter().filter(|host| host.claim != ClaimState::Taken);
                (own.map(|host| host.host.clone()).collect(), Some(resolved.class.data_plane))
            }
            TenantPlan::Reject(_) | TenantPlan::TearDown(_) | TenantPlan::Orphan => (world.claimed_by(&name), None),
        };
        // A refused one stays as it was, which is what it asks for as far as can be told.
        let state = state::resolve(tenant, world.now).unwrap_or_default();
        Self {
            tenant: name,
            hosts,
            data_plane,
            is_suspended: state.state == TenantState::Suspended,
            why_suspended: state.hold.filter(|hold| hold.state == TenantState::Suspended).and_then(|hold| hold.reason),
        }
    }
}

/// What is to be said of a Tenant's routes; nothing any more while it is taken away.
pub fn of_plan(tenant: &Tenant, plan: &TenantPlan, world: &World) -> Option<Vec<Judged>> {
    let stays = matches!(plan, TenantPlan::Keep { .. } | TenantPlan::Reject(_));
    stays.then(|| all(&Standing::of(tenant, plan, world), world))
}

/// What is to be said of every route in the namespaces that a tenant owns, in the order of their keys.
pub fn all(standing: &Standing, world: &World) -> Vec<Judged> {
    let owner = Owner::Tenant(standing.tenant.clone());
    let gateway_namespace = format!("{}{}", labels::GATEWAY_NAMESPACE_PREFIX, standing.tenant);
    let own = world.owned_by(&owner).filter(|key| key.kind == ChildKind::Namespace && key.name != gateway_namespace);
    own.flat_map(|namespace| world.routes.within(&namespace.name))
        .map(|(key, route)| Judged { outcome: outcome(&key, route, standing), uid: route.uid.to_string(), key })
        .collect()
}

fn outcome(key: &RouteKey, route: &Route, standing: &Standing) -> Outcome {
    if standing.is_suspended {
        return Outcome::Problem(suspended(standing.why_suspended.as_deref()));
    }
    if let Some(problem) = parents(route, standing).or_else(|| hostnames(key, route, standing)) {
        return Outcome::Problem(problem);
    }
    let is_ours = |by: &DataPlane| standing.data_plane.is_none_or(|ours| ours == *by);
    let verdicts: Vec<&Verdict> = route.verdicts.iter().filter(|(by, _)| is_ours(by)).map(|(_, v)| v).collect();
    let refusal = verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Refused(refusal) => Some(refusal),
        Verdict::Accepted | Verdict::Pending => None,
    });
    match refusal {
        Some(refusal) => Outcome::Problem(refused(key, refusal)),
        None if verdicts.is_empty() || verdicts.contains(&&Verdict::Pending) => Outcome::Pending,
        None => Outcome::Accepted,
    }
}

fn suspended(why: Option<&str>) -> Problem {
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    Problem::new(
        RouteProblem::Suspended,
        format!("the platform's run team has suspended the tenant{why}"),
        "nothing was deleted, and the route is served again as it is when the tenant is resumed; ask the run team",
    )
}

fn parents(route: &Route, standing: &Standing) -> Option<Problem> {
    let Standing { tenant, .. } = standing;
    let entry = format!(
        "write parentRefs: [{{group: gateway.networking.k8s.io, kind: ListenerSet, name: {tenant}, namespace: gw-{tenant}}}]"
    );
    if route.parents.is_empty() {
        return Some(Problem::new(RouteProblem::NotAttached, "spec.parentRefs is empty", entry));
    }
    let foreign = route.parents.iter().position(|parent| parent.as_deref() != Some(tenant))?;
    let fault = format!("spec.parentRefs[{foreign}] is not the tenant's entry");
    Some(Problem::new(RouteProblem::ParentNotOwned, fault, entry))
}

fn hostnames(key: &RouteKey, route: &Route, standing: &Standing) -> Option<Problem> {
    if !key.kind.has_hostnames() {
        return None;
    }
    let own = own_hosts(&key.namespace, standing);
    if route.hosts.is_empty() {
        let remedy = format!("name the hosts that it serves, of {own}");
        return Some(Problem::new(RouteProblem::HostnameMissing, "spec.hostnames is empty", remedy));
    }
    let is_foreign = |host: &str| standing.hosts.iter().all(|own| !own.serves(host));
    let mut foreign = route.hosts.iter().enumerate().filter(|(_, host)| is_foreign(host));
    let (index, host) = foreign.next()?;
    let more = match foreign.count() {
        0 => String::new(),
        more => format!(" (nor are {more} more)"),
    };
    let fault = format!("spec.hostnames[{index}] '{host}' is not the tenant's{more}");
    let remedy =
        format!("use one of {own}, or ask the run team to add it to spec.domains of Tenant {}", standing.tenant);
    Some(Problem::new(RouteProblem::HostnameNotOwned, fault, remedy))
}

/// The tenant's hosts in words, and where to read all of them.
fn own_hosts(namespace: &str, standing: &Standing) -> String {
    let listed: Vec<&str> = standing.hosts.iter().take(MAX_HOSTS).map(Hostname::as_str).collect();
    let more = if standing.hosts.len() > MAX_HOSTS { ", …" } else { "" };
    let place = format!("kubectl get configmap -n {namespace} {} -o yaml", entry_config::NAME);
    if listed.is_empty() {
        return format!("the tenant's own, as soon as it has one ({place})");
    }
    format!("the tenant's own ({}{more}; {place})", listed.join(", "))
}

fn refused(key: &RouteKey, refusal: &Refusal) -> Problem {
    let said = match &*refusal.text {
        "" => refusal.reason.to_string(),
        text => format!("{}, {text}", refusal.reason),
    };
    let (plural, namespace) = (key.kind.api().plural, &key.namespace);
    let remedy: Cow<'static, str> = match refusal.problem {
        RouteProblem::NotAttached if !matches!(key.kind, RouteKind::Http | RouteKind::Grpc) => {
            let kind = key.kind.api().kind;
            let entry = format!("kubectl get configmap -n {namespace} {} -o yaml", entry_config::NAME);
            format!("the entry has no listener for a {kind} there; write one of layer4.yaml ({entry}), or ask the run team for a port").into()
        }
        RouteProblem::NotAttached => {
            "leave sectionName and port out of spec.parentRefs; if they are, a host is not ready yet: see status.domains of the Tenant".into()
        }
        RouteProblem::BackendNotFound => {
            format!("correct spec.rules[].backendRefs, or create what they name; see kubectl get services -n {namespace}").into()
        }
        RouteProblem::BackendNotPermitted => {
            "use a Service of the route's own namespace or an upstream of ConfigMap octroi-entry in spec.rules[].backendRefs, or ask the run team whether the tenant's namespaces may reach each other".into()
        }
        _ => format!("correct spec.rules; see kubectl describe {plural} -n {namespace} {}", key.name).into(),
    };
    Problem::new(refusal.problem, format!("the data plane says {said}"), remedy)
}
