//! From what users wrote to what holds: every failure lives here. What leaves is validated, defaulted and typed; no
//! `Option` in it means "not checked yet".

pub mod class;
pub mod hosts;
pub mod limits;
pub mod network;
pub mod placement;

use octroi_api::conditions::Reason;
use octroi_api::names::{Hostname, TenantName};
use octroi_api::{CertificateScope, Member, NamespacePolicy, Replicas, Tenant};

use crate::child::{ChildKey, Owner};
use crate::kind::ChildKind;
use crate::rejection::Rejection;
use crate::resolve::class::ResolvedClass;
use crate::resolve::hosts::ResolvedHost;
use crate::resolve::placement::ResolvedPlacement;
use crate::world::World;

/// A Tenant about which nothing is left to doubt.
#[derive(Clone, Debug)]
pub struct ResolvedTenant {
    /// Its name.
    pub name: TenantName,
    /// Its class.
    pub class: ResolvedClass,
    /// Who may work in it.
    pub members: Vec<Member>,
    /// Its namespaces.
    pub namespaces: Vec<String>,
    /// Its hosts, the class's own first.
    pub hosts: Vec<ResolvedHost>,
    /// Where its traffic enters.
    pub placement: ResolvedPlacement,
    /// Size of a proxy of its own.
    pub replicas: Replicas,
    /// What becomes of its namespaces when it is deleted.
    pub namespace_policy: NamespacePolicy,
}

impl ResolvedTenant {
    /// The owner label of its children.
    pub fn owner(&self) -> Owner {
        Owner::Tenant(self.name.as_str().into())
    }
}

/// Resolves a Tenant against what was observed.
///
/// # Errors
/// All of its [`Rejection`]s at once.
pub fn tenant(tenant: &Tenant, world: &World) -> Result<ResolvedTenant, Vec<Rejection>> {
    let text = tenant.metadata.name.as_deref().unwrap_or_default();
    let name =
        TenantName::parse(text).map_err(|e| vec![Rejection::new(Reason::Invalid, "metadata.name", e.to_string())])?;
    let class = class::of_tenant(tenant, world).map_err(|r| vec![r])?;

    let mut rejections = Vec::new();
    let namespaces = namespaces(tenant, &name, world, &mut rejections);
    let hosts = hosts::resolve(tenant, &name, &class, world, &mut rejections);
    let placement = placement::resolve(tenant, &name, &class, world, &mut rejections);
    if !rejections.is_empty() {
        return Err(rejections);
    }
    Ok(ResolvedTenant {
        replicas: tenant.spec.gateway.as_ref().and_then(|g| g.replicas).unwrap_or(class.proxy.replicas),
        members: tenant.spec.members.clone(),
        namespace_policy: tenant.spec.deletion.and_then(|d| d.namespaces).unwrap_or_default(),
        name,
        class,
        namespaces,
        hosts,
        placement,
    })
}

fn namespaces(tenant: &Tenant, name: &TenantName, world: &World, rejections: &mut Vec<Rejection>) -> Vec<String> {
    let mut wanted: Vec<(String, String)> = tenant
        .spec
        .namespaces
        .iter()
        .enumerate()
        .map(|(i, ns)| (format!("spec.namespaces[{i}].name"), ns.name.clone()))
        .collect();
    if wanted.is_empty() {
        wanted.push(("spec.namespaces".into(), name.as_str().into()));
    }
    for (field, namespace) in &wanted {
        if let Err(error) = TenantName::parse(namespace) {
            rejections.push(Rejection::new(Reason::Invalid, field, error.to_string()));
        }
        reject_taken(field, namespace, name, world, rejections);
    }
    reject_taken("metadata.name", &name.gateway_namespace(), name, world, rejections);
    wanted.into_iter().map(|(_, namespace)| namespace).collect()
}

/// Of two Tenants that name one namespace, the first holder keeps it; one that belongs to nobody is not taken either.
fn reject_taken(field: &str, namespace: &str, name: &TenantName, world: &World, rejections: &mut Vec<Rejection>) {
    let Some(known) = world.get(&ChildKey::new(ChildKind::Namespace, "", namespace)) else { return };
    if known.owner == Some(Owner::Tenant(name.as_str().into())) {
        return;
    }
    let message = format!("namespace '{namespace}' exists already and is not this tenant's: choose another name");
    rejections.push(Rejection::new(Reason::NamespaceTaken, field, message));
}

/// Which hosts the class itself gives to a tenant.
///
/// # Errors
/// When name and base domain are too long together.
pub fn own_hosts(name: &TenantName, class: &ResolvedClass) -> Result<Vec<Hostname>, Rejection> {
    let apex = Hostname::parse(&format!("{name}.{}", class.base_domain))
        .map_err(|e| Rejection::new(Reason::Invalid, "metadata.name", e.to_string()))?;
    let wildcard = apex.wildcard_below().filter(|_| class.certificate == CertificateScope::PerTenant);
    Ok(std::iter::once(apex).chain(wildcard).collect())
}
