//! What tenants' routes say, in the status of their Tenant and on the routes themselves. The test plays the data plane.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use octroi_tests::crds::Project;
use octroi_tests::operator::{Counted, Operator};
use serde_json::{Value, json};

use crate::world::{
    DEFINITION, Kind, ROUTE, TCP_ROUTE, TENANT, World, apply, class, delete, eventually, install, patch, tenant,
};

const CONTROLLER: &str = "gateway.envoyproxy.io/gatewayclass-controller";
/// Longer than changes of routes are collected.
const REST: Duration = Duration::from_secs(2);

fn entry(tenant: &str) -> Value {
    json!({"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": tenant, "namespace": format!("gw-{tenant}")})
}

fn route(kind: Kind, tenant: &str, name: &str, spec: &Value) -> Value {
    let mut all = json!({"parentRefs": [entry(tenant)], "rules": [{"backendRefs": [{"name": "web", "port": 80}]}]});
    for (field, value) in spec.as_object().unwrap() {
        all[field] = value.clone();
    }
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind.name,
        "metadata": {"name": name, "namespace": tenant}, "spec": all})
}

/// A condition as a data plane writes it: type, status, reason, message.
type Said<'a> = (&'a str, &'a str, &'a str, &'a str);

const ACCEPTED: Said = ("Accepted", "True", "Accepted", "Route is accepted");
const RESOLVED: Said = ("ResolvedRefs", "True", "ResolvedRefs", "Resolved all the Object references for the Route");

/// The data plane judges the present generation of a route.
async fn judge(client: &Client, kind: Kind, tenant: &str, name: &str, said: &[Said<'_>], at: &str) {
    let api = kind.within(client, tenant);
    let generation = api.get(name).await.unwrap().metadata.generation;
    judge_as(&api, name, tenant, generation, said, at).await.unwrap();
}

async fn judge_as(
    api: &Api<DynamicObject>,
    name: &str,
    tenant: &str,
    generation: Option<i64>,
    said: &[Said<'_>],
    at: &str,
) -> kube::Result<DynamicObject> {
    let condition = |(kind, status, reason, message): &Said| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "observedGeneration": generation, "lastTransitionTime": at})
    };
    let conditions: Vec<_> = said.iter().map(condition).collect();
    let parents = json!([{"parentRef": entry(tenant), "controllerName": CONTROLLER, "conditions": conditions}]);
    let status = Patch::Merge(json!({"status": {"parents": parents}}));
    api.patch_status(name, &PatchParams::default(), &status).await
}

const MORNING: &str = "2026-01-01T06:00:00Z";
const NOON: &str = "2026-01-01T12:00:00Z";

/// Waits until a Tenant counts its routes so: accepted, rejected, suspended, pending.
async fn counts(world: &World, client: &Client, name: &str, wanted: [i64; 4]) -> Value {
    let what = format!("{name} counts {wanted:?} routes");
    world
        .eventually(&what, async || {
            let tenant = TENANT.all(client).get(name).await.map_err(|error| error.to_string())?;
            let routes = tenant.data["status"]["routes"].clone();
            let found = ["accepted", "rejected", "suspended", "pending"].map(|field| routes[field].as_i64());
            if found == wanted.map(Some) { Ok(routes) } else { Err(routes.to_string()) }
        })
        .await
}

/// Type and reason of every Event on a route, the oldest first.
async fn events(client: &Client, namespace: &str, uid: &str) -> Vec<(String, String, String)> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let mut found = api.list(&ListParams::default().fields(&format!("regarding.uid={uid}"))).await.unwrap().items;
    found.sort_by_key(|event| event.event_time.clone().map(|time| time.0));
    let text = |text: Option<String>| text.unwrap_or_default();
    found.into_iter().map(|event| (text(event.type_), text(event.reason), text(event.note))).collect()
}

/// Waits until the Events on a route are these: type and reason.
async fn told(world: &World, client: &Client, object: &DynamicObject, wanted: &[(&str, &str)]) -> Vec<String> {
    let (namespace, uid) = (object.namespace().unwrap(), object.uid().unwrap());
    world
        .eventually(&format!("Events {wanted:?} on {}", object.name_any()), async || {
            let all = events(client, &namespace, &uid).await;
            let found: Vec<_> = all.iter().map(|(kind, reason, _)| (kind.as_str(), reason.as_str())).collect();
            if found == wanted {
                Ok(all.into_iter().map(|(_, _, note)| note).collect())
            } else {
                Err(format!("{all:?}"))
            }
        })
        .await
}

#[tokio::test]
async fn a_mistake_is_told_in_the_status_and_on_the_route_and_so_is_its_end() {
    let (world, client) = World::shared().await;
    apply(&client, &class("told", "told.test", &json!({}))).await;
    apply(&client, &tenant("told-a", "told", &json!({"domains": [{"host": "told-a.example"}]}))).await;
    world.ready(&client, &["told-a"]).await;
    counts(world, &client, "told-a", [0, 0, 0, 0]).await;

    // One that nobody serves, one whose backend is missing, one that is good.
    let foreign = apply(&client, &route(ROUTE, "told-a", "foreign", &json!({"hostnames": ["www.told-b.test"]}))).await;
    let web = json!({"hostnames": ["www.told-a.told.test"]});
    let broken = apply(&client, &route(ROUTE, "told-a", "broken", &web)).await;
    let shop = apply(&client, &route(ROUTE, "told-a", "shop", &json!({"hostnames": ["told-a.example"]}))).await;
    judge(&client, ROUTE, "told-a", "shop", &[ACCEPTED, RESOLVED], MORNING).await;
    let missing = ("ResolvedRefs", "False", "BackendNotFound", "service told-a/web not found");
    judge(&client, ROUTE, "told-a", "broken", &[ACCEPTED, missing], MORNING).await;
    let routes = counts(world, &client, "told-a", [1, 2, 0, 0]).await;
    let failing: Vec<_> = routes["failing"].as_array().unwrap().iter().map(|f| (&f["name"], &f["reason"])).collect();
    assert_eq!(
        failing,
        [
            (&json!("HTTPRoute told-a/broken"), &json!("BackendNotFound")),
            (&json!("HTTPRoute told-a/foreign"), &json!("HostnameNotOwned")),
        ]
    );
    let notes = told(world, &client, &foreign, &[("Warning", "HostnameNotOwned")]).await;
    assert!(notes[0].contains("spec.hostnames[0] 'www.told-b.test'") && notes[0].contains("octroi-entry"), "{notes:?}");
    let notes = told(world, &client, &broken, &[("Warning", "BackendNotFound")]).await;
    assert!(notes[0].contains("service told-a/web not found"), "{notes:?}");
    told(world, &client, &shop, &[]).await;
    // A mistake in a route is no fault of the platform's.
    world.ready(&client, &["told-a"]).await;

    // Mended.
    judge(&client, ROUTE, "told-a", "broken", &[ACCEPTED, RESOLVED], MORNING).await;
    delete(&ROUTE.within(&client, "told-a"), "foreign").await;
    counts(world, &client, "told-a", [2, 0, 0, 0]).await;
    told(world, &client, &broken, &[("Warning", "BackendNotFound"), ("Normal", "Accepted")]).await;

    // The domain is withdrawn: what exists is judged anew, though nobody touched the route.
    patch(&TENANT.all(&client), "told-a", &json!({"spec": {"domains": null}})).await;
    counts(world, &client, "told-a", [1, 1, 0, 0]).await;
    told(world, &client, &shop, &[("Warning", "HostnameNotOwned")]).await;
    world.ready(&client, &["told-a"]).await;
}

#[tokio::test]
async fn routes_of_a_suspended_tenant_are_counted_apart_and_hear_of_it() {
    let (world, client) = World::shared().await;
    apply(&client, &class("held", "held.test", &json!({}))).await;
    apply(&client, &tenant("held-a", "held", &json!({}))).await;
    world.ready(&client, &["held-a"]).await;
    let web = apply(&client, &route(ROUTE, "held-a", "web", &json!({"hostnames": ["www.held-a.held.test"]}))).await;
    judge(&client, ROUTE, "held-a", "web", &[ACCEPTED, RESOLVED], MORNING).await;
    counts(world, &client, "held-a", [1, 0, 0, 0]).await;

    patch(
        &TENANT.all(&client),
        "held-a",
        &json!({"metadata": {"annotations": {"octroi.dev/hold": "Suspended", "octroi.dev/hold-reason": "phishing"}}}),
    )
    .await;
    // The data plane detaches it.
    judge(&client, ROUTE, "held-a", "web", &[("Accepted", "False", "NotAllowedByListeners", "")], NOON).await;
    let routes = counts(world, &client, "held-a", [0, 0, 1, 0]).await;
    assert_eq!(routes["failing"], Value::Null);
    let notes = told(world, &client, &web, &[("Warning", "Suspended")]).await;
    assert!(notes[0].contains("phishing") && notes[0].contains("ask the run team"), "{notes:?}");

    patch(
        &TENANT.all(&client),
        "held-a",
        &json!({"metadata": {"annotations": {"octroi.dev/hold": null, "octroi.dev/hold-reason": null}}}),
    )
    .await;
    judge(&client, ROUTE, "held-a", "web", &[ACCEPTED, RESOLVED], NOON).await;
    counts(world, &client, "held-a", [1, 0, 0, 0]).await;
    let events = events(&client, "held-a", &web.uid().unwrap()).await;
    assert_eq!(events.last().map(|(kind, reason, _)| (kind.as_str(), reason.as_str())), Some(("Normal", "Accepted")));
}

/// How often the operator wrote a Tenant, its status among it.
async fn tenant_writes(world: &World) -> u64 {
    let writes = world.operator.writes().await.unwrap();
    writes.iter().filter(|((resource, _, _), _)| resource == "tenants").map(|(_, count)| count).sum()
}

#[tokio::test]
async fn a_burst_is_told_in_a_few_words_and_an_echo_in_none() {
    const BURST: usize = 100;
    let world = World::start().await;
    let client = world.lab.client().unwrap();
    apply(&client, &class("burst", "burst.test", &json!({}))).await;
    apply(&client, &tenant("burst-a", "burst", &json!({}))).await;
    world.ready(&client, &["burst-a"]).await;
    counts(&world, &client, "burst-a", [0, 0, 0, 0]).await;

    let (before, since) = (tenant_writes(&world).await, Instant::now());
    let (api, client) = (ROUTE.within(&client, "burst-a"), &client);
    let names: Vec<String> = (0..BURST).map(|i| format!("r{i:03}")).collect();
    let one = async |name: &String| {
        let host = json!({"hostnames": [format!("{name}.burst-a.burst.test")]});
        let stored = apply(client, &route(ROUTE, "burst-a", name, &host)).await;
        judge_as(&api, name, "burst-a", stored.metadata.generation, &[ACCEPTED, RESOLVED], MORNING).await
    };
    try_join_all(names.iter().map(one)).await.unwrap();
    let took = since.elapsed();
    counts(&world, client, "burst-a", [100, 0, 0, 0]).await;
    let writes = tenant_writes(&world).await - before;
    println!("{BURST} routes written and judged in {took:?}: {writes} writes of the Tenant");
    let windows = u64::try_from(since.elapsed().as_millis() / 300).unwrap() + 2;
    assert!(writes <= windows && writes < 20, "{writes} writes in {took:?}");

    // Heartbeats: other times, the same verdicts. And new generations that are judged as before.
    tokio::time::sleep(REST).await;
    let (before, reconciles) = (tenant_writes(&world).await, world.operator.reconciles("tenants").await.unwrap());
    let counted = Counted::read(&world.lab).await.unwrap();
    let beats = names.iter().map(|name| judge_as(&api, name, "burst-a", Some(1), &[ACCEPTED, RESOLVED], NOON));
    let stored = try_join_all(beats).await.unwrap();
    assert!(stored.iter().all(|route| route.data["status"].to_string().contains(NOON)), "no heartbeat was stored");
    tokio::time::sleep(REST).await;
    assert_eq!(world.operator.reconciles("tenants").await.unwrap(), reconciles, "a heartbeat was looked at");
    assert_eq!(tenant_writes(&world).await, before);
    let after = Counted::read(&world.lab).await.unwrap();
    let of_others = |counted: &Counted| counted.requests(&["PATCH"], |resource| resource == "httproutes");
    assert!(of_others(&after) - of_others(&counted) >= 100, "the heartbeats are not counted");
    let events: Api<Event> = Api::namespaced(client.clone(), "burst-a");
    let on_routes = ListParams::default().fields("regarding.kind=HTTPRoute");
    assert_eq!(events.list(&on_routes).await.unwrap().items.len(), 0, "nothing was wrong with any of them");
}

#[tokio::test]
async fn a_kind_of_route_may_come_and_go_and_a_restart_repeats_nothing() {
    let mut world = World::start().await;
    let client = world.lab.client().unwrap();
    apply(&client, &class("kinds", "kinds.test", &json!({}))).await;
    apply(&client, &tenant("kinds-a", "kinds", &json!({}))).await;
    world.ready(&client, &["kinds-a"]).await;
    let refused = [("Accepted", "False", "NotAllowedByListeners", "")];
    let db = apply(&client, &route(TCP_ROUTE, "kinds-a", "db", &json!({}))).await;
    judge(&client, TCP_ROUTE, "kinds-a", "db", &refused, MORNING).await;
    let lost = apply(&client, &route(ROUTE, "kinds-a", "lost", &json!({"hostnames": ["x.test"]}))).await;
    let routes = counts(&world, &client, "kinds-a", [0, 2, 0, 0]).await;
    assert!(routes["failing"][1]["message"].as_str().unwrap().contains("no listener for a TCPRoute"), "{routes}");
    told(&world, &client, &db, &[("Warning", "NotAttached")]).await;
    told(&world, &client, &lost, &[("Warning", "HostnameNotOwned")]).await;

    // It knows after a restart what it told before.
    world.operator.signal("KILL").unwrap();
    eventually("it is dead", async || world.operator.ended().unwrap().map(drop).ok_or("it runs".into())).await;
    world.operator = Operator::start(&world.lab, "one").await.unwrap_or_else(|error| panic!("{error}"));
    world
        .eventually("the Tenant was looked at", async || {
            let count = world.operator.reconciles("tenants").await.map_err(|error| error.to_string())?;
            if count > 0 { Ok(()) } else { Err(count.to_string()) }
        })
        .await;
    tokio::time::sleep(REST).await;
    assert_eq!(tenant_writes(&world).await, 0, "the restart wrote something");
    told(&world, &client, &db, &[("Warning", "NotAttached")]).await;
    told(&world, &client, &lost, &[("Warning", "HostnameNotOwned")]).await;

    // The kind goes, with everything of it, and comes back.
    delete(&DEFINITION.all(&client), &TCP_ROUTE.crd()).await;
    counts(&world, &client, "kinds-a", [0, 1, 0, 0]).await;
    eventually("its definition is gone", async || {
        let left = DEFINITION.all(&client).get_opt(&TCP_ROUTE.crd()).await.unwrap();
        left.map_or(Ok(()), |_| Err("it is there".into()))
    })
    .await;
    install(&client, &[Project::GatewayApi]).await;
    world.lab.discover_kinds().unwrap();
    let again = apply(&client, &route(TCP_ROUTE, "kinds-a", "db", &json!({}))).await;
    judge(&client, TCP_ROUTE, "kinds-a", "db", &refused, NOON).await;
    counts(&world, &client, "kinds-a", [0, 2, 0, 0]).await;
    told(&world, &client, &again, &[("Warning", "NotAttached")]).await;
}
