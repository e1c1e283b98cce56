//! Edits of an object, as somebody else would make them.

use serde_json::{Value, json};

/// The keyed lists in what Octroi sends.
const KEYED: [&str; 2] = ["/spec/listeners", "/spec/headers/lateResponseHeaders/set"];

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
            (Value::Array(items), Some(value)) => match key.parse::<usize>().ok()? {
                index if index == items.len() => items.push(value.clone()),
                index => *items.get_mut(index)? = value.clone(),
            },
            (Value::Array(items), None) => drop(items.remove(key.parse().ok().filter(|i: &usize| *i < items.len())?)),
            _ => return None,
        }
        Some(object)
    }

    /// Whether it gives an item of a keyed list another key: the item that Octroi wants is then missing beside it.
    pub fn renames(&self) -> bool {
        let inside = KEYED.iter().find_map(|list| self.pointer.strip_prefix(list)?.strip_prefix('/'));
        inside.is_some_and(|rest| rest.split_once('/').is_some_and(|(_, field)| field == "name"))
            && self.value.is_some()
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

/// One more item in each keyed list, like the first but for its key and its host or port.
pub fn more_items(body: &Value) -> Vec<Edit> {
    let one_more = |list: &&str| {
        let items = body.pointer(list)?.as_array()?;
        let mut item = items.first()?.clone();
        item["name"] = json!("intruder");
        if item["hostname"].is_string() {
            item["hostname"] = json!("intruder.example");
        } else if item["port"].is_number() {
            item["port"] = json!(8080);
        }
        Some(Edit { pointer: format!("{list}/{}", items.len()), value: Some(item) })
    };
    KEYED.iter().filter_map(one_more).collect()
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
    const CHOICES: [(&str, &str); 19] = [
        ("1.2", "1.3"),
        ("1.3", "1.2"),
        ("Always", "Never"),
        ("ClusterIP", "NodePort"),
        ("DoesNotExist", "Exists"),
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
        ("TCP", "UDP"),
        ("Terminate", "Passthrough"),
        ("UDP", "TCP"),
        ("https", "http"),
    ];
    let known = CHOICES.iter().find(|(from, _)| *from == text);
    known.map_or_else(|| "other".to_owned(), |(_, to)| (*to).to_owned())
}
