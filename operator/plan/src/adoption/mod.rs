//! Whether a namespace that exists may be adopted: what is in it is judged by the rules that admission holds a tenant's
//! namespaces to, before the label that admission selects by is set. `tests/guards/agreement.rs` holds that both judge alike.

mod metadata;
mod route;
mod size;

use std::collections::BTreeSet;

use octroi_api::names::TenantName;
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
    /// Hosts, parents, backends, filters, size and annotations are as a tenant may write them.
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
        Rule::Route => route::objection(&one.object, one.kind.api.kind, rules)
            .or_else(|| size::objection(&one.object))
            .or_else(|| metadata::objection(&one.object)),
        Rule::Service => service(&one.object).or_else(|| metadata::objection(&one.object)),
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

/// What makes a Service be reached, or send, past the gateway.
const EXTERNAL: [&str; 5] =
    ["externalIPs", "loadBalancerIP", "loadBalancerClass", "loadBalancerSourceRanges", "externalName"];

fn service(object: &Value) -> Option<String> {
    let kind = object.pointer("/spec/type").and_then(Value::as_str).unwrap_or("ClusterIP");
    if kind != "ClusterIP" {
        return Some(format!("it is of type {kind}; make it ClusterIP"));
    }
    let is_set = |field: &&&str| match &object["spec"][**field] {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    EXTERNAL.iter().find(is_set).map(|field| format!("it has spec.{field}; remove it"))
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
                    "backendRefs": [{"name": "web"}, {"name": "other", "namespace": "acme-two"},
                        {"name": "crm", "kind": "Backend", "group": ENVOY, "namespace": "gw-acme"}]}]}}),
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
            with_rule(
                json!({"backendRefs": [{"name": "crm", "kind": "Backend", "group": ENVOY, "namespace": "gw-globex"}]}),
            ),
            with_rule(
                json!({"backendRefs": [{"name": "crm", "kind": "Service", "port": 443, "namespace": "gw-acme"}]}),
            ),
            with_rule(json!({"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef":
                {"name": "crm", "kind": "Backend", "group": ENVOY, "namespace": "gw-acme"}}}]})),
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
