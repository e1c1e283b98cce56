//! The finalizer, by server-side apply: Octroi owns that one entry of `metadata.finalizers` and nothing else there.

use std::fmt::Debug;

use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use octroi_api::labels::{FIELD_MANAGER, FINALIZER};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ReconcileError;

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    api_version: String,
    kind: String,
    metadata: Metadata<'a>,
}

#[derive(Serialize, Debug)]
struct Metadata<'a> {
    name: String,
    /// Of the object that was seen: without it, applying to one that is gone would make a new one.
    uid: Option<String>,
    finalizers: &'a [&'a str],
}

/// Whether the object has the finalizer.
pub fn is_set<K: Resource>(object: &K) -> bool {
    object.finalizers().iter().any(|f| f == FINALIZER)
}

/// Sets the finalizer, and returns what is stored now.
///
/// # Errors
/// When the API server refuses; another object of that name is a refusal.
pub async fn set<K>(api: &Api<K>, object: &K) -> Result<K, ReconcileError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    write(api, object, &[FINALIZER]).await
}

/// Takes the finalizer off. That the object is gone is as well.
///
/// # Errors
/// When the API server refuses.
pub async fn clear<K>(api: &Api<K>, object: &K) -> Result<(), ReconcileError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    match write(api, object, &[]).await {
        Err(ReconcileError::Own { source, .. }) if matches!(&*source, kube::Error::Api(s) if s.code == 404 || s.code == 409) => {
            Ok(())
        }
        result => result.map(drop),
    }
}

async fn write<K>(api: &Api<K>, object: &K, finalizers: &[&str]) -> Result<K, ReconcileError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let name = object.name_any();
    let body = Body {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        metadata: Metadata { name: name.clone(), uid: object.uid(), finalizers },
    };
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&name, &params, &Patch::Apply(&body))
        .await
        .map_err(|source| ReconcileError::Own { what: "the finalizer", source: Box::new(source) })
}
