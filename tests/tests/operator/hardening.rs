//! A class says whether its data plane's own settings keep tenants apart, and follows them at run time.

use kube::Client;
use serde_json::{Value, json};

use crate::history::History;
use crate::world::{CLASS, CONFIG_MAP, ENVOY_PROXY, KGATEWAY, Kind, World, apply, class, condition, delete, patch};

const DEPLOYMENT: Kind = Kind::of_apps("Deployment", "deployments");

async fn namespace(client: &Client, name: &str) {
    apply(client, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await;
}

fn config(text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "envoy-gateway-config", "namespace": "envoy-gateway-system"},
        "data": {"envoy-gateway.yaml": text}})
}

const GOOD: &str = "provider: {kubernetes: {deploy: {type: GatewayNamespace}}}";

#[tokio::test]
async fn a_class_follows_the_settings_of_envoy_gateway_with_one_write_each() {
    // Nobody else may change a class here: writes are counted.
    let world = World::start().await;
    let client = world.lab.client().unwrap();
    let says = async |status: &str, reason: &str| {
        world.says(&client, CLASS, "hard", "DataPlaneHardened", status, reason).await
    };
    apply(&client, &class("hard", "hard.test", &json!({}))).await;
    let message = says("Unknown", "SettingsUnknown").await;
    assert!(message.contains("envoy-gateway-system/envoy-gateway-config"), "{message}");
    world.says(&client, CLASS, "hard", "Ready", "True", "Ready").await;
    let history = History::of(&client, &[CLASS]).await;

    namespace(&client, "envoy-gateway-system").await;
    apply(&client, &config(&format!("{GOOD}\nextensionApis: {{enableLua: true}}"))).await;
    let message = says("False", "NotHardened").await;
    assert!(message.contains("enableLua"), "{message}");
    world.says(&client, CLASS, "hard", "Ready", "True", "Ready").await;
    // Another object of that namespace says nothing, whatever it is called by its labels.
    let stranger = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"envoy-gateway.yaml": GOOD},
        "metadata": {"name": "stranger", "namespace": "envoy-gateway-system", "labels": {"app.kubernetes.io/name": "gateway-helm"}}});
    apply(&client, &stranger).await;
    apply(&client, &config(GOOD)).await;
    says("True", "Ready").await;
    // What is not judged wakes nobody.
    patch(
        &CONFIG_MAP.within(&client, "envoy-gateway-system"),
        "envoy-gateway-config",
        &json!({"metadata": {"annotations": {"a": "b"}}}),
    )
    .await;
    delete(&CONFIG_MAP.within(&client, "envoy-gateway-system"), "envoy-gateway-config").await;
    says("Unknown", "SettingsUnknown").await;

    let said: Vec<String> = history
        .scenes()
        .await
        .into_iter()
        .filter(|(entry, _)| entry.kind == CLASS)
        .filter_map(|(entry, _)| Some(condition(&entry.object, "DataPlaneHardened")?["status"].as_str()?.to_owned()))
        .collect();
    let changes = said.iter().skip_while(|status| *status == "Unknown").collect::<Vec<_>>();
    assert_eq!(changes, ["False", "True", "Unknown"], "one write for each change");
}

#[tokio::test]
async fn a_class_follows_the_settings_of_kgateway_and_merged_gateways() {
    let (world, client) = World::shared().await;
    apply(&client, &class("hard-kgateway", "hard-kgateway.test", &json!({"gatewayClassName": KGATEWAY}))).await;
    let of = "DataPlaneHardened";
    world.says(&client, CLASS, "hard-kgateway", of, "Unknown", "SettingsUnknown").await;
    namespace(&client, "kgateway-system").await;
    let deployment = |env: &Value| {
        let pod = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "controller", "image": "i", "env": env}]}});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kgateway", "namespace": "kgateway-system"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": pod}})
    };
    apply(&client, &deployment(&json!([]))).await;
    let message = world.says(&client, CLASS, "hard-kgateway", of, "False", "NotHardened").await;
    assert!(message.contains("KGW_REFERENCE_GRANT_MODE"), "{message}");
    apply(&client, &deployment(&json!([{"name": "KGW_REFERENCE_GRANT_MODE", "value": "STRICT"}]))).await;
    world.says(&client, CLASS, "hard-kgateway", of, "True", "Ready").await;
    delete(&DEPLOYMENT.within(&client, "kgateway-system"), "kgateway").await;
    world.says(&client, CLASS, "hard-kgateway", of, "Unknown", "SettingsUnknown").await;

    let parameters = json!({"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "merged", "namespace": "kgateway-system"});
    let merged = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "merged"},
        "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller", "parametersRef": parameters}});
    apply(&client, &merged).await;
    apply(&client, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "envoy-gateway-system"}}))
        .await;
    apply(&client, &config(GOOD)).await;
    apply(&client, &class("hard-merged", "hard-merged.test", &json!({"gatewayClassName": "merged"}))).await;
    world.says(&client, CLASS, "hard-merged", of, "True", "Ready").await;
    let proxy = |merge: bool| {
        json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyProxy",
            "metadata": {"name": "merged", "namespace": "kgateway-system"}, "spec": {"mergeGateways": merge}})
    };
    apply(&client, &proxy(true)).await;
    let message = world.says(&client, CLASS, "hard-merged", of, "False", "NotHardened").await;
    assert!(message.contains("EnvoyProxy kgateway-system/merged"), "{message}");
    delete(&ENVOY_PROXY.within(&client, "kgateway-system"), "merged").await;
    world.says(&client, CLASS, "hard-merged", of, "True", "Ready").await;
}
