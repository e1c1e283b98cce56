//! What is in the namespaces that a Tenant asks to adopt: read when a plan needs it, never kept in a watch. An adoption is
//! rare, and at rest nothing is read.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Api, DynamicObject, ListParams};
use kube::{Client, ResourceExt};
use octroi_plan::adoption::{Found, INSPECTED, Inspected};

use crate::apis;

/// Lists at once.
const CONCURRENCY: usize = 8;

/// Reads what is in each of these namespaces, for [`World::inventories`](octroi_plan::world::World::inventories).
///
/// # Errors
/// When a list is refused.
pub async fn inventories(
    client: &Client,
    namespaces: Vec<String>,
) -> Result<BTreeMap<String, Vec<Found>>, kube::Error> {
    let mut all = BTreeMap::new();
    for namespace in namespaces {
        let found = inventory(client, &namespace).await?;
        all.insert(namespace, found);
    }
    Ok(all)
}

async fn inventory(client: &Client, namespace: &str) -> Result<Vec<Found>, kube::Error> {
    let lists = stream::iter(INSPECTED).map(|kind| list(client, kind, namespace)).buffered(CONCURRENCY);
    let found: Vec<Vec<Found>> = lists.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// An API that is not installed holds nothing.
async fn list(client: &Client, kind: Inspected, namespace: &str) -> Result<Vec<Found>, kube::Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &apis::resource_of(kind.api));
    let objects = match api.list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let found = |object: DynamicObject| {
        let name = object.name_any();
        Ok(Found { kind, name, object: serde_json::to_value(object).map_err(kube::Error::SerdeError)? })
    };
    objects.into_iter().map(found).collect()
}
