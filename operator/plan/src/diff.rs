//! From what must exist and what was observed to what must be done.
//!
//! Writes come in the order of [`crate::kind::Stage`]. Deletions come last, and only once everything that must exist is
//! in place; taking away rights is the exception, since a member that was removed must not keep them while something
//! else is stuck. Every deletion names the object it means by uid and resourceVersion.

use std::collections::BTreeSet;

use octroi_api::labels;
use serde_json::{Map, Value};

use crate::child::{Child, ChildKey, Owner};
use crate::compile::{namespaces, suspension};
use crate::facts::Facts;
use crate::kind::{ChildKind, Creation};
use crate::world::{Observed, World};

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which object.
    pub key: ChildKey,
    /// What is done to it.
    pub action: Action,
}

/// What is done to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Created; that it exists already is an answer, not an accident.
    Create(Value),
    /// Applied by server-side apply.
    Apply(Value),
    /// Applied to a namespace that nobody owns, if it is still as it was judged.
    Adopt(Value, Precondition),
    /// Merged over, so that lists hold again what is ours and nothing else; applied afterwards, like anything that changed
    /// hands.
    Reclaim(Value),
    /// Deleted, if it is still this one.
    Delete(Precondition),
    /// Octroi's labels are taken off a namespace that stays, by this merge patch.
    Release(Value),
}

/// Which object exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
}

/// What must be done, and what stands in the way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// In this order.
    pub writes: Vec<Change>,
    /// Objects that must exist and do not yet, or not as they should.
    pub missing: BTreeSet<ChildKey>,
    /// Kinds that are needed and not installed.
    pub missing_apis: BTreeSet<ChildKind>,
    /// Objects that must go and have not gone yet.
    pub leftover: BTreeSet<ChildKey>,
}

impl Changes {
    /// Whether everything is as it should be.
    pub fn is_settled(&self) -> bool {
        self.missing.is_empty() && self.leftover.is_empty()
    }
}

/// Compares what must exist with what was observed.
pub fn of(owner: &Owner, desired: &[Child], world: &World) -> Changes {
    let mut changes = Changes::default();
    for child in desired {
        if let Some(write) = write(child, owner, world, &mut changes) {
            changes.writes.push(Change { key: child.key.clone(), action: write });
        }
    }
    locks_first(&mut changes);
    let wanted: BTreeSet<&ChildKey> = desired.iter().map(|c| &c.key).collect();
    let mut surplus: Vec<&ChildKey> = world.owned_by(owner).filter(|k| !wanted.contains(k)).collect();
    surplus.sort_by_key(|k| std::cmp::Reverse(k.kind.stage()));
    let in_place = changes.missing.is_empty();
    let gives_listeners_up = surplus.iter().any(|key| key.kind == ChildKind::ListenerSet);
    for key in surplus {
        changes.leftover.insert(key.clone());
        let is_served = key.kind == ChildKind::DomainClaim && gives_listeners_up;
        let may_go = (in_place && !is_served && may_be_pruned(key, owner, world)) || key.kind.is_right();
        if let Some(action) =
            world.get(key).filter(|o| may_go && !o.deleting).map(|o| removal(key, o, RemovalOf::Child))
        {
            changes.writes.push(Change { key: key.clone(), action });
        }
    }
    changes
}

/// While a claim is missing, nothing else is written: a plan without that host would take its listener and its name in the
/// certificate away, only for the next plan to bring them back.
fn locks_first(changes: &mut Changes) {
    let is_lock = |key: &ChildKey| key.kind.creation() == Creation::Lock;
    if changes.missing.iter().any(is_lock) {
        changes.writes.retain(|write| is_lock(&write.key));
    }
}

fn write(child: &Child, owner: &Owner, world: &World, changes: &mut Changes) -> Option<Action> {
    let key = &child.key;
    let observed = world.get(key);
    let in_place = observed.is_some_and(|o| {
        let is_lock = key.kind.creation() == Creation::Lock;
        !o.deleting && o.owner.as_ref() == Some(owner) && (is_lock || o.digest == Some(child.digest))
    });
    if in_place {
        return None;
    }
    changes.missing.insert(key.clone());
    if !world.apis.contains(&key.kind) {
        changes.missing_apis.insert(key.kind);
        return None;
    }
    // Nothing is written into a namespace before it was seen to be the owner's: somebody else may make one of that name
    // at the same moment, and must not find our members let into it.
    if is_going(key, world) || !world.is_at_home(key, owner) || lacks_role(key, world) {
        return None;
    }
    match (observed, key.kind.creation()) {
        // Whole from the first moment: admission selects by the labels of a namespace, and RBAC may let its members in
        // before a second write is seen there. Applied afterwards, so that each field is Octroi's.
        (None, Creation::Lock | Creation::Exclusive) => Some(Action::Create(child.body.clone())),
        (Some(_), Creation::Lock) => None,
        (Some(o), Creation::Exclusive) if o.owner.is_none() => Some(Action::Adopt(child.body.clone(), precondition(o))),
        (Some(o), _) if o.has_foreign_items => Some(Action::Reclaim(child.body.clone())),
        (_, Creation::Exclusive | Creation::Apply) => Some(Action::Apply(child.body.clone())),
    }
}

/// The API server takes a binding only when it knows the role already, by a watch of its own that is a moment behind.
fn lacks_role(key: &ChildKey, world: &World) -> bool {
    let role = ChildKey::new(ChildKind::ClusterRole, "", &key.name);
    key.kind == ChildKind::ClusterRoleBinding && world.get(&role).is_none()
}

/// Whether the object or its namespace is being deleted: it is made again when it is gone.
fn is_going(key: &ChildKey, world: &World) -> bool {
    let namespace = ChildKey::new(ChildKind::Namespace, "", &key.namespace);
    [key, &namespace].into_iter().any(|k| world.get(k).is_some_and(|o| o.deleting))
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Object(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>())
}

/// A host or a port is given up only when the data plane has taken note that its listener is gone: two tenants never serve one. The
/// page of a suspension goes only when the data plane lets the tenant's own routes in again. A namespace is released only
/// when nothing of ours is left in it: what is in a foreign namespace is not found any more.
fn may_be_pruned(key: &ChildKey, owner: &Owner, world: &World) -> bool {
    match key.kind {
        ChildKind::DomainClaim | ChildKind::PortClaim => entry_is_settled(owner, world),
        ChildKind::HttpRoute | ChildKind::HttpRouteFilter | ChildKind::DirectResponse
            if key.name == suspension::NAME =>
        {
            entry_is_settled(owner, world)
        }
        ChildKind::Namespace => world.owned_by(owner).all(|inner| inner.namespace != key.name),
        _ => true,
    }
}

fn entry_is_settled(owner: &Owner, world: &World) -> bool {
    let mut entries = world.owned_by(owner).filter(|k| k.kind == ChildKind::ListenerSet);
    entries.all(|key| {
        matches!(world.get(key).map(|o| &o.facts), Some(Facts::Entry { programmed, .. }) if programmed.is_settled())
    })
}

#[derive(Clone, Copy, PartialEq)]
enum RemovalOf {
    Child,
    WithNamespaces,
}

fn removal(key: &ChildKey, observed: &Observed, removal: RemovalOf) -> Action {
    let is_tenants_own = key.kind == ChildKind::Namespace && !key.name.starts_with(labels::GATEWAY_NAMESPACE_PREFIX);
    let is_adopted = observed.facts == Facts::Namespace { adopted: true };
    if is_tenants_own && (removal == RemovalOf::Child || is_adopted) {
        return Action::Release(release());
    }
    Action::Delete(precondition(observed))
}

fn release() -> Value {
    let gone = |names: [&str; 4]| object(names.map(|name| (name, Value::Null)));
    let metadata = object([
        ("labels", gone(namespaces::RELEASED_LABELS)),
        ("annotations", gone(namespaces::RELEASED_ANNOTATIONS)),
    ]);
    object([("metadata", metadata)])
}

fn precondition(observed: &Observed) -> Precondition {
    Precondition { uid: observed.uid.clone(), resource_version: observed.resource_version.clone() }
}

/// Takes an owner's objects away, one stage after the other: the entry first, the claims on its hosts last.
pub fn teardown(owner: &Owner, delete_namespaces: bool, world: &World) -> Changes {
    let mut changes = Changes::default();
    changes.leftover.extend(world.owned_by(owner).cloned());
    let Some(stage) = changes.leftover.iter().map(|k| k.kind.stage()).max() else { return changes };
    let with = if delete_namespaces { RemovalOf::WithNamespaces } else { RemovalOf::Child };
    for key in changes.leftover.iter().filter(|k| k.kind.stage() == stage) {
        if let Some(action) = world.get(key).filter(|o| !o.deleting).map(|o| removal(key, o, with)) {
            changes.writes.push(Change { key: key.clone(), action });
        }
    }
    changes
}
