//! Digests instead of objects: what Octroi owns of an observed object, reduced to 64 bits.
//!
//! The API server records in `metadata.managedFields` which fields Octroi applied and still owns. The observed object
//! reduced to those fields equals what Octroi wants exactly when nobody changed, took or removed anything: a change by
//! another manager moves the ownership of the field away. So one number per object answers "is it as it should be?",
//! and fields that others own do not disturb it. (Kubernetes documentation, Server-Side Apply; structured-merge-diff for
//! the `f:`, `k:` and `v:` keys.)

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use octroi_api::labels::FIELD_MANAGER;
use serde_json::{Map, Value};

/// Digest of a body that is to be applied.
pub fn of_desired(body: &Value) -> u64 {
    hash(&applied(body))
}

/// The fields of a body that applying it takes ownership of.
pub fn applied(body: &Value) -> Value {
    let mut owned = body.clone();
    if let Some(object) = owned.as_object_mut() {
        for key in ["apiVersion", "kind"] {
            object.remove(key);
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("name");
            metadata.remove("namespace");
        }
    }
    owned
}

/// Digest of what Octroi's field manager owns of an observed object; `None` when it owns nothing.
pub fn of_observed(object: &Value) -> Option<u64> {
    owned(object).as_ref().map(hash)
}

/// What Octroi's field manager owns of an observed object; `None` when it owns nothing.
pub fn owned(object: &Value) -> Option<Value> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let applied = entries.iter().find(|e| {
        e["manager"] == FIELD_MANAGER
            && e["operation"] == "Apply"
            && e["subresource"].as_str().is_none_or(str::is_empty)
    })?;
    Some(project(object, applied.get("fieldsV1")?))
}

/// Keeps of `value` what `fields` names. A set without members names the whole value.
fn project(value: &Value, fields: &Value) -> Value {
    let Some(fields) = fields.as_object().filter(|f| f.keys().any(|k| k != ".")) else {
        return value.clone();
    };
    match value {
        Value::Object(object) => Value::Object(project_object(object, fields)),
        Value::Array(items) => Value::Array(project_list(items, fields)),
        other => other.clone(),
    }
}

fn project_object(object: &Map<String, Value>, fields: &Map<String, Value>) -> Map<String, Value> {
    fields
        .iter()
        .filter_map(|(key, inner)| {
            let name = key.strip_prefix("f:")?;
            Some((name.to_owned(), project(object.get(name)?, inner)))
        })
        .collect()
}

/// Whether a list of ours holds items that somebody else put there. Server-side apply leaves those alone.
pub fn has_foreign_items(object: &Value) -> bool {
    fn is_marked(value: &Value) -> bool {
        match value {
            Value::Object(object) => object.values().any(is_marked),
            Value::Array(items) => items.iter().any(is_marked),
            other => other == FOREIGN,
        }
    }
    owned(object).as_ref().is_some_and(is_marked)
}

/// Stands in a projection for items of a list that others own.
const FOREIGN: &str = "(items that somebody else added)";

fn project_list(items: &[Value], fields: &Map<String, Value>) -> Vec<Value> {
    // By key, or, in a set, by value.
    let known = fields.keys().filter(|key| key.starts_with("k:") || key.starts_with("v:")).count();
    let foreign = (known > 0 && items.len() > known).then(|| Value::from(FOREIGN));
    fields
        .iter()
        .filter_map(|(key, inner)| {
            if let Some(text) = key.strip_prefix("v:") {
                let member: Value = serde_json::from_str(text).ok()?;
                return items.contains(&member).then_some(member);
            }
            let keys: Map<String, Value> = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
            let item = items.iter().find(|i| keys.iter().all(|(k, v)| i.get(k) == Some(v)))?;
            Some(project(item, inner))
        })
        .chain(foreign)
        .collect()
}

/// Order within a list does not count: a keyed list has none, and whoever reorders an atomic list owns it from then on.
/// Empty maps and lists do not count either: they own nothing.
fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(value, &mut hasher);
    hasher.finish()
}

fn feed(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(object) => {
            // serde_json keeps keys sorted unless `preserve_order` is on somewhere in the tree; sort to be sure.
            let mut entries: Vec<_> = object.iter().filter(|(_, v)| !is_empty(v)).collect();
            entries.sort_by_key(|(k, _)| *k);
            '{'.hash(hasher);
            for (key, inner) in entries {
                key.hash(hasher);
                feed(inner, hasher);
            }
        }
        Value::Array(items) => {
            let mut digests: Vec<u64> = items.iter().map(hash).collect();
            digests.sort_unstable();
            ('[', digests).hash(hasher);
        }
        Value::String(text) => ('s', text).hash(hasher),
        Value::Number(number) => ('n', number.to_string()).hash(hasher),
        Value::Bool(flag) => ('b', flag).hash(hasher),
        Value::Null => '0'.hash(hasher),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::Null => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn observed(spec: &Value, fields: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "X",
            "metadata": {"name": "a", "uid": "1", "labels": {"ours": "1", "theirs": "2"}, "managedFields": [
                {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:other": {}}}},
                {"manager": "octroi", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:labels": {"f:ours": {}}}, "f:spec": fields}},
                {"manager": "octroi", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}},
            ]},
            "spec": spec,
        })
    }

    fn desired(spec: &Value) -> u64 {
        of_desired(
            &json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "a", "labels": {"ours": "1"}}, "spec": spec}),
        )
    }

    #[test]
    fn what_others_own_does_not_count() {
        let object = observed(&json!({"mine": 1, "other": 2, "status": 3}), &json!({"f:mine": {}}));
        assert_eq!(of_observed(&object), Some(desired(&json!({"mine": 1}))));
    }

    #[test]
    fn a_field_that_was_taken_or_changed_counts() {
        let taken = observed(&json!({"mine": 1, "second": 2}), &json!({"f:mine": {}}));
        assert_ne!(of_observed(&taken), Some(desired(&json!({"mine": 1, "second": 2}))));
        let changed = observed(&json!({"mine": 9}), &json!({"f:mine": {}}));
        assert_ne!(of_observed(&changed), Some(desired(&json!({"mine": 1}))));
    }

    #[test]
    fn keyed_lists_sets_and_atomic_lists() {
        let fields = json!({
            "f:listeners": {"k:{\"name\":\"b\"}": {".": {}, "f:name": {}, "f:port": {}}, "k:{\"name\":\"a\"}": {".": {}, "f:name": {}}},
            "f:set": {"v:\"y\"": {}, "v:\"x\"": {}},
            "f:atomic": {},
        });
        let spec = json!({
            "listeners": [{"name": "a", "port": 7}, {"name": "b", "port": 1}],
            "set": ["x", "y"],
            "atomic": [{"deep": [1, 2]}],
        });
        let wanted = json!({"listeners": [{"name": "a"}, {"name": "b", "port": 1}], "set": ["y", "x"], "atomic": [{"deep": [1, 2]}]});
        assert_eq!(of_observed(&observed(&spec, &fields)), Some(desired(&wanted)));
    }

    #[test]
    fn an_item_that_somebody_added_to_a_list_of_ours_counts() {
        let fields = json!({"f:listeners": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}}});
        let alone = observed(&json!({"listeners": [{"name": "a"}]}), &fields);
        let added = observed(&json!({"listeners": [{"name": "a"}, {"name": "theirs"}]}), &fields);
        assert!(!has_foreign_items(&alone) && has_foreign_items(&added));
        assert_ne!(of_observed(&alone), of_observed(&added));
        let set = |items: Value| observed(&json!({"set": items}), &json!({"f:set": {"v:\"x\"": {}}}));
        assert!(!has_foreign_items(&set(json!(["x"]))) && has_foreign_items(&set(json!(["theirs", "x"]))));
    }

    #[test]
    fn without_ownership_there_is_no_digest() {
        assert_eq!(of_observed(&json!({"metadata": {"name": "a"}})), None);
        assert_eq!(
            of_observed(&json!({"metadata": {"managedFields": [{"manager": "kubectl", "operation": "Apply"}]}})),
            None
        );
    }
}
