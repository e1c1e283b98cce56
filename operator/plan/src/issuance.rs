//! How many new certificates an issuer is asked for in a window of time: a public authority counts each account's orders, and
//! refuses all that come after, renewals of other tenants among them.
//!
//! What counts is what exists: the creation of each Certificate in the World, so that a restart forgets nothing, and what
//! plans are about to create. Renewals are cert-manager's own.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;

use crate::child::ChildKey;

/// What is known of new certificates; a part of the World.
#[derive(Clone, Debug, Default)]
pub struct Issuances {
    created: BTreeMap<String, BTreeSet<(Timestamp, ChildKey)>>,
    of_key: BTreeMap<ChildKey, (String, Timestamp)>,
    asked: BTreeMap<String, Asked>,
}

/// What a tenant's plan asks of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The issuer, as [`crate::certificate::CertificateView::issuer`] names it.
    pub issuer: String,
    /// Certificates that are about to be created.
    pub now: BTreeSet<ChildKey>,
    /// When that was decided.
    pub at: Timestamp,
    /// How many wait.
    pub waiting: usize,
    /// Since when the tenant is there: who came first is served first.
    pub since: Timestamp,
}

impl Issuances {
    /// Takes note of a Certificate.
    pub fn observe(&mut self, key: &ChildKey, issuer: &str, created: Option<Timestamp>) {
        self.forget(key);
        let Some(created) = created else { return };
        self.created.entry(issuer.to_owned()).or_default().insert((created, key.clone()));
        self.of_key.insert(key.clone(), (issuer.to_owned(), created));
    }

    /// Takes note that a Certificate is gone.
    pub fn forget(&mut self, key: &ChildKey) {
        let Some((issuer, created)) = self.of_key.remove(key) else { return };
        if let Some(of_issuer) = self.created.get_mut(&issuer) {
            of_issuer.remove(&(created, key.clone()));
            if of_issuer.is_empty() {
                self.created.remove(&issuer);
            }
        }
    }

    /// Keeps what a tenant's plan is about to ask for, and what it waits for.
    pub fn note(&mut self, tenant: &str, asked: Asked) {
        if asked.now.is_empty() && asked.waiting == 0 {
            self.asked.remove(tenant);
        } else {
            self.asked.insert(tenant.to_owned(), asked);
        }
    }

    /// Forgets what a tenant asks for.
    pub fn drop_asked(&mut self, tenant: &str) {
        self.asked.remove(tenant);
    }

    /// Whether an earlier plan of this tenant has a place for this Certificate.
    pub fn has_place(&self, tenant: &str, issuer: &str, key: &ChildKey) -> bool {
        self.asked.get(tenant).is_some_and(|asked| asked.issuer == issuer && asked.now.contains(key))
    }

    /// When each certificate was asked of an issuer after this time, the oldest first: those that exist, and those that a
    /// plan is about to create.
    pub fn asked_since(&self, issuer: &str, after: Timestamp) -> Vec<Timestamp> {
        let created = self.created.get(issuer).into_iter().flatten().filter(|(at, _)| *at > after).map(|(at, _)| *at);
        let planned = self.asked.values().filter(|asked| asked.issuer == issuer && asked.at > after);
        let unseen = |key: &&ChildKey| !self.of_key.contains_key(key);
        let planned = planned.flat_map(|asked| asked.now.iter().filter(unseen).map(|_| asked.at));
        let mut all: Vec<Timestamp> = created.chain(planned).collect();
        all.sort_unstable();
        all
    }

    /// How many certificates wait for this issuer of tenants that came before this one.
    pub fn ahead_of(&self, tenant: &str, since: Timestamp, issuer: &str) -> usize {
        let mine = (since, tenant);
        let before =
            self.asked.iter().filter(|(name, asked)| asked.issuer == issuer && (asked.since, name.as_str()) < mine);
        before.map(|(_, asked)| asked.waiting).sum()
    }
}
