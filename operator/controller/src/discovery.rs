//! Optional APIs: a kind is watched from the moment its CustomResourceDefinition appears, without a restart, and
//! forgotten when it goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::TryStreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use octroi_plan::ChildKind;
use octroi_plan::routes::RouteKind;
use tokio::task::AbortHandle;
use tracing::{info, warn};

use crate::backoff::WatchBackoff;
use crate::state::State;
use crate::{control_planes, routes, watch};

/// The name under which the list of CustomResourceDefinitions is waited for.
pub const NAME: &str = "customresourcedefinitions";

/// Watches CustomResourceDefinitions, and starts and stops the watches of their kinds.
pub async fn run(client: Client, state: Arc<State>) {
    let mut running = Running { client: client.clone(), state, tasks: HashMap::new(), kinds: kinds() };
    for kind in Watched::all().filter(|kind| kind.crd_name().is_none()) {
        running.start(kind);
    }
    let api: Api<PartialObjectMeta<CustomResourceDefinition>> = Api::all(client);
    let events = watcher(api, Config::default()).backoff(WatchBackoff::default());
    let mut events = std::pin::pin!(events);
    let mut listed = Vec::new();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => running.handle(event, &mut listed),
            Ok(None) => return,
            Err(error) => warn!(%error, "the watch on CustomResourceDefinitions broke; it is tried again"),
        }
    }
}

/// What a watch is for. One CustomResourceDefinition may serve two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Watched {
    /// Objects that Octroi writes.
    Children(ChildKind),
    /// Routes that tenants write.
    Routes(RouteKind),
    /// EnvoyProxies that Octroi does not write.
    EnvoyProxies,
}

impl Watched {
    fn all() -> impl Iterator<Item = Self> {
        let routes = RouteKind::ALL.into_iter().map(Self::Routes);
        ChildKind::ALL.into_iter().map(Self::Children).chain(routes).chain([Self::EnvoyProxies])
    }

    fn crd_name(self) -> Option<String> {
        match self {
            Self::Children(kind) => kind.crd_name(),
            Self::Routes(kind) => Some(kind.crd_name()),
            Self::EnvoyProxies => ChildKind::EnvoyProxy.crd_name(),
        }
    }

    /// The name under which its first list is waited for.
    fn name(self) -> String {
        match self {
            Self::Children(kind) => watch::name(kind),
            Self::Routes(kind) => routes::name(kind),
            Self::EnvoyProxies => control_planes::ENVOY_PROXIES.into(),
        }
    }
}

fn kinds() -> BTreeMap<String, Vec<Watched>> {
    let mut kinds = BTreeMap::<_, Vec<_>>::new();
    for kind in Watched::all() {
        if let Some(name) = kind.crd_name() {
            kinds.entry(name).or_default().push(kind);
        }
    }
    kinds
}

struct Running {
    client: Client,
    state: Arc<State>,
    tasks: HashMap<Watched, AbortHandle>,
    kinds: BTreeMap<String, Vec<Watched>>,
}

impl Running {
    fn handle(&mut self, event: Event<PartialObjectMeta<CustomResourceDefinition>>, listed: &mut Vec<Watched>) {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(crd) | Event::Apply(crd) => {
                for kind in self.kinds_of(&crd) {
                    listed.push(kind);
                    self.start(kind);
                }
            }
            Event::Delete(crd) => {
                for kind in self.kinds_of(&crd) {
                    self.stop(kind);
                }
            }
            Event::InitDone => {
                let unlisted: Vec<_> =
                    self.tasks.keys().copied().filter(|k| k.crd_name().is_some() && !listed.contains(k)).collect();
                for kind in unlisted {
                    self.stop(kind);
                }
                self.state.listed(NAME);
            }
        }
    }

    fn kinds_of(&self, crd: &PartialObjectMeta<CustomResourceDefinition>) -> Vec<Watched> {
        self.kinds.get(&crd.name_any()).cloned().unwrap_or_default()
    }

    fn start(&mut self, kind: Watched) {
        if self.tasks.contains_key(&kind) {
            return;
        }
        self.state.wait_for(kind.name());
        let (client, state) = (self.client.clone(), Arc::clone(&self.state));
        let task = match kind {
            Watched::Children(kind) => tokio::spawn(watch::run(client, kind, state)),
            Watched::Routes(kind) => tokio::spawn(routes::run(client, kind, state)),
            Watched::EnvoyProxies => tokio::spawn(control_planes::envoy_proxies(client, state)),
        };
        self.tasks.insert(kind, task.abort_handle());
    }

    fn stop(&mut self, kind: Watched) {
        let Some(task) = self.tasks.remove(&kind) else { return };
        task.abort();
        info!(kind = kind.name(), "its CustomResourceDefinition is gone");
        match kind {
            Watched::Children(kind) => self.forget(kind),
            Watched::Routes(kind) => routes::forget(kind, &self.state),
            Watched::EnvoyProxies => control_planes::forget_envoy_proxies(&self.state),
        }
        self.state.listed(&kind.name());
    }

    fn forget(&self, kind: ChildKind) {
        self.state.world().apis.remove(&kind);
        let known = self.state.world().keys_of(kind);
        for key in known {
            watch::gone(&key, None, &self.state);
        }
        self.state.wake_all();
    }
}
