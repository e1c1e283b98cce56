//! Traces: what each data plane is told, and that no client has a word in it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use octroi_plan::{ChildKey, ChildKind};
use serde_json::{Value, json};
use support::{Cluster, ENVOY_GATEWAY, KGATEWAY, class, tenant};

/// A cluster of one class and one tenant on a proxy of its own, settled.
fn settled(gateway_class: &str, observability: &Value) -> Cluster {
    let spec = json!({"gateway": {"gatewayClassName": gateway_class}, "observability": observability});
    let mut cluster = Cluster::with([class("standard", &spec)]);
    cluster.apply(tenant("acme", &json!({"className": "standard", "gateway": {"mode": "Dedicated"}})));
    cluster.reconcile_classes();
    cluster.settle();
    cluster
}

fn tracing(percent: Option<u32>) -> Value {
    let mut tracing = json!({"collector": {"namespace": "observability", "name": "otel", "port": 4317}});
    if let Some(percent) = percent {
        tracing["samplingPercent"] = json!(percent);
    }
    json!({"tracing": tracing})
}

fn body(cluster: &Cluster, kind: ChildKind, namespace: &str, name: &str) -> Value {
    let key = ChildKey::new(kind, namespace, name);
    cluster.objects.get(&key).unwrap_or_else(|| panic!("no {key}")).body["spec"].clone()
}

/// The proxies of both: a shared one and the tenant's own.
const PROXIES: [(&str, &str); 2] = [("octroi-gateways", "standard-0"), ("gw-acme", "acme")];

#[test]
fn nothing_is_traced_where_nobody_says_so() {
    for (gateway_class, nothing) in
        [(ENVOY_GATEWAY, Value::Null), (KGATEWAY, Value::Null), (ENVOY_GATEWAY, json!({})), (KGATEWAY, json!({}))]
    {
        let cluster = settled(gateway_class, &nothing);
        let text = cluster.objects.values().map(|object| object.body.to_string()).collect::<String>();
        for word in ["tracing\"", "octroi.tenant", "\"traceparent\"]", ".traces"] {
            assert!(!text.contains(word), "{gateway_class} {nothing}: {word}");
        }
    }
}

#[test]
fn envoy_gateway_says_the_tenant_by_its_own_configuration_and_no_query() {
    let cluster = settled(ENVOY_GATEWAY, &tracing(Some(5)));
    for (namespace, name) in [("octroi-gateways", "standard"), ("gw-acme", "acme")] {
        let said = body(&cluster, ChildKind::EnvoyProxy, namespace, name)["telemetry"]["tracing"].clone();
        assert_eq!(said["samplingRate"], 5);
        let provider = json!({"type": "OpenTelemetry", "host": "otel.observability.svc.cluster.local.", "port": 4317});
        assert_eq!(said["provider"], provider);
        let tenant = said["tags"]["octroi.tenant"].as_str().unwrap();
        assert!(tenant.contains("xds.filter_chain_name") && !tenant.contains("REQ"), "{tenant}");
        // Envoy's own would have the query.
        assert_eq!(said["tags"]["http.url"], "%CEL(request.url_path):256%");
    }
    for (namespace, name) in
        [("gw-acme", "acme"), ("gw-acme", "acme-gateway"), ("octroi-gateways", "standard-0-gateway")]
    {
        let policy = body(&cluster, ChildKind::ClientTrafficPolicy, namespace, name);
        let removed = policy["headers"]["earlyRequestHeaders"]["remove"].as_array().unwrap();
        assert!(removed.contains(&json!("traceparent")), "{name}: {removed:?}");
    }
}

#[test]
fn kgateway_says_the_tenant_by_a_header_that_no_client_sets_and_no_path() {
    let cluster = settled(KGATEWAY, &tracing(Some(5)));
    for (namespace, name) in PROXIES {
        let http = body(&cluster, ChildKind::ListenerPolicy, namespace, name)["default"]["httpSettings"].clone();
        let said = &http["tracing"];
        let of_100 = |field: &str| said[field].as_u64().unwrap();
        assert_eq!((of_100("clientSampling"), of_100("randomSampling"), of_100("overallSampling")), (0, 5, 100));
        assert_eq!(said["maxPathTagLength"], 1, "a query is in what Envoy calls the path");
        let attribute = json!([{"name": "octroi.tenant", "requestHeader": {"name": "x-octroi-tenant"}}]);
        assert_eq!(said["attributes"], attribute);
        let backend = format!("{name}.traces");
        let reference = &said["provider"]["openTelemetry"]["grpcService"]["backendRef"];
        assert_eq!(*reference, json!({"group": "gateway.kgateway.dev", "kind": "Backend", "name": backend}));
        let hosts = json!([{"host": "otel.observability.svc.cluster.local.", "port": 4317}]);
        let found = body(&cluster, ChildKind::KgatewayBackend, namespace, &backend);
        assert_eq!(found["static"], json!({"hosts": hosts, "appProtocol": "grpc"}));

        let early = &http["earlyRequestHeaderModifier"];
        let removed = early["remove"].as_array().unwrap();
        assert!(removed.contains(&json!("traceparent")) && removed.len() <= 16, "kgateway takes 16: {removed:?}");
        assert!(!removed.contains(&json!("x-octroi-tenant")), "it would be set and then removed");
        let set = early["set"].as_array().unwrap();
        assert_eq!((set.len(), &set[0]["name"]), (1, &json!("x-octroi-tenant")));
        let value = set[0]["value"].as_str().unwrap();
        assert!(value.ends_with(": '-')%"), "never empty, or the client's own would stay: {value}");
    }
}

#[test]
fn one_request_in_a_hundred_is_traced_where_no_number_is_said_and_none_at_zero() {
    for (said, percent) in [(None, 1), (Some(0), 0), (Some(100), 100)] {
        let cluster = settled(ENVOY_GATEWAY, &tracing(said));
        let proxy = body(&cluster, ChildKind::EnvoyProxy, "gw-acme", "acme");
        assert_eq!(proxy["telemetry"]["tracing"]["samplingRate"], percent);
        let cluster = settled(KGATEWAY, &tracing(said));
        let policy = body(&cluster, ChildKind::ListenerPolicy, "gw-acme", "acme");
        assert_eq!(policy["default"]["httpSettings"]["tracing"]["randomSampling"], percent);
    }
}

#[test]
fn what_finds_the_collector_goes_with_the_traces() {
    let mut cluster = settled(KGATEWAY, &tracing(None));
    let spec = json!({"gateway": {"gatewayClassName": KGATEWAY}});
    cluster.world.classes.insert("standard".into(), class("standard", &spec));
    cluster.reconcile_classes();
    cluster.settle();
    let left: Vec<&ChildKey> = cluster.objects.keys().filter(|key| key.name.ends_with(".traces")).collect();
    assert!(left.is_empty(), "{left:?}");
}
