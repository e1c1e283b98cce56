//! From an object of the API server to what is kept of it.

use kube::ResourceExt;
use kube::api::DynamicObject;
use octroi_plan::world::Observed;
use octroi_plan::{ChildKey, ChildKind, Owner, digest, facts};

/// The key of an object.
pub fn key(kind: ChildKind, object: &DynamicObject) -> ChildKey {
    ChildKey::new(kind, &object.namespace().unwrap_or_default(), &object.name_any())
}

/// What is kept of an object.
pub fn observed(kind: ChildKind, object: &DynamicObject) -> Observed {
    // A DynamicObject came from JSON and goes back to it.
    let value = serde_json::to_value(object).unwrap_or_default();
    let facts = facts::of(kind, &value);
    Observed {
        uid: object.uid().unwrap_or_default(),
        resource_version: object.resource_version().unwrap_or_default(),
        digest: digest::of_observed(&value),
        owner: Owner::of_observed(&facts, kind, object.labels(), object.annotations()),
        has_foreign_items: digest::has_foreign_items(&value),
        deleting: object.metadata.deletion_timestamp.is_some(),
        facts,
    }
}
