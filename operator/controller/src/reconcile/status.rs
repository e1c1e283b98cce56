//! Writes a status, and only when it says something else than the one that is there.

use std::fmt::Debug;

use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use octroi_api::labels::STATUS_MANAGER;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ReconcileError;

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

/// Writes the status; `None` when the object is gone or another one by now.
///
/// # Errors
/// When the API server refuses.
pub async fn write<K, S>(api: &Api<K>, object: &K, status: &S) -> Result<Option<K>, ReconcileError>
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
