//! A walk over a structural schema.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use serde_json::Value;

/// One place in a schema: a property, the items of a list or the values of a map.
pub struct Field {
    /// Such as `Tenant.spec.domains[].host`.
    pub path: String,
    /// Its schema.
    pub schema: Value,
    /// Whether it must be given; items and values are.
    pub required: bool,
}

impl Field {
    /// Whether users write it.
    pub fn is_spec(&self) -> bool {
        self.path.contains(".spec")
    }

    /// What it has no upper bound of.
    pub fn unbounded(&self) -> Option<String> {
        let schema = &self.schema;
        let closed = schema["enum"].is_array() || schema["format"].is_string();
        match schema["type"].as_str() {
            Some("string") if !closed && !schema["maxLength"].is_u64() => Some("a text without maxLength".into()),
            Some("array") if !schema["maxItems"].is_u64() => Some("a list without maxItems".into()),
            Some("object") if !schema["additionalProperties"].is_null() && !schema["maxProperties"].is_u64() => {
                Some("a map without maxProperties".into())
            }
            Some("string" | "array" | "object" | "integer" | "number" | "boolean") => None,
            other => Some(format!("of type {other:?}")),
        }
    }
}

/// Every field below the root of a kind; `metadata` is not ours.
pub fn fields(kind: &str, root: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    properties(kind, root, &mut found);
    found
}

fn properties(path: &str, schema: &Value, found: &mut Vec<Field>) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        visit(format!("{path}.{name}"), inner, required.iter().any(|r| r == name), found);
    }
}

fn visit(path: String, schema: &Value, required: bool, found: &mut Vec<Field>) {
    properties(&path, schema, found);
    for (suffix, key) in [("[]", "items"), ("{}", "additionalProperties")] {
        // The items of a list of plain values have no name of their own, so the list describes them.
        if let Some(inner) = schema.get(key) {
            let mut inner = inner.clone();
            if inner["type"] != "object" && inner["description"].is_null() {
                inner["description"] = "As its list says.".into();
            }
            visit(format!("{path}{suffix}"), &inner, true, found);
        }
    }
    found.push(Field { path, schema: schema.clone(), required });
}
