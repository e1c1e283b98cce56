//! The watches on what the data planes' own control planes were told: one object each, by name, and the EnvoyProxies that are not ours.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use futures::TryStreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::{self, Config, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Client, Resource, ResourceExt};
use octroi_api::labels;
use octroi_plan::ChildKind;
use octroi_plan::hardening::{ControlPlane, Seen, judge};
use octroi_plan::resolve::class::DataPlane;
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::apis;
use crate::backoff::WatchBackoff;
use crate::state::State;

/// The name under which the first look at Envoy Gateway's configuration is waited for.
pub const ENVOY_GATEWAY: &str = "the configuration of Envoy Gateway";
/// As [`ENVOY_GATEWAY`], at kgateway's Deployment.
pub const KGATEWAY: &str = "the Deployment of kgateway";
/// As [`ENVOY_GATEWAY`], at EnvoyProxies that are not ours.
pub const ENVOY_PROXIES: &str = "EnvoyProxies of others";

/// Where an object is: `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    namespace: String,
    name: String,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self { namespace: namespace.into(), name: name.into() })
            }
            _ => Err(format!("'{text}' is no place of an object: write namespace/name")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Watches the configuration of Envoy Gateway for as long as the task lives.
pub async fn envoy_gateway(client: Client, place: Place, state: Arc<State>) {
    let looked = Looked { of: DataPlane::EnvoyGateway, first: ENVOY_GATEWAY, subject: format!("ConfigMap {place}") };
    run::<ConfigMap>(client, &place, Seen::envoy_gateway, &looked, &state).await;
}

/// Watches the Deployment of kgateway for as long as the task lives.
pub async fn kgateway(client: Client, place: Place, state: Arc<State>) {
    let looked = Looked { of: DataPlane::Kgateway, first: KGATEWAY, subject: format!("Deployment {place}") };
    run::<Deployment>(client, &place, Seen::kgateway, &looked, &state).await;
}

/// What a watch is for.
struct Looked {
    of: DataPlane,
    first: &'static str,
    subject: String,
}

async fn run<K>(client: Client, place: &Place, judge: impl Fn(&K) -> Seen, looked: &Looked, state: &State)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + fmt::Debug
        + Send
        + 'static,
{
    let by_name = Config::default().fields(&format!("metadata.name={}", place.name));
    let events = watch(Api::<K>::namespaced(client, &place.namespace), by_name).backoff(WatchBackoff::default());
    let mut events = std::pin::pin!(events);
    let mut is_there = false;
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => is_there = false,
            Ok(Some(Event::InitApply(object) | Event::Apply(object))) => {
                is_there = true;
                looked.saw(judge(&object), state);
            }
            Ok(Some(Event::Delete(_))) => looked.saw(Seen::Absent, state),
            Ok(Some(Event::InitDone)) => {
                if !is_there {
                    looked.saw(Seen::Absent, state);
                }
                state.listed(looked.first);
            }
            Ok(None) => return,
            Err(error) => {
                // What the operator may not see must not keep it from serving.
                if let Some(why) = refusal(&error) {
                    looked.saw(Seen::Refused(why), state);
                    state.listed(looked.first);
                }
                warn!(subject = looked.subject, %error, "the watch on a data plane's settings broke; it is tried again");
            }
        }
    }
}

impl Looked {
    fn saw(&self, seen: Seen, state: &State) {
        let plane = ControlPlane { subject: self.subject.clone(), seen };
        let old = state.world().control_planes.insert(self.of, plane.clone());
        if old.as_ref() != Some(&plane) {
            state.wake_classes();
        }
    }
}

/// What the API server says when it refuses; `None` when it could not be asked.
fn refusal(error: &watcher::Error) -> Option<String> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            if status.code == 403 =>
        {
            Some(status.message.clone())
        }
        watcher::Error::WatchError(status) if status.code == 403 => Some(status.message.clone()),
        _ => None,
    }
}

/// Watches the EnvoyProxies that are not Octroi's, of GatewayClasses, for as long as the task lives.
pub async fn envoy_proxies(client: Client, state: Arc<State>) {
    let of_others = Config::default().labels(&format!("{}!={}", labels::MANAGED_BY, labels::MANAGED_BY_VALUE));
    let events = watch(apis::all(&client, ChildKind::EnvoyProxy), of_others).backoff(WatchBackoff::default());
    let mut events = std::pin::pin!(events);
    let mut listing = BTreeSet::new();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => note_envoy_proxy(event, &mut listing, &state),
            Ok(None) => return,
            Err(error) => {
                if crate::watch::is_not_found(&error) || refusal(&error).is_some() {
                    state.listed(ENVOY_PROXIES);
                }
                warn!(%error, "the watch on EnvoyProxies of others broke; it is tried again");
            }
        }
    }
}

fn note_envoy_proxy(event: Event<DynamicObject>, listing: &mut BTreeSet<(String, String)>, state: &State) {
    let place = |proxy: &DynamicObject| (proxy.namespace().unwrap_or_default(), proxy.name_any());
    match event {
        Event::Init => listing.clear(),
        Event::InitApply(proxy) | Event::Apply(proxy) => {
            listing.insert(place(&proxy));
            set_merging(place(&proxy), judge::merges(&proxy), state);
        }
        Event::Delete(proxy) => set_merging(place(&proxy), false, state),
        Event::InitDone => {
            let known: Vec<_> = state.world().merging_proxies.iter().cloned().collect();
            known.into_iter().filter(|place| !listing.contains(place)).for_each(|gone| set_merging(gone, false, state));
            listing.clear();
            state.listed(ENVOY_PROXIES);
        }
    }
}

fn set_merging(place: (String, String), merges: bool, state: &State) {
    let changed = {
        let mut world = state.world();
        if merges { world.merging_proxies.insert(place) } else { world.merging_proxies.remove(&place) }
    };
    if changed {
        state.wake_classes();
    }
}

/// Forgets the EnvoyProxies of others: their kind is gone.
pub fn forget_envoy_proxies(state: &State) {
    state.world().merging_proxies.clear();
    state.wake_classes();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_namespace_and_a_name() {
        for wrong in ["", "/", "a", "a/", "/b", "a/b/c"] {
            assert!(wrong.parse::<Place>().is_err_and(|error| error.contains(": ")), "{wrong}");
        }
        assert_eq!("a/b".parse::<Place>().unwrap().to_string(), "a/b");
    }
}
