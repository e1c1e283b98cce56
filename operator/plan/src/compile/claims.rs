//! DomainClaims, one per host that is ours or free; and PortClaims, one per port of a shared Gateway that is.

use octroi_api::{DomainClaim, DomainClaimSpec, PortClaim, PortClaimSpec};

use crate::child::{Child, Metadata};
use crate::resolve::ResolvedTenant;
use crate::resolve::hosts::{ClaimState, ResolvedHost};
use crate::resolve::layer4::{ResolvedPort, ResolvedPortClaim};

/// The claims of a Tenant.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let hosts = tenant.hosts.iter().filter(|host| host.claim != ClaimState::Taken);
    let ports = tenant.ports.iter().flat_map(|port| port.claims.iter().map(move |claim| (port, claim)));
    let ports = ports.filter(|(_, claim)| claim.state != ClaimState::Taken);
    let on_hosts = hosts.map(|host| of_host(host, tenant, metadata));
    on_hosts.chain(ports.map(|(port, claim)| of_port(port, claim, tenant, metadata))).collect()
}

fn of_host(host: &ResolvedHost, tenant: &ResolvedTenant, metadata: &Metadata) -> Child {
    let key = host.claim_key();
    let spec = DomainClaimSpec { host: host.host.to_string(), tenant: tenant.name.to_string() };
    let claim = DomainClaim { metadata: metadata.of_child(&key), spec };
    Child::new(key, &claim)
}

fn of_port(port: &ResolvedPort, on: &ResolvedPortClaim, tenant: &ResolvedTenant, metadata: &Metadata) -> Child {
    let key = port.claim_key(&on.class);
    let spec = PortClaimSpec {
        class_name: on.class.clone(),
        protocol: port.protocol.transport(),
        port: port.port.into(),
        tenant: tenant.name.to_string(),
    };
    let claim = PortClaim { metadata: metadata.of_child(&key), spec };
    Child::new(key, &claim)
}
