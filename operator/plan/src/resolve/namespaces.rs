//! The namespaces of a Tenant: those that it may have, and those that it asks to adopt and may not yet.

use std::collections::BTreeSet;

use octroi_api::conditions::Reason;
use octroi_api::names::TenantName;
use octroi_api::{Tenant, TenantNamespace};

use crate::adoption;
use crate::child::{ChildKey, Owner};
use crate::facts::Facts;
use crate::kind::ChildKind;
use crate::rejection::Rejection;
use crate::resolve::hosts::{ClaimState, ResolvedHost};
use crate::world::{Observed, World};

/// The namespaces of a Tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedNamespaces {
    /// What the tenant has, or gets now.
    pub held: Vec<String>,
    /// Those of them that were there before the Tenant.
    pub adopted: BTreeSet<String>,
    /// What the tenant asks to adopt and may not, yet.
    pub unadopted: Vec<Unadopted>,
}

/// A namespace that may not be adopted, yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unadopted {
    /// Its name.
    pub name: String,
    /// What in it breaks the rules for tenants, each with the next step; `None` while nobody has looked.
    pub objections: Option<Vec<String>>,
}

/// What becomes of one namespace.
enum Fate {
    Held { adopted: bool },
    Unadopted(Option<Vec<String>>),
    Taken,
}

/// The namespaces that a Tenant asks to adopt and does not have: what is in them has to be read before a plan can judge
/// it.
pub fn candidates(tenant: &Tenant, world: &World) -> Vec<String> {
    let asked = tenant.spec.namespaces.iter().filter(|namespace| namespace.adopt == Some(true));
    let is_free = |name: &String| observed(name, world).is_some_and(|known| known.owner.is_none() && !known.deleting);
    asked.map(|namespace| namespace.name.clone()).filter(is_free).collect()
}

/// Decides which namespaces a Tenant has.
pub fn resolve(
    tenant: &Tenant,
    name: &TenantName,
    hosts: &[ResolvedHost],
    world: &World,
    rejections: &mut Vec<Rejection>,
) -> ResolvedNamespaces {
    let mut resolved = ResolvedNamespaces::default();
    let wanted = wanted(tenant, name);
    let names: BTreeSet<&str> = wanted.iter().map(|(_, ns)| ns.name.as_str()).collect();
    for (field, namespace) in &wanted {
        if let Err(error) = TenantName::parse(&namespace.name) {
            rejections.push(Rejection::new(Reason::Invalid, field, error.to_string()));
        }
        let may_name = if tenant.spec.cross_namespace == Some(true) { names.clone() } else { BTreeSet::new() };
        let rules = adoption::Rules { tenant: name, hosts: owned(hosts), namespace: &namespace.name, may_name };
        match fate(namespace, &rules, world) {
            Fate::Held { adopted } => {
                resolved.held.push(namespace.name.clone());
                resolved.adopted.extend(adopted.then(|| namespace.name.clone()));
            }
            Fate::Unadopted(objections) => {
                resolved.unadopted.push(Unadopted { name: namespace.name.clone(), objections });
            }
            Fate::Taken => rejections.push(taken(field, &namespace.name, namespace.adopt == Some(true))),
        }
    }
    let gateway = TenantNamespace { name: name.gateway_namespace(), adopt: None };
    if observed(&gateway.name, world).is_some_and(|known| !is_of(name, known)) {
        rejections.push(taken("metadata.name", &gateway.name, false));
    }
    resolved
}

fn wanted(tenant: &Tenant, name: &TenantName) -> Vec<(String, TenantNamespace)> {
    let listed = tenant.spec.namespaces.iter().enumerate();
    let mut wanted: Vec<_> = listed.map(|(i, ns)| (format!("spec.namespaces[{i}].name"), ns.clone())).collect();
    if wanted.is_empty() {
        wanted.push(("spec.namespaces".into(), TenantNamespace { name: name.to_string(), adopt: None }));
    }
    wanted
}

fn owned(hosts: &[ResolvedHost]) -> Vec<&str> {
    hosts.iter().filter(|h| h.claim != ClaimState::Taken).map(|h| h.host.as_str()).collect()
}

fn observed<'a>(namespace: &str, world: &'a World) -> Option<&'a Observed> {
    world.get(&ChildKey::new(ChildKind::Namespace, "", namespace))
}

fn is_of(name: &TenantName, known: &Observed) -> bool {
    known.owner == Some(Owner::Tenant(name.as_str().into()))
}

/// Of two Tenants that name one namespace, the first holder keeps it. One that belongs to nobody is taken only when the
/// Tenant says so, and only when what is in it keeps to the rules.
fn fate(namespace: &TenantNamespace, rules: &adoption::Rules<'_>, world: &World) -> Fate {
    let Some(known) = observed(&namespace.name, world) else { return Fate::Held { adopted: false } };
    if is_of(rules.tenant, known) {
        return Fate::Held { adopted: known.facts == Facts::Namespace { adopted: true } };
    }
    if known.owner.is_some() || known.deleting || namespace.adopt != Some(true) {
        return Fate::Taken;
    }
    match world.inventories.get(&namespace.name).map(|found| adoption::objections(found, rules)) {
        Some(objections) if objections.is_empty() => Fate::Held { adopted: true },
        objections => Fate::Unadopted(objections),
    }
}

fn taken(field: &str, namespace: &str, asks_to_adopt: bool) -> Rejection {
    let message = if asks_to_adopt {
        format!("namespace '{namespace}' belongs to somebody else and cannot be adopted: choose another name")
    } else {
        format!(
            "namespace '{namespace}' exists already and is not this tenant's: choose another name, or take it over with adopt: true"
        )
    };
    Rejection::new(Reason::NamespaceTaken, field, message)
}
