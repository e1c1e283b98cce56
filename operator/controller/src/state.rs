//! What all tasks share: the world behind one lock that is never held across an await, and whom to wake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::{Resource, ResourceExt};
use octroi_api::{Tenant, TenantClass};
use octroi_plan::world::{Noticed, World};
use octroi_plan::{ChildKey, ChildKind, Owner};
use tokio::sync::watch;

use crate::triggers::Triggers;

/// Shared by all tasks.
pub struct State {
    world: Mutex<World>,
    blocked: Mutex<BTreeSet<String>>,
    pending: Mutex<BTreeSet<String>>,
    synced: watch::Sender<bool>,
    /// What the API server answered to writes on Tenants.
    pub tenants: Replies<Tenant>,
    /// What the API server answered to writes on TenantClasses.
    pub classes: Replies<TenantClass>,
    /// Whom to wake.
    pub triggers: Triggers,
}

/// A panic elsewhere must not stop the operator from reading what it knows.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Nothing is known yet; these watches must have listed once before anything is decided.
    pub fn new(triggers: Triggers, pending: impl IntoIterator<Item = String>) -> Self {
        Self {
            world: Mutex::default(),
            blocked: Mutex::default(),
            pending: Mutex::new(pending.into_iter().collect()),
            synced: watch::Sender::new(false),
            tenants: Replies::default(),
            classes: Replies::default(),
            triggers,
        }
    }

    /// The world; hold it briefly.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// A watch has listed once, or cannot be had.
    pub fn listed(&self, name: &str) {
        let mut pending = lock(&self.pending);
        pending.remove(name);
        if pending.is_empty() {
            self.synced.send_replace(true);
        }
    }

    /// Adds a watch to wait for; has no effect once all have listed.
    pub fn wait_for(&self, name: String) {
        lock(&self.pending).insert(name);
    }

    /// Waits until every watch has listed once.
    pub async fn synced(&self) {
        // The sender lives in self, so this ends only by becoming true.
        let _ = self.synced.subscribe().wait_for(|done| *done).await;
    }

    /// Remembers whether a tenant waits for something that belongs to others.
    pub fn set_blocked(&self, tenant: &str, is_blocked: bool) {
        let mut blocked = lock(&self.blocked);
        if is_blocked {
            blocked.insert(tenant.to_owned());
        } else {
            blocked.remove(tenant);
        }
    }

    /// Wakes every tenant that waits for something that belongs to others.
    pub fn wake_blocked(&self) {
        for tenant in lock(&self.blocked).iter() {
            self.triggers.tenant(tenant);
        }
    }

    /// Forgets a Tenant that is gone.
    pub fn forget_tenant(&self, name: &str) {
        self.tenants.forget(name);
        lock(&self.blocked).remove(name);
        let view = self.world().forget_tenant(name);
        // It may have been about to claim what others wait for.
        self.wake_blocked();
        if let Some(class) = view.and_then(|view| view.class) {
            self.triggers.class(&class);
        }
    }

    /// Takes note of an observed change and wakes whom it concerns.
    pub fn noticed(&self, noticed: Noticed, key: &ChildKey, owners: &[Option<Owner>]) {
        if noticed == Noticed::Echo {
            return;
        }
        for owner in owners.iter().flatten() {
            match owner {
                Owner::Tenant(name) => self.triggers.tenant(name),
                Owner::Class(name) => {
                    self.triggers.class(name);
                    self.wake_tenants_of(name);
                }
            }
        }
        if matches!(key.kind, ChildKind::Namespace | ChildKind::DomainClaim | ChildKind::PortClaim) {
            self.wake_blocked();
        }
    }

    /// Wakes every tenant of a class.
    pub fn wake_tenants_of(&self, class: &str) {
        for (name, view) in &self.world().tenants {
            if view.class.as_deref().is_none_or(|c| c == class) {
                self.triggers.tenant(name);
            }
        }
    }

    /// Wakes every class.
    pub fn wake_classes(&self) {
        for class in self.world().classes.keys() {
            self.triggers.class(class);
        }
    }

    /// Wakes everybody.
    pub fn wake_all(&self) {
        let world = self.world();
        for class in world.classes.keys() {
            self.triggers.class(class);
        }
        for tenant in world.tenants.keys() {
            self.triggers.tenant(tenant);
        }
    }
}

/// Replies to our own writes that may be ahead of the watch: the next reconcile must not judge by what is older.
pub struct Replies<K>(Mutex<BTreeMap<String, Arc<K>>>);

impl<K> Default for Replies<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Resource<DynamicType = ()>> Replies<K> {
    /// The newer of what the watch says and what was replied.
    pub fn newest(&self, watched: Arc<K>) -> Arc<K> {
        let name = watched.name_any();
        let mut replies = lock(&self.0);
        match replies.get(&name) {
            Some(reply) if is_ahead(reply.as_ref(), watched.as_ref()) => Arc::clone(reply),
            _ => {
                replies.remove(&name);
                watched
            }
        }
    }

    /// Takes note of a reply.
    pub fn note(&self, reply: K) {
        lock(&self.0).insert(reply.name_any(), Arc::new(reply));
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, name: &str) {
        lock(&self.0).remove(name);
    }
}

fn is_ahead<K: Resource>(reply: &K, watched: &K) -> bool {
    let version = |object: &K| object.resource_version().and_then(|v| v.parse::<u64>().ok());
    reply.uid() == watched.uid() && version(reply) > version(watched)
}
