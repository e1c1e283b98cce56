//! Writes a status, and only when it says something else than the one that is there.

use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use octroi_api::labels::STATUS_MANAGER;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Context;
use crate::error::ReconcileError;
use crate::state::Replies;

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Body<'a, S> {
    api_version: String,
    kind: String,
    metadata: Metadata,
    status: &'a S,
}

#[derive(Serialize, Debug)]
struct Metadata {
    name: String,
    uid: Option<String>,
}

/// Writes a status that says something new, and tells of a new reason by an Event.
///
/// # Errors
/// When the API server refuses, or the lease ran out.
pub async fn publish<K, S>(
    context: &Context,
    api: &Api<K>,
    object: &K,
    status: &S,
    conditions: (&[Condition], &[Condition]),
    replies: &Replies<K>,
) -> Result<(), ReconcileError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
    S: Serialize + Debug,
{
    if !context.lease.is_current() {
        return Err(ReconcileError::Stale);
    }
    let stored = write(api, object, status).await;
    context.metrics.wrote_resource(&K::plural(&()), "patch", stored.is_ok());
    if let Some(stored) = stored? {
        replies.note(stored);
    }
    context.events.on_change(&object.object_ref(&()), conditions.0, conditions.1).await;
    Ok(())
}

/// Writes the status; `None` when the object is gone or another one by now.
///
/// # Errors
/// When the API server refuses.
async fn write<K, S>(api: &Api<K>, object: &K, status: &S) -> Result<Option<K>, ReconcileError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
    S: Serialize + Debug,
{
    let name = object.name_any();
    let body = Body {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        metadata: Metadata { name: name.clone(), uid: object.uid() },
        status,
    };
    let params = PatchParams::apply(STATUS_MANAGER).force();
    match api.patch_status(&name, &params, &Patch::Apply(&body)).await {
        Ok(stored) => Ok(Some(stored)),
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(None),
        Err(source) => Err(ReconcileError::Own { what: "the status", source: Box::new(source) }),
    }
}
