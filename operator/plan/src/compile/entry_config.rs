//! ConfigMap `octroi-entry` in each tenant namespace: what a developer needs to write a route.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use serde::Serialize;

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;

/// The name of the ConfigMap.
pub const NAME: &str = "octroi-entry";

/// The ConfigMaps of a Tenant.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    tenant
        .namespaces
        .iter()
        .map(|namespace| {
            let key = ChildKey::new(ChildKind::ConfigMap, namespace, NAME);
            let data = Some(data(tenant, namespace));
            Child::new(key.clone(), &ConfigMap { metadata: metadata.of_child(&key), data, ..ConfigMap::default() })
        })
        .collect()
}

fn data(tenant: &ResolvedTenant, namespace: &str) -> BTreeMap<String, String> {
    let hosts = tenant.owned_hosts().fold(String::new(), |text, h| text + h.host.as_str() + "\n");
    BTreeMap::from([
        ("hosts".into(), hosts),
        ("parentRef.yaml".into(), yaml(&parent_ref(tenant))),
        ("route.yaml".into(), yaml(&sample_route(tenant, namespace))),
    ])
}

/// Serialising plain structs of text and numbers cannot fail.
fn yaml(value: &impl Serialize) -> String {
    serde_saphyr::to_string(value).unwrap_or_default()
}

#[derive(Serialize)]
struct ParentRef {
    group: &'static str,
    kind: &'static str,
    name: String,
    namespace: String,
}

fn parent_ref(tenant: &ResolvedTenant) -> ParentRef {
    ParentRef {
        group: super::GATEWAY_API,
        kind: "ListenerSet",
        name: tenant.name.to_string(),
        namespace: tenant.name.gateway_namespace(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Route {
    api_version: &'static str,
    kind: &'static str,
    metadata: RouteMetadata,
    spec: RouteSpec,
}

#[derive(Serialize)]
struct RouteMetadata {
    name: &'static str,
    namespace: String,
}

#[derive(Serialize)]
struct RouteSpec {
    hostnames: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    backend_refs: Vec<BackendRef>,
}

#[derive(Serialize)]
struct BackendRef {
    name: &'static str,
    port: u16,
}

/// No `parentRefs`: the platform's MutatingAdmissionPolicy writes them.
fn sample_route(tenant: &ResolvedTenant, namespace: &str) -> Route {
    let apex = tenant.hosts.first().map(|h| h.host.to_string()).unwrap_or_default();
    let has_wildcard = tenant.hosts.get(1).is_some_and(|h| h.host.is_wildcard());
    let host = if has_wildcard { format!("www.{apex}") } else { apex };
    Route {
        api_version: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: RouteMetadata { name: "web", namespace: namespace.into() },
        spec: RouteSpec {
            hostnames: vec![host],
            rules: vec![Rule { backend_refs: vec![BackendRef { name: "web", port: 80 }] }],
        },
    }
}
