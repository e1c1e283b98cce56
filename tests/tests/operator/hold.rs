//! `octroi suspend`, `resume` and `status`, as the run team and a tenant's member type them.

use std::path::{Path, PathBuf};

use octroi_tests::operator::command;
use octroi_tests::player::{Order, Part};
use serde_json::{Value, json};

use crate::world::{CONFIG_MAP, ENTRY, TENANT, World, apply, class, patch, tenant};

/// Runs a command that must go well.
async fn done(kubeconfig: &Path, args: &[&str]) -> String {
    let (is_well, said) = command(kubeconfig, args).await.unwrap();
    assert!(is_well, "octroi {args:?}: {said}");
    said
}

/// Runs a command that must fail, and say this.
async fn refused(kubeconfig: &Path, args: &[&str], words: &[&str]) {
    let (is_well, said) = command(kubeconfig, args).await.unwrap();
    assert!(!is_well, "octroi {args:?}: {said}");
    assert_says(&said, words);
}

fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "lacks {word:?}:\n{said}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_and_changes_nothing() {
    let (world, client) = World::shared().await;
    apply(&client, &class("typo", "typo.test", &json!({}))).await;
    apply(&client, &tenant("typo-a", "typo", &json!({}))).await;
    apply(&client, &tenant("typo-b", "typo", &json!({"members": [{"kind": "Group", "name": "others"}]}))).await;
    world.ready(&client, &["typo-a", "typo-b"]).await;
    let before = TENANT.all(&client).get("typo-a").await.unwrap();
    let admin = world.lab.kubeconfig();
    let suspend = |more: &[&'static str]| [&["suspend", "typo-a", "--reason", "why"], more].concat();
    refused(admin, &["suspend", "nobody", "--reason", "why"], &["there is no Tenant 'nobody'", "kubectl get tenants"])
        .await;
    refused(admin, &["resume", "nobody"], &["there is no Tenant 'nobody'"]).await;
    refused(admin, &["status", "nobody"], &["there is no Tenant 'nobody'"]).await;
    refused(admin, &["suspend", "typo-a"], &["--reason"]).await;
    refused(admin, &["suspend", "typo-a", "--reason", " "], &["say why"]).await;
    refused(admin, &suspend(&["--until", "2020-01-01T00:00:00Z"]), &["2020-01-01T00:00:00Z is over"]).await;
    refused(admin, &suspend(&["--until", "tomorrow"]), &["2026-12-31T18:00:00Z"]).await;
    refused(admin, &suspend(&["--for", "soon"]), &["90m, 2h or 3d"]).await;
    refused(admin, &suspend(&["--for", "2h", "--until", "2099-01-01T00:00:00Z"]), &["cannot be used with"]).await;
    refused(admin, &suspend(&["--context", "elsewhere"]), &["no context 'elsewhere'"]).await;
    refused(admin, &suspend(&["--timeout", "0"]), &["1..=3600"]).await;

    // A member reads its own Tenant, and no more.
    let jane = member(world, "jane", "devs");
    assert_says(&done(&jane, &["status", "typo-a"]).await, &["Tenant typo-a", "state    Active"]);
    refused(&jane, &["status", "typo-b"], &["you may not read Tenant 'typo-b'"]).await;
    refused(&jane, &suspend(&[]), &["you may not hold or resume Tenant 'typo-a'", "the run team"]).await;
    refused(&jane, &["resume", "typo-a"], &["you may not hold or resume"]).await;

    let after = TENANT.all(&client).get("typo-a").await.unwrap();
    assert_eq!(after.metadata.annotations, before.metadata.annotations);
}

fn member(world: &World, name: &str, group: &str) -> PathBuf {
    world.lab.kubeconfig_as(name, &[group]).unwrap()
}

#[tokio::test]
async fn a_tenant_is_suspended_and_resumed_from_the_command_line() {
    let (world, client) = World::shared().await;
    let (admin, tenants) = (world.lab.kubeconfig(), TENANT.all(&client));
    apply(&client, &class("stop", "stop.test", &json!({}))).await;
    let mut wanted = tenant("stop-a", "stop", &json!({}));
    wanted["metadata"]["annotations"] = json!({"example.com/ticket": "T-1"});
    apply(&client, &wanted).await;
    world.ready(&client, &["stop-a"]).await;
    let jane = member(world, "jim", "devs");

    let said = done(admin, &["suspend", "stop-a", "--cordon", "--reason", "audit", "--for", "2h"]).await;
    assert_says(
        &said,
        &["stop-a is held: Cordoned until ", "because: audit.", "octroi resume stop-a", "In force after"],
    );
    world.says(&client, TENANT, "stop-a", "Ready", "True", "Held").await;
    let said = done(admin, &["suspend", "stop-a", "--reason", "phishing"]).await;
    assert_says(&said, &["held: Suspended, because: phishing.", "This replaces: Cordoned until ", "answers 503"]);
    // In force means in force: the entry lets nothing of the tenant's in any more.
    world.says(&client, TENANT, "stop-a", "Ready", "False", "Held").await;
    let entry = ENTRY.within(&client, "gw-stop-a").get("stop-a").await.unwrap();
    assert_eq!(entry.data["spec"]["listeners"][0]["allowedRoutes"]["namespaces"], json!({"from": "Same"}));
    let annotations = tenants.get("stop-a").await.unwrap().metadata.annotations.unwrap();
    assert_eq!(annotations["example.com/ticket"], "T-1", "somebody else's annotation is lost");
    assert!(!annotations.contains_key("octroi.dev/hold-until"), "the end of the earlier hold is left: {annotations:?}");
    let said = done(&jane, &["status", "stop-a"]).await;
    assert_says(
        &said,
        &["state    Suspended", "Suspended, because: phishing", "octroi resume stop-a", "ready    False (Held)"],
    );

    // The stricter wins, and the spec's own state is not the hold's.
    patch(&tenants, "stop-a", &json!({"spec": {"state": "Cordoned"}})).await;
    let said = done(admin, &["resume", "stop-a"]).await;
    assert_says(
        &said,
        &[
            "It was: Suspended, because: phishing",
            "spec.state still says Cordoned",
            "kubectl patch tenant stop-a",
            "take nothing new",
        ],
    );
    world.says(&client, TENANT, "stop-a", "Ready", "True", "Held").await;
    patch(&tenants, "stop-a", &json!({"spec": {"state": "Suspended"}})).await;
    let said = done(admin, &["suspend", "stop-a", "--cordon", "--reason", "audit", "--no-wait"]).await;
    assert_says(&said, &["spec.state says Suspended, which is stricter", "Not waited for"]);
    patch(&tenants, "stop-a", &json!({"spec": {"state": null}})).await;
    assert_says(&done(admin, &["resume", "stop-a"]).await, &["It was: Cordoned, because: audit", "are served."]);
    world.ready(&client, &["stop-a"]).await;
    assert_says(&done(admin, &["resume", "stop-a"]).await, &["stop-a was not held"]);
    let annotations = tenants.get("stop-a").await.unwrap().metadata.annotations.unwrap();
    assert!(annotations.keys().all(|name| !name.starts_with("octroi.dev/hold")), "{annotations:?}");
}

#[tokio::test]
async fn a_suspension_that_the_data_plane_does_not_follow_is_not_said_to_be_in_force() {
    let (world, client) = World::shared().await;
    apply(&client, &class("stuck", "stuck.test", &json!({}))).await;
    apply(&client, &tenant("stuck-a", "stuck", &json!({}))).await;
    world.ready(&client, &["stuck-a"]).await;
    world.player.order(Part::ListenerSet, "gw-stuck-a", "stuck-a", Order::Hold);
    let suspend = ["suspend", "stuck-a", "--reason", "phishing", "--timeout", "2"];
    refused(
        world.lab.kubeconfig(),
        &suspend,
        &["is held: Suspended", "not in force after 2 s", "octroi status stuck-a"],
    )
    .await;
    let held = TENANT.all(&client).get("stuck-a").await.unwrap().metadata.annotations.unwrap();
    assert_eq!(held["octroi.dev/hold"], "Suspended", "it is written all the same");
    world.player.order(Part::ListenerSet, "gw-stuck-a", "stuck-a", Order::Serve);
    world.says(&client, TENANT, "stuck-a", "Ready", "False", "Held").await;
    // Nothing was deleted.
    let config = CONFIG_MAP.within(&client, "stuck-a").get("octroi-entry").await.unwrap();
    assert_ne!(config.data["data"]["hosts"], Value::Null);
}
