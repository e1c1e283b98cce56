//! What a tenant takes less of than its class: what each data plane is told, for that tenant alone, and what the status says of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::jiff::Timestamp;
use octroi_plan::{ChildKey, ChildKind, status};
use serde_json::{Value, json};
use support::{Cluster, ENVOY_GATEWAY, KGATEWAY, class, tenant};

/// Two tenants of one class, settled; `acme` asks for less.
fn settled(data_plane: &str, mode: &str, of_class: &Value, asked: &Value) -> Cluster {
    let gateway = json!({"gatewayClassName": data_plane, "mode": mode});
    let mut cluster = Cluster::with([class("standard", &json!({"gateway": gateway, "http": of_class}))]);
    cluster.apply(tenant("acme", &json!({"className": "standard", "http": asked})));
    cluster.apply(tenant("globex", &json!({"className": "standard"})));
    cluster.settle();
    cluster
}

fn everything() -> Value {
    json!({
        "timeouts": {"requestHeadersSeconds": 2, "idleSeconds": 3, "streamIdleSeconds": 4, "requestSeconds": 5},
        "limits": {"concurrentStreams": 6, "connections": 7, "bodyKiB": 8},
    })
}

fn spec(cluster: &Cluster, kind: ChildKind, namespace: &str, name: &str) -> Value {
    cluster.objects[&ChildKey::new(kind, namespace, name)].body["spec"].clone()
}

fn condition(cluster: &mut Cluster, kind: &str) -> (String, String, String) {
    let (wanted, plan) = (cluster.tenants["acme"].clone(), cluster.plan("acme"));
    let status = status::tenant::of(&wanted, &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap();
    let found = status.conditions.iter().find(|c| c.type_ == kind).unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

#[test]
fn envoy_gateway_is_told_of_that_tenants_entry_alone() {
    for mode in ["Shared", "Dedicated"] {
        let mut cluster = settled(ENVOY_GATEWAY, mode, &json!({}), &everything());
        let client = |name: &str| spec(&cluster, ChildKind::ClientTrafficPolicy, &format!("gw-{name}"), name);
        let of = |policy: Value| {
            let http = &policy["timeout"]["http"];
            json!([
                http["requestHeadersReceivedTimeout"],
                http["idleTimeout"],
                http["streamIdleTimeout"],
                policy["http2"]["maxConcurrentStreams"],
                policy["connection"]["connectionLimit"]["value"],
                policy["timeout"]["tcp"]["tlsHandshakeTimeout"],
                policy["targetRefs"][0]["kind"]
            ])
        };
        assert_eq!(of(client("acme")), json!(["2s", "3s", "4s", 6, 7, "10s", "ListenerSet"]), "{mode}");
        assert_eq!(of(client("globex")), json!(["10s", "300s", "300s", 100, 4096, "10s", "ListenerSet"]), "{mode}");
        let backend = |name: &str| spec(&cluster, ChildKind::BackendTrafficPolicy, &format!("gw-{name}"), name);
        let of = |policy: Value| json!([policy["timeout"]["http"]["requestTimeout"], policy["requestBuffer"]["limit"]]);
        assert_eq!(of(backend("acme")), json!(["5s", "8Ki"]), "{mode}");
        assert_eq!(of(backend("globex")), json!(["0s", null]), "{mode}");
        assert_eq!(condition(&mut cluster, "CapabilitiesSupported").0, "True", "{mode}");
        assert_eq!(condition(&mut cluster, "Ready").0, "True", "{mode}");
    }
}

#[test]
fn the_policy_of_a_shared_gateway_stays_the_classs() {
    for (data_plane, kind) in [(ENVOY_GATEWAY, ChildKind::ClientTrafficPolicy), (KGATEWAY, ChildKind::ListenerPolicy)] {
        let of_gateways = |asked: &Value| -> Vec<Value> {
            let mut cluster = settled(data_plane, "Shared", &json!({}), asked);
            cluster.reconcile_classes();
            let bodies =
                cluster.objects.iter().filter(|(key, _)| key.kind == kind && !key.namespace.starts_with("gw-"));
            bodies.map(|(_, object)| object.body["spec"].clone()).collect()
        };
        let before = of_gateways(&json!({}));
        assert!(!before.is_empty(), "{data_plane}");
        assert_eq!(before, of_gateways(&everything()), "{data_plane}");
    }
}

#[test]
fn kgateway_is_told_what_it_can_do_for_a_tenant_alone() {
    let mut cluster = settled(KGATEWAY, "Shared", &json!({}), &everything());
    let of = |name: &str| {
        let policy = spec(&cluster, ChildKind::TrafficPolicy, &format!("gw-{name}"), name);
        json!([policy["timeouts"]["request"], policy["timeouts"]["streamIdle"], policy["buffer"]["maxRequestSize"]])
    };
    assert_eq!((of("acme"), of("globex")), (json!(["5s", "4s", "8Ki"]), json!(["0s", "300s", null])));
    let (holds, reason, message) = condition(&mut cluster, "CapabilitiesSupported");
    assert_eq!((holds.as_str(), reason.as_str()), ("False", "Unsupported"));
    for field in ["requestHeadersSeconds", "idleSeconds on a Shared", "concurrentStreams on a Shared", "connections"] {
        assert!(message.contains(field), "{field}: {message}");
    }
    assert_eq!(condition(&mut cluster, "Ready").0, "True", "the rest is done");
}

#[test]
fn kgateway_is_told_more_of_a_gateway_of_the_tenants_own() {
    let mut cluster = settled(KGATEWAY, "Dedicated", &json!({}), &everything());
    let of = |name: &str| {
        let policy = spec(&cluster, ChildKind::ListenerPolicy, &format!("gw-{name}"), name);
        let http = &policy["default"]["httpSettings"];
        json!([http["idleTimeout"], http["streamIdleTimeout"], http["http2ProtocolOptions"]["maxConcurrentStreams"]])
    };
    assert_eq!((of("acme"), of("globex")), (json!(["3s", "4s", 6]), json!(["300s", "300s", 100])));
    let message = condition(&mut cluster, "CapabilitiesSupported").2;
    assert!(message.contains("requestHeadersSeconds") && message.contains("limits.connections"), "{message}");
    assert!(!message.contains("idleSeconds") && !message.contains("concurrentStreams"), "{message}");
}

#[test]
fn what_is_more_than_the_class_allows_is_clamped_and_says_so() {
    let of_class = json!({"timeouts": {"requestSeconds": 4}, "limits": {"bodyKiB": 4}});
    for data_plane in [ENVOY_GATEWAY, KGATEWAY] {
        let mut cluster = settled(data_plane, "Shared", &of_class, &everything());
        let (holds, reason, message) = condition(&mut cluster, "Accepted");
        assert_eq!((holds.as_str(), reason.as_str()), ("True", "Clamped"), "{data_plane}");
        for part in ["spec.http.timeouts.requestSeconds is 4, the most", "spec.http.limits.bodyKiB is 4, the most"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(condition(&mut cluster, "Ready").0, "True", "nothing of it keeps the tenant from being served");
    }
}
