//! What holds whatever happens: properties of the pure core, over random tenants and random histories.
//! `PROPTEST_CASES=10000 cargo test -p octroi-plan --test properties` looks longer. What was found once is in `found.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use octroi_api::labels;
use octroi_plan::diff::Change;
use octroi_plan::resolve::class::DataPlane;
use octroi_plan::resolve::placement::shard_index;
use octroi_plan::tenant::{self as tenant_plan, TenantPlan};
use octroi_plan::{Child, ChildKey, ChildKind, simulate};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use support::invariants::{
    assert_claims_outlive_listeners, assert_gateways_outlive_entries, assert_hosts_have_one_owner,
    assert_nothing_changed_hands, assert_ports_have_one_owner, assert_shards_are_not_overfull,
};
use support::{Cluster, MOST, ROUNDS, accept_gap, classes, tenant, world};

const NAMES: [&str; 4] = ["acme", "globex", "hooli", "initech"];
const HOSTS: [&str; 7] = [
    "one.example",
    "*.one.example",
    "a.one.example",
    "b.a.one.example",
    "*.a.one.example",
    "two.example",
    "*.two.example",
];
const NAMESPACES: [&str; 5] = ["prod", "test", "acme", "globex", "shop"];

/// What happens in a history.
#[derive(Clone, Debug)]
enum Event {
    /// A user applies a Tenant: which, its spec, and which mode it may move to.
    Apply(usize, Value, Option<&'static str>),
    /// A user deletes a Tenant.
    Delete(usize),
    /// The operator looks at two Tenants at once: both are planned before either is written.
    AtOnce(usize, usize),
    /// The operator looks at a Tenant, for one round.
    Round(usize),
    /// The operator brings a Tenant as far as it goes.
    Reconcile(usize),
    /// The operator brings the classes as far as they go.
    Classes,
    /// The data plane and cert-manager look at everything.
    Judge,
    /// The operator starts anew.
    Restart,
}

/// Of two with the same number, the second is a mistake.
fn port(index: usize) -> Value {
    let all = [
        json!({"name": "postgres", "protocol": "TCP", "port": 5432}),
        json!({"name": "mail", "protocol": "TLS", "port": 5432, "hosts": ["a.one.example"]}),
        json!({"name": "game", "protocol": "UDP", "port": 5432}),
        json!({"name": "mqtt", "protocol": "TLS", "port": 5433, "hosts": ["two.example", "*.two.example"]}),
    ];
    all[index].clone()
}

fn spec() -> impl Strategy<Value = Value> {
    let namespaces = subsequence(NAMESPACES.to_vec(), 0..3);
    let domains = subsequence(HOSTS.to_vec(), 0..4);
    let class = select(vec![None, Some("standard"), Some("gold"), Some("sites")]);
    let role = select(vec![None, Some("Admin"), Some("Edit"), Some("View")]);
    let mode = select(vec![None, None, Some("Shared"), Some("Dedicated")]);
    let state = select(vec!["Active", "Active", "Cordoned", "Suspended"]);
    let ports = subsequence(vec![0, 1, 2, 3], 0..3);
    let choices = (class, role, mode, state, any::<[bool; 2]>());
    (namespaces, domains, ports, choices).prop_map(
        |(namespaces, domains, ports, (class, role, mode, state, [adopt, cross]))| {
            let mut member = json!({"kind": "Group", "name": "devs"});
            let named = |key: &str, all: Vec<&str>| all.into_iter().map(|text| json!({key: text})).collect::<Vec<_>>();
            let mut spec = json!({"namespaces": named("name", namespaces), "domains": named("host", domains)});
            spec["state"] = state.into();
            // The second may be another tenant's host.
            let hosts = ports.iter().map(|port| ["api.crm.example", "two.example"][port % 2]);
            let upstream = |(at, host)| json!({"name": format!("to-{at}"), "https": {"host": host}});
            spec["upstreams"] = hosts.enumerate().map(upstream).collect();
            spec["layer4"] = ports.into_iter().map(port).collect();
            spec["crossNamespace"] = cross.into();
            for namespace in spec["namespaces"].as_array_mut().into_iter().flatten() {
                namespace["adopt"] = adopt.into();
            }
            if let Some(role) = role {
                member["role"] = role.into();
            }
            if let Some(mode) = mode {
                spec["gateway"] = json!({"mode": mode});
            }
            if let Some(class) = class {
                spec["className"] = class.into();
            }
            spec["members"] = json!([member]);
            spec
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let who = 0..NAMES.len();
    prop_oneof![
        3 => (who.clone(), spec(), select(vec![None, Some("Shared"), Some("Dedicated")]))
            .prop_map(|(who, spec, gap)| Event::Apply(who, spec, gap)),
        1 => who.clone().prop_map(Event::Delete),
        2 => (who.clone(), who.clone()).prop_map(|(one, other)| Event::AtOnce(one, other)),
        4 => who.clone().prop_map(Event::Round),
        4 => who.prop_map(Event::Reconcile),
        1 => Just(Event::Classes),
        3 => Just(Event::Judge),
        1 => Just(Event::Restart),
    ]
}

/// A history that begins with all tenants applied.
fn history() -> impl Strategy<Value = Vec<Event>> {
    (proptest::collection::vec(spec(), NAMES.len()), proptest::collection::vec(event(), 0..40)).prop_map(
        |(specs, events)| {
            let applied = specs.into_iter().enumerate().map(|(who, spec)| Event::Apply(who, spec, None));
            applied.chain(events).collect()
        },
    )
}

fn happen(event: &Event, cluster: &mut Cluster) {
    let there = |who: &usize, cluster: &Cluster| cluster.tenants.contains_key(NAMES[*who]);
    match event {
        // Nobody can apply over a Tenant that is being deleted and bring it back.
        Event::Apply(who, spec, gap) => {
            let going = cluster.tenants.get(NAMES[*who]).is_some_and(|t| t.metadata.deletion_timestamp.is_some());
            if !going {
                let mut wanted = tenant(NAMES[*who], spec);
                if let Some(mode) = gap {
                    accept_gap(&mut wanted, mode);
                }
                cluster.apply(wanted);
            }
        }
        Event::Delete(who) => cluster.delete(NAMES[*who]),
        Event::AtOnce(one, other) if one != other && there(one, cluster) && there(other, cluster) => {
            let plans = [one, other].map(|who| cluster.plan(NAMES[*who]));
            for changes in plans.iter().filter_map(TenantPlan::changes) {
                cluster.carry_out(&changes.writes);
            }
        }
        Event::Round(who) if there(who, cluster) => drop(cluster.round(NAMES[*who])),
        Event::Reconcile(who) if there(who, cluster) => drop(cluster.reconcile(NAMES[*who])),
        Event::AtOnce(..) | Event::Round(_) | Event::Reconcile(_) => {}
        Event::Classes => cluster.reconcile_classes(),
        Event::Judge => drop(cluster.judge()),
        Event::Restart => cluster.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same world gives the same bytes, whatever order it was learnt in: each world hashes differently.
    #[test]
    fn a_plan_is_the_same_whenever_it_is_made(history in history()) {
        let mut cluster = Cluster::with(classes());
        for event in &history {
            happen(event, &mut cluster);
        }
        cluster.restart();
        let mut again = cluster.clone();
        again.restart();
        for (name, wanted) in &cluster.tenants {
            let bytes = |cluster: &Cluster| format!("{:?}", tenant_plan::plan(wanted, &cluster.world));
            prop_assert_eq!(bytes(&cluster), bytes(&again), "{}", name);
        }
    }

    /// In a world where every write succeeds, as `octroi render` has it.
    #[test]
    fn a_tenant_settles_within_six_rounds_and_then_writes_nothing(spec in spec()) {
        let wanted = tenant("acme", &spec);
        let mut world = world(classes());
        let mut rounds = 0;
        let children = loop {
            let TenantPlan::Keep { resolved, desired, changes } = tenant_plan::plan(&wanted, &world) else {
                panic!("an empty world refuses nothing: {spec}")
            };
            world.note_plan(&resolved);
            simulate::carry_out(&changes, &desired, &mut world);
            if changes.writes.is_empty() {
                prop_assert!(changes.is_settled(), "{:?}", changes);
                break desired;
            }
            rounds += 1;
            prop_assert!(rounds < ROUNDS, "still writing: {:?}", changes.writes);
        };
        let keys: BTreeSet<&ChildKey> = children.iter().map(|child| &child.key).collect();
        prop_assert_eq!(keys.len(), children.len(), "an object twice");
        prop_assert!(children.windows(2).all(|w| w[0].key.kind.stage() <= w[1].key.kind.stage()), "not in order");
        prop_assert!(children.iter().all(is_well_formed));
    }

    /// Where a tenant is, nobody else is: its objects lie in its own namespaces, or bear its name.
    #[test]
    fn no_object_lies_outside_the_tenants_own_names(specs in proptest::collection::vec(spec(), NAMES.len())) {
        let mut cluster = Cluster::with(classes());
        for (name, spec) in NAMES.iter().zip(&specs) {
            cluster.apply(tenant(name, spec));
        }
        cluster.settle();
        let mut seen = BTreeMap::new();
        for name in NAMES {
            let TenantPlan::Keep { resolved, desired, .. } = cluster.plan(name) else { continue };
            let hosts: Vec<String> = resolved.hosts.iter().map(|h| h.host.object_name()).collect();
            for child in desired {
                prop_assert!(is_inside(&child.key, name, &resolved.namespaces, &hosts), "{}: {}", name, child.key);
                prop_assert_eq!(&child.body["metadata"]["labels"][labels::TENANT], name, "{}", child.key);
                let other = seen.insert(child.key.clone(), name);
                prop_assert!(other.is_none(), "{} is {}'s and {:?}'s", child.key, name, other);
            }
        }
    }

    /// One reconcile is enough, once others have done their part; then nothing is written, whatever is asked again.
    #[test]
    fn every_history_ends_in_rest(history in history()) {
        let mut cluster = Cluster::with(classes());
        for event in &history {
            happen(event, &mut cluster);
        }
        cluster.settle();
        let writes = cluster.log.len();
        cluster.restart();
        cluster.settle();
        // A Tenant that is rejected may have kept a place on a shared Gateway until then.
        let of_tenants = |change: &&Change| change.key.namespace != labels::GATEWAYS_NAMESPACE;
        let more: Vec<_> = cluster.log[writes..].iter().filter(of_tenants).collect();
        prop_assert!(more.is_empty(), "a restart writes: {:?}", more);
        for (name, wanted) in &cluster.tenants {
            prop_assert!(wanted.metadata.deletion_timestamp.is_none(), "{} is still there", name);
        }
        for name in NAMES.iter().filter(|name| !cluster.tenants.contains_key(**name)) {
            prop_assert!(cluster.owned_by(name).is_empty(), "{} left {:?}", name, cluster.owned_by(name));
        }
    }

    #[test]
    fn nothing_ever_has_two_owners(history in history()) {
        let mut cluster = Cluster::with(classes());
        for event in &history {
            let before = cluster.clone();
            happen(event, &mut cluster);
            assert_hosts_have_one_owner(&cluster);
            assert_ports_have_one_owner(&cluster);
            assert_nothing_changed_hands(&before, &cluster);
            assert_claims_outlive_listeners(&before, &cluster);
            assert_gateways_outlive_entries(&before, &cluster);
            assert_shards_are_not_overfull(&cluster, MOST);
        }
    }

    /// Whoever holds a host or a namespace keeps it while it asks for it, in whatever order the others come.
    #[test]
    fn the_first_holder_keeps_it(specs in proptest::collection::vec(spec(), NAMES.len()), order in Just(NAMES.to_vec()).prop_shuffle()) {
        let mut cluster = Cluster::with(classes());
        let (mut held, mut held_ports) = (BTreeMap::new(), BTreeMap::new());
        for (name, spec) in order.iter().zip(&specs) {
            cluster.apply(tenant(name, spec));
            cluster.settle();
            let now = cluster.claims();
            for (host, owner) in &held {
                prop_assert_eq!(now.get(host), Some(owner), "{}", host);
            }
            let ports = cluster.port_claims();
            for (port, owner) in &held_ports {
                prop_assert_eq!(ports.get(port), Some(owner), "{}", port);
            }
            (held, held_ports) = (now, ports);
        }
        // A restore: only claims and namespaces are there, and the tenants come in another order.
        let kept = [ChildKind::DomainClaim, ChildKind::PortClaim, ChildKind::Namespace];
        cluster.objects.retain(|key, _| kept.contains(&key.kind));
        let tenants = std::mem::take(&mut cluster.tenants);
        cluster.restart();
        for (_, wanted) in tenants.into_iter().rev() {
            cluster.apply(wanted);
            cluster.settle();
        }
        prop_assert_eq!(cluster.claims(), held);
        prop_assert_eq!(cluster.port_claims(), held_ports);
    }

    #[test]
    fn a_teardown_goes_backwards_and_leaves_nothing_owned(spec in spec(), retain in any::<bool>()) {
        let mut cluster = Cluster::with(classes());
        let mut wanted = tenant("acme", &spec);
        if !retain {
            wanted.spec.deletion = serde_json::from_value(json!({"namespaces": "Delete"})).unwrap();
        }
        cluster.apply(wanted);
        cluster.settle();
        let own: BTreeSet<ChildKey> =
            cluster.owned_by("acme").into_iter().filter(|k| k.kind == ChildKind::Namespace).cloned().collect();
        let started = cluster.log.len();
        cluster.delete("acme");
        cluster.settle();
        prop_assert!(!cluster.tenants.contains_key("acme"));
        prop_assert!(cluster.owned_by("acme").is_empty(), "left: {:?}", cluster.owned_by("acme"));
        // The class gives its last shared Gateway up when the tenant is gone.
        let is_of_class = |key: &ChildKey| key.namespace == labels::GATEWAYS_NAMESPACE && ![ChildKind::ReferenceGrant, ChildKind::ConfigMap].contains(&key.kind);
        let written = cluster.log[started..].iter().map(|change| &change.key).filter(|key| !is_of_class(key));
        let stages: Vec<_> = written.map(|key| key.kind.stage()).collect();
        prop_assert!(stages.windows(2).all(|w| w[0] >= w[1]), "not backwards: {:?}", stages);
        for key in own {
            let stays = retain && !key.name.starts_with(labels::GATEWAY_NAMESPACE_PREFIX);
            prop_assert_eq!(cluster.objects.contains_key(&key), stays, "{}", key);
        }
    }

}

proptest! {
    // Each step goes to the end, which takes its time.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, failure_persistence: None, ..ProptestConfig::default() })]

    /// Tenants come and go; nobody else moves, and no Gateway is overfull.
    #[test]
    fn a_tenant_stays_on_its_shard(events in proptest::collection::vec((0..6_usize, any::<bool>()), 1..16)) {
        let mut cluster = Cluster::with(classes());
        let mut places = BTreeMap::new();
        for (who, comes) in events {
            let name = format!("t{who}");
            if comes {
                // Else its namespace would stay, and nobody is given what exists already.
                cluster.apply(tenant(&name, &json!({"deletion": {"namespaces": "Delete"}})));
            } else {
                cluster.delete(&name);
            }
            cluster.settle();
            let now: BTreeMap<String, _> = cluster
                .tenants
                .keys()
                .map(|name| (name.clone(), cluster.entry(name).unwrap().parent()))
                .collect();
            for (name, place) in &now {
                prop_assert!(shard_index("standard", place).is_some());
                prop_assert!(places.get(name).is_none_or(|before| before == place), "{} moved to {:?}", name, place);
            }
            assert_shards_are_not_overfull(&cluster, MOST);
            places = now;
        }
    }

    /// A tenant's traffic changes its address only where its run team said so, and only to a proxy that runs.
    #[test]
    fn an_entry_moves_only_with_consent(steps in proptest::collection::vec((select(vec!["Shared", "Dedicated"]), any::<bool>(), any::<bool>()), 1..12)) {
        let mut cluster = Cluster::with(classes());
        cluster.apply(tenant("acme", &json!({})));
        cluster.settle();
        for (mode, consents, judges) in steps {
            let before = cluster.entry("acme").unwrap().parent();
            let mut wanted = tenant("acme", &json!({"gateway": {"mode": mode}}));
            if consents {
                accept_gap(&mut wanted, mode);
            }
            cluster.apply(wanted);
            cluster.reconcile_classes();
            cluster.reconcile("acme");
            let held = cluster.entry("acme").unwrap().parent();
            prop_assert!(held == before || cluster.world.is_programmed(&held, DataPlane::EnvoyGateway), "moved before the proxy runs");
            if judges {
                cluster.settle();
            }
            let after = cluster.entry("acme").unwrap().parent();
            prop_assert!(consents || after == before, "moved from {:?} to {:?} without consent", before, after);
            prop_assert!(cluster.objects.contains_key(&after.key()), "the entry's Gateway is gone");
        }
    }
}

fn is_inside(key: &ChildKey, tenant: &str, namespaces: &[String], hosts: &[String]) -> bool {
    let gateway = format!("gw-{tenant}");
    let is_own = |namespace: &String| *namespace == gateway || namespaces.contains(namespace);
    match key.kind {
        ChildKind::Namespace => is_own(&key.name),
        ChildKind::DomainClaim => hosts.contains(&key.name),
        // Named after what is had, and not after who has it.
        ChildKind::PortClaim => true,
        ChildKind::ClusterRole | ChildKind::ClusterRoleBinding => key.name == format!("octroi:tenant:{tenant}"),
        // The grant to use the class's certificate lies beside it, and is named after who may.
        ChildKind::ReferenceGrant if key.namespace == labels::GATEWAYS_NAMESPACE && key.name == gateway => true,
        // So do, beside the firewall, the grant to ask it and what it has to know.
        ChildKind::ReferenceGrant | ChildKind::ConfigMap if key.namespace == labels::GATEWAYS_NAMESPACE => {
            key.name == format!("waf-{tenant}")
        }
        _ => is_own(&key.namespace),
    }
}

fn is_well_formed(child: &Child) -> bool {
    let metadata = &child.body["metadata"];
    metadata["name"] == child.key.name.as_str()
        && metadata["namespace"].as_str().unwrap_or_default() == child.key.namespace
        && child.body["kind"] == child.key.kind.api().kind
        && metadata["labels"][labels::TENANT].is_string()
}
