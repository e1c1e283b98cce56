//! What is to be done about one TenantClass: its shared Gateways and its certificate.

use octroi_api::{GatewayMode, TenantClass};

use crate::child::Owner;
use crate::plan::Plan;
use crate::resolve::class::{self, ResolvedClass};
use crate::resolve::placement::shard_index;
use crate::world::World;
use crate::{compile, diff};

/// What is to be done about one TenantClass. It is orphaned when it is deleted while in use.
pub type ClassPlan = Plan<ShardedClass>;

/// A TenantClass and how many shared Gateways it has.
#[derive(Clone, Debug)]
pub struct ShardedClass {
    /// What holds of it.
    pub class: ResolvedClass,
    /// How many shared Gateways it has.
    pub shards: usize,
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
        Ok(class) => {
            let shards = shards(&class, world);
            let desired = compile::class(&class, shards);
            let changes = diff::of(&owner, &desired, world);
            ClassPlan::Keep { resolved: Box::new(ShardedClass { class, shards }), desired, changes }
        }
    }
}

/// As many as entries are on or are to be on; one before the first tenant where tenants share by default, to be there in time.
fn shards(class: &ResolvedClass, world: &World) -> usize {
    let placed = world.gateways_in_use().filter_map(|gateway| shard_index(&class.name, gateway));
    let first = usize::from(class.mode == GatewayMode::Shared);
    placed.map(|index| index + 1).max().unwrap_or_default().max(first)
}
