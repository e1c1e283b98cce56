//! Whatever somebody does to a child by hand, it is back within a second, by one write.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use octroi_tests::operator::Counted;
use octroi_tests::strict;
use serde_json::{Value, json};

use crate::world::{
    BACKEND_POLICY, CERTIFICATE, CLAIM, CLIENT_POLICY, CLUSTER_ROLE, CLUSTER_ROLE_BINDING, CONFIG_MAP, DIRECT_RESPONSE,
    ENTRY, ENVOY, ENVOY_BACKEND, ENVOY_PROXY, EXTENSION_POLICY, GATEWAY, GATEWAY_EXTENSION, GRANT, KGATEWAY,
    KGATEWAY_BACKEND, Kind, LIMITS, LISTENER_POLICY, NAMESPACE, NETWORK_POLICY, PARAMETERS, PORT_CLAIM, QUOTA,
    ROLE_BINDING, ROUTE, ROUTE_FILTER, SECURITY_POLICY, TENANT, TLS_POLICY, TRAFFIC_POLICY, World, apply, class,
    delete, has_kgateway, owned, patch, tenant, within,
};

const AT_ONCE: Duration = Duration::from_secs(1);
/// Kinds of which nothing is written by Octroi but on purpose, and nobody else here writes any.
const OWN: [&str; 2] = ["tenants", "tenantclasses"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Delete,
    Edit,
    Strip,
}

/// Where each kind is edited, and into what.
fn edit(subject: &Subject) -> (&'static str, Value) {
    match subject.kind {
        NAMESPACE => ("/metadata/labels/pod-security.kubernetes.io~1enforce", json!("privileged")),
        ROLE_BINDING | CLUSTER_ROLE_BINDING => ("/subjects/0/name", json!("intruders")),
        CLUSTER_ROLE => ("/rules/0/resourceNames/0", json!("somebody-else")),
        ROUTE_FILTER => ("/spec/directResponse/statusCode", json!(200)),
        DIRECT_RESPONSE => ("/spec/status", json!(200)),
        CONFIG_MAP if is_profile(&subject.object) => ("/data/profile.yaml", json!("namespaces: []")),
        CONFIG_MAP => ("/data/hosts", json!("evil.example")),
        QUOTA => ("/spec/hard/pods", json!("5000")),
        LIMITS => ("/spec/limits/0/default/memory", json!("64Gi")),
        NETWORK_POLICY => ("/spec/egress/0/to", json!([])),
        CERTIFICATE => ("/spec/dnsNames/0", json!("evil.example")),
        GRANT => ("/spec/from/0/namespace", json!("intruders")),
        ENVOY_PROXY => ("/spec/provider/kubernetes/envoyService/type", json!("NodePort")),
        PARAMETERS => ("/spec/kube/service/type", json!("NodePort")),
        GATEWAY => ("/spec/listeners/0/port", json!(8080)),
        ROUTE => ("/spec/rules/0/filters/0/requestRedirect/statusCode", json!(301)),
        TLS_POLICY => ("/spec/validation/hostname", json!("evil.example")),
        ENVOY_BACKEND => ("/spec/tls/sni", json!("evil.example")),
        KGATEWAY_BACKEND => ("/spec/static/hosts/0/host", json!("evil.example")),
        BACKEND_POLICY => ("/spec/timeout/http/requestTimeout", json!("1s")),
        LISTENER_POLICY => ("/spec/default/httpSettings/xffNumTrustedHops", json!(3)),
        EXTENSION_POLICY => ("/spec/extProc/0/failOpen", json!(true)),
        GATEWAY_EXTENSION => ("/spec/extProc/failOpen", json!(true)),
        CLIENT_POLICY => ("/spec/headers/withUnderscoresAction", json!("Allow")),
        SECURITY_POLICY => ("/spec/authorization/defaultAction", json!("Allow")),
        TRAFFIC_POLICY => ("/spec/headerModifiers/response/set/0/value", json!("max-age=0")),
        ENTRY => ("/spec/listeners/0/hostname", json!("evil.example")),
        other => panic!("{} is not edited", other.name),
    }
}

fn is_claim(kind: Kind) -> bool {
    kind == CLAIM || kind == PORT_CLAIM
}

fn is_profile(object: &DynamicObject) -> bool {
    object.name_any().starts_with("waf-")
}

/// One child, and what of it Octroi wrote.
struct Subject {
    kind: Kind,
    object: DynamicObject,
    wanted: Value,
}

#[tokio::test]
async fn every_kind_of_child_is_back_within_a_second_by_one_write() {
    let world = World::start().await;
    let client = world.lab.client().unwrap();
    let mut found = Vec::new();
    let mut slowest = Duration::ZERO;
    for plane in [ENVOY, KGATEWAY] {
        if plane == KGATEWAY && !has_kgateway() {
            continue;
        }
        for subject in subjects(&world, &client, plane).await {
            for damage in [Damage::Delete, Damage::Edit, Damage::Strip] {
                match bring_back(&world, &client, &subject, damage).await {
                    Ok(took) => slowest = slowest.max(took),
                    Err(why) => found.push(format!("{plane}: {damage:?} {}: {why}", title(&subject))),
                }
            }
        }
    }
    println!("slowest repair: {slowest:?}");
    assert!(found.is_empty(), "{}", found.join("\n"));
    one_write_is_one_request(&world, &client).await;
    namespaces_come_back_with_all_that_is_in_them(&world, &client).await;
}

/// A Shared, a Dedicated and a wildcard tenant of one data plane, and one child of each kind and owner.
async fn subjects(world: &World, client: &Client, plane: &str) -> Vec<Subject> {
    let short = plane.trim_start_matches("octroi-").split('-').next().unwrap().to_owned();
    let (plain, wild) = (format!("{short}-plain"), format!("{short}-wild"));
    let mut of_class = class(&wild, &format!("{wild}.test"), &json!({"gatewayClassName": plane}));
    of_class["spec"]["tls"]["certificate"] = json!("ClassWildcard");
    apply(client, &of_class).await;
    let mut of_ports = class(&plain, &format!("{plain}.test"), &json!({"gatewayClassName": plane}));
    of_ports["spec"]["layer4"] = json!({"ports": [{"from": 5432, "protocols": ["TCP"]}]});
    of_ports["spec"]["upstreams"] = json!({"allowed": ["HTTPS"]});
    apply(client, &of_ports).await;
    let names = ["shared", "own", "star"].map(|what| format!("{short}-{what}"));
    let suspended = format!("{short}-halt");
    let postgres = json!({"name": "postgres", "protocol": "TCP", "port": 5432});
    let crm = json!({"name": "crm", "https": {"host": "api.crm.example"}});
    let shared = json!({"domains": [{"host": format!("{short}.example")}], "layer4": [postgres], "upstreams": [crm]});
    apply(client, &tenant(&names[0], &plain, &shared)).await;
    let office = json!({"name": "office", "pathPrefix": "/", "allowedSources": ["203.0.113.0/24"]});
    let own = json!({"gateway": {"mode": "Dedicated", "replicas": {"min": 1, "max": 3}}, "auth": [office]});
    apply(client, &tenant(&names[1], &plain, &own)).await;
    apply(client, &tenant(&names[2], &wild, &json!({}))).await;
    apply(client, &tenant(&suspended, &plain, &json!({"state": "Suspended"}))).await;
    world.ready(client, &[&names[0], &names[1], &names[2]]).await;
    world.says(client, TENANT, &suspended, "Ready", "False", "Held").await;

    let tenants = names.iter().chain([&suspended]).map(|name| format!("octroi.dev/tenant={name}"));
    let classes = [&plain, &wild].map(|name| format!("octroi.dev/class={name},!octroi.dev/tenant"));
    let mut subjects = BTreeMap::new();
    for (of_tenant, label) in tenants.map(|label| (true, label)).chain(classes.map(|label| (false, label))) {
        for (kind, object) in owned(client, &label).await {
            // A tenant's own namespace and gw-<tenant> are two things, and so are what it is told and its firewall's profile.
            let is_gateways = object.name_any().starts_with("gw-");
            let wanted = applied(&object);
            subjects.entry((kind, of_tenant, is_gateways, is_profile(&object))).or_insert(Subject {
                kind,
                object,
                wanted,
            });
        }
    }
    subjects.into_values().collect()
}

async fn bring_back(world: &World, client: &Client, subject: &Subject, damage: Damage) -> Result<Duration, String> {
    let api = subject.kind.within(client, &subject.object.namespace().unwrap_or_default());
    let name = subject.object.name_any();
    if subject.kind == NAMESPACE && damage == Damage::Delete || is_claim(subject.kind) && damage == Damage::Edit {
        // The one takes its time, see below; the other is refused by the API server.
        return Ok(Duration::ZERO);
    }
    if is_claim(subject.kind) && damage == Damage::Strip {
        return no_matter(world, client, subject).await;
    }
    let before = counts(world).await;
    let uid = do_damage(&api, subject, damage).await;
    let since = Instant::now();
    let outcome = within(AT_ONCE, "back", async || {
        let now = api.get_opt(&name).await.map_err(|error| error.to_string())?.ok_or("it is not there")?;
        let is_new = damage != Damage::Delete || now.uid() != uid;
        let is_back = is_new && now.metadata.deletion_timestamp.is_none() && applied(&now) == subject.wanted;
        if is_back { Ok(()) } else { Err(format!("{}, wanted {}", applied(&now), subject.wanted)) }
    })
    .await;
    let took = since.elapsed();
    if let Err(late) = outcome {
        strict::apply_strict(client, &body(subject)).await.unwrap_or_else(|error| panic!("{error}"));
        settled(world, client).await;
        return Err(late);
    }
    settled(world, client).await;
    let writes = difference(&before, &counts(world).await);
    let wanted = BTreeMap::from([(subject.kind.plural.to_owned(), 1)]);
    if writes == wanted { Ok(took) } else { Err(format!("took these writes: {writes:?}")) }
}

/// Whose a claim is stands in its spec, which cannot change: its labels are for people.
async fn no_matter(world: &World, client: &Client, subject: &Subject) -> Result<Duration, String> {
    let before = counts(world).await;
    do_damage(&subject.kind.all(client), subject, Damage::Strip).await;
    // Something that makes the operator look at the tenant again.
    let tenant = subject.object.labels()["octroi.dev/tenant"].clone();
    let contact = json!({"spec": {"contact": {"team": "Labels"}}});
    patch(&crate::world::TENANT.all(client), &tenant, &contact).await;
    settled(world, client).await;
    let writes = difference(&before, &counts(world).await);
    if writes.is_empty() { Ok(Duration::ZERO) } else { Err(format!("took these writes: {writes:?}")) }
}

async fn do_damage(api: &Api<DynamicObject>, subject: &Subject, damage: Damage) -> Option<String> {
    let name = subject.object.name_any();
    let patch = match damage {
        Damage::Delete => {
            let uid = api.get(&name).await.unwrap().uid();
            delete(api, &name).await;
            return uid;
        }
        Damage::Edit => {
            let (path, value) = edit(subject);
            json!([{"op": "replace", "path": path, "value": value}])
        }
        Damage::Strip => json!([{"op": "remove", "path": "/metadata/labels"}]),
    };
    let patch = Patch::Json::<()>(serde_json::from_value(patch).unwrap());
    let params = PatchParams { field_manager: Some("saboteur".into()), ..PatchParams::default() };
    api.patch(&name, &params, &patch).await.unwrap_or_else(|error| panic!("{}: {error}", title(subject)));
    None
}

/// What Octroi's field manager wrote of an object: the labels and everything outside metadata and status.
fn applied(object: &DynamicObject) -> Value {
    let mut body = object.data.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("status");
    }
    body["labels"] = json!(object.labels());
    body
}

fn body(subject: &Subject) -> Value {
    let mut object = serde_json::to_value(&subject.object).unwrap();
    // The items of a list do not say what they are.
    let resource = subject.kind.resource();
    (object["apiVersion"], object["kind"]) = (json!(resource.api_version), json!(resource.kind));
    let labels = object["metadata"]["labels"].clone();
    object["metadata"] = json!({"name": subject.object.name_any(), "labels": labels});
    if let Some(namespace) = subject.object.namespace() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object.as_object_mut().unwrap().remove("status");
    object
}

fn title(subject: &Subject) -> String {
    format!("{} {}/{}", subject.kind.name, subject.object.namespace().unwrap_or_default(), subject.object.name_any())
}

/// Every Tenant and TenantClass is Ready again, or Held as it was.
async fn settled(world: &World, client: &Client) {
    for kind in [crate::world::TENANT, crate::world::CLASS] {
        for object in kind.all(client).list(&kube::api::ListParams::default()).await.unwrap().items {
            let is_suspended = object.data["spec"]["state"] == "Suspended";
            let (status, reason) = if is_suspended { ("False", "Held") } else { ("True", "Ready") };
            world.says(client, kind, &object.name_any(), "Ready", status, reason).await;
        }
    }
}

/// Writes of children by resource, refused ones too.
async fn counts(world: &World) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for ((resource, _, _), count) in world.operator.writes().await.unwrap() {
        if !OWN.contains(&resource.as_str()) {
            *counts.entry(resource).or_default() += count;
        }
    }
    counts
}

fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let more = |(resource, count): (&String, &u64)| {
        let grown = count - before.get(resource).copied().unwrap_or_default();
        (grown > 0).then(|| (resource.clone(), grown))
    };
    after.iter().filter_map(more).collect()
}

/// The operator's own counter is no better than its word: the API server says the same.
async fn one_write_is_one_request(world: &World, client: &Client) {
    let (api, name) = (ROUTE.within(client, "gw-envoy-own"), "envoy-own-https");
    let before = Counted::read(&world.lab).await.unwrap();
    let uid = api.get(name).await.unwrap().uid();
    delete(&api, name).await;
    world
        .eventually("the redirect is back", async || match api.get_opt(name).await.unwrap() {
            Some(now) if now.uid() != uid => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    settled(world, client).await;
    let after = Counted::read(&world.lab).await.unwrap();
    let writes = |counted: &Counted| counted.requests(&["APPLY", "PATCH", "POST", "PUT"], |r| r == "httproutes");
    assert_eq!(writes(&after) - writes(&before), 1);
}

/// A namespace goes slowly; from the moment it is gone, the same second holds for everything that was in it.
async fn namespaces_come_back_with_all_that_is_in_them(world: &World, client: &Client) {
    for name in ["envoy-shared", "gw-envoy-own"] {
        let api = NAMESPACE.all(client);
        let uid = api.get(name).await.unwrap().uid();
        let label = format!("octroi.dev/tenant={}", name.trim_start_matches("gw-"));
        let before = owned(client, &label).await.len();
        delete(&api, name).await;
        world
            .eventually("the old one is gone", async || match api.get_opt(name).await.unwrap() {
                Some(now) if now.uid() == uid => Err(now.data.to_string()),
                _ => Ok(()),
            })
            .await;
        let since = Instant::now();
        let back = within(AT_ONCE, name, async || {
            let now = owned(client, &label).await.len();
            if now == before { Ok(()) } else { Err(format!("{now} of {before} objects")) }
        });
        back.await.unwrap_or_else(|late| panic!("{late}\n{}", world.operator.log()));
        println!("namespace {name} is back with {before} objects of its tenant after {:?}", since.elapsed());
        settled(world, client).await;
    }
}
