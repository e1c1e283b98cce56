//! The entry: one ListenerSet, named after the tenant, in `gw-<tenant>`. Only its parent changes when a tenant moves, so
//! a move edits no route.

use gateway_api::apis::standard::listenersets as ls;
use octroi_api::PortProtocol;
use octroi_api::names::{Hostname, TenantName};

use crate::child::{Child, ChildKey, Metadata};
use crate::compile::{edge, grants};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::hosts::ResolvedHost;
use crate::resolve::layer4::ResolvedPort;

const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The key of a tenant's entry.
pub fn key(name: &TenantName) -> ChildKey {
    ChildKey::new(ChildKind::ListenerSet, &name.gateway_namespace(), name.as_str())
}

/// The entry of a Tenant: a listener per host that it owns, and those of its ports. A tenant that owns no host yet has no entry.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Option<Child> {
    let mut listeners: Vec<_> = tenant.owned_hosts().map(|h| listener(h, tenant)).collect();
    if listeners.is_empty() {
        return None;
    }
    listeners.extend(tenant.open_ports().flat_map(|port| of_port(port, tenant)));
    let key = key(&tenant.name);
    let spec = ls::ListenerSetSpec { listeners, parent_ref: parent_of(tenant) };
    let entry = ls::ListenerSet { metadata: metadata.of_child(&key), spec, status: None };
    Some(Child::new(key, &entry))
}

/// The Gateway that serves the tenant.
pub fn parent_of(tenant: &ResolvedTenant) -> ls::ListenerSetParentRef {
    let parent = &tenant.placement.serving;
    ls::ListenerSetParentRef {
        group: Some(super::GATEWAY_API.into()),
        kind: Some("Gateway".into()),
        name: parent.name.clone(),
        namespace: Some(parent.namespace.clone()),
    }
}

fn listener(host: &ResolvedHost, tenant: &ResolvedTenant) -> ls::ListenerSetListeners {
    ls::ListenerSetListeners {
        name: host.host.object_name(),
        hostname: Some(host.host.to_string()),
        port: 443,
        protocol: "HTTPS".into(),
        tls: Some(ls::ListenerSetListenersTls {
            mode: Some(ls::ListenerSetListenersTlsMode::Terminate),
            certificate_refs: Some(vec![certificate_ref(host, tenant)]),
            options: edge::listener_tls_options(tenant.class.data_plane, &tenant.tls.tls),
        }),
        allowed_routes: Some(ls::ListenerSetListenersAllowedRoutes {
            kinds: Some(grants::ROUTE_KINDS.map(route_kind).to_vec()),
            namespaces: Some(allowed_namespaces(tenant)),
        }),
    }
}

/// A port has its own kind of routes, and no certificate: what is encrypted there, the backend encrypts.
fn of_port(port: &ResolvedPort, tenant: &ResolvedTenant) -> Vec<ls::ListenerSetListeners> {
    let kind = grants::route_kind_of(port.protocol);
    let listener = |(name, host): (String, Option<&Hostname>)| ls::ListenerSetListeners {
        name,
        hostname: host.map(ToString::to_string),
        port: port.port.into(),
        protocol: port.protocol.as_str().into(),
        tls: (port.protocol == PortProtocol::Tls).then(|| ls::ListenerSetListenersTls {
            mode: Some(ls::ListenerSetListenersTlsMode::Passthrough),
            ..ls::ListenerSetListenersTls::default()
        }),
        allowed_routes: Some(ls::ListenerSetListenersAllowedRoutes {
            kinds: Some(vec![route_kind(kind)]),
            namespaces: Some(allowed_namespaces(tenant)),
        }),
    };
    port.listeners().into_iter().map(listener).collect()
}

fn certificate_ref(host: &ResolvedHost, tenant: &ResolvedTenant) -> ls::ListenerSetListenersTlsCertificateRefs {
    let elsewhere = host.secret.namespace != tenant.name.gateway_namespace();
    ls::ListenerSetListenersTlsCertificateRefs {
        group: Some(String::new()),
        kind: Some("Secret".into()),
        name: host.secret.name.clone(),
        namespace: elsewhere.then(|| host.secret.namespace.clone()),
    }
}

/// Routes of this kind of the Gateway API.
pub fn route_kind(kind: &str) -> ls::ListenerSetListenersAllowedRoutesKinds {
    ls::ListenerSetListenersAllowedRoutesKinds { group: Some(super::GATEWAY_API.into()), kind: kind.into() }
}

/// The tenant's own namespaces; while it is suspended, none but that of the entry, in which only the platform writes.
fn allowed_namespaces(tenant: &ResolvedTenant) -> ls::ListenerSetListenersAllowedRoutesNamespaces {
    if tenant.is_suspended() || tenant.namespaces.is_empty() {
        return ls::ListenerSetListenersAllowedRoutesNamespaces {
            from: Some(ls::ListenerSetListenersAllowedRoutesNamespacesFrom::Same),
            selector: None,
        };
    }
    ls::ListenerSetListenersAllowedRoutesNamespaces {
        from: Some(ls::ListenerSetListenersAllowedRoutesNamespacesFrom::Selector),
        selector: Some(own_namespaces(tenant)),
    }
}

/// By name, which only the API server writes; a label could be written by whoever may label namespaces (EGTM-011).
fn own_namespaces(tenant: &ResolvedTenant) -> ls::ListenerSetListenersAllowedRoutesNamespacesSelector {
    ls::ListenerSetListenersAllowedRoutesNamespacesSelector {
        match_labels: None,
        match_expressions: Some(vec![ls::ListenerSetListenersAllowedRoutesNamespacesSelectorMatchExpressions {
            key: NAMESPACE_NAME_LABEL.into(),
            operator: "In".into(),
            values: Some(tenant.namespaces.clone()),
        }]),
    }
}
