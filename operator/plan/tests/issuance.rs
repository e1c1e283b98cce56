//! New certificates below an authority's limit: none too many, none forgotten, nobody else's fault, and the oldest tenant first.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use octroi_api::TenantStatus;
use octroi_plan::status::certificates::next_look;
use octroi_plan::tenant::TenantPlan;
use octroi_plan::{ChildKind, status};
use serde_json::json;
use support::{Cluster, class, default_class, tenant};

const START: &str = "2026-06-01T00:00:00Z";

fn start() -> Timestamp {
    START.parse().unwrap()
}

fn hours(hours: i64) -> Timestamp {
    start() + SignedDuration::from_hours(hours)
}

/// A class that asks for two new certificates in three hours, one of the same issuer that asks for any number, and one of
/// another issuer.
fn cluster() -> Cluster {
    let limited = json!({"tls": {"issuance": {"certificates": 2}}});
    let mut cluster = Cluster::with([
        default_class("standard", &limited),
        class("free", &json!({})),
        class("other", &json!({"tls": {"issuerRef": {"name": "other-ca"}, "issuance": {"certificates": 2}}})),
    ]);
    cluster.world.now = start();
    cluster
}

/// A tenant that is so many seconds younger than the beginning.
fn add(cluster: &mut Cluster, name: &str, class: &str, age: i64) {
    let mut tenant = tenant(name, &json!({"className": class}));
    tenant.metadata.creation_timestamp = Some(Time(start() + SignedDuration::from_secs(age)));
    cluster.apply(tenant);
}

fn certificates(cluster: &Cluster) -> BTreeSet<String> {
    let keys = cluster.objects.keys().filter(|key| key.kind == ChildKind::Certificate);
    keys.map(|key| key.name.clone()).collect()
}

fn assert_certificates(cluster: &Cluster, names: &[&str]) {
    assert_eq!(certificates(cluster), names.iter().map(|name| (*name).to_owned()).collect());
}

fn said(cluster: &mut Cluster, name: &str) -> (TenantStatus, Option<Timestamp>) {
    let plan = cluster.plan(name);
    let TenantPlan::Keep { resolved, desired, .. } = &plan else { panic!("{plan:?}") };
    let next = next_look(resolved, desired, &cluster.world);
    let said = status::tenant::of(&cluster.tenants[name], &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap();
    (said, next)
}

#[test]
fn one_too_many_waits_and_says_until_when() {
    let mut cluster = cluster();
    for (age, name) in ["a", "b", "c"].into_iter().enumerate() {
        add(&mut cluster, name, "standard", i64::try_from(age).unwrap());
    }
    cluster.settle();
    assert_certificates(&cluster, &["a", "b"]);
    let (waiting, next) = said(&mut cluster, "c");
    assert_eq!(next, Some(hours(3)), "it is looked at again when the first leaves the window");
    let ready = waiting.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "IssuanceQueued"));
    assert!(waiting.domains.iter().all(|d| !d.ready && d.reason.as_deref() == Some("IssuanceQueued")), "{waiting:?}");
    for part in ["lab-ca", "2 in 3 h", "follows by itself", "2026-06-01T03:00:00Z"] {
        assert!(ready.message.contains(part), "{part}: {}", ready.message);
    }
    // Everything else of it is in place.
    assert!(cluster.entry("c").is_some());
    assert_eq!(said(&mut cluster, "a").0.conditions.iter().find(|c| c.type_ == "Ready").unwrap().status, "True");

    cluster.world.now = hours(3) - SignedDuration::from_secs(1);
    cluster.settle();
    assert_certificates(&cluster, &["a", "b"]);
    cluster.world.now = hours(3);
    cluster.settle();
    assert_certificates(&cluster, &["a", "b", "c"]);
    assert_eq!(said(&mut cluster, "c").0.conditions.iter().find(|c| c.type_ == "Ready").unwrap().status, "True");
}

#[test]
fn a_tenant_with_more_domains_than_places_is_served_on_those_it_has() {
    let mut cluster = cluster();
    let domains = json!({"domains": [{"host": "a.example"}, {"host": "b.example"}, {"host": "own.example", "tls": {"secretName": "own"}}]});
    cluster.apply(tenant("acme", &domains));
    cluster.settle();
    assert_certificates(&cluster, &["a.example", "acme"]);
    let (said, _) = said(&mut cluster, "acme");
    let ready: Vec<_> = said.domains.iter().filter(|d| d.ready).map(|d| d.host.as_str()).collect();
    assert_eq!(ready, ["acme.apps.test", "*.acme.apps.test", "a.example", "own.example"], "{said:?}");
}

#[test]
fn plans_that_are_made_at_once_count_each_other() {
    let mut cluster = cluster();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        add(&mut cluster, name, "standard", 0);
    }
    cluster.reconcile_classes();
    let names: Vec<String> = cluster.tenants.keys().cloned().collect();
    // All plans of a round are made before the first write of any of them is seen.
    for _ in 0..6 {
        let plans: Vec<_> = names.iter().map(|name| cluster.plan(name)).collect();
        for plan in plans {
            cluster.carry_out(&plan.changes().unwrap().writes);
        }
        assert!(certificates(&cluster).len() <= 2, "{:?}", certificates(&cluster));
    }
    assert_certificates(&cluster, &["a", "b"]);
}

#[test]
fn a_restart_forgets_nothing() {
    let mut cluster = cluster();
    for name in ["a", "b", "c"] {
        add(&mut cluster, name, "standard", 0);
    }
    cluster.settle();
    cluster.restart();
    cluster.world.now = hours(1);
    cluster.settle();
    assert_certificates(&cluster, &["a", "b"]);
}

#[test]
fn who_came_first_is_served_first() {
    let mut cluster = cluster();
    for (name, age) in [("a", 0), ("b", 0), ("k-young", 20), ("z-old", 10)] {
        add(&mut cluster, name, "standard", age);
    }
    cluster.settle();
    assert_certificates(&cluster, &["a", "b"]);
    // One place is free, and the younger is looked at first.
    cluster.delete("b");
    cluster.settle();
    assert_certificates(&cluster, &["a", "z-old"]);
    // Who goes does not stand in the way for ever.
    let mut cluster = cluster_of_waiting();
    cluster.delete("z-old");
    cluster.settle();
    cluster.world.now = hours(3);
    cluster.settle();
    assert!(certificates(&cluster).contains("k-young"));
}

fn cluster_of_waiting() -> Cluster {
    let mut cluster = cluster();
    for (name, age) in [("a", 0), ("b", 0), ("z-old", 10), ("k-young", 20)] {
        add(&mut cluster, name, "standard", age);
    }
    cluster.settle();
    cluster
}

#[test]
fn each_waits_for_its_own_place() {
    let mut cluster = cluster();
    add(&mut cluster, "a", "standard", 0);
    cluster.settle();
    cluster.world.now = hours(1);
    add(&mut cluster, "b", "standard", 0);
    cluster.settle();
    for (name, age) in [("c", 10), ("d", 20), ("e", 30)] {
        add(&mut cluster, name, "standard", age);
    }
    cluster.settle();
    let next = ["c", "d", "e"].map(|name| said(&mut cluster, name).1.unwrap());
    assert_eq!(next, [hours(3), hours(4), hours(4)], "beyond what is known: when the last leaves");
}

#[test]
fn what_exists_is_not_taken_back_and_other_issuers_are_others() {
    let mut cluster = cluster();
    for name in ["a", "b", "c", "d"] {
        add(&mut cluster, name, "free", 0);
    }
    cluster.settle();
    assert_certificates(&cluster, &["a", "b", "c", "d"]);
    // The limit counts what classes without one asked the same issuer for.
    add(&mut cluster, "e", "standard", 0);
    add(&mut cluster, "f", "other", 0);
    cluster.settle();
    assert_certificates(&cluster, &["a", "b", "c", "d", "f"]);
    // And a class that gets one loses nothing.
    cluster.world.classes.insert("free".into(), class("free", &json!({"tls": {"issuance": {"certificates": 1}}})));
    cluster.settle();
    assert_certificates(&cluster, &["a", "b", "c", "d", "f"]);
    assert_eq!(said(&mut cluster, "a").0.conditions.iter().find(|c| c.type_ == "Ready").unwrap().status, "True");
}
