//! One request to the API server, exactly as an attacker would send it: no client-side check stands between.

use hyper::Request;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use kube::Client;
use serde_json::Value;

use super::arena::{Arena, fill_text};
use super::file::{Attack, PatchKind, Verb};
use crate::{Error, Result, manifest};

/// The manager an attacker applies as, unless the file says another.
const MANAGER: &str = "kubectl";

/// What the API server said.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The code; 200 stands for every success.
    pub code: u16,
    /// The message of a refusal.
    pub message: String,
    /// The body of a success.
    pub body: Value,
}

impl Reply {
    /// Whether it was accepted.
    pub fn accepted(&self) -> bool {
        self.code < 300
    }
}

/// Where an object is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) collection: String,
    pub(super) item: Option<String>,
}

impl Place {
    /// Nothing when the kind is not served here.
    pub(super) async fn of(arena: &Arena, object: &Value) -> Result<Option<Self>> {
        let Some((resource, namespaced)) = arena.kind(object).await? else { return Ok(None) };
        let namespace = object["metadata"]["namespace"].as_str().filter(|_| namespaced);
        let collection = resource_path(&resource, namespace);
        let name = Some(manifest::name(object)).filter(|name| !name.is_empty());
        Ok(Some(Self { item: name.map(|name| format!("{collection}/{name}")), collection }))
    }
}

fn resource_path(resource: &kube::discovery::ApiResource, namespace: Option<&str>) -> String {
    let root = if resource.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", resource.group) };
    let within = namespace.map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default();
    format!("{root}/{}{within}/{}", resource.version, resource.plural)
}

/// Sends what the file says. `manifest` and `patch` are filled already.
pub(super) async fn send(arena: &Arena, attack: &Attack, manifest: &Value, patch: &Value) -> Result<Option<Reply>> {
    let Some(place) = Place::of(arena, manifest).await? else { return Ok(None) };
    let client = arena.client(attack.user)?;
    let query = query(attack);
    let item = || {
        let item = place.item.clone().ok_or_else(|| failed(attack, "its manifest has no name"))?;
        Ok(attack.subresource.as_ref().map_or(item.clone(), |sub| format!("{item}/{sub}")))
    };
    let json = "application/json";
    let body_of = |manifest: &Value| if attack.body.is_null() { manifest.clone() } else { attack.body.clone() };
    let (method, target, kind, body) = match attack.verb {
        Verb::Create if attack.subresource.is_none() => ("POST", place.collection.clone(), json, manifest.clone()),
        Verb::Create => ("POST", item()?, json, body_of(manifest)),
        Verb::Connect => ("POST", item()?, json, Value::Null),
        Verb::Update => ("PUT", item()?, json, laid_over(arena, &place, manifest).await?),
        Verb::Apply => ("PATCH", item()?, "application/apply-patch+yaml", manifest.clone()),
        Verb::Patch => ("PATCH", item()?, patch_type(attack), patch.clone()),
        Verb::Delete => ("DELETE", item()?, json, Value::Null),
        Verb::DeleteCollection => ("DELETE", place.collection.clone(), json, Value::Null),
        Verb::Get => ("GET", item()?, json, Value::Null),
        Verb::List | Verb::Watch => ("GET", place.collection.clone(), json, Value::Null),
        Verb::Traffic => return Err(failed(attack, "traffic is not sent to the API server")),
    };
    let mut request = built(method, &format!("{target}?{query}"), kind, &body)?;
    if let Some(user) = &attack.options.impersonate {
        let user = fill_text(user, &arena.vars).map_err(|detail| failed(attack, &detail))?;
        let value = HeaderValue::from_str(&user).map_err(Error::failed(attack.name.clone()))?;
        request.headers_mut().insert("Impersonate-User", value);
    }
    sent(client, request).await.map(Some)
}

fn failed(attack: &Attack, detail: &str) -> Error {
    Error::Failed { what: attack.name.clone(), detail: detail.into() }
}

fn patch_type(attack: &Attack) -> &'static str {
    match attack.patch.as_ref().map(|patch| patch.kind) {
        Some(PatchKind::Json) => "application/json-patch+json",
        Some(PatchKind::Strategic) => "application/strategic-merge-patch+json",
        Some(PatchKind::Merge) | None => "application/merge-patch+json",
    }
}

fn query(attack: &Attack) -> String {
    let mut parts = Vec::new();
    let writes = matches!(attack.verb, Verb::Create | Verb::Update | Verb::Patch | Verb::Apply);
    if writes {
        parts.push(format!("fieldManager={}", attack.options.manager.as_deref().unwrap_or(MANAGER)));
    }
    if attack.verb == Verb::Apply {
        parts.push("force=true".into());
    }
    if attack.verb == Verb::Watch {
        parts.push("watch=true&timeoutSeconds=1".into());
    }
    if attack.options.dry_run && (writes || matches!(attack.verb, Verb::Delete | Verb::DeleteCollection)) {
        parts.push("dryRun=All".into());
    }
    parts.extend(attack.options.query.clone());
    parts.join("&")
}

/// An update starts from what is there, as `kubectl edit` does.
async fn laid_over(arena: &Arena, place: &Place, manifest: &Value) -> Result<Value> {
    let path = place.item.clone().unwrap_or_default();
    let found = raw(&arena.platform, "GET", &path, "application/json", &Value::Null).await?;
    let mut object = found.body;
    overlay(&mut object, manifest);
    Ok(object)
}

fn overlay(onto: &mut Value, value: &Value) {
    match (onto, value) {
        (Value::Object(fields), Value::Object(new)) => {
            for (key, inner) in new {
                overlay(fields.entry(key.clone()).or_insert(Value::Null), inner);
            }
        }
        (onto, value) => *onto = value.clone(),
    }
}

/// Any request; an answer of the API server is never an error.
pub(super) async fn raw(client: &Client, method: &str, path: &str, kind: &str, body: &Value) -> Result<Reply> {
    sent(client, built(method, path, kind, body)?).await
}

fn built(method: &str, path: &str, kind: &str, body: &Value) -> Result<Request<Vec<u8>>> {
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, kind).body(bytes);
    request.map_err(Error::failed(format!("{method} {path}")))
}

async fn sent(client: &Client, request: Request<Vec<u8>>) -> Result<Reply> {
    let what = format!("{} {}", request.method(), request.uri());
    match client.request_text(request).await {
        Ok(text) => {
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            Ok(Reply { code: 200, message: String::new(), body })
        }
        Err(kube::Error::Api(status)) => {
            Ok(Reply { code: status.code, message: status.message.clone(), body: Value::Null })
        }
        Err(error) => Err(Error::kube(what)(error)),
    }
}
