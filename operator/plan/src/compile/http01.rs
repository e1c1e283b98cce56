//! Port 80 of a tenant's own domains, where an ACME authority looks for proof of them (HTTP-01; RFC 8555, section 8.3).
//!
//! A ListenerSet in `gw-<tenant>` with one listener for each such domain takes routes of that namespace only, in which nobody
//! writes but Octroi and cert-manager. So no tenant answers there, and cert-manager's route for one tenant answers for no host
//! of another. The listener of a domain takes all of its plain HTTP from the Gateway's own, hence the redirect here: beside
//! it cert-manager's route, whose path is exact, comes first (Gateway API, HTTPRouteRule).

use std::collections::BTreeMap;

use gateway_api::apis::standard::httproutes as route;
use gateway_api::apis::standard::listenersets as ls;

use crate::child::{Child, ChildKey, Metadata};
use crate::compile::{entry, gateway};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::hosts::ResolvedHost;

/// The name of the ListenerSet and of the redirect; no Tenant can have it.
pub const NAME: &str = "octroi-http01";
const LISTENER_SET: &str = "ListenerSet";

/// The listeners and their redirect, while the tenant owns a domain that is proved by them.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let listeners: Vec<_> = tenant.owned_hosts().filter(|h| h.is_proved_by_http()).map(listener).collect();
    if listeners.is_empty() {
        return Vec::new();
    }
    let namespace = tenant.name.gateway_namespace();
    let key = ChildKey::new(ChildKind::ListenerSet, &namespace, NAME);
    let spec = ls::ListenerSetSpec { listeners, parent_ref: entry::parent_of(tenant) };
    let listeners = ls::ListenerSet { metadata: metadata.of_child(&key), spec, status: None };
    let parent = route::HttpRouteParentRefs {
        group: Some(super::GATEWAY_API.into()),
        kind: Some(LISTENER_SET.into()),
        name: NAME.into(),
        ..route::HttpRouteParentRefs::default()
    };
    let redirect_key = ChildKey::new(ChildKind::HttpRoute, &namespace, NAME);
    vec![gateway::redirect_of(redirect_key, parent, metadata), Child::new(key, &listeners)]
}

/// What tells cert-manager where its route is to be attached, whatever parent the issuer names (cert-manager 1.21,
/// pkg/controller/acmeorders/util.go). A solver by DNS-01 reads none of it.
pub fn annotations(tenant: &ResolvedTenant) -> BTreeMap<String, String> {
    let said =
        [("name", NAME.to_owned()), ("kind", LISTENER_SET.into()), ("namespace", tenant.name.gateway_namespace())];
    said.into_iter().map(|(part, value)| (format!("acme.cert-manager.io/http01-parentref{part}"), value)).collect()
}

fn listener(host: &ResolvedHost) -> ls::ListenerSetListeners {
    ls::ListenerSetListeners {
        name: host.host.object_name(),
        hostname: Some(host.host.to_string()),
        port: 80,
        protocol: "HTTP".into(),
        tls: None,
        allowed_routes: Some(ls::ListenerSetListenersAllowedRoutes {
            kinds: Some(vec![entry::route_kind("HTTPRoute")]),
            namespaces: Some(ls::ListenerSetListenersAllowedRoutesNamespaces {
                from: Some(ls::ListenerSetListenersAllowedRoutesNamespacesFrom::Same),
                selector: None,
            }),
        }),
    }
}
