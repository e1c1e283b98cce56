//! Profiles that come one tenant at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shared;
use crate::profiles::{Holding, Profiles};

/// Takes the profiles of single tenants, and serves all of them. A wrong one changes nobody's: its tenant keeps the one it had, and
/// one that had none has no firewall to pass, so nobody reaches it.
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    holdings: BTreeMap<String, Holding>,
}

impl Feed {
    /// Feeds this service.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, holdings: BTreeMap::new() }
    }

    /// A tenant's profile, new or changed, as [`Holding::parse`] wants it.
    pub fn set(&mut self, tenant: &str, text: &str) {
        let parsed = Holding::parse(tenant, text);
        self.shared.metrics.reloaded("profiles", parsed.is_ok());
        match parsed {
            Ok(holding) => drop(self.holdings.insert(tenant.to_owned(), holding)),
            Err(error) => tracing::error!(tenant, %error, "a profile is refused: the tenant keeps the one it had"),
        }
    }

    /// A tenant that is not served any more.
    pub fn remove(&mut self, tenant: &str) {
        self.holdings.remove(tenant);
    }

    /// Those for whom `keeps` says no are not served any more.
    pub fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        self.holdings.retain(|tenant, _| keeps(tenant));
    }

    /// Takes what was set and removed into use. Requests under way end with what they began with.
    pub fn publish(&self) {
        let (profiles, contested) = Profiles::of(self.holdings.values());
        for namespace in contested {
            tracing::error!(namespace, "two tenants hold a namespace: requests to its routes are refused");
        }
        self.shared.serve(profiles);
    }
}
