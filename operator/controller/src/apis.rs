//! Where each kind is reached: types are erased here and nowhere else.

use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::discovery::ApiResource;
use octroi_plan::kind::ApiPath;
use octroi_plan::{ChildKey, ChildKind};

/// How a kind is named towards the API server.
pub fn resource(kind: ChildKind) -> ApiResource {
    resource_of(kind.api())
}

/// How what lives there is named towards the API server.
pub fn resource_of(api: ApiPath) -> ApiResource {
    let api_version =
        if api.group.is_empty() { api.version.to_owned() } else { format!("{}/{}", api.group, api.version) };
    ApiResource {
        group: api.group.into(),
        version: api.version.into(),
        api_version,
        kind: api.kind.into(),
        plural: api.plural.into(),
    }
}

/// Every object of a kind.
pub fn all(client: &Client, kind: ChildKind) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource(kind))
}

/// The place of one object.
pub fn of(client: &Client, key: &ChildKey) -> Api<DynamicObject> {
    if key.kind.namespaced() {
        Api::namespaced_with(client.clone(), &key.namespace, &resource(key.kind))
    } else {
        all(client, key.kind)
    }
}
