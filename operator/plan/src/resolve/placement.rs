//! Where a tenant's traffic enters: on which Gateway its entry is, on which it should be, and when it may move.

use std::collections::{BTreeMap, BTreeSet};

use octroi_api::conditions::Reason;
use octroi_api::names::TenantName;
use octroi_api::{GatewayMode, Tenant, labels};

use crate::facts::Facts;
use crate::rejection::Rejection;
use crate::resolve::class::{DataPlane, ResolvedClass};
use crate::world::{GatewayRef, World};

/// Where a tenant's traffic enters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedPlacement {
    /// Where the entry is to be attached now.
    pub serving: GatewayRef,
    /// Where it is to be in the end.
    pub target: GatewayRef,
    /// Whether a proxy of the tenant's own must exist: as target, or because it still serves.
    pub own_gateway: bool,
    /// Every Gateway that may send traffic to the tenant's pods: none is cut off before, during or after a move.
    pub sources: BTreeSet<GatewayRef>,
    /// Why it does not move yet.
    pub waiting: Option<Waiting>,
}

/// Why an entry does not move yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The new address differs, and nobody has accepted the gap; see [`labels::ACCEPT_GAP`].
    ForConsent,
    /// The new proxy is not programmed yet.
    ForProxy,
}

/// The Gateway of a class's shard.
pub fn shard(class: &str, index: usize) -> GatewayRef {
    GatewayRef { namespace: labels::GATEWAYS_NAMESPACE.into(), name: format!("{class}-{index}") }
}

/// The index of a Gateway among the shards of a class; `None` when it is none of them.
pub fn shard_index(class: &str, gateway: &GatewayRef) -> Option<usize> {
    if gateway.namespace != labels::GATEWAYS_NAMESPACE {
        return None;
    }
    gateway.name.strip_prefix(class)?.strip_prefix('-')?.parse().ok()
}

/// The class whose shared Gateway it is; `None` for a tenant's own.
pub fn class_of_shard(gateway: &GatewayRef) -> Option<&str> {
    let (class, _) = gateway.name.rsplit_once('-')?;
    (gateway.namespace == labels::GATEWAYS_NAMESPACE).then_some(class)
}

/// Decides where a tenant's traffic enters.
pub fn resolve(
    tenant: &Tenant,
    name: &TenantName,
    class: &ResolvedClass,
    world: &World,
    rejections: &mut Vec<Rejection>,
) -> ResolvedPlacement {
    let gateway = tenant.spec.gateway.clone().unwrap_or_default();
    let mode = gateway.mode.unwrap_or(class.mode);
    if mode == GatewayMode::Dedicated && !class.allow_dedicated {
        let message = format!("class '{}' offers no Dedicated gateway: use Shared, or a class that does", class.name);
        rejections.push(Rejection::new(Reason::Invalid, "spec.gateway.mode", message));
    }
    if mode == GatewayMode::Shared && gateway.replicas.is_some() {
        let message = "replicas size a proxy of the tenant's own: remove them, or set spec.gateway.mode to Dedicated";
        rejections.push(Rejection::new(Reason::Invalid, "spec.gateway.replicas", message));
    }
    let own = GatewayRef { namespace: name.gateway_namespace(), name: name.to_string() };
    let target = match mode {
        GatewayMode::Dedicated => own.clone(),
        GatewayMode::Shared => choose_shard(name, class, world),
    };
    let crosses = crosses(tenant, class, world);
    if crosses && !consents(tenant, &target) {
        let message = format!(
            "class '{}' is served by another data plane, and the tenant would answer on another address at once: annotate the Tenant with {}={} to accept the gap, or name a class of the data plane it is on",
            class.name,
            labels::ACCEPT_GAP,
            target.mode().as_str()
        );
        rejections.push(Rejection::new(Reason::GapNotAccepted, "spec.className", message));
    }
    settle(tenant, name, class.data_plane, world, &own, target, crosses)
}

/// Whether the tenant comes from a class of another data plane. That move is made in one go: what a tenant's entry and its own
/// Gateway are under the one data plane, they cannot be under the other as well.
fn crosses(tenant: &Tenant, class: &ResolvedClass, world: &World) -> bool {
    let kept = tenant.status.as_ref().and_then(|status| status.class_name.as_ref());
    let before = kept.and_then(|name| world.classes.get(name));
    let before = before.and_then(|class| world.data_plane(&class.spec.gateway.gateway_class_name));
    before.is_some_and(|before| before != class.data_plane)
}

fn consents(tenant: &Tenant, target: &GatewayRef) -> bool {
    let consent = tenant.metadata.annotations.as_ref().and_then(|a| a.get(labels::ACCEPT_GAP));
    consent.map(String::as_str) == Some(target.mode().as_str())
}

/// A tenant stays on the shard that it is on, or that was kept for it; a new one takes the first with room.
fn choose_shard(name: &TenantName, class: &ResolvedClass, world: &World) -> GatewayRef {
    let known = world.attached(name.as_str()).into_iter().chain(world.placement(name.as_str()));
    if let Some(current) = known.into_iter().find(|gateway| shard_index(&class.name, gateway).is_some()) {
        return current.clone();
    }
    let mut used = BTreeMap::<usize, usize>::new();
    for (gateway, _) in world.occupants() {
        if let Some(index) = shard_index(&class.name, gateway) {
            *used.entry(index).or_default() += 1;
        }
    }
    let has_room = |index: &usize| used.get(index).copied().unwrap_or_default() < class.max_tenants_per_shard;
    // One of so many has room: there are fewer tenants than that.
    let last = used.values().sum();
    shard(&class.name, (0..=last).find(has_room).unwrap_or(last))
}

fn settle(
    tenant: &Tenant,
    name: &TenantName,
    data_plane: DataPlane,
    world: &World,
    own: &GatewayRef,
    target: GatewayRef,
    crosses: bool,
) -> ResolvedPlacement {
    let entry_key = crate::compile::entry::key(name);
    let (attached, entry_served) = match world.get(&entry_key).map(|o| &o.facts) {
        Some(Facts::Entry { parent: (namespace, name), programmed, .. }) => {
            (Some(GatewayRef { namespace: namespace.clone(), name: name.clone() }), programmed.is_done())
        }
        _ => (None, false),
    };
    let stays = |current: &GatewayRef| *current != target && world.get(&current.key()).is_some() && !crosses;
    let Some(current) = attached.filter(stays) else {
        // A gateway of its own is kept until the entry is served by the one it moved to.
        let leftover = target != *own && !entry_served && world.get(&own.key()).is_some() && !crosses;
        let own_gateway = target == *own || leftover;
        let sources = sources(name, [own, &target], world);
        return ResolvedPlacement { serving: target.clone(), target, own_gateway, sources, waiting: None };
    };
    let waiting = if !consents(tenant, &target) {
        Some(Waiting::ForConsent)
    } else if !world.is_programmed(&target, data_plane) {
        Some(Waiting::ForProxy)
    } else {
        None
    };
    let own_gateway = target == *own || current == *own;
    let serving = if waiting.is_some() { current } else { target.clone() };
    let sources = sources(name, [own, &serving], world);
    ResolvedPlacement { serving, target, own_gateway, sources, waiting }
}

/// Where the entry is to be, where it is and where it comes from; and its own, whose place is fixed. Not where it may be one
/// day: a place that is only kept for it may be another after a restart.
fn sources(name: &TenantName, known: [&GatewayRef; 2], world: &World) -> BTreeSet<GatewayRef> {
    let others = world.attached(name.as_str()).into_iter().chain(world.left(name.as_str()));
    known.into_iter().chain(others).cloned().collect()
}
