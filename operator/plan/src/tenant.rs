//! What is to be done about one Tenant.

use octroi_api::{NamespacePolicy, Tenant};

use crate::child::Owner;
use crate::plan::Plan;
use crate::resolve::{self, ResolvedTenant};
use crate::world::World;
use crate::{compile, diff};

/// What is to be done about one Tenant. It is orphaned when it is deleted while protected.
pub type TenantPlan = Plan<ResolvedTenant>;

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
