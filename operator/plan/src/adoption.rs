//! Whether a namespace that exists may be adopted: what is in it is judged by the rules that admission holds a tenant's
//! namespaces to, before the label that admission selects by is set. A test holds that both judge alike.

use std::collections::BTreeSet;

use octroi_api::names::{Hostname, TenantName};
use serde_json::Value;

use crate::kind::ApiPath;

/// At most so many objections are told.
pub const MAX_OBJECTIONS: usize = 20;

/// A kind that is looked at before a namespace is adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Where it lives in the API.
    pub api: ApiPath,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Hosts, parents, backends and filters are a tenant's own.
    Route,
    /// Reached through the gateway only.
    Service,
    /// Written by the endpoint controllers only.
    Endpoints,
    /// Only the platform writes it.
    Platform,
}

/// An object in a namespace that is to be adopted.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What it is.
    pub kind: Inspected,
    /// Its name.
    pub name: String,
    /// The object.
    pub object: Value,
}

/// What a tenant may name.
pub struct Rules<'a> {
    /// Who adopts.
    pub tenant: &'a TenantName,
    /// The hosts that it owns or is about to own.
    pub hosts: Vec<&'a str>,
    /// The namespace that is to be adopted.
    pub namespace: &'a str,
    /// Other namespaces that its routes may name Services in.
    pub may_name: BTreeSet<&'a str>,
}

const GATEWAY: &str = "gateway.networking.k8s.io";
const ENVOY: &str = "gateway.envoyproxy.io";
const KGATEWAY: &str = "gateway.kgateway.dev";
const AGENTGATEWAY: &str = "agentgateway.dev";
const CERT_MANAGER: &str = "cert-manager.io";

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    rule: Rule,
) -> Inspected {
    Inspected { api: ApiPath { group, version, kind, plural }, rule }
}

/// Every kind that is looked at. What a tenant may write freely, such as Deployments, is not.
pub const INSPECTED: [Inspected; 33] = [
    kind(GATEWAY, "v1", "HTTPRoute", "httproutes", Rule::Route),
    kind(GATEWAY, "v1", "GRPCRoute", "grpcroutes", Rule::Route),
    kind(GATEWAY, "v1", "TLSRoute", "tlsroutes", Rule::Route),
    kind(GATEWAY, "v1", "TCPRoute", "tcproutes", Rule::Route),
    kind(GATEWAY, "v1", "UDPRoute", "udproutes", Rule::Route),
    kind("", "v1", "Service", "services", Rule::Service),
    kind("", "v1", "Endpoints", "endpoints", Rule::Endpoints),
    kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", Rule::Endpoints),
    kind(GATEWAY, "v1", "Gateway", "gateways", Rule::Platform),
    kind(GATEWAY, "v1", "ListenerSet", "listenersets", Rule::Platform),
    kind(GATEWAY, "v1", "ReferenceGrant", "referencegrants", Rule::Platform),
    kind(GATEWAY, "v1", "BackendTLSPolicy", "backendtlspolicies", Rule::Platform),
    kind("networking.k8s.io", "v1", "Ingress", "ingresses", Rule::Platform),
    kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", Rule::Platform),
    kind(CERT_MANAGER, "v1", "Certificate", "certificates", Rule::Platform),
    kind(CERT_MANAGER, "v1", "Issuer", "issuers", Rule::Platform),
    kind(ENVOY, "v1alpha1", "Backend", "backends", Rule::Platform),
    kind(ENVOY, "v1alpha1", "BackendTrafficPolicy", "backendtrafficpolicies", Rule::Platform),
    kind(ENVOY, "v1alpha1", "ClientTrafficPolicy", "clienttrafficpolicies", Rule::Platform),
    kind(ENVOY, "v1alpha1", "EnvoyExtensionPolicy", "envoyextensionpolicies", Rule::Platform),
    kind(ENVOY, "v1alpha1", "EnvoyPatchPolicy", "envoypatchpolicies", Rule::Platform),
    kind(ENVOY, "v1alpha1", "EnvoyProxy", "envoyproxies", Rule::Platform),
    kind(ENVOY, "v1alpha1", "HTTPRouteFilter", "httproutefilters", Rule::Platform),
    kind(ENVOY, "v1alpha1", "SecurityPolicy", "securitypolicies", Rule::Platform),
    kind(KGATEWAY, "v1alpha1", "Backend", "backends", Rule::Platform),
    kind(KGATEWAY, "v1alpha1", "BackendConfigPolicy", "backendconfigpolicies", Rule::Platform),
    kind(KGATEWAY, "v1alpha1", "DirectResponse", "directresponses", Rule::Platform),
    kind(KGATEWAY, "v1alpha1", "GatewayExtension", "gatewayextensions", Rule::Platform),
    kind(KGATEWAY, "v1alpha1", "GatewayParameters", "gatewayparameters", Rule::Platform),
    kind(KGATEWAY, "v1alpha1", "ListenerPolicy", "listenerpolicies", Rule::Platform),
    kind(KGATEWAY, "v1alpha1", "TrafficPolicy", "trafficpolicies", Rule::Platform),
    kind(AGENTGATEWAY, "v1alpha1", "AgentgatewayBackend", "agentgatewaybackends", Rule::Platform),
    kind(AGENTGATEWAY, "v1alpha1", "AgentgatewayPolicy", "agentgatewaypolicies", Rule::Platform),
];

/// What breaks the rules, each with the next step: at most [`MAX_OBJECTIONS`], and how many more there are.
pub fn objections(found: &[Found], rules: &Rules<'_>) -> Vec<String> {
    let mut all: Vec<String> = found
        .iter()
        .filter_map(|one| Some(format!("{} {}: {}", one.kind.api.plural, one.name, objection(one, found, rules)?)))
        .collect();
    if all.len() > MAX_OBJECTIONS {
        let more = all.len() - MAX_OBJECTIONS + 1;
        all.truncate(MAX_OBJECTIONS - 1);
        all.push(format!("and {more} more"));
    }
    all
}

fn objection(one: &Found, all: &[Found], rules: &Rules<'_>) -> Option<String> {
    match one.kind.rule {
        Rule::Route => route(&one.object, one.kind.api.kind, rules),
        Rule::Service => service(&one.object),
        Rule::Endpoints => endpoints(one, all),
        Rule::Platform => Some("only the platform writes this kind in a tenant's namespace; delete it".into()),
    }
}

fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

fn route(object: &Value, kind: &str, rules: &Rules<'_>) -> Option<String> {
    if !matches!(kind, "TCPRoute" | "UDPRoute")
        && let Some(objection) = hosts(object, rules)
    {
        return Some(objection);
    }
    parents(object, rules).or_else(|| items(object, "/spec/rules").find_map(|rule| rule_objection(rule, rules)))
}

fn hosts(object: &Value, rules: &Rules<'_>) -> Option<String> {
    let hosts: Vec<&str> = items(object, "/spec/hostnames").filter_map(Value::as_str).collect();
    if hosts.is_empty() {
        return Some("it has no spec.hostnames; name hosts of the tenant's own".into());
    }
    let foreign = hosts.into_iter().find(|host| !rules.hosts.iter().any(|own| covers(own, host)))?;
    Some(format!("spec.hostnames has '{foreign}', which is not the tenant's; remove it, or list it in spec.domains"))
}

/// Whether an owned host, exact or a wildcard of one label, is or covers another.
fn covers(own: &str, host: &str) -> bool {
    if own == host {
        return Hostname::parse(host).is_ok();
    }
    let below = own.strip_prefix('*').and_then(|suffix| host.strip_suffix(suffix));
    below.is_some_and(|label| !label.contains('.') && label != "*") && Hostname::parse(host).is_ok()
}

fn parents(object: &Value, rules: &Rules<'_>) -> Option<String> {
    let entry = rules.tenant.gateway_namespace();
    let is_entry = |parent: &Value| {
        text(parent, "group").is_none_or(|group| group == GATEWAY)
            && text(parent, "kind") == Some("ListenerSet")
            && text(parent, "namespace") == Some(&entry)
            && text(parent, "name") == Some(rules.tenant.as_str())
    };
    let foreign = items(object, "/spec/parentRefs").any(|parent| !is_entry(parent));
    foreign.then(|| format!("spec.parentRefs has another parent than ListenerSet {entry}/{}; remove it", rules.tenant))
}

const FILTERS: [&str; 6] =
    ["RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "RequestMirror", "CORS"];

fn rule_objection(rule: &Value, rules: &Rules<'_>) -> Option<String> {
    let backends = || items(rule, "/backendRefs");
    let filters = || items(rule, "/filters").chain(backends().flat_map(|backend| items(backend, "/filters")));
    let mirrors = filters().filter_map(|filter| filter.pointer("/requestMirror/backendRef"));
    if let Some(objection) = backends().chain(mirrors).find_map(|backend| backend_objection(backend, rules)) {
        return Some(objection);
    }
    let foreign = filters().filter_map(|f| text(f, "type")).find(|kind| !FILTERS.contains(kind))?;
    Some(format!("it has a filter of type {foreign}, which tenants may not use; remove it"))
}

fn backend_objection(backend: &Value, rules: &Rules<'_>) -> Option<String> {
    let (group, kind) = (text(backend, "group").unwrap_or_default(), text(backend, "kind").unwrap_or("Service"));
    let name = text(backend, "name").unwrap_or_default();
    if !group.is_empty() || kind != "Service" {
        return Some(format!("it names backend '{name}' of kind {kind}; name a Service"));
    }
    let namespace = text(backend, "namespace").unwrap_or(rules.namespace);
    let is_own = namespace == rules.namespace || rules.may_name.contains(namespace);
    (!is_own).then(|| format!("it names backend '{name}' in another namespace; name a Service beside the route"))
}

fn service(object: &Value) -> Option<String> {
    let kind = object.pointer("/spec/type").and_then(Value::as_str).unwrap_or("ClusterIP");
    if kind != "ClusterIP" {
        return Some(format!("it is of type {kind}; make it ClusterIP"));
    }
    let has_external = items(object, "/spec/externalIPs").next().is_some();
    has_external.then(|| "it has spec.externalIPs; remove them".into())
}

/// What carries the label of its controller is kept by it, as long as there is a Service whose selector says what is in it.
fn endpoints(one: &Found, all: &[Found]) -> Option<String> {
    const LABELS: [(&str, &str); 2] = [
        ("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"),
        ("endpoints.kubernetes.io/managed-by", "endpoint-controller"),
    ];
    let label = |name: &str| one.object.pointer("/metadata/labels").and_then(|labels| text(labels, name));
    let service = label("kubernetes.io/service-name").unwrap_or(&one.name);
    let is_labelled = LABELS.iter().any(|(name, controller)| label(name) == Some(controller));
    let is_managed = is_labelled && all.iter().any(|other| selects(other, service));
    (!is_managed).then(|| "it was written by hand; delete it, and let a Service select pods".into())
}

fn selects(found: &Found, service: &str) -> bool {
    let selector = found.object.pointer("/spec/selector").and_then(Value::as_object);
    found.kind.rule == Rule::Service && found.name == service && selector.is_some_and(|s| !s.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(plural: &str, name: &str, object: Value) -> Found {
        let kind = *INSPECTED.iter().find(|kind| kind.api.plural == plural).unwrap();
        Found { kind, name: name.into(), object }
    }

    fn judged(found: &[Found]) -> Vec<String> {
        let tenant = TenantName::parse("acme").unwrap();
        let hosts = vec!["acme.apps.test", "*.acme.apps.test"];
        let may_name = BTreeSet::from(["acme-two"]);
        objections(found, &Rules { tenant: &tenant, hosts, namespace: "legacy", may_name })
    }

    fn route(spec: &Value) -> Vec<String> {
        judged(&[found("httproutes", "web", json!({"spec": spec}))])
    }

    #[test]
    fn what_a_tenant_may_write_is_taken() {
        let selected = json!({"spec": {"type": "ClusterIP", "selector": {"app": "web"}}});
        let slice = json!({"metadata": {"labels": {"kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}}});
        let endpoints = json!({"metadata": {"labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}}});
        let all = [
            found("services", "web", selected),
            found("endpointslices", "web-x2p", slice),
            found("endpoints", "web", endpoints),
            found(
                "httproutes",
                "web",
                json!({"spec": {
                "hostnames": ["acme.apps.test", "www.acme.apps.test", "*.acme.apps.test"],
                "parentRefs": [{"kind": "ListenerSet", "namespace": "gw-acme", "name": "acme"}],
                "rules": [{"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy"}}}],
                    "backendRefs": [{"name": "web"}, {"name": "other", "namespace": "acme-two"}]}]}}),
            ),
        ];
        assert_eq!(judged(&all), Vec::<String>::new());
    }

    #[test]
    fn what_breaks_a_rule_is_told_with_the_next_step() {
        let hosts = |hosts: Value| json!({"hostnames": hosts});
        let with_rule = |rule: Value| json!({"hostnames": ["acme.apps.test"], "rules": [rule]});
        for spec in [
            json!({}),
            hosts(json!([])),
            hosts(json!(["globex.apps.test"])),
            hosts(json!(["evil-acme.apps.test"])),
            hosts(json!(["a.b.acme.apps.test"])),
            hosts(json!(["*.b.acme.apps.test"])),
            hosts(json!(["ACME.apps.test"])),
            hosts(json!(["acme.apps.test."])),
            hosts(json!(["acme.apps.test", "*"])),
            json!({"hostnames": ["acme.apps.test"], "parentRefs": [{"name": "acme", "namespace": "gw-acme"}]}),
            json!({"hostnames": ["acme.apps.test"], "parentRefs": [
                {"kind": "ListenerSet", "namespace": "gw-globex", "name": "globex"}]}),
            with_rule(json!({"backendRefs": [{"name": "web", "namespace": "globex"}]})),
            with_rule(json!({"backendRefs": [{"name": "web", "kind": "Backend", "group": ENVOY}]})),
            with_rule(json!({"filters": [{"type": "ExtensionRef"}]})),
            with_rule(json!({"backendRefs": [{"name": "web", "filters": [{"type": "ExtensionRef"}]}]})),
            with_rule(json!({"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef":
                {"name": "spy", "namespace": "globex"}}}]})),
        ] {
            let told = route(&spec);
            assert_eq!(told.len(), 1, "{spec}");
            assert!(told[0].starts_with("httproutes web: ") && told[0].contains("; "), "{told:?}");
            assert!(!told[0].contains("globex") || spec.to_string().contains("hostnames\":[\"globex"), "{told:?}");
        }
    }

    #[test]
    fn services_endpoints_and_kinds_of_the_platform() {
        let by_hand = json!({"metadata": {"labels": {"kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}}});
        let wrong = [
            found("services", "a", json!({"spec": {"type": "ExternalName"}})),
            found("services", "b", json!({"spec": {"externalIPs": ["192.0.2.1"]}})),
            found("services", "web", json!({"spec": {"type": "ClusterIP"}})),
            found("endpointslices", "web-1", by_hand),
            found("endpoints", "web", json!({})),
            found("networkpolicies", "open", json!({})),
        ];
        let told = judged(&wrong);
        assert_eq!(told.len(), 5, "{told:#?}");
        assert_eq!(told[0], "services a: it is of type ExternalName; make it ClusterIP");
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let many: Vec<Found> = (0..50).map(|i| found("gateways", &format!("g{i}"), json!({}))).collect();
        let told = judged(&many);
        assert_eq!((told.len(), told[19].as_str()), (20, "and 31 more"));
    }
}
