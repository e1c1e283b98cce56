//! ReferenceGrants between a tenant's own namespaces, when it asks for them: one for each pair of namespaces, from the kinds
//! of routes that its entry takes, to Services. Which Services there will be, nobody knows in advance.

use std::collections::BTreeSet;

use gateway_api::apis::standard::referencegrants::{
    ReferenceGrant, ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo,
};
use octroi_api::PortProtocol;

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;

/// The kinds of routes that the listeners of hosts take.
pub const ROUTE_KINDS: [&str; 2] = ["HTTPRoute", "GRPCRoute"];

/// The kind of routes that the listeners of a port take.
pub const fn route_kind_of(protocol: PortProtocol) -> &'static str {
    match protocol {
        PortProtocol::Tcp => "TCPRoute",
        PortProtocol::Udp => "UDPRoute",
        PortProtocol::Tls => "TLSRoute",
    }
}

/// The grants of a Tenant whose routes may name Services across its namespaces.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    if !tenant.cross_namespace {
        return Vec::new();
    }
    let of_ports: BTreeSet<&str> = tenant.open_ports().map(|port| route_kind_of(port.protocol)).collect();
    let kinds: Vec<&str> = ROUTE_KINDS.into_iter().chain(of_ports).collect();
    let pairs = tenant.namespaces.iter().flat_map(|to| tenant.namespaces.iter().map(move |from| (from, to)));
    pairs.filter(|(from, to)| from != to).map(|(from, to)| grant(from, to, &kinds, metadata)).collect()
}

fn grant(from: &str, to: &str, kinds: &[&str], metadata: &Metadata) -> Child {
    let key = ChildKey::new(ChildKind::ReferenceGrant, to, &format!("octroi-from-{from}"));
    let route =
        |kind: &str| ReferenceGrantFrom { group: super::GATEWAY_API.into(), kind: kind.into(), namespace: from.into() };
    let spec = ReferenceGrantSpec {
        from: kinds.iter().map(|kind| route(kind)).collect(),
        to: vec![ReferenceGrantTo { group: String::new(), kind: "Service".into(), name: None }],
    };
    Child::new(key.clone(), &ReferenceGrant { metadata: metadata.of_child(&key), spec })
}
