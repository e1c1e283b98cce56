//! What is to be done about one Tenant.

use octroi_api::{NamespacePolicy, Tenant};

use crate::child::{Child, Owner};
use crate::compile;
use crate::diff::{self, Changes};
use crate::rejection::Rejection;
use crate::resolve::{self, ResolvedTenant};
use crate::world::World;

/// What is to be done about one Tenant.
#[derive(Clone, Debug)]
pub enum TenantPlan {
    /// Keep it as it should be.
    Keep {
        /// What holds of it.
        resolved: Box<ResolvedTenant>,
        /// What must exist.
        desired: Vec<Child>,
        /// What must be done.
        changes: Changes,
    },
    /// Touch nothing, and say why.
    Reject(Vec<Rejection>),
    /// Take it away. Done when nothing is left over: then the finalizer goes.
    TearDown(Changes),
    /// Deleted while protected: leave everything as it is, and let the Tenant go. A Tenant of that name takes it back.
    Orphan,
}

/// Plans for one Tenant.
pub fn plan(tenant: &Tenant, world: &World) -> TenantPlan {
    let name = tenant.metadata.name.clone().unwrap_or_default();
    let owner = Owner::Tenant(name);
    if tenant.metadata.deletion_timestamp.is_some() {
        if tenant.spec.protected() {
            return TenantPlan::Orphan;
        }
        let policy = tenant.spec.deletion.and_then(|d| d.namespaces).unwrap_or_default();
        return TenantPlan::TearDown(diff::teardown(&owner, policy == NamespacePolicy::Delete, world));
    }
    match resolve::tenant(tenant, world) {
        Err(rejections) => TenantPlan::Reject(rejections),
        Ok(resolved) => {
            let desired = compile::tenant(&resolved);
            let changes = diff::of(&owner, &desired, world);
            TenantPlan::Keep { resolved: Box::new(resolved), desired, changes }
        }
    }
}

impl TenantPlan {
    /// What must be written now.
    pub fn changes(&self) -> Option<&Changes> {
        match self {
            Self::Keep { changes, .. } | Self::TearDown(changes) => Some(changes),
            Self::Reject(_) | Self::Orphan => None,
        }
    }

    /// Whether the Tenant may go: nothing of it is left, or it is to be left as it is.
    pub fn releases(&self) -> bool {
        match self {
            Self::Orphan => true,
            Self::TearDown(changes) => changes.leftover.is_empty(),
            Self::Keep { .. } | Self::Reject(_) => false,
        }
    }
}
