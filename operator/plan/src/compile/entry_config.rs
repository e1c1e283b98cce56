//! ConfigMap `octroi-entry` in each tenant namespace: what a developer needs to write a route.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use serde::Serialize;

use crate::child::{Child, ChildKey, Metadata};
use crate::compile::{grants, upstreams};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::layer4::ResolvedPort;
use crate::resolve::upstreams::ResolvedUpstream;

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
    let mut data = BTreeMap::from([
        ("hosts".into(), hosts),
        ("parentRef.yaml".into(), yaml(&parent_ref(tenant, None))),
        ("route.yaml".into(), yaml(&sample_route(tenant, namespace))),
    ]);
    let ports: Vec<&ResolvedPort> = tenant.open_ports().collect();
    if !ports.is_empty() {
        let routes: Vec<String> = ports.iter().map(|port| yaml(&port_route(port, tenant, namespace))).collect();
        data.insert("layer4".into(), ports.iter().fold(String::new(), |text, port| text + &line(port) + "\n"));
        data.insert("layer4.yaml".into(), routes.join("---\n"));
    }
    let upstreams: Vec<&ResolvedUpstream> = tenant.open_upstreams().collect();
    if !upstreams.is_empty() {
        let rules: Vec<Rule> = upstreams.iter().map(|upstream| upstream_rule(upstream, tenant)).collect();
        let text = |text: String, upstream: &&ResolvedUpstream| text + &upstream.name + " " + &upstream.host + "\n";
        data.insert("upstreams".into(), upstreams.iter().fold(String::new(), text));
        data.insert("upstreams.yaml".into(), yaml(&rules));
    }
    data
}

/// Name, protocol and number, and the hosts of TLS.
fn line(port: &ResolvedPort) -> String {
    let start = format!("{} {} {}", port.name, port.protocol.as_str(), port.port);
    port.hosts.iter().fold(start, |line, host| line + " " + host.as_str())
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
    #[serde(rename = "sectionName", skip_serializing_if = "Option::is_none")]
    section_name: Option<String>,
}

fn parent_ref(tenant: &ResolvedTenant, section_name: Option<String>) -> ParentRef {
    ParentRef {
        group: super::GATEWAY_API,
        kind: "ListenerSet",
        name: tenant.name.to_string(),
        namespace: tenant.name.gateway_namespace(),
        section_name,
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
    name: String,
    namespace: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteSpec {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parent_refs: Vec<ParentRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hostnames: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    filters: Vec<Filter>,
    backend_refs: Vec<BackendRef>,
}

#[derive(Serialize)]
struct BackendRef {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(rename = "type")]
    filter_type: &'static str,
    url_rewrite: UrlRewrite,
}

#[derive(Serialize)]
struct UrlRewrite {
    hostname: String,
}

fn to_service(name: &str, port: u16) -> Rule {
    let service = BackendRef { group: None, kind: None, name: name.into(), namespace: None, port: Some(port) };
    Rule { filters: Vec::new(), backend_refs: vec![service] }
}

/// With the upstream's own name as `Host`, without which most answer nothing: neither data plane has a policy for it that a route
/// could not undo.
fn upstream_rule(upstream: &ResolvedUpstream, tenant: &ResolvedTenant) -> Rule {
    let key = upstreams::key(tenant, upstream);
    let api = key.kind.api();
    let backend = BackendRef {
        group: Some(api.group),
        kind: Some(api.kind),
        name: key.name,
        namespace: Some(key.namespace),
        port: None,
    };
    let url_rewrite = UrlRewrite { hostname: upstream.host.clone() };
    Rule { filters: vec![Filter { filter_type: "URLRewrite", url_rewrite }], backend_refs: vec![backend] }
}

/// No `parentRefs`: the platform's MutatingAdmissionPolicy writes them.
fn sample_route(tenant: &ResolvedTenant, namespace: &str) -> Route {
    let apex = tenant.hosts.first().map(|h| h.host.to_string()).unwrap_or_default();
    let has_wildcard = tenant.hosts.get(1).is_some_and(|h| h.host.is_wildcard());
    let host = if has_wildcard { format!("www.{apex}") } else { apex };
    Route {
        api_version: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: RouteMetadata { name: "web".into(), namespace: namespace.into() },
        spec: RouteSpec { parent_refs: Vec::new(), hostnames: vec![host], rules: vec![to_service("web", 80)] },
    }
}

/// With its listeners, since a TLSRoute would else hang on every port that takes one of its hosts, and of two routes for one
/// host on one port Envoy takes neither.
fn port_route(port: &ResolvedPort, tenant: &ResolvedTenant, namespace: &str) -> Route {
    let sections = port.listeners().into_iter().map(|(section, _)| section);
    Route {
        api_version: "gateway.networking.k8s.io/v1",
        kind: grants::route_kind_of(port.protocol),
        metadata: RouteMetadata { name: port.name.clone(), namespace: namespace.into() },
        spec: RouteSpec {
            parent_refs: sections.map(|section| parent_ref(tenant, Some(section))).collect(),
            hostnames: port.hosts.iter().map(ToString::to_string).collect(),
            rules: vec![to_service(&port.name, port.port)],
        },
    }
}
