//! What must hold at every moment of a history.

use std::collections::{BTreeMap, BTreeSet};

use octroi_api::labels;
use octroi_api::names::Hostname;
use octroi_plan::ChildKind;
use octroi_plan::diff::Action;

use super::{Cluster, Object};

/// Everything by which tenants are served, with whose it is: their entries, and the listeners of port 80.
fn listener_sets(cluster: &Cluster) -> impl Iterator<Item = (&str, &Object)> {
    let sets = cluster.objects.iter().filter(|(key, _)| key.kind == ChildKind::ListenerSet);
    sets.filter_map(|(key, object)| Some((key.namespace.strip_prefix(labels::GATEWAY_NAMESPACE_PREFIX)?, object)))
}

/// What the data plane serves for whom, on whatever port.
fn served(cluster: &Cluster) -> Vec<(String, Hostname)> {
    let hosts =
        listener_sets(cluster).flat_map(|(tenant, object)| object.hosts().into_iter().map(move |host| (tenant, host)));
    hosts.map(|(tenant, host)| (tenant.to_owned(), Hostname::parse(&host).unwrap())).collect()
}

/// No host has two owners, by claim or by listener, and none is served that is not claimed.
pub fn assert_hosts_have_one_owner(cluster: &Cluster) {
    let served = served(cluster);
    let claims = cluster.claims();
    for (index, (tenant, host)) in served.iter().enumerate() {
        assert_eq!(claims.get(host.as_str()), Some(tenant), "{host} is served, and claimed by another or nobody");
        for (other, theirs) in &served[index + 1..] {
            assert!(tenant == other || !host.overlaps(theirs), "{tenant} serves {host}, {other} serves {theirs}");
        }
    }
    let claimed: Vec<_> = claims.iter().map(|(host, tenant)| (Hostname::parse(host).unwrap(), tenant)).collect();
    for (index, (host, tenant)) in claimed.iter().enumerate() {
        for (theirs, other) in &claimed[index + 1..] {
            assert!(tenant == other || !host.overlaps(theirs), "{tenant} claims {host}, {other} claims {theirs}");
        }
    }
}

/// No port of a shared Gateway has two owners, and on none is listened that is not claimed.
pub fn assert_ports_have_one_owner(cluster: &Cluster) {
    let claims = cluster.port_claims();
    let mut served = BTreeMap::new();
    for (key, entry) in cluster.objects.iter().filter(|(key, _)| key.kind == ChildKind::ListenerSet) {
        let gateway = entry.parent();
        let Some((class, _)) =
            gateway.name.rsplit_once('-').filter(|_| gateway.namespace == labels::GATEWAYS_NAMESPACE)
        else {
            continue;
        };
        for port in entry.ports() {
            let claim = format!("{class}.{port}");
            assert_eq!(claims.get(&claim), Some(&key.name), "{claim} is served, and claimed by another or nobody");
            let other = served.insert((gateway.clone(), port), key.name.clone());
            assert_eq!(other, None, "{claim} is {}'s too", key.name);
        }
    }
}

/// No object goes from one tenant to another without having been let go.
pub fn assert_nothing_changed_hands(before: &Cluster, after: &Cluster) {
    for (key, object) in &after.objects {
        let (old, new) = (before.objects.get(key).and_then(|o| o.owner(key)), object.owner(key));
        assert!(old.is_none() || new.is_none() || old == new, "{key} went from {old:?} to {new:?}");
    }
}

/// A claim goes only when no listener of its host is left, and the data plane has looked at the entry since.
pub fn assert_claims_outlive_listeners(before: &Cluster, after: &Cluster) {
    for change in &after.log[before.log.len()..] {
        if change.key.kind == ChildKind::DomainClaim && matches!(change.action, Action::Delete(_)) {
            let claim = &before.objects[&change.key].body["spec"];
            let tenant = claim["tenant"].as_str().unwrap();
            for (_, listeners) in listener_sets(after).filter(|(owner, _)| *owner == tenant) {
                assert!(listeners.is_judged(), "{} was released before the data plane took note", claim["host"]);
                assert!(!listeners.hosts().contains(&claim["host"].as_str().unwrap().to_owned()), "{claim} is served");
            }
        }
    }
}

/// A Gateway goes only when no entry is left on it.
pub fn assert_gateways_outlive_entries(before: &Cluster, after: &Cluster) {
    for change in after.log[before.log.len()..].iter().filter(|change| change.key.kind == ChildKind::Gateway) {
        if matches!(change.action, Action::Delete(_)) {
            let on_it = listener_sets(after).filter(|(_, listeners)| listeners.parent().key() == change.key).count();
            assert_eq!(on_it, 0, "{} went while entries are on it", change.key);
        }
    }
}

/// No more tenants are on a shared Gateway than its class allows.
pub fn assert_shards_are_not_overfull(cluster: &Cluster, most: usize) {
    let mut on = BTreeMap::<String, BTreeSet<String>>::new();
    for (tenant, object) in listener_sets(cluster) {
        let parent = object.parent();
        if parent.namespace == labels::GATEWAYS_NAMESPACE {
            on.entry(parent.name).or_default().insert(tenant.to_owned());
        }
    }
    for (gateway, tenants) in on {
        assert!(tenants.len() <= most, "{gateway} has {tenants:?}");
    }
}
