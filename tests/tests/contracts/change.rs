//! Edits of an object, as somebody else would make them.

use serde_json::{Value, json};

/// One edit: what is put at a place, or taken away from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Where, as a JSON pointer.
    pointer: String,
    /// What is put there; nothing takes it away.
    value: Option<Value>,
}

impl Edit {
    /// The object with the edit made; nothing when there is no such place.
    pub fn on(&self, object: &Value) -> Option<Value> {
        let (parent, last) = self.pointer.rsplit_once('/')?;
        let mut object = match object.pointer(parent) {
            None if self.value.is_some() => Self { pointer: parent.into(), value: Some(json!({})) }.on(object)?,
            _ => object.clone(),
        };
        let key = last.replace("~1", "/").replace("~0", "~");
        match (object.pointer_mut(parent)?, &self.value) {
            (Value::Object(fields), Some(value)) => drop(fields.insert(key, value.clone())),
            (Value::Object(fields), None) => drop(fields.remove(&key)?),
            (Value::Array(items), Some(value)) => *items.get_mut(key.parse::<usize>().ok()?)? = value.clone(),
            (Value::Array(items), None) => drop(items.remove(key.parse().ok().filter(|i: &usize| *i < items.len())?)),
            _ => return None,
        }
        Some(object)
    }

    /// The field of `metadata` that an addition is made to.
    pub fn field(&self) -> &str {
        self.pointer.split('/').nth(2).unwrap_or_default()
    }
}

/// Every field of a body changed, and taken away.
pub fn edits(body: &Value) -> Vec<Edit> {
    let mut all = Vec::new();
    for (key, value) in body.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for field in ["labels", "annotations"] {
                    each(&format!("/metadata/{field}"), &value[field], &mut all);
                }
            }
            _ => each(&format!("/{key}"), value, &mut all),
        }
    }
    all
}

/// What others may add to any object.
pub fn additions() -> Vec<Edit> {
    let add = |pointer: &str, value| Edit { pointer: pointer.into(), value: Some(value) };
    vec![
        add("/metadata/labels/example.com~1team", json!("shop")),
        add("/metadata/annotations/example.com~1note", json!("seen")),
        add("/metadata/finalizers", json!(["example.com/wait"])),
    ]
}

fn each(pointer: &str, value: &Value, all: &mut Vec<Edit>) {
    let below = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    let edit = |value| Edit { pointer: pointer.to_owned(), value };
    match value {
        Value::Null => return,
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| each(&below(key), inner, all)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, inner)| each(&below(&index.to_string()), inner, all));
        }
        Value::String(text) => all.extend([format!("{text}x"), other(text)].map(|text| edit(Some(json!(text))))),
        Value::Number(number) => {
            let number = number.as_i64().unwrap_or_default();
            all.extend([number + 1, number - 1].map(|number| edit(Some(json!(number)))));
        }
        Value::Bool(flag) => all.push(edit(Some(json!(!flag)))),
    }
    all.push(edit(None));
}

/// Another value where only some are allowed.
fn other(text: &str) -> String {
    const CHOICES: [(&str, &str); 16] = [
        ("1.2", "1.3"),
        ("1.3", "1.2"),
        ("Always", "Never"),
        ("ClusterIP", "NodePort"),
        ("ECDSA", "RSA"),
        ("GRPCRoute", "TLSRoute"),
        ("HTTP", "HTTPS"),
        ("HTTPRoute", "GRPCRoute"),
        ("HTTPS", "TLS"),
        ("In", "NotIn"),
        ("LoadBalancer", "ClusterIP"),
        ("PathPrefix", "Exact"),
        ("Same", "All"),
        ("Selector", "All"),
        ("Terminate", "Passthrough"),
        ("https", "http"),
    ];
    let known = CHOICES.iter().find(|(from, _)| *from == text);
    known.map_or_else(|| "other".to_owned(), |(_, to)| (*to).to_owned())
}
