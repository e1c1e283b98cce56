//! What is said of a tenant's routes: the mistakes first.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::jiff::Timestamp;
use octroi_api::{FailingItem, RouteProblem, RoutesStatus, Tenant, labels};
use octroi_plan::routes::judge;
use octroi_plan::routes::news::{News, Told};
use octroi_plan::routes::observed::{Route, RouteObject};
use octroi_plan::routes::{RouteChange, RouteKey, RouteKind};
use octroi_plan::status;
use serde_json::{Value, json};
use support::refusal::OTHER;
use support::{Cluster, classes, tenant};

const ENVOY: &str = "gateway.envoyproxy.io/gatewayclass-controller";
const KGATEWAY: &str = "kgateway.dev/kgateway";

fn entry(tenant: &str) -> Value {
    json!({"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": tenant, "namespace": format!("gw-{tenant}")})
}

/// What a controller says of a route's first parent.
fn said(controller: &str, parent: &Value, conditions: &[(&str, &str, &str, &str)]) -> Value {
    let condition = |(kind, status, reason, message): &(&str, &str, &str, &str)| {
        json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    json!({"parentRef": parent, "controllerName": controller,
        "conditions": conditions.iter().map(condition).collect::<Vec<_>>()})
}

const GOOD: [(&str, &str, &str, &str); 2] =
    [("Accepted", "True", "Accepted", ""), ("ResolvedRefs", "True", "ResolvedRefs", "")];

/// A good route of acme, with some of its fields replaced.
fn object(name: &str, spec: &Value, parents: &[Value]) -> RouteObject {
    let mut all = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "acme", "uid": format!("uid-of-{name}"), "generation": 1},
        "spec": {"hostnames": ["www.acme.apps.test"], "parentRefs": [entry("acme")], "rules": [{"backendRefs": []}]},
        "status": {"parents": parents},
    });
    for (field, value) in spec.as_object().unwrap() {
        all["spec"][field] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

fn good(name: &str) -> RouteObject {
    object(name, &json!({}), &[said(ENVOY, &entry("acme"), &GOOD)])
}

/// acme on Envoy Gateway with a domain of its own, beside globex.
fn cluster() -> Cluster {
    let mut cluster = Cluster::with(classes());
    cluster.apply(tenant("acme", &json!({"domains": [{"host": "shop.acme.example"}]})));
    cluster.apply(tenant(OTHER, &json!({})));
    cluster.settle();
    cluster
}

fn key(kind: RouteKind, name: &str) -> RouteKey {
    RouteKey { namespace: "acme".into(), kind, name: name.into() }
}

fn observe(cluster: &mut Cluster, kind: RouteKind, object: &RouteObject) -> RouteChange {
    let name = object.metadata.name.clone().unwrap();
    cluster.world.routes.observe(key(kind, &name), Route::of(object))
}

fn status(cluster: &mut Cluster) -> RoutesStatus {
    let plan = cluster.plan("acme");
    let tenant = &cluster.tenants["acme"];
    status::tenant::of(tenant, &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap().routes.unwrap()
}

/// What is said of one route when it is the only one.
fn failing(kind: RouteKind, object: &RouteObject) -> FailingItem {
    let mut cluster = cluster();
    observe(&mut cluster, kind, object);
    let status = status(&mut cluster);
    assert_eq!((status.accepted, status.rejected, status.failing.len()), (0, 1, 1), "{status:?}");
    assert!(!format!("{status:?}").contains(OTHER), "names the other tenant: {status:?}");
    status.failing[0].clone()
}

#[test]
fn what_can_be_seen_without_a_data_plane_comes_first() {
    use RouteProblem::{HostnameMissing, HostnameNotOwned, NotAttached, ParentNotOwned};
    let gateway = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "standard-0", "namespace": "octroi-gateways"});
    let mut impostor = entry("acme");
    impostor["namespace"] = json!("acme");
    let own =
        "(acme.apps.test, *.acme.apps.test, shop.acme.example; kubectl get configmap -n acme octroi-entry -o yaml)";
    let entry_of_acme = "kind: ListenerSet, name: acme, namespace: gw-acme";
    for (spec, problem, parts) in [
        (
            json!({"hostnames": ["www.globe.apps.test"]}),
            HostnameNotOwned,
            ["spec.hostnames[0] 'www.globe.apps.test' is not", own],
        ),
        (
            json!({"hostnames": ["shop.acme.example", "b.shop.acme.example"]}),
            HostnameNotOwned,
            ["spec.hostnames[1]", own],
        ),
        (
            json!({"hostnames": ["a.b.acme.apps.test"]}),
            HostnameNotOwned,
            ["spec.hostnames[0]", "spec.domains of Tenant acme"],
        ),
        (
            json!({"hostnames": ["evil-acme.apps.test", "x.test", "y.test"]}),
            HostnameNotOwned,
            ["spec.hostnames[0]", "(nor are 2 more)"],
        ),
        (json!({"hostnames": ["*.apps.test"]}), HostnameNotOwned, ["spec.hostnames[0]", own]),
        (json!({"hostnames": ["*.www.acme.apps.test"]}), HostnameNotOwned, ["spec.hostnames[0]", own]),
        (json!({"hostnames": []}), HostnameMissing, ["spec.hostnames is empty", own]),
        (json!({"parentRefs": []}), NotAttached, ["spec.parentRefs is empty", entry_of_acme]),
        (json!({"parentRefs": [gateway]}), ParentNotOwned, ["spec.parentRefs[0]", entry_of_acme]),
        (json!({"parentRefs": [entry("acme"), entry(OTHER)]}), ParentNotOwned, ["spec.parentRefs[1]", entry_of_acme]),
        (json!({"parentRefs": [impostor]}), ParentNotOwned, ["spec.parentRefs[0]", entry_of_acme]),
    ] {
        // Whatever a data plane says of it.
        let found = failing(RouteKind::Http, &object("web", &spec, &[said(ENVOY, &entry("acme"), &GOOD)]));
        assert_eq!((found.name.as_str(), found.reason.as_str()), ("HTTPRoute acme/web", problem.as_str()), "{found:?}");
        for part in parts {
            assert!(found.message.contains(part), "lacks {part:?}: {found:?}");
        }
    }
}

#[test]
fn what_a_data_plane_says_is_told_with_the_next_step() {
    let accepted = GOOD[0];
    let conflict = "conflicts with globex/web";
    for (kind, bad, reason, parts) in [
        (
            RouteKind::Http,
            ("ResolvedRefs", "False", "BackendNotFound", "service acme/webb not found"),
            "BackendNotFound",
            ["service acme/webb not found", "kubectl get services -n acme"],
        ),
        (
            RouteKind::Grpc,
            ("ResolvedRefs", "False", "RefNotPermitted", conflict),
            "BackendNotPermitted",
            ["RefNotPermitted", "the route's own namespace"],
        ),
        (
            RouteKind::Http,
            ("Accepted", "False", "NoMatchingListenerHostname", conflict),
            "NotAttached",
            ["NoMatchingListenerHostname", "leave sectionName and port out"],
        ),
        (
            RouteKind::Tls,
            ("Accepted", "False", "NotAllowedByListeners", conflict),
            "NotAttached",
            ["NotAllowedByListeners", "no listener for a TLSRoute"],
        ),
        (
            RouteKind::Tcp,
            ("Accepted", "False", "NotAllowedByListeners", conflict),
            "NotAttached",
            ["NotAllowedByListeners", "no listener for a TCPRoute"],
        ),
        (
            RouteKind::Udp,
            ("Accepted", "False", "NoMatchingParent", conflict),
            "NotAttached",
            ["NoMatchingParent", "no listener for a UDPRoute"],
        ),
        (
            RouteKind::Http,
            ("Accepted", "False", "HostnameConflict", conflict),
            "Invalid",
            ["HostnameConflict", "kubectl describe httproutes -n acme web"],
        ),
        (
            RouteKind::Http,
            ("PartiallyInvalid", "True", "UnsupportedValue", "Dropped Rule(s) [0]"),
            "Invalid",
            ["Dropped Rule(s) [0]", "correct spec.rules"],
        ),
    ] {
        let conditions = if bad.0 == "Accepted" { vec![bad] } else { vec![accepted, bad] };
        let found = failing(kind, &object("web", &json!({}), &[said(ENVOY, &entry("acme"), &conditions)]));
        assert_eq!((found.name, found.reason.as_str()), (format!("{} acme/web", kind.api().kind), reason));
        for part in parts {
            assert!(found.message.contains(part), "lacks {part:?}: {}", found.message);
        }
    }
}

#[test]
fn a_route_waits_until_the_data_plane_of_its_class_speaks_of_its_entry() {
    let elsewhere = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "x", "namespace": "acme"});
    let mut edited = good("web");
    edited.metadata.generation = Some(2);
    for object in [
        object("web", &json!({}), &[]),
        object("web", &json!({}), &[said(KGATEWAY, &entry("acme"), &GOOD)]),
        object("web", &json!({}), &[said("example.com/other", &entry("acme"), &GOOD)]),
        object("web", &json!({}), &[said(ENVOY, &elsewhere, &GOOD)]),
        edited,
    ] {
        let mut cluster = cluster();
        observe(&mut cluster, RouteKind::Http, &object);
        assert_eq!(status(&mut cluster), RoutesStatus { pending: 1, ..RoutesStatus::default() });
    }
}

#[test]
fn one_of_two_listeners_that_refuses_is_enough() {
    let mut second = entry("acme");
    second["sectionName"] = json!("nowhere");
    let spec = json!({"parentRefs": [entry("acme"), second]});
    let parents = vec![
        said(ENVOY, &entry("acme"), &GOOD),
        said(ENVOY, &second, &[("Accepted", "False", "NoMatchingParent", "")]),
    ];
    assert_eq!(failing(RouteKind::Http, &object("web", &spec, &parents)).reason, "NotAttached");
}

#[test]
fn a_domain_that_is_withdrawn_is_missed_by_the_routes_that_have_it() {
    let mut cluster = cluster();
    let shop = json!({"hostnames": ["shop.acme.example"]});
    observe(&mut cluster, RouteKind::Http, &object("shop", &shop, &[said(ENVOY, &entry("acme"), &GOOD)]));
    observe(&mut cluster, RouteKind::Http, &good("web"));
    assert_eq!(status(&mut cluster).accepted, 2);

    cluster.apply(tenant("acme", &json!({})));
    cluster.settle();
    let after = status(&mut cluster);
    assert_eq!((after.accepted, after.rejected), (1, 1));
    assert_eq!(
        (after.failing[0].name.as_str(), after.failing[0].reason.as_str()),
        ("HTTPRoute acme/shop", "HostnameNotOwned")
    );
}

#[test]
fn a_refused_tenant_is_judged_by_what_it_owns() {
    let mut cluster = cluster();
    observe(&mut cluster, RouteKind::Http, &good("web"));
    let lost = json!({"hostnames": ["www.globe.apps.test"]});
    observe(&mut cluster, RouteKind::Http, &object("lost", &lost, &[]));
    cluster.apply(tenant("acme", &json!({"className": "nowhere"})));
    let said = status(&mut cluster);
    assert_eq!((said.accepted, said.rejected), (1, 1), "{said:?}");
}

#[test]
fn routes_of_a_suspended_tenant_are_suspended_and_nothing_else() {
    let mut cluster = cluster();
    observe(&mut cluster, RouteKind::Http, &good("web"));
    let detached = said(ENVOY, &entry("acme"), &[("Accepted", "False", "NotAllowedByListeners", "")]);
    observe(&mut cluster, RouteKind::Http, &object("shop", &json!({}), &[detached]));
    observe(&mut cluster, RouteKind::Grpc, &object("lost", &json!({"hostnames": ["x.test"]}), &[]));
    cluster.apply(held("Suspended"));
    cluster.settle();
    assert_eq!(status(&mut cluster), RoutesStatus { suspended: 3, ..RoutesStatus::default() });
    cluster.apply(held("Cordoned"));
    cluster.settle();
    let cordoned = status(&mut cluster);
    assert_eq!((cordoned.accepted, cordoned.rejected, cordoned.suspended), (1, 2, 0));
}

fn held(state: &str) -> Tenant {
    let mut held = tenant("acme", &json!({"domains": [{"host": "shop.acme.example"}]}));
    let annotations = [(labels::HOLD, state), (labels::HOLD_REASON, "phishing")];
    held.metadata.annotations = Some(annotations.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    held
}

#[test]
fn a_status_is_bounded_whatever_a_tenant_writes() {
    let mut cluster = cluster();
    let longest = "a".repeat(253);
    for i in 0..50 {
        let host = format!("{}.test", vec!["b".repeat(60); 4].join("."));
        observe(
            &mut cluster,
            RouteKind::Http,
            &object(&format!("{i:03}{}", &longest[3..]), &json!({"hostnames": vec![host; 16]}), &[]),
        );
    }
    let said = status(&mut cluster);
    assert_eq!((said.rejected, said.failing.len()), (50, 20));
    for item in &said.failing {
        assert!(item.name.len() <= 340 && item.message.len() <= 1024, "{} {}", item.name.len(), item.message.len());
    }
    let mut names: Vec<&str> = said.failing.iter().map(|item| item.name.as_str()).collect();
    names.dedup();
    assert_eq!(names.len(), 20);
}

#[test]
fn routes_elsewhere_are_not_the_tenants() {
    let mut cluster = cluster();
    for namespace in [OTHER, "gw-acme", "octroi-gateways", "elsewhere"] {
        let key = RouteKey { namespace: namespace.into(), kind: RouteKind::Http, name: "web".into() };
        cluster.world.routes.observe(key, Route::of(&good("web")));
    }
    assert_eq!(status(&mut cluster), RoutesStatus::default());
}

#[test]
fn an_echo_changes_nothing_and_a_new_generation_alone_can_wait() {
    let mut cluster = cluster();
    assert_eq!(observe(&mut cluster, RouteKind::Http, &object("web", &json!({}), &[])), RouteChange::News);
    assert_eq!(observe(&mut cluster, RouteKind::Http, &good("web")), RouteChange::News);
    // A heartbeat: other times, other messages of conditions that hold.
    let mut heartbeat = good("web");
    for condition in &mut heartbeat.status.as_mut().unwrap().parents[0].conditions {
        condition.message = "still so".into();
    }
    assert_eq!(observe(&mut cluster, RouteKind::Http, &heartbeat), RouteChange::Echo);
    heartbeat.metadata.generation = Some(2);
    assert_eq!(observe(&mut cluster, RouteKind::Http, &heartbeat), RouteChange::Waits);
    assert_eq!(observe(&mut cluster, RouteKind::Http, &heartbeat), RouteChange::Echo);
    // A new host is judged without a data plane.
    heartbeat.spec.hostnames = vec!["x.test".into()];
    assert_eq!(observe(&mut cluster, RouteKind::Http, &heartbeat), RouteChange::News);
    let key = key(RouteKind::Http, "web");
    assert_eq!(cluster.world.routes.forget(&key), RouteChange::News);
    assert_eq!(cluster.world.routes.forget(&key), RouteChange::Echo);
}

/// What is told, in words: `+` a problem, `-` what is solved.
fn told(told: &mut Told, cluster: &mut Cluster) -> Vec<String> {
    let plan = cluster.plan("acme");
    let judged = judge::of_plan(&cluster.tenants["acme"], &plan, &cluster.world).unwrap();
    let words = |news: News| match (&news.route.outcome, news.solved) {
        (judge::Outcome::Problem(problem), None) => format!("+{} {}", news.route.key.name, problem.word.as_str()),
        (judge::Outcome::Accepted, Some(solved)) => format!("-{} {}", news.route.key.name, solved.as_str()),
        other => panic!("{other:?}"),
    };
    told.news(&judged).into_iter().map(words).collect()
}

#[test]
fn each_change_is_told_once() {
    let (mut cluster, mut memory) = (cluster(), Told::default());
    let hosts = |host: &str| object("web", &json!({"hostnames": [host]}), &[]);
    observe(&mut cluster, RouteKind::Http, &hosts("x.test"));
    observe(&mut cluster, RouteKind::Http, &good("fine"));
    assert_eq!(told(&mut memory, &mut cluster), ["+web HostnameNotOwned"]);
    assert_eq!(told(&mut memory, &mut cluster), [""; 0]);
    // Another fault with the same word is news; another remedy is none.
    observe(&mut cluster, RouteKind::Http, &hosts("y.test"));
    assert_eq!(told(&mut memory, &mut cluster), ["+web HostnameNotOwned"]);
    cluster.apply(tenant("acme", &json!({"domains": [{"host": "z.acme.example"}]})));
    cluster.settle();
    assert_eq!(told(&mut memory, &mut cluster), [""; 0]);
    // Nothing is solved before the data plane says so.
    observe(&mut cluster, RouteKind::Http, &object("web", &json!({}), &[]));
    assert_eq!(told(&mut memory, &mut cluster), [""; 0]);
    observe(&mut cluster, RouteKind::Http, &good("web"));
    assert_eq!(told(&mut memory, &mut cluster), ["-web HostnameNotOwned"]);
    assert_eq!(told(&mut memory, &mut cluster), [""; 0]);
    // A new route of that name has heard nothing.
    observe(&mut cluster, RouteKind::Http, &hosts("x.test"));
    assert_eq!(told(&mut memory, &mut cluster).len(), 1);
    let mut again = hosts("x.test");
    again.metadata.uid = Some("another".into());
    observe(&mut cluster, RouteKind::Http, &again);
    assert_eq!(told(&mut memory, &mut cluster), ["+web HostnameNotOwned"]);
}

#[test]
fn what_the_old_status_lists_is_not_told_again_after_a_restart() {
    let mut cluster = cluster();
    for i in 0..22 {
        let object = object(&format!("r{i:02}"), &json!({"hostnames": ["x.test"]}), &[]);
        observe(&mut cluster, RouteKind::Http, &object);
    }
    let before = status(&mut cluster);
    let mut memory = Told::of_status(Some(&before));
    // Only what the status had no room for.
    assert_eq!(told(&mut memory, &mut cluster), ["+r20 HostnameNotOwned", "+r21 HostnameNotOwned"]);
    let mut memory = Told::of_status(Some(&before));
    observe(&mut cluster, RouteKind::Http, &good("r00"));
    assert_eq!(told(&mut memory, &mut cluster)[0], "-r00 HostnameNotOwned");
}

#[test]
fn a_suspension_is_told_once_and_so_is_its_end() {
    let mut cluster = cluster();
    observe(&mut cluster, RouteKind::Http, &good("web"));
    observe(&mut cluster, RouteKind::Http, &object("lost", &json!({"hostnames": ["x.test"]}), &[]));
    let mut memory = Told::default();
    assert_eq!(told(&mut memory, &mut cluster), ["+lost HostnameNotOwned"]);
    cluster.apply(held("Suspended"));
    cluster.settle();
    assert_eq!(told(&mut memory, &mut cluster), ["+lost Suspended", "+web Suspended"]);
    // The operator starts anew meanwhile.
    let mut memory = Told::of_status(Some(&status(&mut cluster)));
    assert_eq!(told(&mut memory, &mut cluster), [""; 0]);
    cluster.apply(tenant("acme", &json!({})));
    cluster.settle();
    assert_eq!(told(&mut memory, &mut cluster), ["+lost HostnameNotOwned", "-web Suspended"]);
    assert_eq!(told(&mut memory, &mut cluster), [""; 0]);
}
