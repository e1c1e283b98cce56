//! What cannot be had: each mistake with its reason, its field and what to do, all at once, and no word of another tenant.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::Reason;
use octroi_api::{TenantClass, TenantStatus};
use octroi_plan::class::{self as class_plan, ClassPlan};
use octroi_plan::rejection::Rejection;
use octroi_plan::tenant::TenantPlan;
use octroi_plan::world::{GatewayClassView, World};
use octroi_plan::{ChildKey, ChildKind, status};
use serde_json::json;
use support::refusal::{accepted, assert_is, beside, rejection, rejections, standard};
use support::{Cluster, class, default_class, tenant, world};

#[test]
fn a_class_that_is_not_there() {
    let world = world([standard()]);
    let found = rejection(&tenant("acme", &json!({"className": "gold"})), &world);
    assert_is(&found, Reason::ClassNotFound, "spec.className", &["'gold' does not exist", "kubectl get tenantclasses"]);
}

#[test]
fn no_class_and_no_default() {
    let mut world = world([class("gold", &json!({}))]);
    let found = rejection(&tenant("acme", &json!({})), &world);
    assert_is(
        &found,
        Reason::ClassNotFound,
        "spec.className",
        &["none is the default", "octroi.dev/is-default-class=\"true\""],
    );

    // Only the exact word makes a default.
    let mut loud = default_class("silver", &json!({}));
    loud.metadata.annotations.as_mut().unwrap().values_mut().for_each(|value| *value = "yes".into());
    world.classes.insert("silver".into(), loud);
    rejection(&tenant("acme", &json!({})), &world);
}

#[test]
fn the_class_in_force_is_kept_when_the_default_changes_and_missed_when_it_goes() {
    let mut held = tenant("acme", &json!({}));
    held.status = Some(TenantStatus { class_name: Some("old".into()), ..TenantStatus::default() });
    let mut world = world([standard(), class("old", &json!({}))]);
    let TenantPlan::Keep { resolved, .. } = accepted(&held, &world) else { unreachable!() };
    assert_eq!(resolved.class.name, "old");

    world.classes.remove("old");
    let found = rejection(&held, &world);
    assert_is(&found, Reason::ClassNotFound, "spec.className", &["'old' does not exist"]);
}

#[test]
fn a_class_of_an_unknown_data_plane() {
    let strange = default_class("standard", &json!({"gateway": {"gatewayClassName": "istio"}}));
    let mut world = world([strange.clone()]);
    let found = class_rejection(&strange, &world);
    assert_is(
        &found,
        Reason::Invalid,
        "spec.gateway.gatewayClassName",
        &["'istio' does not exist", "kubectl get gatewayclasses"],
    );

    let view = GatewayClassView::of("istio.io/gateway-controller");
    world.gateway_classes.insert("istio".into(), view);
    let found = class_rejection(&strange, &world);
    assert_is(
        &found,
        Reason::Invalid,
        "spec.gateway.gatewayClassName",
        &["istio.io/gateway-controller", "name a class of kgateway or Envoy Gateway"],
    );
    let found = rejection(&tenant("acme", &json!({})), &world);
    assert_is(&found, Reason::ClassNotAccepted, "spec.className", &["kubectl describe tenantclass standard"]);
}

#[test]
fn controllers_that_only_resemble_a_known_one() {
    for (controller, known) in [
        ("gateway.envoyproxy.io/gatewayclass-controller", true),
        ("gateway.envoyproxy.io/team-a", true),
        ("kgateway.dev/kgateway", true),
        ("kgateway.dev.evil.example/kgateway", false),
        ("evil.kgateway.dev/kgateway", false),
        ("", false),
    ] {
        let mut world = world([standard()]);
        let view = GatewayClassView::of(controller);
        world.gateway_classes.insert(support::ENVOY_GATEWAY.into(), view);
        let is_kept = matches!(class_plan::plan(&standard(), &world), ClassPlan::Keep { .. });
        assert_eq!(is_kept, known, "{controller:?}");
    }
}

#[test]
fn base_domains_one_below_the_other() {
    let high = class("high", &json!({"baseDomain": "example"}));
    for (mine, other, nested) in [
        ("apps.test", "apps.test", false),
        ("apps.test", "web.test", false),
        ("apps.test", "myapps.test", false),
        ("apps.test", "eu.apps.test", true),
        ("eu.apps.test", "apps.test", true),
        ("a.b.apps.test", "apps.test", true),
    ] {
        let class_of = |name: &str, domain: &str| class(name, &json!({"baseDomain": domain}));
        let (mine, other) = (class_of("mine", mine), class_of("other", other));
        let world = world([mine.clone(), other.clone(), high.clone()]);
        for class in [&mine, &other] {
            if nested {
                let found = class_rejection(class, &world);
                assert_is(
                    &found,
                    Reason::Invalid,
                    "spec.baseDomain",
                    &["lie one below the other", "choose a base domain beside it"],
                );
            } else {
                assert!(matches!(class_plan::plan(class, &world), ClassPlan::Keep { .. }));
            }
        }
        let wanted = tenant("acme", &json!({"className": "mine"}));
        if nested {
            assert_is(
                &rejection(&wanted, &world),
                Reason::ClassNotAccepted,
                "spec.className",
                &["'mine' is not accepted"],
            );
        } else {
            accepted(&wanted, &world);
        }
    }
}

fn class_rejection(class: &TenantClass, world: &World) -> Rejection {
    let plan = class_plan::plan(class, world);
    let ClassPlan::Reject(rejections) = &plan else { panic!("not rejected: {plan:?}") };
    assert_eq!(rejections.len(), 1, "{rejections:?}");
    let said = status::class::of(class, &plan, world, &[], Timestamp::UNIX_EPOCH).unwrap();
    assert!(said.conditions.iter().all(|c| c.status == "False" && c.message.contains(&rejections[0].message)));
    rejections[0].clone()
}

#[test]
fn a_namespace_that_is_anothers() {
    let cluster = beside(&json!({"namespaces": [{"name": "shop"}]}), [standard()]);
    let found = rejection(&tenant("acme", &json!({"namespaces": [{"name": "web"}, {"name": "shop"}]})), &cluster.world);
    assert_is(
        &found,
        Reason::NamespaceTaken,
        "spec.namespaces[1].name",
        &["'shop' exists already", "choose another name"],
    );
}

#[test]
fn the_namespace_that_a_tenant_gets_by_default_is_anothers() {
    let cluster = beside(&json!({"namespaces": [{"name": "acme"}]}), [standard()]);
    let found = rejection(&tenant("acme", &json!({})), &cluster.world);
    assert_is(&found, Reason::NamespaceTaken, "spec.namespaces", &["'acme' exists already", "choose another name"]);
}

#[test]
fn a_namespace_of_nobody_of_a_class_and_of_the_data_plane() {
    let mut cluster = Cluster::with([standard()]);
    let of_class = json!({"metadata": {"labels": {"octroi.dev/class": "standard"}}});
    for (name, body) in [("legacy", json!({})), ("gw-acme", json!({})), ("classy", of_class)] {
        cluster.create(&ChildKey::new(ChildKind::Namespace, "", name), body, None);
    }
    let found =
        rejections(&tenant("acme", &json!({"namespaces": [{"name": "legacy"}, {"name": "classy"}]})), &cluster.world);
    assert_is(&found[0], Reason::NamespaceTaken, "spec.namespaces[0].name", &["'legacy'"]);
    assert_is(&found[1], Reason::NamespaceTaken, "spec.namespaces[1].name", &["'classy'"]);
    assert_is(&found[2], Reason::NamespaceTaken, "metadata.name", &["'gw-acme'"]);
    assert_eq!(found.len(), 3);
}

#[test]
fn a_namespace_of_ones_own_is_no_mistake_even_on_its_way_out() {
    let mut cluster = Cluster::with([standard()]);
    cluster.apply(tenant("acme", &json!({})));
    cluster.settle();
    let key = ChildKey::new(ChildKind::Namespace, "", "acme");
    let mut going = cluster.world.get(&key).unwrap().clone();
    going.deleting = true;
    going.resource_version = "1000000".into();
    cluster.world.observe(key.clone(), going);
    let TenantPlan::Keep { changes, .. } = accepted(&tenant("acme", &json!({})), &cluster.world) else {
        unreachable!()
    };
    assert!(changes.missing.contains(&key));
    assert!(changes.writes.is_empty(), "nothing is written into a namespace that goes: {:?}", changes.writes);
}

#[test]
fn names_that_got_past_the_schema() {
    let world = world([standard()]);
    for name in ["", "Acme", "gw-acme", "edge", "1a"] {
        let found = rejection(&tenant(name, &json!({})), &world);
        assert_is(&found, Reason::Invalid, "metadata.name", &[]);
    }
    for name in ["Prod", "kube-system", "octroi"] {
        let found = rejection(&tenant("acme", &json!({"namespaces": [{"name": name}]})), &world);
        assert_is(&found, Reason::Invalid, "spec.namespaces[0].name", &[name]);
    }
    for host in ["Shop.acme.example", "*", "*.com", "shop.acme.example.", "x---a.example", "10.0.0.1"] {
        let found = rejection(&tenant("acme", &json!({"domains": [{"host": host}]})), &world);
        assert_is(&found, Reason::Invalid, "spec.domains[0].host", &[host, "such as shop.acme.example"]);
    }
}

#[test]
fn a_dedicated_gateway_that_the_class_does_not_offer() {
    let shared_only = default_class("standard", &json!({"gateway": {"allowDedicated": false}}));
    let found = rejection(&tenant("acme", &json!({"gateway": {"mode": "Dedicated"}})), &world([shared_only]));
    assert_is(
        &found,
        Reason::Invalid,
        "spec.gateway.mode",
        &["'standard' offers no Dedicated gateway", "use Shared, or a class that does"],
    );
}

#[test]
fn replicas_of_a_shared_gateway() {
    let replicas = json!({"replicas": {"min": 1, "max": 2}});
    let wanted = tenant("acme", &json!({"gateway": replicas}));
    let found = rejection(&wanted, &world([standard()]));
    assert_is(
        &found,
        Reason::Invalid,
        "spec.gateway.replicas",
        &["remove them, or set spec.gateway.mode to Dedicated"],
    );
    accepted(&wanted, &world([default_class("gold", &json!({"gateway": {"mode": "Dedicated"}}))]));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut cluster = beside(
        &json!({"namespaces": [{"name": "shop"}]}),
        [default_class("standard", &json!({"gateway": {"allowDedicated": false}}))],
    );
    cluster.create(&ChildKey::new(ChildKind::Namespace, "", "gw-acme"), json!({}), None);
    let all = rejections(
        &tenant(
            "acme",
            &json!({
                "namespaces": [{"name": "shop"}, {"name": "kube-x"}],
                "domains": [{"host": "a.apps.test"}, {"host": "Shop.example"}],
                "gateway": {"mode": "Dedicated"},
            }),
        ),
        &cluster.world,
    );
    let fields: Vec<&str> = all.iter().map(|r| r.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.namespaces[0].name",
            "spec.namespaces[1].name",
            "metadata.name",
            "spec.domains[0].host",
            "spec.domains[1].host",
            "spec.gateway.mode",
        ]
    );
}

#[test]
fn a_mistake_touches_nothing_of_what_a_tenant_has() {
    let mut cluster = beside(&json!({"namespaces": [{"name": "shop"}]}), [standard()]);
    cluster.apply(tenant("acme", &json!({"domains": [{"host": "acme.example"}]})));
    cluster.settle();
    let before = cluster.log.len();
    cluster.apply(tenant("acme", &json!({"className": "gone", "namespaces": [{"name": "shop"}]})));
    cluster.settle();
    assert_eq!(cluster.log.len(), before, "{:?}", &cluster.log[before..]);
    assert_eq!(cluster.entry("acme").unwrap().hosts().len(), 3);
}
