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
use tokio::task::AbortHandle;
use tracing::{info, warn};

use crate::backoff::WatchBackoff;
use crate::state::State;
use crate::watch;

/// The name under which the list of CustomResourceDefinitions is waited for.
pub const NAME: &str = "customresourcedefinitions";

/// Watches CustomResourceDefinitions, and starts and stops the watches of their kinds.
pub async fn run(client: Client, state: Arc<State>) {
    let mut running = Running { client: client.clone(), state, tasks: HashMap::new(), kinds: kinds() };
    for kind in ChildKind::ALL.into_iter().filter(|k| k.crd_name().is_none()) {
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

fn kinds() -> BTreeMap<String, ChildKind> {
    ChildKind::ALL.into_iter().filter_map(|kind| Some((kind.crd_name()?, kind))).collect()
}

struct Running {
    client: Client,
    state: Arc<State>,
    tasks: HashMap<ChildKind, AbortHandle>,
    kinds: BTreeMap<String, ChildKind>,
}

impl Running {
    fn handle(&mut self, event: Event<PartialObjectMeta<CustomResourceDefinition>>, listed: &mut Vec<ChildKind>) {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(crd) | Event::Apply(crd) => {
                if let Some(&kind) = self.kinds.get(&crd.name_any()) {
                    listed.push(kind);
                    self.start(kind);
                }
            }
            Event::Delete(crd) => {
                if let Some(&kind) = self.kinds.get(&crd.name_any()) {
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

    fn start(&mut self, kind: ChildKind) {
        if self.tasks.contains_key(&kind) {
            return;
        }
        self.state.wait_for(watch::name(kind));
        let task = tokio::spawn(watch::run(self.client.clone(), kind, Arc::clone(&self.state)));
        self.tasks.insert(kind, task.abort_handle());
    }

    fn stop(&mut self, kind: ChildKind) {
        let Some(task) = self.tasks.remove(&kind) else { return };
        task.abort();
        info!(kind = kind.api().plural, "its CustomResourceDefinition is gone");
        self.state.listed(&watch::name(kind));
        self.state.world().apis.remove(&kind);
        let known = self.state.world().keys_of(kind);
        for key in known {
            watch::gone(&key, None, &self.state);
        }
        self.state.wake_all();
    }
}
