//! What random histories or a second look at the code brought up, each as short as it goes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use octroi_api::conditions::Reason;
use octroi_api::{Tenant, TenantStatus};
use octroi_plan::diff::{Action, Change};
use octroi_plan::tenant::TenantPlan;
use octroi_plan::{ChildKey, ChildKind};
use serde_json::json;
use support::invariants::{assert_hosts_have_one_owner, assert_nothing_changed_hands, assert_shards_are_not_overfull};
use support::refusal::assert_is;
use support::{Cluster, ENVOY_GATEWAY, KGATEWAY, MOST, accept_gap, class, classes, tenant};

/// Two tenants whose names and classes end up in one object name.
#[test]
fn tenants_share_no_object_whatever_they_are_called() {
    let wildcard =
        |name: &str, domain: &str| class(name, &json!({"baseDomain": domain, "tls": {"certificate": "ClassWildcard"}}));
    let mut cluster = Cluster::with([wildcard("b-c", "one.test"), wildcard("c", "two.test")]);
    let wanted: Vec<Tenant> =
        [("a", "b-c"), ("a-b", "c")].map(|(name, class)| tenant(name, &json!({"className": class}))).into();
    for tenant in wanted {
        let before = cluster.clone();
        cluster.apply(tenant);
        cluster.settle();
        assert_nothing_changed_hands(&before, &cluster);
    }
}

/// Two reconciles run at once: both plan before either has written.
#[test]
fn two_that_plan_at_once_never_share_a_host() {
    for (first, second) in [("shop.example", "shop.example"), ("*.shop.example", "www.shop.example")] {
        let mut cluster = Cluster::with(classes());
        cluster.apply(tenant("acme", &json!({"domains": [{"host": first}]})));
        cluster.apply(tenant("globex", &json!({"domains": [{"host": second}]})));
        let plans = ["acme", "globex"].map(|name| cluster.plan(name));
        for plan in &plans {
            cluster.carry_out(&plan.changes().unwrap().writes);
        }
        cluster.settle();
        assert_hosts_have_one_owner(&cluster);
    }
}

/// As above, with a namespace: whoever comes second must not be let into the first one's.
#[test]
fn two_that_plan_at_once_never_share_a_namespace() {
    let mut cluster = Cluster::with(classes());
    for (name, role) in [("acme", "Edit"), ("globex", "Admin")] {
        let members = json!([{"kind": "Group", "name": name, "role": role}]);
        cluster.apply(tenant(name, &json!({"members": members, "namespaces": [{"name": "shop"}]})));
        cluster.round(name);
    }
    let plans = ["acme", "globex"].map(|name| cluster.plan(name));
    for changes in plans.iter().filter_map(TenantPlan::changes) {
        cluster.carry_out(&changes.writes);
    }
    cluster.settle();
    let inside = cluster.objects.iter().filter(|(key, _)| key.namespace == "shop");
    let foreign: Vec<_> = inside.filter(|(_, object)| object.body.to_string().contains("globex")).collect();
    assert!(foreign.is_empty(), "globex is let into acme's namespace: {foreign:?}");
}

/// Whoever asks for a move and thinks better of it stays where it is.
#[test]
fn a_move_that_is_taken_back_is_no_move() {
    let mut cluster = Cluster::with(classes());
    for name in ["t1", "t2", "t3"] {
        cluster.apply(tenant(name, &json!({})));
        cluster.settle();
    }
    assert_eq!(cluster.entry("t3").unwrap().parent().name, "standard-1");
    cluster.delete("t1");
    cluster.settle();
    cluster.apply(tenant("t3", &json!({"gateway": {"mode": "Dedicated"}})));
    cluster.settle();
    cluster.apply(tenant("t3", &json!({"gateway": {"mode": "Shared"}})));
    cluster.settle();
    let TenantPlan::Keep { resolved, .. } = cluster.plan("t3") else { panic!("rejected") };
    assert_eq!(resolved.placement.waiting, None, "it waits for consent to a move that nobody wants");
    assert_eq!(resolved.placement.target.name, "standard-1");
}

/// A tenant that waits for consent to leave a Gateway is still on it.
#[test]
fn a_place_is_not_given_away_before_it_is_left() {
    let mut cluster = Cluster::with(classes());
    for name in ["t1", "t2"] {
        cluster.apply(tenant(name, &json!({})));
        cluster.settle();
    }
    cluster.apply(tenant("t2", &json!({"gateway": {"mode": "Dedicated"}})));
    cluster.settle();
    cluster.apply(tenant("t3", &json!({})));
    cluster.settle();
    assert_shards_are_not_overfull(&cluster, MOST);
}

/// A developer reads in `octroi-entry` which hosts a route may have.
#[test]
fn the_hosts_in_a_namespace_are_those_that_are_served() {
    let mut cluster = Cluster::with(classes());
    cluster.apply(tenant("globex", &json!({"domains": [{"host": "shop.example"}]})));
    cluster.settle();
    cluster.apply(tenant("acme", &json!({"domains": [{"host": "shop.example"}]})));
    cluster.settle();
    let config = &cluster.objects[&ChildKey::new(ChildKind::ConfigMap, "acme", "octroi-entry")];
    let hosts: Vec<&str> = config.body["data"]["hosts"].as_str().unwrap().lines().collect();
    assert_eq!(hosts, ["acme.apps.test", "*.acme.apps.test"]);
}

/// A claim that somebody deletes is made again before anything else: without it the plan lacks the host, and carrying that
/// out would take its listener and its name in the certificate away for a moment.
#[test]
fn a_lost_claim_is_made_again_before_anything_else() {
    let mut cluster = Cluster::with(classes());
    cluster.apply(tenant("acme", &json!({})));
    cluster.settle();
    let claim = ChildKey::new(ChildKind::DomainClaim, "", "acme.apps.test");
    assert_eq!(
        cluster.world.forget(&claim, None),
        octroi_plan::world::Noticed::Change,
        "acme has a claim of that name"
    );
    let plan = cluster.plan("acme");
    let written: Vec<&ChildKey> = plan.changes().unwrap().writes.iter().map(|write| &write.key).collect();
    assert_eq!(written, [&claim]);
}

/// A class whose tenants have a proxy each by default still fills its shared Gateways no more than it says.
#[test]
fn the_shards_of_a_dedicated_class_are_not_overfull_either() {
    let mut cluster = Cluster::with(classes());
    for name in ["t1", "t2", "t3"] {
        cluster.apply(tenant(name, &json!({"className": "gold", "gateway": {"mode": "Shared"}})));
        cluster.settle();
    }
    assert_shards_are_not_overfull(&cluster, MOST);
    assert_eq!(cluster.entry("t3").unwrap().parent().name, "gold-1");
}

/// A class of another data plane takes over the tenant's own Gateway, which has one name: nothing of that without consent, and
/// all of it with.
#[test]
fn a_class_of_another_data_plane_waits_for_consent() {
    let own = |class: &str| json!({"className": class, "gateway": {"mode": "Dedicated"}});
    let mut cluster = Cluster::with(classes());
    let mut wanted = tenant("acme", &own("standard"));
    cluster.apply(wanted.clone());
    cluster.settle();
    let key = |kind| ChildKey::new(kind, "gw-acme", "acme");
    let gateway_class =
        |cluster: &Cluster| cluster.objects[&key(ChildKind::Gateway)].body["spec"]["gatewayClassName"].clone();
    let before = cluster.objects.len();

    wanted.status = Some(TenantStatus { class_name: Some("standard".into()), ..TenantStatus::default() });
    wanted.spec.class_name = Some("gold".into());
    cluster.apply(wanted.clone());
    let TenantPlan::Reject(rejections) = cluster.plan("acme") else { panic!("nobody consented") };
    assert_is(
        &rejections[0],
        Reason::GapNotAccepted,
        "spec.className",
        &["octroi.dev/accept-gap=Dedicated", "or name a class of the data plane it is on"],
    );
    cluster.settle();
    assert_eq!((gateway_class(&cluster), cluster.objects.len()), (ENVOY_GATEWAY.into(), before));

    accept_gap(&mut wanted, "Dedicated");
    cluster.apply(wanted);
    cluster.settle();
    assert_eq!(gateway_class(&cluster), KGATEWAY);
    assert!(cluster.objects.contains_key(&key(ChildKind::TrafficPolicy)));
    assert!(!cluster.objects.contains_key(&key(ChildKind::ClientTrafficPolicy)));
}

/// From a proxy of its own to a shared one of another data plane: the old one is not made anew under the other.
#[test]
fn a_proxy_of_ones_own_goes_when_its_data_plane_does() {
    let mut cluster = Cluster::with(classes());
    let mut wanted = tenant("acme", &json!({"className": "standard", "gateway": {"mode": "Dedicated"}}));
    cluster.apply(wanted.clone());
    cluster.settle();
    wanted.status = Some(TenantStatus { class_name: Some("standard".into()), ..TenantStatus::default() });
    wanted.spec.class_name = Some("gold".into());
    wanted.spec.gateway = serde_json::from_value(json!({"mode": "Shared"})).unwrap();
    accept_gap(&mut wanted, "Shared");
    cluster.apply(wanted);
    let written = cluster.log.len();
    cluster.settle();
    assert_eq!(cluster.entry("acme").unwrap().parent().name, "gold-0");
    let own = ChildKey::new(ChildKind::Gateway, "gw-acme", "acme");
    let of_own: Vec<_> = cluster.log[written..].iter().filter(|change| change.key == own).collect();
    assert!(matches!(of_own.as_slice(), [Change { action: Action::Delete(_), .. }]), "{of_own:?}");
}
