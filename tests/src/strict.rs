//! Server-side applies of plain objects, with the API server's strict field validation.

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client};
use serde_json::Value;

use crate::{Error, Result, manifest};

/// The field manager of the operator.
pub const MANAGER: &str = "octroi";

/// Applies as the operator would, and has the API server refuse every field that it does not know.
///
/// # Errors
/// When the kind is not served, or the API server refuses; [`Error::api_message`] is what it said.
pub async fn apply_strict(client: &Client, object: &Value) -> Result<DynamicObject> {
    apply(client, object, &PatchParams::apply(MANAGER).force().validation_strict()).await
}

/// Applies with the given parameters.
///
/// # Errors
/// As [`apply_strict`].
pub async fn apply(client: &Client, object: &Value, params: &PatchParams) -> Result<DynamicObject> {
    let api = endpoint(client, object).await?;
    api.patch(manifest::name(object), params, &Patch::Apply(object)).await.map_err(Error::kube(describe(object)))
}

/// The API of an object's kind, in the object's namespace, found by discovery.
///
/// # Errors
/// When its kind is not served, or a namespaced object names no namespace.
pub async fn endpoint(client: &Client, object: &Value) -> Result<Api<DynamicObject>> {
    let types: TypeMeta = serde_json::from_value(object.clone()).map_err(Error::failed(describe(object)))?;
    let kind = GroupVersionKind::try_from(types).map_err(Error::failed(describe(object)))?;
    let (resource, capabilities) =
        pinned_kind(client, &kind).await.map_err(Error::kube(format!("finding the API of {}", describe(object))))?;
    if capabilities.scope == Scope::Cluster {
        return Ok(Api::all_with(client.clone(), &resource));
    }
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Ok(Api::namespaced_with(client.clone(), namespace, &resource)),
        None => Err(Error::Failed { what: describe(object), detail: "it names no namespace".into() }),
    }
}

/// How messages call an object.
pub(crate) fn describe(object: &Value) -> String {
    let name = manifest::name(object);
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{} {namespace}/{name}", manifest::kind(object)),
        None => format!("{} {name}", manifest::kind(object)),
    }
}
