//! What is to be done about one TenantClass: its shared Gateways and its certificate.

use octroi_api::{GatewayMode, TenantClass};

use crate::child::{Child, Owner};
use crate::compile;
use crate::diff::{self, Changes};
use crate::rejection::Rejection;
use crate::resolve::class::{self, ResolvedClass};
use crate::resolve::placement::shard_index;
use crate::world::World;

/// What is to be done about one TenantClass.
#[derive(Clone, Debug)]
pub enum ClassPlan {
    /// Keep it as it should be.
    Keep {
        /// What holds of it.
        resolved: Box<ResolvedClass>,
        /// How many shared Gateways it has.
        shards: usize,
        /// What must exist.
        desired: Vec<Child>,
        /// What must be done.
        changes: Changes,
    },
    /// Touch nothing, and say why.
    Reject(Vec<Rejection>),
    /// Take it away. Done when nothing is left over: then the finalizer goes.
    TearDown(Changes),
    /// Deleted while in use: leave everything as it is. A TenantClass of that name takes it back.
    Orphan,
}

/// Plans for one TenantClass.
pub fn plan(class: &TenantClass, world: &World) -> ClassPlan {
    let name = class.metadata.name.clone().unwrap_or_default();
    let owner = Owner::Class(name.clone());
    if class.metadata.deletion_timestamp.is_some() {
        // Entries outlive a Tenant that was deleted while protected.
        let serves = world.gateways_in_use().any(|gateway| shard_index(&name, gateway).is_some());
        if serves || world.tenants_of(&name) > 0 {
            return ClassPlan::Orphan;
        }
        return ClassPlan::TearDown(diff::teardown(&owner, false, world));
    }
    match class::resolve(class, world) {
        Err(rejections) => ClassPlan::Reject(rejections),
        Ok(resolved) => {
            let shards = shards(&resolved, world);
            let desired = compile::class(&resolved, shards);
            let changes = diff::of(&owner, &desired, world);
            ClassPlan::Keep { resolved: Box::new(resolved), shards, desired, changes }
        }
    }
}

/// As many as entries are on or are to be on; one before the first tenant where tenants share by default, to be there in time.
fn shards(class: &ResolvedClass, world: &World) -> usize {
    let placed = world.gateways_in_use().filter_map(|gateway| shard_index(&class.name, gateway));
    let first = usize::from(class.mode == GatewayMode::Shared);
    placed.map(|index| index + 1).max().unwrap_or_default().max(first)
}

impl ClassPlan {
    /// What must be written now.
    pub fn changes(&self) -> Option<&Changes> {
        match self {
            Self::Keep { changes, .. } | Self::TearDown(changes) => Some(changes),
            Self::Reject(_) | Self::Orphan => None,
        }
    }

    /// Whether the TenantClass may go.
    pub fn releases(&self) -> bool {
        match self {
            Self::Orphan => true,
            Self::TearDown(changes) => changes.leftover.is_empty(),
            Self::Keep { .. } | Self::Reject(_) => false,
        }
    }
}
