//! From what holds to the objects that must exist: a table of contents. It cannot fail; see [`crate::resolve`] for what
//! can.

pub mod access_log;
pub mod certificates;
pub mod claims;
pub mod client_certificates;
pub mod edge;
pub mod entry;
pub mod entry_config;
pub mod gateway;
pub mod grants;
pub mod http01;
pub mod limits;
pub mod namespaces;
pub mod network;
pub mod proxy;
pub mod rights;
pub mod suspension;
pub mod traces;
pub mod upstreams;
pub mod waf;

use crate::child::{Child, Metadata, Owner};
use crate::resolve::ResolvedTenant;
use crate::resolve::class::ResolvedClass;

pub(crate) const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// Everything a Tenant is turned into, in the order of writes.
pub fn tenant(tenant: &ResolvedTenant) -> Vec<Child> {
    let metadata = Metadata::of(tenant.owner());
    let mut children = Vec::new();
    children.extend(claims::of_tenant(tenant, &metadata));
    children.extend(namespaces::of_tenant(tenant, &metadata));
    children.extend(rights::of_tenant(tenant, &metadata));
    children.extend(entry_config::of_tenant(tenant, &metadata));
    children.extend(limits::of_tenant(tenant, &metadata));
    children.extend(network::of_tenant(tenant, &metadata));
    children.extend(certificates::of_tenant(tenant, &metadata));
    children.extend(grants::of_tenant(tenant, &metadata));
    children.extend(upstreams::of_tenant(tenant, &metadata));
    children.extend(waf::of_tenant(tenant, &metadata));
    children.extend(client_certificates::of_tenant(tenant, &metadata));
    children.extend(gateway::of_tenant(tenant, &metadata));
    children.extend(http01::of_tenant(tenant, &metadata));
    children.extend(edge::of_tenant(tenant, &metadata));
    children.extend(suspension::of_tenant(tenant, &metadata));
    children.extend(entry::of_tenant(tenant, &metadata));
    children.sort_by(|a, b| (a.key.kind.stage(), &a.key).cmp(&(b.key.kind.stage(), &b.key)));
    children
}

/// Everything a TenantClass with this many shared Gateways is turned into, in the order of writes.
pub fn class(class: &ResolvedClass, shards: usize) -> Vec<Child> {
    let metadata = Metadata::of(Owner::Class(class.name.clone()));
    let mut children = Vec::new();
    children.extend(certificates::of_class(class, &metadata));
    children.extend(gateway::of_class(class, shards, &metadata));
    children.extend(network::of_class(class, shards, &metadata));
    children.sort_by(|a, b| (a.key.kind.stage(), &a.key).cmp(&(b.key.kind.stage(), &b.key)));
    children
}
