//! A port of a class's shared Gateways has one tenant at every instant.

use kube::api::DynamicObject;
use octroi_tests::player::{Order, Part};
use serde_json::{Value, json};

use crate::history::{History, Scene};
use crate::world::{ENTRY, PORT_CLAIM, TENANT, World, apply, class, delete, tenant};

const PORT: u16 = 5432;

/// A class that offers the port.
fn offering(name: &str) -> Value {
    let mut class = class(name, &format!("{name}.test"), &json!({}));
    class["spec"]["layer4"] = json!({"ports": [{"from": PORT, "protocols": ["TCP"]}]});
    class
}

fn asking(name: &str, class: &str, asks: bool) -> Value {
    let port = json!([{"name": "postgres", "protocol": "TCP", "port": PORT}]);
    let layer4 = if asks { port } else { json!([]) };
    tenant(name, class, &json!({"layer4": layer4, "deletion": {"protect": false}}))
}

fn listens(entry: &DynamicObject) -> bool {
    let all = entry.data["spec"]["listeners"].as_array().cloned().unwrap_or_default();
    all.iter().any(|listener| listener["port"] == PORT)
}

fn listeners(scene: &Scene) -> usize {
    scene.iter().filter(|((kind, _), object)| *kind == ENTRY && listens(object)).count()
}

#[tokio::test]
async fn the_first_keeps_a_port_and_the_second_gets_it_only_after_the_firsts_entry_has_let_go() {
    const CLAIM: &str = "harbour.tcp-5432";
    let (world, client) = World::shared().await;
    let history = History::of(&client, &[TENANT, PORT_CLAIM, ENTRY]).await;
    apply(&client, &offering("harbour")).await;
    apply(&client, &asking("harbour-a", "harbour", true)).await;
    world.ready(&client, &["harbour-a"]).await;
    apply(&client, &asking("harbour-b", "harbour", true)).await;
    let message = world.says(&client, TENANT, "harbour-b", "Ready", "False", "PortTaken").await;
    assert!(message.contains("spec.layer4[postgres]") && !message.contains("harbour-a"), "{message}");
    let second = ENTRY.within(&client, "gw-harbour-b").get("harbour-b").await.unwrap();
    assert!(!listens(&second), "{second:?}");

    // The data plane of the first has not yet looked at the entry without the port.
    world.player.order(Part::ListenerSet, "gw-harbour-a", "harbour-a", Order::Hold);
    apply(&client, &asking("harbour-a", "harbour", false)).await;
    let entries = ENTRY.within(&client, "gw-harbour-a");
    world
        .eventually("the port leaves the first's entry", async || {
            let entry = entries.get("harbour-a").await.unwrap();
            if listens(&entry) { Err(entry.data.to_string()) } else { Ok(()) }
        })
        .await;
    assert_eq!(PORT_CLAIM.all(&client).get(CLAIM).await.unwrap().data["spec"]["tenant"], "harbour-a");
    world.player.order(Part::ListenerSet, "gw-harbour-a", "harbour-a", Order::Serve);
    world.ready(&client, &["harbour-a", "harbour-b"]).await;
    assert_eq!(PORT_CLAIM.all(&client).get(CLAIM).await.unwrap().data["spec"]["tenant"], "harbour-b");
    for (entry, scene) in &history.scenes().await {
        let of_class = scene.iter().filter(|((_, path), _)| path.contains("harbour"));
        let of_class: Scene = of_class.map(|(key, object)| (key.clone(), object.clone())).collect();
        assert!(listeners(&of_class) <= 1, "two at version {}", entry.version);
    }
}

#[tokio::test]
async fn two_that_ask_for_a_port_at_once_are_one_owner_and_one_refusal() {
    const CLAIM: &str = "quay.tcp-5432";
    let (world, client) = World::shared().await;
    apply(&client, &offering("quay")).await;
    let (a, b) = (asking("quay-a", "quay", true), asking("quay-b", "quay", true));
    tokio::join!(apply(&client, &a), apply(&client, &b));
    let owner = world
        .eventually("somebody has it", async || {
            let claim = PORT_CLAIM.all(&client).get_opt(CLAIM).await.unwrap().ok_or("nobody has it")?;
            Ok(claim.data["spec"]["tenant"].as_str().unwrap().to_owned())
        })
        .await;
    let loser = if owner == "quay-a" { "quay-b" } else { "quay-a" };
    world.ready(&client, &[&owner]).await;
    world.says(&client, TENANT, loser, "Ready", "False", "PortTaken").await;
    // The owner goes for good, and what it held is free.
    delete(&TENANT.all(&client), &owner).await;
    world.ready(&client, &[loser]).await;
}
