//! Deleting by accident loses nothing, and deleting on purpose leaves nothing behind. No admission guards here: it is the
//! finalizer that holds, as it must when a CustomResourceDefinition is deleted.

use std::collections::BTreeSet;

use kube::api::DynamicObject;
use kube::{Client, ResourceExt as _};
use octroi_tests::crds::Project;
use serde_json::json;

use crate::history::History;
use crate::world::{
    CERTIFICATE, CLAIM, CLASS, ENTRY, GATEWAY, GATEWAYS, Kind, NAMESPACE, TENANT, World, apply, class, delete,
    eventually, identities, install, owned, tenant,
};

async fn is_gone(client: &Client, kind: Kind, name: &str) {
    let api = kind.all(client);
    eventually(&format!("{} {name} is gone", kind.name), async || match api.get_opt(name).await {
        Ok(None) => Ok(()),
        Ok(Some(still)) => Err(serde_json::to_string(&still).unwrap()),
        Err(error) => Err(error.to_string()),
    })
    .await;
}

#[tokio::test]
async fn a_protected_tenant_goes_alone_and_one_of_its_name_takes_everything_back() {
    let (world, client) = World::shared().await;
    apply(&client, &class("keep", "keep.test", &json!({}))).await;
    let wanted = [
        tenant("keep-a", "keep", &json!({"domains": [{"host": "keep.example"}]})),
        tenant("keep-b", "keep", &json!({"gateway": {"mode": "Dedicated"}, "deletion": {"namespaces": "Delete"}})),
    ];
    for (name, tenant) in ["keep-a", "keep-b"].iter().zip(&wanted) {
        apply(&client, tenant).await;
        world.ready(&client, &[name]).await;
        let label = format!("octroi.dev/tenant={name}");
        let before = identities(&owned(&client, &label).await);
        assert!(before.len() >= 9, "{before:?}");

        delete(&TENANT.all(&client), name).await;
        is_gone(&client, TENANT, name).await;
        // The operator has taken note, for the class counts it no more.
        let count = i64::from(*name == "keep-b");
        tenants_of(world, &client, "keep", count).await;
        assert_eq!(identities(&owned(&client, &label).await), before);

        apply(&client, tenant).await;
        world.ready(&client, &[name]).await;
        assert_eq!(identities(&owned(&client, &label).await), before);
    }
}

async fn tenants_of(world: &World, client: &Client, class: &str, count: i64) {
    world
        .eventually("the class counts its tenants", async || {
            let class = CLASS.all(client).get(class).await.unwrap();
            if class.data["status"]["tenants"] == count { Ok(()) } else { Err(class.data["status"].to_string()) }
        })
        .await;
}

#[tokio::test]
async fn an_unprotected_tenant_goes_with_its_entry_first_and_its_claims_last() {
    let (world, client) = World::shared().await;
    apply(&client, &class("gone", "gone.test", &json!({}))).await;
    for (name, policy, mode) in [("gone-a", "Retain", "Shared"), ("gone-b", "Delete", "Dedicated")] {
        let spec = json!({"deletion": {"protect": false, "namespaces": policy}, "gateway": {"mode": mode},
            "namespaces": [{"name": format!("{name}-one")}, {"name": format!("{name}-two")}],
            "domains": [{"host": format!("{name}.example")}]});
        apply(&client, &tenant(name, "gone", &spec)).await;
        world.ready(&client, &[name]).await;
        let history = History::of(&client, &[ENTRY, CLAIM, CERTIFICATE, NAMESPACE]).await;
        delete(&TENANT.all(&client), name).await;
        is_gone(&client, TENANT, name).await;
        assert_eq!(identities(&owned(&client, &format!("octroi.dev/tenant={name}")).await), []);
        is_gone(&client, NAMESPACE, &format!("gw-{name}")).await;

        let ends: Vec<(Kind, String)> = history
            .scenes()
            .await
            .into_iter()
            .filter(|(entry, _)| entry.is_gone && is_of(&entry.object, name))
            .map(|(entry, _)| (entry.kind, entry.object.name_any()))
            .collect();
        // What serves goes before what it needs: the entry, and port 80 of its domain.
        let served: BTreeSet<&str> =
            ends.iter().take_while(|(kind, _)| *kind == ENTRY).map(|(_, name)| name.as_str()).collect();
        assert_eq!(served, BTreeSet::from([name, "octroi-http01"]), "{ends:?}");
        let claims = ends.iter().rev().take_while(|(kind, _)| *kind == CLAIM).count();
        assert_eq!(claims, 3, "{ends:?}");
        for room in ["one", "two"].map(|room| format!("{name}-{room}")) {
            let left = NAMESPACE.all(&client).get_opt(&room).await.unwrap();
            assert_eq!(left.is_some(), policy == "Retain", "{room}");
            if let Some(left) = left {
                assert!(left.labels().keys().all(|key| !key.contains("octroi.dev")), "{:?}", left.labels());
                assert!(!left.labels().contains_key("app.kubernetes.io/managed-by"), "{:?}", left.labels());
                assert!(left.annotations().keys().all(|key| !key.contains("octroi")), "{:?}", left.annotations());
            }
        }
    }
    // A name that is free again serves again, whatever late word there is of the one before.
    let again = json!({"gateway": {"mode": "Dedicated"}, "namespaces": [{"name": "gone-b-one"}],
        "domains": [{"host": "gone-b.example"}]});
    apply(&client, &tenant("gone-b", "gone", &again)).await;
    world.ready(&client, &["gone-b"]).await;

    // What was retained holds somebody's data: no new Tenant gets at it.
    let again = json!({"namespaces": [{"name": "gone-a-one"}, {"name": "gone-a-two"}]});
    apply(&client, &tenant("gone-a", "gone", &again)).await;
    let message = world.says(&client, TENANT, "gone-a", "Accepted", "False", "NamespaceTaken").await;
    assert!(message.contains("gone-a-one") && message.contains("gone-a-two"), "{message}");
}

fn is_of(object: &DynamicObject, tenant: &str) -> bool {
    object.labels().get("octroi.dev/tenant").is_some_and(|name| name == tenant)
}

#[tokio::test]
async fn a_class_in_use_leaves_its_gateways_and_an_unused_one_takes_them_along() {
    let (world, client) = World::shared().await;
    let label = "octroi.dev/class=offer,!octroi.dev/tenant";
    let wanted = class("offer", "offer.test", &json!({}));
    apply(&client, &wanted).await;
    apply(&client, &tenant("offer-a", "offer", &json!({"deletion": {"protect": false}}))).await;
    world.ready(&client, &["offer-a"]).await;
    let before = identities(&owned(&client, label).await);
    assert_eq!(before.len(), 5, "{before:?}");

    delete(&CLASS.all(&client), "offer").await;
    is_gone(&client, CLASS, "offer").await;
    world.says(&client, TENANT, "offer-a", "Accepted", "False", "ClassNotFound").await;
    assert_eq!(identities(&owned(&client, label).await), before);
    let entry = ENTRY.within(&client, "gw-offer-a").get_opt("offer-a").await.unwrap();
    assert!(entry.is_some(), "the entry went with the class");

    apply(&client, &wanted).await;
    world.says(&client, CLASS, "offer", "Ready", "True", "Ready").await;
    world.ready(&client, &["offer-a"]).await;
    assert_eq!(identities(&owned(&client, label).await), before);

    delete(&TENANT.all(&client), "offer-a").await;
    is_gone(&client, TENANT, "offer-a").await;
    tenants_of(world, &client, "offer", 0).await;
    delete(&CLASS.all(&client), "offer").await;
    is_gone(&client, CLASS, "offer").await;
    assert_eq!(identities(&owned(&client, label).await), []);
}

#[tokio::test]
async fn deleting_the_tenants_definition_cuts_nothing_and_a_reinstall_takes_everything_back() {
    let world = World::start().await;
    let client = world.lab.client().unwrap();
    apply(&client, &class("base", "base.test", &json!({"maxTenantsPerShard": 1}))).await;
    let names = ["base-a", "base-b", "base-c"];
    let wanted: Vec<_> = names
        .iter()
        .map(|name| tenant(name, "base", &json!({"domains": [{"host": format!("{name}.example")}]})))
        .collect();
    for tenant in &wanted {
        apply(&client, tenant).await;
    }
    world.ready(&client, &names).await;
    let before = everything(&client, &names).await;

    let definitions = crate::world::DEFINITION.all(&client);
    delete(&definitions, &TENANT.crd()).await;
    is_gone(&client, crate::world::DEFINITION, &TENANT.crd()).await;
    tenants_of(&world, &client, "base", 0).await;
    let gateways = GATEWAY.within(&client, GATEWAYS);
    // A Gateway that nobody counts on any more is still the parent of their entries.
    world.says(&client, CLASS, "base", "Ready", "True", "Ready").await;
    assert_eq!(gateways.list(&kube::api::ListParams::default()).await.unwrap().items.len(), 3);
    assert_eq!(everything(&client, &names).await, before);

    install(&client, &[Project::Octroi]).await;
    // In another order than the first time: nobody loses its place.
    for tenant in wanted.iter().rev() {
        apply(&client, tenant).await;
    }
    world.ready(&client, &names).await;
    assert_eq!(everything(&client, &names).await, before);
}

async fn everything(client: &Client, names: &[&str]) -> Vec<(&'static str, String, String, String)> {
    let mut all = identities(&owned(client, "octroi.dev/class=base,!octroi.dev/tenant").await);
    for name in names {
        all.extend(identities(&owned(client, &format!("octroi.dev/tenant={name}")).await));
    }
    all
}
