//! Functions of AWS Lambda as upstreams: signed for with credentials that are named, never with a proxy's own, and only where the data
//! plane can sign.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::jiff::Timestamp;
use octroi_api::{TenantClass, TenantStatus, UpstreamStatus};
use octroi_plan::facts::Facts;
use octroi_plan::{ChildKey, ChildKind, status};
use serde_json::{Value, json};
use support::{Cluster, ENVOY_GATEWAY, KGATEWAY, class, tenant};

fn offering(plane: &str, allowed: &Value) -> TenantClass {
    class("standard", &json!({"gateway": {"gatewayClassName": plane}, "upstreams": {"allowed": allowed}}))
}

/// With this said beside what is right.
fn function(change: &Value) -> Value {
    let mut lambda = json!({
        "region": "eu-west-3", "accountId": "123456789012", "functionName": "thumbs", "secretName": "invoker",
    });
    for (key, value) in change.as_object().unwrap() {
        lambda[key] = value.clone();
    }
    json!({"name": "thumbs", "lambda": lambda})
}

fn with(classes: TenantClass, name: &str, spec: &Value, upstreams: &Value) -> Cluster {
    let mut cluster = Cluster::with([classes]);
    add(&mut cluster, name, spec, upstreams);
    cluster
}

fn add(cluster: &mut Cluster, name: &str, spec: &Value, upstreams: &Value) {
    let mut whole =
        json!({"className": "standard", "namespaces": [{"name": format!("{name}-prod")}], "upstreams": upstreams});
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    cluster.apply(tenant(name, &whole));
    cluster.settle();
}

fn alone(plane: &str, upstreams: &Value) -> Cluster {
    with(offering(plane, &json!(["HTTPS", "Lambda"])), "acme", &json!({}), upstreams)
}

fn said(cluster: &mut Cluster) -> TenantStatus {
    let (wanted, plan) = (cluster.tenants["acme"].clone(), cluster.plan("acme"));
    status::tenant::of(&wanted, &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap()
}

fn thumbs(cluster: &mut Cluster) -> UpstreamStatus {
    said(cluster).upstreams.into_iter().find(|upstream| upstream.name == "thumbs").unwrap()
}

fn condition(status: &TenantStatus, kind: &str) -> (String, String, String) {
    let found = status.conditions.iter().find(|c| c.type_ == kind).unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

fn spec(cluster: &Cluster, kind: ChildKind, namespace: &str, name: &str) -> Option<Value> {
    cluster.objects.get(&ChildKey::new(kind, namespace, name)).map(|object| object.body["spec"].clone())
}

fn backends(cluster: &Cluster) -> usize {
    let kinds = [ChildKind::EnvoyBackend, ChildKind::KgatewayBackend];
    cluster.objects.keys().filter(|key| kinds.contains(&key.kind)).count()
}

#[test]
fn what_is_no_function_is_refused_by_its_field() {
    for (change, field) in [
        (json!({"region": "cn-north-1"}), "region 'cn-north-1'"),
        (json!({"region": "us-gov-west-1"}), "region 'us-gov-west-1'"),
        (json!({"region": "us-iso-east-1"}), "region"),
        (json!({"region": "eusc-de-east-1"}), "region"),
        (json!({"region": "x.evil.example"}), "region"),
        (json!({"region": "eu-west-3.evil.example#"}), "region"),
        (json!({"region": ""}), "region"),
        (json!({"region": "EU-west-3"}), "region"),
        (json!({"accountId": ""}), "lambda.accountId"),
        (json!({"accountId": "12345678901"}), "lambda.accountId"),
        (json!({"accountId": "12345678901x"}), "lambda.accountId"),
        (json!({"functionName": "arn:aws:lambda:eu-west-3:999999999999:function:theirs"}), "lambda.functionName"),
        (json!({"functionName": "thumbs:live"}), "lambda.functionName"),
        (json!({"functionName": "../x"}), "lambda.functionName"),
        (json!({"functionName": ""}), "lambda.functionName"),
        (json!({"qualifier": "$OLDEST"}), "lambda.qualifier"),
        (json!({"qualifier": "live/invocations?x="}), "lambda.qualifier"),
        (json!({"secretName": ""}), "lambda.secretName"),
    ] {
        let good = json!({"name": "good", "https": {"host": "api.crm.example"}});
        let mut cluster = alone(KGATEWAY, &json!([function(&change), good]));
        let bad = thumbs(&mut cluster);
        assert_eq!((bad.ready, bad.reason.as_deref()), (false, Some("Invalid")), "{change}: {bad:?}");
        let message = bad.message.unwrap();
        assert!(message.starts_with(field) && message.contains(": "), "{change}: {message}");
        assert_eq!(backends(&cluster), 1, "{change} costs the other one, or is there");
    }
    let both = json!([{"name": "thumbs", "https": {"host": "a.example"}, "lambda": function(&json!({}))["lambda"]}]);
    assert_eq!(thumbs(&mut alone(KGATEWAY, &both)).reason.as_deref(), Some("Invalid"));
}

#[test]
fn a_class_that_offers_none_has_none() {
    let mut cluster =
        with(offering(KGATEWAY, &json!(["HTTPS", "S3"])), "acme", &json!({}), &json!([function(&json!({}))]));
    let found = thumbs(&mut cluster);
    assert_eq!((found.ready, found.reason.as_deref()), (false, Some("UpstreamNotOffered")));
    assert!(found.message.unwrap().contains("offers no upstreams of kind Lambda"));
    assert_eq!(backends(&cluster), 0);
}

/// Whoever asks for it there is told, and no port is opened for it.
#[test]
fn envoy_gateway_signs_nothing_and_says_so() {
    let own = json!({"gateway": {"mode": "Dedicated"}});
    let mut cluster = with(offering(ENVOY_GATEWAY, &json!(["Lambda"])), "acme", &own, &json!([function(&json!({}))]));
    let found = thumbs(&mut cluster);
    assert_eq!((found.ready, found.reason.as_deref()), (false, Some("Unsupported")));
    assert!(found.message.unwrap().contains("give the function a URL and name that by https"));
    assert_eq!(backends(&cluster), 0);
    let (holds, reason, message) = condition(&said(&mut cluster), "CapabilitiesSupported");
    assert_eq!((holds.as_str(), reason.as_str()), ("False", "Unsupported"));
    assert!(message.contains("lambda of spec.upstreams[thumbs]"), "{message}");
    let policies: String = cluster
        .objects
        .iter()
        .filter(|(key, _)| key.kind == ChildKind::NetworkPolicy && key.namespace.starts_with("gw-"))
        .map(|(_, object)| object.body["spec"]["egress"].to_string())
        .collect();
    assert!(!policies.is_empty() && !policies.contains("0.0.0.0/0"), "{policies}");

    let mut cluster = alone(KGATEWAY, &json!([function(&json!({}))]));
    assert_eq!(condition(&said(&mut cluster), "CapabilitiesSupported").0, "True");
}

#[test]
fn a_function_is_signed_for_with_the_secret_that_is_named_and_its_service_is_who_it_says() {
    let cluster = alone(KGATEWAY, &json!([function(&json!({}))]));
    let backend = spec(&cluster, ChildKind::KgatewayBackend, "gw-acme", "thumbs").unwrap();
    let wanted = json!({
        "region": "eu-west-3",
        "auth": {"type": "Secret", "secretRef": {"name": "invoker"}},
        "lambda": {
            "accountId": "123456789012", "functionName": "thumbs", "qualifier": "$LATEST",
            "endpointURL": "https://lambda.eu-west-3.amazonaws.com.:443",
        },
    });
    assert_eq!(backend, json!({"aws": wanted}));
    let policy = spec(&cluster, ChildKind::BackendTlsPolicy, "gw-acme", "thumbs").unwrap();
    assert_eq!(
        policy["validation"],
        json!({"hostname": "lambda.eu-west-3.amazonaws.com", "wellKnownCACertificates": "System"}),
        "kgateway's own TLS to AWS looks at no certificate"
    );
    let live = alone(KGATEWAY, &json!([function(&json!({"qualifier": "live"}))]));
    let backend = spec(&live, ChildKind::KgatewayBackend, "gw-acme", "thumbs").unwrap();
    assert_eq!(backend["aws"]["lambda"]["qualifier"], "live");
}

/// A Secret is named without a namespace: two tenants that name one alike have two.
#[test]
fn each_tenant_has_its_own_secret() {
    let mut cluster = alone(KGATEWAY, &json!([function(&json!({}))]));
    add(&mut cluster, "globex", &json!({}), &json!([function(&json!({}))]));
    for name in ["gw-acme", "gw-globex"] {
        let backend = spec(&cluster, ChildKind::KgatewayBackend, name, "thumbs").unwrap();
        assert_eq!(backend["aws"]["auth"]["secretRef"], json!({"name": "invoker"}));
    }
}

/// With `x-amz-log-type: Tail` a client would be answered the end of the function's log.
#[test]
fn clients_do_not_speak_to_lambda_itself() {
    let names = json!(["x-amz-client-context", "x-amz-durable-execution-name", "x-amz-log-type", "x-amz-tenant-id"]);
    let of = |upstreams: &Value| {
        let cluster = alone(KGATEWAY, upstreams);
        spec(&cluster, ChildKind::TrafficPolicy, "gw-acme", "acme").unwrap()["headerModifiers"]["request"].clone()
    };
    assert_eq!(of(&json!([function(&json!({}))]))["remove"], names);
    assert_eq!(of(&json!([{"name": "crm", "https": {"host": "api.crm.example"}}])), Value::Null, "others keep theirs");
    assert_eq!(of(&json!([function(&json!({"region": "cn-north-1"}))])), Value::Null);
}

#[test]
fn credentials_that_are_not_there_are_said_with_their_field() {
    let mut cluster = alone(KGATEWAY, &json!([function(&json!({}))]));
    assert!(thumbs(&mut cluster).ready);
    let key = ChildKey::new(ChildKind::KgatewayBackend, "gw-acme", "thumbs");
    let mut observed = cluster.world.get(&key).unwrap().clone();
    observed.resource_version = "9999".into();
    observed.facts = Facts::Upstream { refused: Some("Invalid: Secret gw-acme/invoker not found".into()) };
    cluster.world.observe(key, observed);
    let found = thumbs(&mut cluster);
    assert_eq!((found.ready, found.reason.as_deref()), (false, Some("NotProgrammed")));
    let message = found.message.unwrap();
    let wanted = "Secret 'invoker' (lambda.secretName) must be in namespace gw-acme and have accessKey and secretKey";
    assert!(message.contains(wanted), "{message}");
    let (holds, _, message) = condition(&said(&mut cluster), "Ready");
    assert!(holds == "False" && message.starts_with("spec.upstreams[thumbs]: "), "{message}");
}

/// The shared proxies of a class that offers functions may connect to AWS.
#[test]
fn proxies_connect_outside_on_443() {
    let cluster = with(offering(KGATEWAY, &json!(["Lambda"])), "acme", &json!({}), &json!([function(&json!({}))]));
    let policy = spec(&cluster, ChildKind::NetworkPolicy, "octroi-gateways", "standard").unwrap();
    let rules = policy["egress"].as_array().unwrap();
    let outside: Vec<&Value> = rules.iter().filter(|rule| rule["to"][0]["ipBlock"]["cidr"] == "0.0.0.0/0").collect();
    let [only] = outside[..] else { panic!("{outside:?}") };
    assert_eq!(only["ports"], json!([{"port": 443, "protocol": "TCP"}]));
    assert!(only["to"].to_string().contains("169.254.0.0/16"), "where a node's own role is asked for");
}
