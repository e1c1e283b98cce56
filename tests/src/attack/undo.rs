//! Puts back what an attack, or its preparation, changed: as the run team, past the guards.

use std::time::Duration;

use serde_json::{Value, json};

use super::arena::Arena;
use super::request::{Place, Reply, raw};
use crate::{Error, Result};

const JSON: &str = "application/json";
/// How often somebody else may come first while an object is put back.
const CONFLICTS: usize = 100;
const POLL: Duration = Duration::from_millis(20);
const MERGE: &str = "application/merge-patch+json";

/// One object as it was before; nothing when it was not there.
struct Before {
    path: String,
    collection: String,
    subresource: Option<String>,
    object: Option<Value>,
}

/// What is to be put back, the newest first.
#[derive(Default)]
pub(super) struct Undo(Vec<Before>);

impl Undo {
    /// Remembers the object that this manifest means.
    pub(super) async fn note(&mut self, arena: &Arena, manifest: &Value) -> Result<()> {
        self.note_with(arena, manifest, None).await
    }

    /// The same, when a subresource of it is written.
    pub(super) async fn note_with(&mut self, arena: &Arena, manifest: &Value, of: Option<&str>) -> Result<()> {
        let Some(place) = Place::of(arena, manifest).await? else { return Ok(()) };
        let Some(path) = place.item else { return Ok(()) };
        let reply = raw(&arena.platform, "GET", &path, JSON, &Value::Null).await?;
        let object = reply.accepted().then_some(reply.body);
        // Others, such as a scale, are of another kind, and the object holds what they say.
        let subresource = of.filter(|sub| matches!(*sub, "status" | "finalize")).map(str::to_owned);
        self.0.push(Before { path, collection: place.collection, subresource, object });
        Ok(())
    }

    /// Remembers every object of a collection, but those that a controller makes again, which come and go on their own.
    pub(super) async fn note_all(&mut self, arena: &Arena, manifest: &Value) -> Result<()> {
        let Some(place) = Place::of(arena, manifest).await? else { return Ok(()) };
        let reply = raw(&arena.platform, "GET", &place.collection, JSON, &Value::Null).await?;
        let items = reply.body["items"].as_array().cloned().unwrap_or_default();
        for mut object in items.into_iter().filter(|object| !has_controller(object)) {
            let path = format!("{}/{}", place.collection, crate::manifest::name(&object));
            // A list does not repeat these for each of its items.
            for field in ["apiVersion", "kind"] {
                object[field] = manifest[field].clone();
            }
            let collection = place.collection.clone();
            self.0.push(Before { path, collection, subresource: None, object: Some(object) });
        }
        Ok(())
    }

    /// Notes an object that only the answer names, such as one with a generated name.
    pub(super) fn note_made(&mut self, collection: &str, name: &str) {
        let path = format!("{collection}/{name}");
        self.0.push(Before { path, collection: collection.into(), subresource: None, object: None });
    }

    /// Which of the remembered objects are gone, or about to go.
    pub(super) async fn gone(&self, arena: &Arena) -> Result<Vec<String>> {
        let mut gone = Vec::new();
        for before in self.0.iter().filter(|before| before.object.is_some()) {
            let now = raw(&arena.platform, "GET", &before.path, JSON, &Value::Null).await?;
            if !now.accepted() || !now.body["metadata"]["deletionTimestamp"].is_null() {
                gone.push(before.path.clone());
            }
        }
        Ok(gone)
    }

    /// Puts everything back.
    pub(super) async fn all(self, arena: &Arena) -> Result<()> {
        for before in self.0.into_iter().rev() {
            match &before.object {
                None => remove(arena, &before.path).await?,
                Some(object) => restore(arena, &before, object).await?,
            }
        }
        Ok(())
    }
}

async fn remove(arena: &Arena, path: &str) -> Result<()> {
    let found = raw(&arena.platform, "GET", path, JSON, &Value::Null).await?;
    if !found.accepted() {
        return Ok(());
    }
    if found.body["metadata"]["finalizers"].is_array() {
        let none = json!({"metadata": {"finalizers": null}});
        raw(&arena.platform, "PATCH", path, MERGE, &none).await?;
    }
    // A pod that no kubelet runs would wait for one otherwise.
    let now = json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background"});
    let reply = raw(&arena.platform, "DELETE", path, JSON, &now).await?;
    if reply.accepted() || reply.code == 404 {
        return Ok(());
    }
    Err(Error::Failed { what: format!("removing {path} after an attack"), detail: reply.message })
}

async fn restore(arena: &Arena, before: &Before, object: &Value) -> Result<()> {
    let mut last = String::new();
    for _ in 0..CONFLICTS {
        let now = raw(&arena.platform, "GET", &before.path, JSON, &Value::Null).await?;
        let there = now.accepted() && now.body["metadata"]["deletionTimestamp"].is_null();
        if there && same(&now.body, object) {
            return Ok(());
        }
        let reply =
            if there { put(arena, before, object.clone()).await? } else { post(arena, before, object.clone()).await? };
        if reply.accepted() {
            return Ok(());
        }
        last = reply.message;
        // A data plane wrote its status, what was deleted is still going, or the operator repaired what is its own: the
        // next look is at what is there then.
        if reply.code != 409 {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    Err(Error::Failed { what: format!("putting {} back after an attack", before.path), detail: last })
}

async fn put(arena: &Arena, before: &Before, mut object: Value) -> Result<Reply> {
    for subresource in before.subresource.iter().map(|name| format!("/{name}")).chain([String::new()]) {
        let now = raw(&arena.platform, "GET", &before.path, JSON, &Value::Null).await?;
        object["metadata"]["resourceVersion"] = now.body["metadata"]["resourceVersion"].clone();
        let reply = raw(&arena.platform, "PUT", &format!("{}{subresource}", before.path), JSON, &object).await?;
        if !reply.accepted() {
            return Ok(reply);
        }
    }
    Ok(Reply { code: 200, message: String::new(), body: Value::Null })
}

async fn post(arena: &Arena, before: &Before, mut object: Value) -> Result<Reply> {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
            metadata.remove(field);
        }
    }
    raw(&arena.platform, "POST", &before.collection, JSON, &object).await
}

fn has_controller(object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().any(|owner| owner["controller"] == true)
}

/// Whether nothing of it was written in between.
fn same(now: &Value, before: &Value) -> bool {
    now["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
}
