//! Gateways: those of a class that tenants share, and a tenant's own. Port 80 belongs to the Gateway, and only sends
//! clients to HTTPS; port 443 is open from the start; every host is in the tenants' entries. Of a tenant's domains port 80 is
//! theirs while an authority asks for proof; see [`super::http01`].

use gateway_api::apis::standard::gateways as gw;
use gateway_api::apis::standard::httproutes as route;
use octroi_api::labels;

use crate::child::{Child, ChildKey, Metadata};
use crate::compile::{client_certificates, edge, proxy};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::{DataPlane, ResolvedClass};
use crate::resolve::placement::shard;
use crate::world::GatewayRef;

const HTTP_LISTENER: &str = "http";
const PERMANENT_REDIRECT: i64 = 308;

/// A tenant's own Gateway, proxy and redirect, while it has one.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    if !tenant.placement.own_gateway {
        return Vec::new();
    }
    let own = GatewayRef { namespace: tenant.name.gateway_namespace(), name: tenant.name.to_string() };
    let listeners_from = gw::GatewayAllowedListenersNamespaces {
        from: Some(gw::GatewayAllowedListenersNamespacesFrom::Same),
        selector: None,
    };
    vec![
        proxy::parameters(&own.namespace, &own.name, &tenant.class, tenant.replicas, metadata),
        gateway(&own, &own.name, &tenant.class, listeners_from, client_certificates::asked(tenant), metadata),
        redirect(&own, metadata),
    ]
}

/// The shared Gateways of a class.
pub fn of_class(class: &ResolvedClass, shards: usize, metadata: &Metadata) -> Vec<Child> {
    let mut children = Vec::new();
    if shards > 0 {
        let replicas = class.proxy.replicas;
        children.push(proxy::parameters(labels::GATEWAYS_NAMESPACE, &class.name, class, replicas, metadata));
    }
    for shared in (0..shards).map(|index| shard(&class.name, index)) {
        children.push(gateway(&shared, &class.name, class, entries(), None, metadata));
        children.push(redirect(&shared, metadata));
        children.extend(edge::of_gateway(&shared, class, metadata));
    }
    children
}

/// Only namespaces that Octroi labelled may bring listeners. Not by class: an entry on its way from one class to another
/// stays attached until it moves.
fn entries() -> gw::GatewayAllowedListenersNamespaces {
    let wanted = [(labels::ROLE, labels::ROLE_GATEWAY)];
    gw::GatewayAllowedListenersNamespaces {
        from: Some(gw::GatewayAllowedListenersNamespacesFrom::Selector),
        selector: Some(gw::GatewayAllowedListenersNamespacesSelector {
            match_labels: Some(wanted.into_iter().map(|(k, v)| (k.into(), v.into())).collect()),
            match_expressions: None,
        }),
    }
}

fn gateway(
    gateway: &GatewayRef,
    parameters: &str,
    class: &ResolvedClass,
    listeners_from: gw::GatewayAllowedListenersNamespaces,
    tls: Option<gw::GatewayTls>,
    metadata: &Metadata,
) -> Child {
    let key = gateway.key();
    let (group, kind) = proxy::parameters_kind(class.data_plane);
    // kgateway (seen on main, August 2026) forgets what the Gateway asks of clients on a port whose first listener is of
    // protocol TLS, and lets everybody in. Without that listener only a tenant's move to this Gateway takes longer.
    let forgets = tls.is_some() && class.data_plane == DataPlane::Kgateway;
    let closed = (!forgets).then(closed_listener);
    let spec = gw::GatewaySpec {
        gateway_class_name: class.gateway_class_name.clone(),
        allowed_listeners: Some(gw::GatewayAllowedListeners { namespaces: Some(listeners_from) }),
        infrastructure: Some(gw::GatewayInfrastructure {
            parameters_ref: Some(gw::GatewayInfrastructureParametersRef {
                group: group.into(),
                kind: kind.into(),
                name: parameters.into(),
            }),
            ..gw::GatewayInfrastructure::default()
        }),
        listeners: std::iter::once(http_listener()).chain(closed).collect(),
        tls,
        ..gw::GatewaySpec::default()
    };
    let gateway = gw::Gateway { metadata: metadata.of_child(&key), spec, status: None };
    Child::new(key, &gateway)
}

fn http_listener() -> gw::GatewayListeners {
    gw::GatewayListeners {
        name: HTTP_LISTENER.into(),
        port: 80,
        protocol: "HTTP".into(),
        allowed_routes: Some(platform_routes("HTTPRoute")),
        ..gw::GatewayListeners::default()
    }
}

/// Opens port 443 before the first entry comes. Without it a data plane opens the port in Service and pods only then, which
/// takes up to seconds in which a tenant that moves here is served by nobody (measured on Envoy Gateway 1.9; kgateway even
/// replaces the pods). It needs no certificate, has no route and answers nobody: `.invalid` never resolves (RFC 2606).
fn closed_listener() -> gw::GatewayListeners {
    gw::GatewayListeners {
        name: "closed".into(),
        port: 443,
        protocol: "TLS".into(),
        hostname: Some("closed.octroi.invalid".into()),
        tls: Some(gw::GatewayListenersTls {
            mode: Some(gw::GatewayListenersTlsMode::Passthrough),
            ..gw::GatewayListenersTls::default()
        }),
        allowed_routes: Some(platform_routes("TLSRoute")),
    }
}

fn platform_routes(kind: &str) -> gw::GatewayListenersAllowedRoutes {
    gw::GatewayListenersAllowedRoutes {
        kinds: Some(vec![gw::GatewayListenersAllowedRoutesKinds {
            group: Some(super::GATEWAY_API.into()),
            kind: kind.into(),
        }]),
        namespaces: Some(gw::GatewayListenersAllowedRoutesNamespaces {
            from: Some(gw::GatewayListenersAllowedRoutesNamespacesFrom::Same),
            selector: None,
        }),
    }
}

/// The match of every request, said in full so that no default of the API server is missing in what Octroi owns.
pub fn everything() -> route::HttpRouteRulesMatches {
    route::HttpRouteRulesMatches {
        path: Some(route::HttpRouteRulesMatchesPath {
            r#type: Some(route::HttpRouteRulesMatchesPathType::PathPrefix),
            value: Some("/".into()),
        }),
        ..route::HttpRouteRulesMatches::default()
    }
}

fn redirect(gateway: &GatewayRef, metadata: &Metadata) -> Child {
    let key = ChildKey::new(ChildKind::HttpRoute, &gateway.namespace, &format!("{}-https", gateway.name));
    let parent = route::HttpRouteParentRefs {
        group: Some(super::GATEWAY_API.into()),
        kind: Some("Gateway".into()),
        name: gateway.name.clone(),
        section_name: Some(HTTP_LISTENER.into()),
        ..route::HttpRouteParentRefs::default()
    };
    redirect_of(key, parent, metadata)
}

/// A route that sends every request of its parent to HTTPS.
pub fn redirect_of(key: ChildKey, parent: route::HttpRouteParentRefs, metadata: &Metadata) -> Child {
    let to_https = route::HttpRouteRulesFilters {
        r#type: route::HttpRouteRulesFiltersType::RequestRedirect,
        request_redirect: Some(route::HttpRouteRulesFiltersRequestRedirect {
            scheme: Some(route::HttpRouteRulesFiltersRequestRedirectScheme::Https),
            status_code: Some(PERMANENT_REDIRECT),
            ..route::HttpRouteRulesFiltersRequestRedirect::default()
        }),
        ..route::HttpRouteRulesFilters::default()
    };
    let spec = route::HttpRouteSpec {
        parent_refs: Some(vec![parent]),
        rules: Some(vec![route::HttpRouteRules {
            matches: Some(vec![everything()]),
            filters: Some(vec![to_https]),
            ..route::HttpRouteRules::default()
        }]),
        ..route::HttpRouteSpec::default()
    };
    let redirect = route::HttpRoute { metadata: metadata.of_child(&key), spec, status: None };
    Child::new(key, &redirect)
}
