//! What is missing is said, nothing is made meanwhile, and what appears is picked up.

use std::collections::BTreeSet;

use kube::ResourceExt as _;
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};

use crate::world::{
    ADMISSION_BINDING, CLASS, ENVOY, GATEWAY, GATEWAYS, LIMITS, NAMESPACE, TENANT, World, apply, class, delete,
    eventually, gateway_class, owned, tenant,
};

#[tokio::test]
async fn without_its_gateway_class_a_class_is_not_accepted_and_its_tenants_make_nothing() {
    let (world, client) = World::shared().await;
    apply(&client, &class("late", "late.test", &json!({"gatewayClassName": "late-envoy"}))).await;
    apply(&client, &tenant("late-a", "late", &json!({}))).await;
    let message = world.says(&client, CLASS, "late", "Accepted", "False", "Invalid").await;
    assert!(message.contains("late-envoy") && message.contains("kubectl get gatewayclasses"), "{message}");
    let message = world.says(&client, TENANT, "late-a", "Accepted", "False", "ClassNotAccepted").await;
    assert!(message.contains("kubectl describe tenantclass late"), "{message}");
    world.says(&client, TENANT, "late-a", "Ready", "False", "ClassNotAccepted").await;
    assert!(owned(&client, "octroi.dev/tenant=late-a").await.is_empty());
    assert!(owned(&client, "octroi.dev/class=late").await.is_empty());
    assert!(NAMESPACE.all(&client).get_opt("late-a").await.unwrap().is_none());

    gateway_class(&client, "late-envoy").await;
    world.says(&client, CLASS, "late", "Ready", "True", "Ready").await;
    world.ready(&client, &["late-a"]).await;
}

#[tokio::test]
async fn a_gateway_class_of_a_stranger_is_refused_by_name() {
    let (world, client) = World::shared().await;
    apply(
        &client,
        &json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "strange"},
            "spec": {"controllerName": "example.net/gateway"}}),
    )
    .await;
    apply(&client, &class("strange", "strange.test", &json!({"gatewayClassName": "strange"}))).await;
    let message = world.says(&client, CLASS, "strange", "Accepted", "False", "Invalid").await;
    assert!(message.contains("example.net/gateway"), "{message}");
}

#[tokio::test]
async fn a_tenant_whose_class_comes_later_waits_for_it() {
    let (world, client) = World::shared().await;
    apply(&client, &tenant("early-a", "early", &json!({}))).await;
    let message = world.says(&client, TENANT, "early-a", "Accepted", "False", "ClassNotFound").await;
    assert!(message.contains("'early'"), "{message}");
    apply(&client, &class("early", "early.test", &json!({}))).await;
    world.ready(&client, &["early-a"]).await;
}

#[tokio::test]
async fn nested_base_domains_are_refused_and_freed_when_the_other_goes() {
    let (world, client) = World::shared().await;
    apply(&client, &class("nest-a", "nest.test", &json!({}))).await;
    world.says(&client, CLASS, "nest-a", "Ready", "True", "Ready").await;
    apply(&client, &class("nest-b", "inner.nest.test", &json!({}))).await;
    world.says(&client, CLASS, "nest-b", "Accepted", "False", "Invalid").await;
    delete(&CLASS.all(&client), "nest-a").await;
    world.says(&client, CLASS, "nest-b", "Ready", "True", "Ready").await;
}

#[tokio::test]
async fn a_gateway_class_that_goes_takes_nothing_along() {
    let (world, client) = World::shared().await;
    gateway_class(&client, "brief-envoy").await;
    apply(&client, &class("brief", "brief.test", &json!({"gatewayClassName": "brief-envoy"}))).await;
    apply(&client, &tenant("brief-a", "brief", &json!({}))).await;
    world.ready(&client, &["brief-a"]).await;
    let classes = crate::world::GATEWAY_CLASS.all(&client);
    delete(&classes, "brief-envoy").await;
    world.says(&client, CLASS, "brief", "Accepted", "False", "Invalid").await;
    world.says(&client, TENANT, "brief-a", "Ready", "False", "ClassNotAccepted").await;
    let gateway = GATEWAY.within(&client, GATEWAYS).get("brief-0").await.unwrap();
    assert!(gateway.metadata.deletion_timestamp.is_none());
    gateway_class(&client, "brief-envoy").await;
    world.ready(&client, &["brief-a"]).await;
    assert_eq!(GATEWAY.within(&client, GATEWAYS).get("brief-0").await.unwrap().uid(), gateway.uid());
}

/// Of an object that is not there yet, there is nothing to merge with: the second try must not hide what the first one said.
#[tokio::test]
async fn why_an_object_is_refused_is_said_also_when_it_was_never_there() {
    let (world, client) = World::shared().await;
    apply(&client, &class("barred", "barred.test", &json!({}))).await;
    for object in bar("barred-limits", "barred-a", "no limits in this namespace today") {
        apply(&client, &object).await;
    }
    // The API server takes a while to act on a new policy.
    let probe = LIMITS.within(&client, PROBED);
    let limits: DynamicObject =
        serde_json::from_value(json!({"metadata": {"name": "probe"}, "spec": {"limits": [{"type": "Pod"}]}})).unwrap();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    eventually("the policy acts", async || probe.create(&dry, &limits).await.err().ok_or("it is admitted".to_owned()))
        .await;
    apply(&client, &tenant("barred-a", "barred", &json!({}))).await;
    let message = world.says(&client, TENANT, "barred-a", "Ready", "False", "ApplyFailed").await;
    assert!(message.contains("limitranges barred-a/"), "{message}");
    assert!(message.contains("no limits in this namespace today") && !message.contains("not there yet"), "{message}");
    delete(&ADMISSION_BINDING.all(&client), "barred-limits").await;
    world.ready(&client, &["barred-a"]).await;
}

/// A namespace in which nobody else writes limits.
const PROBED: &str = "kube-public";

/// Refuses every LimitRange of one namespace, and of [`PROBED`], with 422, as a schema does.
fn bar(name: &str, namespace: &str, message: &str) -> [Value; 2] {
    let api = "admissionregistration.k8s.io/v1";
    let limits = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["limitranges"]});
    let there = format!("!(object.metadata.namespace in ['{namespace}', '{PROBED}'])");
    let spec = json!({"matchConstraints": {"resourceRules": [limits]}, "validations": [{"expression": there, "message": message, "reason": "Invalid"}]});
    let binding = json!({"policyName": name, "validationActions": ["Deny"]});
    [
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec}),
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": binding}),
    ]
}

#[tokio::test]
async fn its_metrics_count_by_kind_and_name_nobody_but_whose_namespaces_are_whose() {
    let (world, client) = World::shared().await;
    apply(&client, &class("count", "count.test", &json!({"gatewayClassName": ENVOY}))).await;
    apply(&client, &tenant("count-me", "count", &json!({}))).await;
    world.ready(&client, &["count-me"]).await;
    assert_eq!(world.operator.get("/livez").await.unwrap(), (200, "ok".into()));
    assert_eq!(world.operator.get("/readyz").await.unwrap(), (200, "ok".into()));
    let (code, text) = world.operator.get("/metrics").await.unwrap();
    assert_eq!(code, 200);
    for wanted in [
        "octroi_leader 1",
        "octroi_writes_total{resource=\"listenersets\",verb=\"patch\",result=\"ok\"}",
        "octroi_writes_total{resource=\"domainclaims\",verb=\"create\",result=\"ok\"}",
        "octroi_reconciles_total{resource=\"tenants\",result=\"ok\"}",
        "octroi_reconcile_duration_seconds_bucket{le=",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    assert!(text.trim_end().ends_with("# EOF"), "{text}");
    let held =
        |namespace| format!("octroi_tenant_namespaces{{tenant=\"count-me\",tenant_namespace=\"{namespace}\"}} 1");
    let named: BTreeSet<String> = text.lines().filter(|line| line.contains("count-me")).map(str::to_owned).collect();
    assert_eq!(named, BTreeSet::from([held("count-me"), held("gw-count-me")]));
}
