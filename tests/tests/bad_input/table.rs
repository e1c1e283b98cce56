//! The table: a small valid object, and per case what is put in its place.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The valid object that every case starts from.
    valid: Value,
    /// Objects that the API server refuses.
    pub refused: Vec<Case>,
    /// Objects that it takes.
    pub accepted: Vec<Case>,
}

/// One object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is wrong, or nearly.
    #[serde(rename = "case")]
    pub what: String,
    /// Its name, when the name is the point.
    name: Option<Value>,
    /// Its annotations.
    annotations: Option<Value>,
    /// Fields of the spec, in place of those of the valid object; `null` takes one away.
    #[serde(default)]
    spec: Value,
    /// What there was before: fields of the spec, and the status.
    pub was: Option<Before>,
    /// Parts of the message: the field first, then what to do.
    #[serde(default)]
    pub says: Vec<String>,
}

/// The object that a case changes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

/// Reads a file of cases.
pub fn read(file: &Path) -> Table {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

impl Table {
    /// The object of a case.
    pub fn object(&self, case: &Case, index: usize) -> Value {
        let mut object = self.valid.clone();
        object["metadata"]["name"] = case.name.as_ref().map_or_else(|| json!(format!("case-{index}")), expand);
        if let Some(annotations) = &case.annotations {
            object["metadata"]["annotations"] = annotations.clone();
        }
        replace(&mut object["spec"], &case.spec);
        object
    }

    /// What there was before the object of a case, if anything.
    pub fn before(&self, case: &Case, object: &Value) -> Option<Value> {
        let was = case.was.as_ref()?;
        let mut before = self.valid.clone();
        before["metadata"]["name"] = object["metadata"]["name"].clone();
        replace(&mut before["spec"], &was.spec);
        before["status"] = was.status.clone();
        Some(before)
    }
}

/// Puts the fields of `with` in the place of those of `spec`.
fn replace(spec: &mut Value, with: &Value) {
    match (spec, with) {
        (_, Value::Null) => {}
        (Value::Object(spec), Value::Object(with)) => {
            for (key, value) in with {
                if value.is_null() {
                    spec.remove(key);
                } else {
                    spec.insert(key.clone(), expand(value));
                }
            }
        }
        (spec, with) => *spec = expand(with),
    }
}

/// `(a*60)` in a text is sixty times `a`; `{times: 33, of: …}` as the only item of a list is that many, `#` being the
/// number of each.
fn expand(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(expand_text(text)),
        Value::Array(items) => match items.as_slice() {
            [Value::Object(only)] if only.contains_key("times") => Value::Array(expand_times(only)),
            items => items.iter().map(expand).collect(),
        },
        Value::Object(object) => {
            Value::Object(object.iter().map(|(key, inner)| (expand_text(key), expand(inner))).collect())
        }
        other => other.clone(),
    }
}

fn expand_text(text: &str) -> String {
    let parts = |text: &str| {
        let (head, rest) = text.split_once('(')?;
        let (inner, tail) = rest.split_once(')')?;
        let (unit, count) = inner.split_once('*')?;
        Some(format!("{head}{}{}", unit.repeat(count.parse().ok()?), expand_text(tail)))
    };
    parts(text).unwrap_or_else(|| text.to_owned())
}

fn expand_times(times: &Map<String, Value>) -> Vec<Value> {
    let count = times["times"].as_u64().unwrap_or_else(|| panic!("times must be a number"));
    let item = times["of"].to_string();
    (1..=count)
        .map(|number| serde_json::from_str(&item.replace('#', &number.to_string())).unwrap_or_default())
        .collect()
}
