//! How many requests a tenant's entry takes: what each data plane is told, and what the status says of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::Reason;
use octroi_api::{Tenant, TenantStatus};
use octroi_plan::{ChildKey, ChildKind, status};
use serde_json::{Value, json};
use support::{Cluster, KGATEWAY, class, tenant};

const CLASS: &str = "standard";

fn asking(spec: &Value) -> Tenant {
    let mut wanted = spec.clone();
    wanted["className"] = json!(CLASS);
    tenant("acme", &wanted)
}

/// A cluster of one class and one tenant, settled.
fn settled(class_spec: &Value, spec: &Value) -> Cluster {
    let mut cluster = Cluster::with([class(CLASS, class_spec)]);
    cluster.apply(asking(spec));
    cluster.settle();
    cluster
}

fn said(cluster: &mut Cluster) -> TenantStatus {
    let (wanted, plan) = (cluster.tenants["acme"].clone(), cluster.plan("acme"));
    status::tenant::of(&wanted, &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap()
}

fn condition(status: &TenantStatus, kind: &str) -> (String, String, String) {
    let found = status.conditions.iter().find(|c| c.type_ == kind).unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

fn policy(cluster: &Cluster, kind: ChildKind) -> Value {
    cluster.objects[&ChildKey::new(kind, "gw-acme", "acme")].body["spec"].clone()
}

#[test]
fn nothing_is_limited_where_nobody_says_so() {
    let mut cluster = settled(&json!({}), &json!({}));
    assert_eq!(policy(&cluster, ChildKind::BackendTrafficPolicy)["rateLimit"], Value::Null);
    assert_eq!(condition(&said(&mut cluster), "CapabilitiesSupported").0, "True");
    let cluster = settled(&json!({"gateway": {"gatewayClassName": KGATEWAY}}), &json!({}));
    assert_eq!(policy(&cluster, ChildKind::TrafficPolicy)["rateLimit"], Value::Null);
}

#[test]
fn envoy_gateway_counts_once_for_the_whole_tenant_and_once_for_each_client() {
    let limits = json!({"rateLimit": {"default": {"requestsPerSecond": 100, "clientRequestsPerSecond": 20}}});
    let mut cluster = settled(&limits, &json!({}));
    let policy = policy(&cluster, ChildKind::BackendTrafficPolicy);
    let rule = |requests: u32, selectors: Option<&str>| {
        let mut rule = json!({"limit": {"requests": requests, "unit": "Second"}, "shared": true,
            "xRateLimitHeaders": "DraftVersion03"});
        if let Some(range) = selectors {
            rule["clientSelectors"] = json!([{"sourceCIDR": {"invert": false, "type": "Distinct", "value": range}}]);
        }
        rule
    };
    let rules = json!([rule(100, None), rule(20, Some("0.0.0.0/0")), rule(20, Some("::/0"))]);
    assert_eq!(policy["rateLimit"], json!({"global": {"rules": rules}}));
    assert_eq!(policy["targetRefs"][0]["kind"], "ListenerSet");
    assert_eq!(condition(&said(&mut cluster), "Accepted").1, "Ready");
}

#[test]
fn one_of_the_two_limits_may_stand_alone() {
    let of = |limit: Value| {
        let cluster = settled(&json!({}), &json!({ "rateLimit": limit }));
        policy(&cluster, ChildKind::BackendTrafficPolicy)["rateLimit"]["global"]["rules"].as_array().unwrap().len()
    };
    assert_eq!(of(json!({"requestsPerSecond": 5})), 1);
    assert_eq!(of(json!({"clientRequestsPerSecond": 5})), 2);
}

#[test]
fn kgateway_gives_each_pod_its_share() {
    let on_kgateway = |spec: Value, tenant: Value| {
        let mut spec = spec;
        spec["gateway"] = json!({"gatewayClassName": KGATEWAY, "proxy": {"replicas": {"min": 1, "max": 4}}});
        policy(&settled(&spec, &tenant), ChildKind::TrafficPolicy)["rateLimit"].clone()
    };
    let limits = json!({"rateLimit": {"default": {"requestsPerSecond": 100, "burst": 300}}});
    let bucket = |max: u32, tokens: u32, every: &str| json!({"local": {"tokenBucket": {"maxTokens": max, "tokensPerFill": tokens, "fillInterval": every}}});
    assert_eq!(on_kgateway(limits.clone(), json!({})), bucket(75, 25, "1s"));
    let own = json!({"gateway": {"mode": "Dedicated", "replicas": {"min": 1, "max": 3}}});
    assert_eq!(on_kgateway(limits, own), bucket(100, 100, "3s"), "of its own proxy's pods");
    assert_eq!(on_kgateway(json!({}), json!({"rateLimit": {"clientRequestsPerSecond": 5}})), Value::Null);
}

#[test]
fn what_is_more_than_the_class_allows_is_clamped_and_says_so() {
    let mut cluster = settled(
        &json!({"rateLimit": {"max": {"requestsPerSecond": 50}}, "tls": {"minVersion": "1.3"}}),
        &json!({"rateLimit": {"requestsPerSecond": 80}, "tls": {"minVersion": "1.2"}}),
    );
    let rules = &policy(&cluster, ChildKind::BackendTrafficPolicy)["rateLimit"]["global"]["rules"];
    assert_eq!(rules[0]["limit"]["requests"], 50);
    let status = said(&mut cluster);
    let (holds, reason, message) = condition(&status, "Accepted");
    assert_eq!((holds.as_str(), reason.as_str()), ("True", Reason::Clamped.as_str()));
    for part in ["spec.tls.minVersion is 1.3", "spec.rateLimit.requestsPerSecond is 50, the most"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(condition(&status, "Ready").0, "True", "nothing of it keeps the tenant from being served");
}

#[test]
fn what_the_data_plane_cannot_do_is_said_and_the_rest_is_done() {
    let asks = json!({"rateLimit": {"requestsPerSecond": 10, "burst": 40, "clientRequestsPerSecond": 5}});
    let mut cluster = settled(&json!({}), &asks);
    let status = said(&mut cluster);
    let (holds, reason, message) = condition(&status, "CapabilitiesSupported");
    assert_eq!((holds.as_str(), reason.as_str()), ("False", "Unsupported"));
    assert!(message.contains("cannot do spec.rateLimit.burst: remove them"), "{message}");
    assert_eq!(condition(&status, "Ready").0, "True");

    let mut cluster = settled(&json!({"gateway": {"gatewayClassName": KGATEWAY}}), &asks);
    let message = condition(&said(&mut cluster), "CapabilitiesSupported").2;
    let named = "spec.rateLimit.requestsPerSecond over all hosts of the tenant, spec.rateLimit.clientRequestsPerSecond";
    assert!(message.contains(named), "{message}");
}

/// Envoy Gateway without a Redis: its routes answer 500, while its Gateway and its ListenerSet are well.
#[test]
fn a_data_plane_that_refuses_the_limits_makes_the_tenant_not_ready() {
    let mut cluster = settled(&json!({}), &json!({"rateLimit": {"requestsPerSecond": 10}}));
    assert_eq!(condition(&said(&mut cluster), "Ready").0, "True");
    let why = "RateLimit: enable Ratelimit in the EnvoyGateway config to configure global rateLimit.";
    is_refused(&mut cluster, ChildKind::BackendTrafficPolicy, why);
}

/// Without the firewall's Service Envoy Gateway refuses the policy that asks it.
#[test]
fn a_data_plane_that_does_not_find_the_firewall_makes_the_tenant_not_ready() {
    let mut cluster = settled(&json!({}), &json!({}));
    is_refused(&mut cluster, ChildKind::EnvoyExtensionPolicy, "ExtProc: service octroi-gateways/octroi-waf not found.");
}

fn is_refused(cluster: &mut Cluster, policy: ChildKind, why: &str) {
    cluster.refuse_policy(&ChildKey::new(policy, "gw-acme", "acme"), why);
    let next = format!("describe {} -n gw-acme acme", policy.api().plural);
    let status = said(cluster);
    for kind in ["GatewayProgrammed", "Ready"] {
        let (holds, reason, message) = condition(&status, kind);
        assert_eq!((holds.as_str(), reason.as_str()), ("False", "NotProgrammed"), "{kind}: {message}");
        assert!(message.contains(why) && message.contains(&next), "{message}");
    }
}
