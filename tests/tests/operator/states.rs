//! A tenant that is cordoned or suspended, by its spec or by an annotation, and one whose hold ends by itself.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Client;
use serde_json::{Value, json};

use crate::world::{ENTRY, NAMESPACE, ROUTE, TENANT, World, apply, class, patch, tenant};

async fn label_becomes(world: &World, client: &Client, namespace: &str, state: &str) {
    world
        .eventually(&format!("{namespace} says {state}"), async || {
            let labels = NAMESPACE.all(client).get(namespace).await.unwrap().metadata.labels.unwrap_or_default();
            let now = labels.get("octroi.dev/state").cloned().unwrap_or_default();
            if now == state { Ok(()) } else { Err(now) }
        })
        .await;
}

async fn hold(client: &Client, name: &str, annotations: &Value) {
    patch(&TENANT.all(client), name, &json!({"metadata": {"annotations": annotations}})).await;
}

#[tokio::test]
async fn the_stricter_of_spec_and_hold_is_in_force_and_said() {
    let (world, client) = World::shared().await;
    apply(&client, &class("held", "held.test", &json!({}))).await;
    apply(&client, &tenant("held", "held", &json!({"state": "Cordoned"}))).await;
    let said = world.says(&client, TENANT, "held", "Ready", "True", "Held").await;
    assert_eq!(
        said,
        "Cordoned by spec.state: its routes are served as they are and take nothing new. To end it: set spec.state: Active"
    );
    label_becomes(world, &client, "held", "Cordoned").await;

    hold(&client, "held", &json!({"octroi.dev/hold": "Suspended", "octroi.dev/hold-reason": "abuse report 4711"}))
        .await;
    let said = world.says(&client, TENANT, "held", "Ready", "False", "Held").await;
    assert!(said.starts_with("Suspended by octroi.dev/hold (abuse report 4711): every host answers 503"), "{said}");
    assert!(said.ends_with("To end it: octroi resume held"), "{said}");
    label_becomes(world, &client, "held", "Suspended").await;
    label_becomes(world, &client, "gw-held", "Suspended").await;
    let entry = ENTRY.within(&client, "gw-held").get("held").await.unwrap();
    assert_eq!(entry.data["spec"]["listeners"][0]["allowedRoutes"]["namespaces"], json!({"from": "Same"}));

    hold(&client, "held", &json!({"octroi.dev/hold": null, "octroi.dev/hold-reason": null})).await;
    label_becomes(world, &client, "held", "Cordoned").await;
    world.says(&client, TENANT, "held", "Ready", "True", "Held").await;
    let page = ROUTE.within(&client, "gw-held").get_opt("octroi-suspended").await.unwrap();
    assert!(page.is_none(), "the page goes with the suspension");
}

#[tokio::test]
async fn a_hold_ends_by_itself() {
    let (world, client) = World::shared().await;
    apply(&client, &class("soon", "soon.test", &json!({}))).await;
    apply(&client, &tenant("soon", "soon", &json!({}))).await;
    world.ready(&client, &["soon"]).await;
    let until = Timestamp::now() + SignedDuration::from_secs(4);
    hold(&client, "soon", &json!({"octroi.dev/hold": "Suspended", "octroi.dev/hold-until": until.to_string()})).await;
    label_becomes(world, &client, "soon", "Suspended").await;
    label_becomes(world, &client, "soon", "Active").await;
    assert!(Timestamp::now() >= until, "it ended before its time");
    world.ready(&client, &["soon"]).await;
}

#[tokio::test]
async fn a_hold_that_cannot_be_read_changes_nothing_and_says_so() {
    let (world, client) = World::shared().await;
    apply(&client, &class("typo", "typo.test", &json!({}))).await;
    apply(&client, &tenant("typo", "typo", &json!({}))).await;
    world.ready(&client, &["typo"]).await;
    hold(&client, "typo", &json!({"octroi.dev/hold": "suspended"})).await;
    let refusal = "metadata.annotations[octroi.dev/hold]: 'suspended' is no state to hold a tenant in";
    world.mentions(&client, TENANT, "typo", ["Accepted", "False", "Invalid"], refusal).await;
    label_becomes(world, &client, "typo", "Active").await;
}
