//! Shared Gateways: filled, never overfilled, and nobody is moved.

use std::collections::BTreeMap;

use kube::api::ListParams;
use kube::{Client, ResourceExt as _};
use octroi_tests::operator::Operator;
use serde_json::json;

use crate::history::{History, Scene};
use crate::world::{
    CLASS, ENTRY, GATEWAY, GATEWAYS, NAMESPACE, TENANT, World, apply, class, delete, eventually, patch, tenant,
};

/// Tenants by the Gateway that their entry names.
fn shards(scene: &Scene) -> BTreeMap<String, Vec<String>> {
    let mut shards = BTreeMap::<String, Vec<String>>::new();
    for object in scene.iter().filter(|((kind, _), _)| *kind == ENTRY).map(|(_, object)| object) {
        let parent = object.data["spec"]["parentRef"]["name"].as_str().unwrap();
        shards.entry(parent.to_owned()).or_default().push(object.name_any());
    }
    shards
}

async fn now(client: &Client) -> BTreeMap<String, Vec<String>> {
    let entries = ENTRY.all(client).list(&ListParams::default()).await.unwrap().items;
    shards(&entries.into_iter().map(|object| ((ENTRY, object.name_any()), object)).collect())
}

async fn says(world: &World, client: &Client, tenants: i64, on: &[i64]) {
    world
        .eventually("the class's status counts its tenants", async || {
            let status = CLASS.all(client).get("crowd").await.unwrap().data["status"].clone();
            let listed: Vec<_> =
                status["shards"].as_array().into_iter().flatten().map(|s| s["tenants"].clone()).collect();
            let is_so = status["tenants"] == tenants && listed == on;
            if is_so { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
}

#[tokio::test]
async fn five_tenants_two_by_two_make_three_gateways_and_stay_where_they_are() {
    let mut world = World::start().await;
    let client = world.lab.client().unwrap();
    let history = History::of(&client, &[ENTRY]).await;
    apply(&client, &class("crowd", "crowd.test", &json!({"maxTenantsPerShard": 2}))).await;
    let free = json!({"deletion": {"protect": false}});
    let names = ["crowd-a", "crowd-b", "crowd-c", "crowd-d", "crowd-e"];
    let wanted: Vec<_> = names.iter().map(|name| tenant(name, "crowd", &free)).collect();
    futures::future::join_all(wanted.iter().map(|tenant| apply(&client, tenant))).await;
    world.ready(&client, &names).await;
    assert_eq!(GATEWAY.within(&client, GATEWAYS).list(&ListParams::default()).await.unwrap().items.len(), 3);
    says(&world, &client, 5, &[2, 2, 1]).await;
    let placed = now(&client).await;

    // A restart knows nothing but what is there.
    world.operator.signal("KILL").unwrap();
    eventually("it is dead", async || world.operator.ended().unwrap().map(drop).ok_or("it runs".into())).await;
    // What was done to it meanwhile is set right.
    patch(&NAMESPACE.all(&client), "gw-crowd-a", &json!({"metadata": {"labels": null}})).await;
    world.operator = Operator::start(&world.lab, "one").await.unwrap();
    world
        .eventually("the namespace has its labels again", async || {
            let labels = NAMESPACE.all(&client).get("gw-crowd-a").await.unwrap().metadata.labels.unwrap_or_default();
            if labels.contains_key("octroi.dev/tenant") { Ok(()) } else { Err(format!("{labels:?}")) }
        })
        .await;
    apply(&client, &class("crowd", "crowd.test", &json!({"maxTenantsPerShard": 1}))).await;
    world.says(&client, CLASS, "crowd", "Ready", "True", "Ready").await;
    let touched = json!({"deletion": {"protect": false}, "contact": {"team": "Crowd"}});
    for name in names {
        apply(&client, &tenant(name, "crowd", &touched)).await;
    }
    world.ready(&client, &names).await;
    assert_eq!(now(&client).await, placed);
    says(&world, &client, 5, &[2, 2, 1]).await;

    // What one leaves behind is given to the next.
    apply(&client, &class("crowd", "crowd.test", &json!({"maxTenantsPerShard": 2}))).await;
    let leaver = placed["crowd-0"][0].clone();
    delete(&TENANT.all(&client), &leaver).await;
    eventually("it is gone", async || match TENANT.all(&client).get_opt(&leaver).await.unwrap() {
        None => Ok(()),
        Some(still) => Err(still.data.to_string()),
    })
    .await;
    says(&world, &client, 4, &[1, 2, 1]).await;
    apply(&client, &tenant("crowd-f", "crowd", &free)).await;
    world.ready(&client, &["crowd-f"]).await;
    assert!(now(&client).await["crowd-0"].contains(&"crowd-f".to_owned()));

    // A protected Tenant that goes leaves its entry where it is, and its place with it.
    let leaver = placed["crowd-1"][0].clone();
    let kept = json!({"deletion": {"protect": true}});
    apply(&client, &tenant(&leaver, "crowd", &kept)).await;
    world.ready(&client, &[&leaver]).await;
    delete(&TENANT.all(&client), &leaver).await;
    eventually("it is gone", async || match TENANT.all(&client).get_opt(&leaver).await.unwrap() {
        None => Ok(()),
        Some(still) => Err(still.data.to_string()),
    })
    .await;
    for name in ["crowd-g", "crowd-h"] {
        apply(&client, &tenant(name, "crowd", &free)).await;
        world.ready(&client, &[name]).await;
    }
    apply(&client, &tenant(&leaver, "crowd", &kept)).await;
    world.ready(&client, &[&leaver]).await;
    assert!(now(&client).await["crowd-1"].contains(&leaver), "{:?}", now(&client).await);

    for (entry, scene) in history.scenes().await {
        let crowded: Vec<_> = shards(&scene).into_iter().filter(|(_, tenants)| tenants.len() > 2).collect();
        assert!(crowded.is_empty(), "{crowded:?} at version {}", entry.version);
    }
}
