//! What a tenant's developer may write with Octroi's labels on it changes nothing for anybody else.

use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::world::{CLASS, CONFIG_MAP, TENANT, World, apply, class, condition, delete, eventually, patch, tenant};

fn is_ready(object: &DynamicObject) -> bool {
    condition(object, "Ready").is_some_and(|ready| ready["status"] == "True")
}

/// A ConfigMap in the intruder's own namespace that says it is somebody else's, and that nobody can delete.
fn forged(name: &str, label: &str, owner: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": name, "namespace": "forge-a", "finalizers": ["forge.example/stay"],
        "labels": {label: owner, "app.kubernetes.io/managed-by": "octroi"},
    }})
}

#[tokio::test]
async fn a_forged_label_holds_up_neither_another_tenant_nor_its_class() {
    let (world, client) = World::shared().await;
    apply(&client, &class("forge", "forge.test", &json!({}))).await;
    for name in ["forge-a", "forge-b"] {
        let spec = json!({"deletion": {"protect": false, "namespaces": "Delete"}});
        apply(&client, &tenant(name, "forge", &spec)).await;
    }
    world.ready(&client, &["forge-a", "forge-b"]).await;
    world.says(&client, CLASS, "forge", "Ready", "True", "Ready").await;
    apply(&client, &forged("to-tenant", "octroi.dev/tenant", "forge-b")).await;
    apply(&client, &forged("to-class", "octroi.dev/class", "forge")).await;

    // Both are looked at again, with a spec of another generation.
    let contact = json!({"spec": {"contact": {"team": "Forge"}}});
    patch(&TENANT.all(&client), "forge-b", &contact).await;
    patch(&CLASS.all(&client), "forge", &json!({"spec": {"gateway": {"maxTenantsPerShard": 50}}})).await;
    world.ready(&client, &["forge-b"]).await;
    world.says(&client, CLASS, "forge", "Ready", "True", "Ready").await;
    let victim = TENANT.all(&client).get("forge-b").await.unwrap();
    assert!(is_ready(&victim) && !victim.data["status"].to_string().contains("forge-a"), "{:?}", victim.data);

    // Nor can it keep the other from going.
    delete(&TENANT.all(&client), "forge-b").await;
    eventually("the other tenant goes", async || match TENANT.all(&client).get_opt("forge-b").await.unwrap() {
        None => Ok(()),
        Some(still) => Err(still.data["status"].to_string()),
    })
    .await;
    for name in ["to-tenant", "to-class"] {
        patch(&CONFIG_MAP.within(&client, "forge-a"), name, &json!({"metadata": {"finalizers": null}})).await;
    }
    world.ready(&client, &["forge-a"]).await;
}
