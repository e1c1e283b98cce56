//! The world as it stands now, read once: for `octroi diff`, which has no watches.

use futures::future::try_join_all;
use gateway_api::apis::standard::gatewayclasses::GatewayClass;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use octroi_api::{Tenant, TenantClass};
use octroi_plan::world::{GatewayClassView, TenantView, World};
use octroi_plan::{ChildKey, ChildKind};
use serde_json::Value;

use crate::{apis, observe, proxies};

/// Reads everything that a plan may depend on.
///
/// # Errors
/// When a list is refused. An API that is not installed is not an error: it is missing in the world.
pub async fn read_world(client: &Client) -> Result<World, kube::Error> {
    let mut world = World::default();
    let lists = try_join_all(ChildKind::ALL.map(|kind| list(client, kind))).await?;
    for (kind, objects) in ChildKind::ALL.into_iter().zip(lists) {
        let Some(objects) = objects else { continue };
        world.apis.insert(kind);
        for object in objects {
            world.observe(observe::key(kind, &object), observe::observed(kind, &object));
        }
    }
    let all = ListParams::default();
    let of_gateways = all.clone().labels(proxies::GATEWAY_NAME_LABEL);
    let proxies = Api::<Deployment>::all(client.clone()).list(&of_gateways).await?;
    world.serving_proxies.extend(proxies.iter().filter(|d| proxies::serves(d)).filter_map(proxies::gateway_of));
    for class in Api::<TenantClass>::all(client.clone()).list(&all).await? {
        world.classes.insert(class.name_any(), class);
    }
    for class in Api::<GatewayClass>::all(client.clone()).list(&all).await? {
        let view = GatewayClassView::from(&class);
        world.gateway_classes.insert(class.name_any(), view);
    }
    for tenant in Api::<Tenant>::all(client.clone()).list(&all).await? {
        let kept = tenant.status.as_ref().and_then(|s| s.class_name.clone());
        world.tenants.insert(tenant.name_any(), TenantView { class: tenant.spec.class_name.clone().or(kept) });
    }
    Ok(world)
}

async fn list(client: &Client, kind: ChildKind) -> Result<Option<Vec<kube::api::DynamicObject>>, kube::Error> {
    match apis::all(client, kind).list(&ListParams::default()).await {
        Ok(list) => Ok(Some(list.items)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads one object.
///
/// # Errors
/// When the API server refuses.
pub async fn read_object(client: &Client, key: &ChildKey) -> Result<Option<Value>, kube::Error> {
    let object = apis::of(client, key).get_opt(&key.name).await?;
    object.map(serde_json::to_value).transpose().map_err(kube::Error::SerdeError)
}
