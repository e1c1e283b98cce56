//! What Octroi keeps for its tenants, counted on the cluster: every kind that is served, by label and field manager.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::discovery::{ApiGroup, Discovery, verbs};
use kube::{Api, Client};
use octroi_api::labels;
use serde_json::Value;

use crate::{Error, Result};

const CONCURRENCY: usize = 8;

/// Objects, and the lines of their YAML.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// How many objects.
    pub objects: usize,
    /// How many lines, without status and without the record of who wrote which field.
    pub lines: usize,
}

/// Counts what carries the label of one of these tenants and is applied by Octroi. What others derive from it (pods,
/// copies of its labels) is not Octroi's to keep.
pub(super) async fn count(client: &Client, tenants: &[String]) -> Result<Kept> {
    let served = Discovery::new(client.clone()).run().await.map_err(Error::kube("the kinds that are served"))?;
    let kinds = served.groups().flat_map(ApiGroup::recommended_resources);
    let listable = kinds.filter(|(_, can)| can.supports_operation(verbs::LIST)).map(|(kind, _)| kind);
    let selector = ListParams::default().labels(&format!("{} in ({})", labels::TENANT, tenants.join(",")));
    let lists = listable.map(|kind| list(client, kind, &selector));
    let found: Vec<Vec<DynamicObject>> = stream::iter(lists).buffer_unordered(CONCURRENCY).try_collect().await?;
    let mut kept = Kept::default();
    for object in found.into_iter().flatten().filter(is_ours) {
        kept.objects += 1;
        kept.lines += lines(object)?;
    }
    Ok(kept)
}

async fn list(client: &Client, kind: ApiResource, selector: &ListParams) -> Result<Vec<DynamicObject>> {
    match Api::all_with(client.clone(), &kind).list(selector).await {
        Ok(found) => Ok(found.items),
        // Some kinds say that they can be listed, and then cannot.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 405) => Ok(Vec::new()),
        Err(error) => Err(Error::kube(format!("listing {}", kind.plural))(error)),
    }
}

fn is_ours(object: &DynamicObject) -> bool {
    let managers = object.metadata.managed_fields.iter().flatten();
    managers.into_iter().any(|entry| entry.manager.as_deref() == Some(labels::FIELD_MANAGER))
}

fn lines(mut object: DynamicObject) -> Result<usize> {
    object.metadata.managed_fields = None;
    if let Value::Object(fields) = &mut object.data {
        fields.remove("status");
    }
    let yaml = serde_saphyr::to_string(&object).map_err(Error::failed("an object as YAML"))?;
    Ok(yaml.lines().count())
}
