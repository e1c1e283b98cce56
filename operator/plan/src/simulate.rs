//! A world in which every write succeeds at once: what a plan leads to, without a cluster. For `octroi render`, and for
//! tests.

use serde_json::Value;

use crate::child::{Child, ChildKey, Owner};
use crate::diff::{Action, Changes};
use crate::world::{Observed, World};
use crate::{ChildKind, facts};

/// Carries out the writes of a plan in the world.
pub fn carry_out(changes: &Changes, desired: &[Child], world: &mut World) {
    for change in &changes.writes {
        match &change.action {
            Action::Create(body) | Action::Apply(body) | Action::Adopt(body, _) | Action::Reclaim(body) => {
                let applied = matches!(change.action, Action::Apply(_) | Action::Adopt(..));
                let digest = desired.iter().find(|c| applied && c.key == change.key).map(|c| c.digest);
                store(&change.key, body, digest, world);
            }
            Action::Delete(_) | Action::Release(_) => {
                world.forget(&change.key, None);
            }
        }
    }
}

fn store(key: &ChildKey, body: &Value, digest: Option<u64>, world: &mut World) {
    let version = world.get(key).and_then(|o| o.resource_version.parse::<u64>().ok()).unwrap_or_default() + 1;
    let texts =
        |pointer| body.pointer(pointer).cloned().and_then(|v| serde_json::from_value(v).ok()).unwrap_or_default();
    let facts = facts::of(key.kind, body);
    let owner = Owner::of_observed(&facts, key.kind, &texts("/metadata/labels"), &texts("/metadata/annotations"));
    let object = Observed {
        uid: format!("uid-of-{key}"),
        resource_version: version.to_string(),
        digest,
        owner,
        has_foreign_items: false,
        deleting: false,
        facts,
    };
    world.observe(key.clone(), object);
}

/// A world with every API and nothing in it.
pub fn empty_world() -> World {
    let mut world = World::default();
    world.apis.extend(ChildKind::ALL);
    world
}
