//! The tenants' profiles from the cluster: the operator writes each into a ConfigMap beside the shared Gateways.

use std::collections::HashSet;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Client, ResourceExt};
use octroi_api::labels;
use octroi_plan::waf_profile;
use octroi_waf::extproc::Feed;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// A client of the cluster that this runs in.
///
/// # Errors
/// When there is none.
pub async fn client() -> Result<Client> {
    Client::try_default()
        .await
        .context("no cluster to read profiles from: run in a pod, set KUBECONFIG, or name --profiles")
}

/// Feeds the profiles until `shutdown`; says `ready` once all of the beginning are there.
pub async fn follow(client: Client, mut feed: Feed, ready: oneshot::Sender<()>, shutdown: CancellationToken) {
    let config_maps: Api<ConfigMap> = Api::namespaced(client, labels::GATEWAYS_NAMESPACE);
    let config = watcher::Config::default().labels(&waf_profile::selector());
    let mut events = std::pin::pin!(watch(config_maps, config).default_backoff());
    let (mut listed, mut ready) = (HashSet::new(), Some(ready));
    loop {
        let event = tokio::select! {
            () = shutdown.cancelled() => return,
            event = events.try_next() => event,
        };
        match event {
            Ok(Some(event)) => {
                if take(event, &mut feed, &mut listed) {
                    // Nobody waits any more when the service ended meanwhile.
                    let _ = ready.take().map(|ready| ready.send(()));
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "the watch of profiles broke; it is tried again, and those known stay in use");
            }
        }
    }
}

/// Whether all that there is has been taken.
fn take(event: Event<ConfigMap>, feed: &mut Feed, listed: &mut HashSet<String>) -> bool {
    match event {
        Event::Init => {
            listed.clear();
            return false;
        }
        Event::InitApply(config_map) => {
            listed.extend(set(&config_map, feed));
            return false;
        }
        Event::InitDone => {
            feed.retain(|tenant| listed.contains(tenant));
            listed.clear();
        }
        Event::Apply(config_map) => drop(set(&config_map, feed)),
        Event::Delete(config_map) => {
            if let Some(tenant) = waf_profile::tenant_of(&config_map) {
                feed.remove(tenant);
            }
        }
    }
    feed.publish();
    true
}

fn set(config_map: &ConfigMap, feed: &mut Feed) -> Option<String> {
    let Some(tenant) = waf_profile::tenant_of(config_map) else {
        tracing::error!(name = config_map.name_any(), "no profile: its name and its tenant's do not agree");
        return None;
    };
    let text = config_map.data.as_ref().and_then(|data| data.get(waf_profile::KEY));
    feed.set(tenant, text.map_or("", String::as_str));
    Some(tenant.to_owned())
}
