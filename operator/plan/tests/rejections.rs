//! What cannot be had: each mistake with its reason, its field and what to do, all at once, and no word of another tenant.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::Reason;
use octroi_api::{Tenant, TenantClass, TenantStatus};
use octroi_plan::class::ClassPlan;
use octroi_plan::rejection::Rejection;
use octroi_plan::resolve::hosts::ClaimState;
use octroi_plan::tenant::TenantPlan;
use octroi_plan::world::{GatewayClassView, World};
use octroi_plan::{ChildKey, ChildKind, status};
use octroi_plan::{class as class_plan, tenant as tenant_plan};
use serde_json::{Value, json};
use support::{Cluster, KGATEWAY, class, default_class, tenant, world};

/// The other tenant; nobody may read its name.
const OTHER: &str = "globex";

fn standard() -> TenantClass {
    default_class("standard", &json!({}))
}

/// Everything that is wrong with a Tenant, after what is true of every refusal was checked.
fn rejections(tenant: &Tenant, world: &World) -> Vec<Rejection> {
    let plan = tenant_plan::plan(tenant, world);
    let TenantPlan::Reject(rejections) = &plan else { panic!("not rejected: {plan:?}") };
    assert!(plan.changes().is_none() && !plan.releases(), "a rejected Tenant is left as it is");
    assert!(!rejections.is_empty());
    for rejection in rejections {
        assert!(rejection.message.contains(": "), "no next step: {rejection:?}");
        assert!(rejection.field.starts_with("spec") || rejection.field == "metadata.name", "{rejection:?}");
        assert!(!rejection.message.contains(OTHER), "names the other tenant: {rejection:?}");
    }
    let said = status::tenant::of(tenant, &plan, world, &[], Timestamp::UNIX_EPOCH).unwrap();
    assert!(!serde_json::to_string(&said).unwrap().contains(OTHER), "names the other tenant: {said:?}");
    let of = |kind: &str| said.conditions.iter().find(|c| c.type_ == kind).unwrap();
    for kind in ["Accepted", "Ready"] {
        assert_eq!((of(kind).status.as_str(), of(kind).reason.as_str()), ("False", rejections[0].reason.as_str()));
        assert!(rejections.iter().all(|r| of(kind).message.contains(&r.message)), "{said:?}");
    }
    rejections.clone()
}

/// The only thing that is wrong.
fn rejection(tenant: &Tenant, world: &World) -> Rejection {
    let all = rejections(tenant, world);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

fn assert_is(found: &Rejection, reason: Reason, field: &str, parts: &[&str]) {
    assert_eq!((found.reason, found.field.as_str()), (reason, field), "{found:?}");
    for part in parts {
        assert!(found.message.contains(part), "lacks {part:?}: {found:?}");
    }
}

fn accepted(tenant: &Tenant, world: &World) -> TenantPlan {
    let plan = tenant_plan::plan(tenant, world);
    assert!(matches!(plan, TenantPlan::Keep { .. }), "{:?} is rejected: {plan:?}", tenant.spec);
    plan
}

/// A cluster where the other tenant has settled with this spec.
fn beside(spec: &Value, classes: impl IntoIterator<Item = TenantClass>) -> Cluster {
    let mut cluster = Cluster::with(classes);
    cluster.apply(tenant(OTHER, spec));
    cluster.settle();
    cluster
}

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

    let view = GatewayClassView { controller_name: "istio.io/gateway-controller".into() };
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
        let view = GatewayClassView { controller_name: controller.into() };
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
        cluster.create(ChildKey::new(ChildKind::Namespace, "", name), body, None);
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
fn domains_that_belong_to_the_platform() {
    let of = |name: &str, domain: &str| class(name, &json!({"baseDomain": domain}));
    let world = world([standard(), of("other", "web.platform.example")]);
    for host in [
        "apps.test",
        "shop.apps.test",
        "www.acme.apps.test",
        "*.apps.test",
        "*.acme.apps.test",
        "web.platform.example",
        "*.platform.example",
        "shop.web.platform.example",
    ] {
        let found = rejection(&tenant("acme", &json!({"domains": [{"host": "acme.example"}, {"host": host}]})), &world);
        assert_is(
            &found,
            Reason::Invalid,
            "spec.domains[1].host",
            &[host, "belongs to the platform", "list only domains of the client's own"],
        );
    }
    for host in ["platform.example", "www.platform.example", "myapps.test", "apps.test.example", "*.my-apps.test"] {
        accepted(&tenant("acme", &json!({"domains": [{"host": host}]})), &world);
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
fn the_tenants_own_host_is_anothers() {
    // The claims are older than the class: another base domain lay there.
    for (host, spec) in [
        ("acme.apps.test", json!({"domains": [{"host": "acme.apps.test"}]})),
        ("*.acme.apps.test", json!({"domains": [{"host": "*.acme.apps.test"}]})),
        ("www.acme.apps.test", json!({"domains": [{"host": "www.acme.apps.test"}]})),
        ("*.apps.test", json!({"domains": [{"host": "*.apps.test"}]})),
    ] {
        let mut cluster = beside(&spec, [default_class("standard", &json!({"baseDomain": "old.test"}))]);
        cluster.world.classes.insert("standard".into(), standard());
        let all = rejections(&tenant("acme", &json!({})), &cluster.world);
        assert!(!all.is_empty(), "{host}");
        all.iter()
            .for_each(|found| assert_is(found, Reason::HostTaken, "metadata.name", &["belongs to somebody else"]));
    }
}

#[test]
fn a_domain_that_is_anothers_costs_only_that_domain() {
    for (theirs, mine, taken) in [
        ("shop.example", "shop.example", true),
        ("*.shop.example", "*.shop.example", true),
        ("*.shop.example", "www.shop.example", true),
        ("*.shop.example", "a.b.shop.example", true),
        ("www.shop.example", "*.shop.example", true),
        ("*.eu.shop.example", "*.shop.example", true),
        ("*.shop.example", "*.eu.shop.example", true),
        ("*.shop.example", "shop.example", false),
        ("shop.example", "*.shop.example", false),
        ("www.shop.example", "api.shop.example", false),
        ("*.shop.example", "myshop.example", false),
    ] {
        let mut cluster = beside(&json!({"domains": [{"host": theirs}]}), [standard()]);
        let wanted = tenant("acme", &json!({"domains": [{"host": mine}, {"host": "acme.example"}]}));
        cluster.apply(wanted.clone());
        cluster.settle();
        let plan = cluster.plan("acme");
        let TenantPlan::Keep { resolved, desired, changes } = &plan else { panic!("{theirs} and {mine}: {plan:?}") };
        assert!(changes.is_settled());
        let state = resolved.hosts.iter().find(|host| host.host.as_str() == mine).unwrap().claim;
        assert_eq!(state, if taken { ClaimState::Taken } else { ClaimState::Ours }, "{theirs} and {mine}");
        let mut served = cluster.entry("acme").unwrap().hosts();
        served.sort();
        assert_eq!(served.contains(&mine.to_owned()), !taken, "{theirs} and {mine}");
        for host in ["acme.apps.test", "*.acme.apps.test", "acme.example"] {
            assert!(served.contains(&host.to_owned()), "{host} beside {mine}");
        }
        let certificates = desired.iter().filter(|child| child.key.kind == ChildKind::Certificate);
        assert_eq!(
            certificates.filter(|child| child.body.to_string().contains(&format!("\"{mine}\""))).count(),
            usize::from(!taken)
        );

        let said = status::tenant::of(&wanted, &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap();
        assert!(!serde_json::to_string(&said).unwrap().contains(OTHER), "names the other tenant: {said:?}");
        let domain = said.domains.iter().find(|domain| domain.host == mine).unwrap();
        assert_eq!((domain.ready, domain.reason.as_deref()), (!taken, taken.then_some("HostTaken")), "{domain:?}");
        let ready = said.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
        assert_eq!(
            (ready.status.as_str(), ready.reason == "HostTaken"),
            (if taken { "False" } else { "True" }, taken),
            "{ready:?}"
        );
        if taken {
            let message = domain.message.as_deref().unwrap();
            assert!(message.contains("remove it from spec.domains, or ask the run team"), "{message}");
        }
    }
}

#[test]
fn what_a_developer_reads_in_the_namespace_names_no_other_tenant() {
    let mut cluster = beside(&json!({"domains": [{"host": "shop.example"}]}), [standard()]);
    cluster.apply(tenant("acme", &json!({"domains": [{"host": "shop.example"}]})));
    cluster.settle();
    for key in cluster.owned_by("acme") {
        assert!(!cluster.objects[key].body.to_string().contains(OTHER), "{key}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut cluster = beside(
        &json!({"namespaces": [{"name": "shop"}]}),
        [
            default_class("standard", &json!({"gateway": {"allowDedicated": false}})),
            class("kg", &json!({"gateway": {"gatewayClassName": KGATEWAY}})),
        ],
    );
    cluster.create(ChildKey::new(ChildKind::Namespace, "", "gw-acme"), json!({}), None);
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
