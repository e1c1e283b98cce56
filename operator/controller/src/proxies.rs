//! The watch on proxies: kgateway does not say whether one runs, so its Deployment is asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use octroi_plan::world::{GatewayRef, Noticed};
use tracing::warn;

use crate::backoff::WatchBackoff;
use crate::state::State;

/// The name under which the first list is waited for.
pub const NAME: &str = "deployments";
/// On what is made for a Gateway (GEP-1762).
pub const GATEWAY_NAME_LABEL: &str = "gateway.networking.k8s.io/gateway-name";

/// Watches the proxies' Deployments for as long as the task lives: kgateway does not say whether one runs.
pub async fn run(client: Client, state: Arc<State>) {
    let of_gateways = Config::default().labels(GATEWAY_NAME_LABEL);
    let events = watcher(Api::<Deployment>::all(client), of_gateways).backoff(WatchBackoff::default());
    let mut events = std::pin::pin!(events);
    let mut listing = BTreeSet::new();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => note_proxy(event, &mut listing, &state),
            Ok(None) => return,
            Err(error) => warn!(%error, "the watch on proxies broke; it is tried again"),
        }
    }
}

fn note_proxy(event: Event<Deployment>, listing: &mut BTreeSet<GatewayRef>, state: &State) {
    match event {
        Event::Init => listing.clear(),
        Event::InitApply(deployment) | Event::Apply(deployment) => {
            if let Some(gateway) = gateway_of(&deployment) {
                listing.insert(gateway.clone());
                set_serving(&gateway, serves(&deployment), state);
            }
        }
        Event::Delete(deployment) => {
            if let Some(gateway) = gateway_of(&deployment) {
                set_serving(&gateway, false, state);
            }
        }
        Event::InitDone => {
            let known: Vec<_> = state.world().serving_proxies.iter().cloned().collect();
            known.iter().filter(|g| !listing.contains(*g)).for_each(|g| set_serving(g, false, state));
            listing.clear();
            state.listed(NAME);
        }
    }
}

/// The Gateway that a Deployment is the proxy of.
pub fn gateway_of(deployment: &Deployment) -> Option<GatewayRef> {
    let name = deployment.labels().get(GATEWAY_NAME_LABEL)?.clone();
    Some(GatewayRef { namespace: deployment.namespace()?, name })
}

fn set_serving(gateway: &GatewayRef, serves: bool, state: &State) {
    let (changed, owner) = {
        let mut world = state.world();
        let changed =
            if serves { world.serving_proxies.insert(gateway.clone()) } else { world.serving_proxies.remove(gateway) };
        (changed, world.get(&gateway.key()).and_then(|o| o.owner.clone()))
    };
    if changed {
        state.noticed(Noticed::Change, &gateway.key(), &[owner]);
    }
}

/// Whether a pod of it serves.
pub fn serves(deployment: &Deployment) -> bool {
    deployment.status.as_ref().and_then(|s| s.available_replicas).is_some_and(|n| n > 0)
}
