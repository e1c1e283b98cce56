//! A host has one owner at every instant, and the same one after a restore in any order.

use std::collections::BTreeSet;

use kube::ResourceExt as _;
use kube::api::{DynamicObject, ListParams};
use octroi_tests::player::{Order, Part};
use serde_json::{Value, json};

use crate::history::{History, Scene};
use crate::world::{
    CLAIM, ENTRY, NAMESPACE, TENANT, World, apply, class, condition, delete, eventually, patch, tenant,
};

fn hosts(listeners: &DynamicObject) -> Vec<String> {
    let all = listeners.data["spec"]["listeners"].as_array().cloned().unwrap_or_default();
    all.iter().map(|listener| listener["hostname"].as_str().unwrap().to_owned()).collect()
}

fn domains(hosts: &[&str]) -> Value {
    json!({"domains": hosts.iter().map(|host| json!({"host": host})).collect::<Vec<_>>(), "deletion": {"protect": false}})
}

#[tokio::test]
async fn the_first_keeps_a_host_and_the_second_gets_it_only_after_the_firsts_entry_has_let_go() {
    const HOST: &str = "shop.claims.example";
    let (world, client) = World::shared().await;
    let history = History::of(&client, &[TENANT, CLAIM, ENTRY]).await;
    apply(&client, &class("claims", "claims.test", &json!({}))).await;
    apply(&client, &tenant("claims-a", "claims", &domains(&[HOST]))).await;
    world.ready(&client, &["claims-a"]).await;
    apply(&client, &tenant("claims-b", "claims", &domains(&[HOST, "b.claims.example"]))).await;

    let message = world.says(&client, TENANT, "claims-b", "Ready", "False", "HostTaken").await;
    assert!(message.contains(HOST), "{message}");
    let second = world
        .eventually("the second serves its other hosts", async || {
            let second = TENANT.all(&client).get("claims-b").await.unwrap();
            let of = |host: &str| {
                let all = second.data["status"]["domains"].as_array()?;
                all.iter().find(|domain| domain["host"] == host)?["ready"].as_bool()
            };
            let is_so = of("b.claims.example") == Some(true) && of("claims-b.claims.test") == Some(true);
            let refused = of(HOST) == Some(false);
            if is_so && refused { Ok(second.clone()) } else { Err(second.data["status"].to_string()) }
        })
        .await;
    let said = second.data["status"].to_string();
    assert!(!said.contains("claims-a"), "it names the other tenant: {said}");
    let entry = ENTRY.within(&client, "gw-claims-b").get("claims-b").await.unwrap();
    assert!(!hosts(&entry).contains(&HOST.to_owned()));

    // The data plane of the first has not yet looked at the entry without the host.
    world.player.order(Part::ListenerSet, "gw-claims-a", "claims-a", Order::Hold);
    apply(&client, &tenant("claims-a", "claims", &domains(&[]))).await;
    let entries = ENTRY.within(&client, "gw-claims-a");
    let gone = world
        .eventually("the host leaves the first's entry", async || {
            let entry = entries.get("claims-a").await.unwrap();
            if hosts(&entry).contains(&HOST.to_owned()) { Err(entry.data.to_string()) } else { Ok(entry) }
        })
        .await;
    world.says(&client, TENANT, "claims-a", "Ready", "False", "Progressing").await;
    assert_eq!(CLAIM.all(&client).get(HOST).await.unwrap().data["spec"]["tenant"], "claims-a");
    world.player.order(Part::ListenerSet, "gw-claims-a", "claims-a", Order::Serve);
    world.ready(&client, &["claims-a", "claims-b"]).await;
    assert_eq!(CLAIM.all(&client).get(HOST).await.unwrap().data["spec"]["tenant"], "claims-b");

    let scenes = history.scenes().await;
    for (entry, scene) in &scenes {
        let holders = holders(scene, HOST);
        assert!(holders.len() <= 1, "{holders:?} at version {}", entry.version);
    }
    let claim_went = scenes.iter().find(|(e, _)| e.kind == CLAIM && e.is_gone && e.object.name_any() == HOST).unwrap();
    let first = &claim_went.1[&(ENTRY, "gw-claims-a/claims-a".to_owned())];
    let programmed = condition(first, "Programmed").unwrap();
    assert!(programmed["observedGeneration"].as_i64() >= gone.metadata.generation, "{programmed}");
}

/// The namespaces of the tenants that have a listener for a host, on whatever port.
fn holders(scene: &Scene, host: &str) -> BTreeSet<String> {
    let lists = |((kind, _), object): (&(crate::world::Kind, String), &DynamicObject)| {
        (*kind == ENTRY && hosts(object).iter().any(|h| h == host)).then(|| object.namespace().unwrap_or_default())
    };
    scene.iter().filter_map(lists).collect()
}

#[tokio::test]
async fn a_host_under_somebody_elses_wildcard_is_taken_too() {
    let (world, client) = World::shared().await;
    apply(&client, &class("wild", "wild.test", &json!({}))).await;
    apply(&client, &tenant("wild-a", "wild", &domains(&["*.wild.example"]))).await;
    world.ready(&client, &["wild-a"]).await;
    apply(&client, &tenant("wild-b", "wild", &domains(&["shop.wild.example"]))).await;
    let message = world.says(&client, TENANT, "wild-b", "Ready", "False", "HostTaken").await;
    assert!(message.contains("shop.wild.example") && !message.contains("wild-a"), "{message}");
    apply(&client, &tenant("wild-a", "wild", &domains(&[]))).await;
    world.ready(&client, &["wild-a", "wild-b"]).await;
}

#[tokio::test]
async fn two_that_ask_at_once_are_one_owner_and_one_refusal() {
    const HOST: &str = "both.race.example";
    let (world, client) = World::shared().await;
    apply(&client, &class("race", "race.test", &json!({}))).await;
    let (a, b) = (tenant("race-a", "race", &domains(&[HOST])), tenant("race-b", "race", &domains(&[HOST])));
    tokio::join!(apply(&client, &a), apply(&client, &b));
    let owner = world
        .eventually("somebody has it", async || {
            let claim = CLAIM.all(&client).get_opt(HOST).await.unwrap().ok_or("nobody has it")?;
            Ok(claim.data["spec"]["tenant"].as_str().unwrap().to_owned())
        })
        .await;
    let loser = if owner == "race-a" { "race-b" } else { "race-a" };
    world.ready(&client, &[&owner]).await;
    world.says(&client, TENANT, loser, "Ready", "False", "HostTaken").await;
    // The owner goes for good, and what it held is free; also when somebody took the labels off its claim.
    patch(&CLAIM.all(&client), HOST, &json!({"metadata": {"labels": null}})).await;
    delete(&TENANT.all(&client), &owner).await;
    world.ready(&client, &[loser]).await;
}

#[tokio::test]
async fn of_two_that_name_one_namespace_the_first_keeps_it_and_the_second_makes_nothing() {
    let (world, client) = World::shared().await;
    apply(&client, &class("rooms", "rooms.test", &json!({}))).await;
    let rooms = json!({"namespaces": [{"name": "rooms-shared"}]});
    apply(&client, &tenant("rooms-a", "rooms", &rooms)).await;
    world.ready(&client, &["rooms-a"]).await;
    apply(&client, &tenant("rooms-b", "rooms", &rooms)).await;
    let message = world.says(&client, TENANT, "rooms-b", "Accepted", "False", "NamespaceTaken").await;
    assert!(message.contains("rooms-shared") && !message.contains("rooms-a"), "{message}");
    world.says(&client, TENANT, "rooms-b", "Ready", "False", "NamespaceTaken").await;
    assert!(NAMESPACE.all(&client).get_opt("gw-rooms-b").await.unwrap().is_none());
    assert!(crate::world::owned(&client, "octroi.dev/tenant=rooms-b").await.is_empty());

    // A namespace that was there before and is nobody's is not taken either.
    apply(&client, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "rooms-old"}})).await;
    let old = json!({"namespaces": [{"name": "rooms-old"}]});
    apply(&client, &tenant("rooms-c", "rooms", &old)).await;
    world.says(&client, TENANT, "rooms-c", "Accepted", "False", "NamespaceTaken").await;
    let old = NAMESPACE.all(&client).get("rooms-old").await.unwrap();
    assert!(old.labels().keys().all(|key| !key.starts_with("octroi.dev/")), "{:?}", old.labels());

    apply(&client, &tenant("rooms-a", "rooms", &json!({}))).await;
    world.ready(&client, &["rooms-a"]).await;
    // The first has let it go; it stays, so it is still not the second's to take.
    world.says(&client, TENANT, "rooms-b", "Accepted", "False", "NamespaceTaken").await;
    delete(&NAMESPACE.all(&client), "rooms-shared").await;
    world.ready(&client, &["rooms-b"]).await;
}

#[tokio::test]
async fn a_restore_in_reverse_order_gives_the_same_owners() {
    let (world, client) = World::shared().await;
    apply(&client, &class("back", "back.test", &json!({}))).await;
    let tenants: Vec<Value> = ["back-a", "back-b", "back-c"]
        .iter()
        .map(|name| {
            tenant(
                name,
                "back",
                &json!({"domains": [{"host": "one.back.example"}, {"host": format!("{name}.example")}]}),
            )
        })
        .collect();
    apply(&client, &tenants[0]).await;
    world.ready(&client, &["back-a"]).await;
    for (name, wanted) in [("back-b", &tenants[1]), ("back-c", &tenants[2])] {
        apply(&client, wanted).await;
        world.says(&client, TENANT, name, "Ready", "False", "HostTaken").await;
    }
    let before = owners(&client).await;

    // What a backup holds of the claims, and what it restores first.
    let claims = CLAIM.all(&client).list(&ListParams::default()).await.unwrap().items;
    let ours: Vec<_> = claims.into_iter().filter(is_back).collect();
    for name in ["back-a", "back-b", "back-c"] {
        delete(&TENANT.all(&client), name).await;
        eventually("the Tenant is gone", async || match TENANT.all(&client).get_opt(name).await.unwrap() {
            None => Ok(()),
            Some(still) => Err(still.data.to_string()),
        })
        .await;
    }
    for claim in &ours {
        delete(&CLAIM.all(&client), &claim.name_any()).await;
    }
    for claim in ours.iter().rev() {
        let restored = json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "DomainClaim",
            "metadata": {"name": claim.name_any(), "labels": claim.labels()}, "spec": claim.data["spec"]});
        apply(&client, &restored).await;
    }
    for wanted in tenants.iter().rev() {
        apply(&client, wanted).await;
    }
    world.ready(&client, &["back-a"]).await;
    world.says(&client, TENANT, "back-b", "Ready", "False", "HostTaken").await;
    world.says(&client, TENANT, "back-c", "Ready", "False", "HostTaken").await;
    assert_eq!(owners(&client).await, before);
}

fn is_back(claim: &DynamicObject) -> bool {
    claim.data["spec"]["tenant"].as_str().is_some_and(|tenant| tenant.starts_with("back-"))
}

async fn owners(client: &kube::Client) -> Vec<String> {
    let claims = CLAIM.all(client).list(&ListParams::default()).await.unwrap().items;
    claims.iter().filter(|claim| is_back(claim)).map(|claim| claim.data["spec"].to_string()).collect()
}
