//! Members see their own Tenant and no other, and nothing is left to who is a member no more.

use futures::TryStreamExt as _;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use octroi_api::Tenant;
use serde_json::json;

use crate::world::{CLUSTER_ROLE_BINDING, ROLE_BINDING, World, apply, class, owned, tenant};

fn may(result: Result<(), kube::Error>) -> Result<bool, String> {
    match result {
        Ok(()) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

async fn may_get(client: &Client, name: &str) -> bool {
    may(Api::<Tenant>::all(client.clone()).get(name).await.map(drop)).unwrap()
}

async fn may_watch(client: &Client, name: &str) -> bool {
    let one = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(1);
    let events = Api::<Tenant>::all(client.clone()).watch(&one, "0").await;
    let first = match events {
        Ok(events) => std::pin::pin!(events).try_next().await,
        Err(error) => Err(error),
    };
    match first {
        Ok(Some(WatchEvent::Error(status))) if status.code == 403 => false,
        Ok(first) => matches!(first, Some(WatchEvent::Added(_))),
        Err(error) => may(Err(error)).unwrap(),
    }
}

#[tokio::test]
async fn a_member_sees_its_own_tenant_and_no_other() {
    let (world, client) = World::shared().await;
    apply(&client, &class("seen", "seen.test", &json!({}))).await;
    for name in ["seen-a", "seen-b"] {
        let members = json!([{"kind": "Group", "name": format!("{name}-devs"), "role": "View"},
            {"kind": "ServiceAccount", "name": "deployer", "namespace": name}]);
        apply(&client, &tenant(name, "seen", &json!({"members": members}))).await;
    }
    world.ready(&client, &["seen-a", "seen-b"]).await;
    let people = [
        world.lab.client_as("alice", &["seen-a-devs"]).await.unwrap(),
        world.lab.client_as("system:serviceaccount:seen-a:deployer", &["system:serviceaccounts"]).await.unwrap(),
    ];
    for member in people {
        world
            .eventually("the right is in force", async || {
                if may_get(&member, "seen-a").await { Ok(()) } else { Err("not yet".into()) }
            })
            .await;
        assert!(may_watch(&member, "seen-a").await);
        assert!(!may_get(&member, "seen-b").await && !may_watch(&member, "seen-b").await);
        let all = Api::<Tenant>::all(member.clone()).list(&ListParams::default()).await;
        assert!(!may(all.map(drop)).unwrap(), "a list shows every tenant");
    }
}

#[tokio::test]
async fn a_member_that_is_removed_keeps_nothing() {
    let (world, client) = World::shared().await;
    apply(&client, &class("left", "left.test", &json!({}))).await;
    let with = |members: serde_json::Value| tenant("left", "left", &json!({"members": members}));
    let (stays, goes) = (json!({"kind": "Group", "name": "left-stays"}), json!({"kind": "User", "name": "mallory"}));
    apply(&client, &with(json!([stays, goes]))).await;
    world.ready(&client, &["left"]).await;
    let mallory = world.lab.client_as("mallory", &[]).await.unwrap();
    world
        .eventually(
            "mallory is let in",
            async || {
                if may_get(&mallory, "left").await { Ok(()) } else { Err("not yet".into()) }
            },
        )
        .await;

    apply(&client, &with(json!([stays]))).await;
    world.ready(&client, &["left"]).await;
    world
        .eventually(
            "mallory is out",
            async || {
                if may_get(&mallory, "left").await { Err("still in".into()) } else { Ok(()) }
            },
        )
        .await;
    for (kind, object) in owned(&client, "octroi.dev/tenant=left").await {
        if [ROLE_BINDING, CLUSTER_ROLE_BINDING].contains(&kind) {
            let subjects = object.data["subjects"].to_string();
            assert!(!subjects.contains("mallory") && subjects.contains("left-stays"), "{subjects}");
        }
    }
}
