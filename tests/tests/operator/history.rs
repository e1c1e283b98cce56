//! An independent watcher: every version of every object of some kinds, in the order in which the API server stored them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use kube::api::{DynamicObject, ListParams};
use kube::runtime::watcher;
use kube::runtime::watcher::Event;
use kube::{Client, ResourceExt as _};
use tokio::task::JoinSet;

use crate::world::{Kind, eventually};

/// One version of an object, or its end.
#[derive(Clone)]
pub struct Entry {
    pub version: u64,
    pub kind: Kind,
    pub is_gone: bool,
    pub object: DynamicObject,
}

/// What was there at one instant.
pub type Scene = BTreeMap<(Kind, String), DynamicObject>;

pub struct History {
    client: Client,
    kinds: Vec<Kind>,
    entries: Arc<Mutex<Vec<Entry>>>,
    _tasks: JoinSet<()>,
}

impl History {
    /// Records from now on; what is there already comes first.
    pub async fn of(client: &Client, kinds: &[Kind]) -> Self {
        let entries = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for &kind in kinds {
            tasks.spawn(record(client.clone(), kind, Arc::clone(&entries)));
        }
        let history = Self { client: client.clone(), kinds: kinds.to_vec(), entries, _tasks: tasks };
        history.scenes().await;
        history
    }

    /// Every instant until now: the scene, and the entry that made it. Versions of one etcd grow across kinds.
    pub async fn scenes(&self) -> Vec<(Entry, Scene)> {
        for &kind in &self.kinds {
            let now = kind.all(&self.client).list(&ListParams::default()).await.unwrap();
            for object in now.items {
                let wanted = version(&object);
                eventually("the independent watcher has seen it", async || {
                    let entries = self.entries.lock().unwrap();
                    let is_seen = |e: &Entry| e.object.uid() == object.uid() && e.version >= wanted;
                    if entries.iter().any(is_seen) { Ok(()) } else { Err(object.name_any()) }
                })
                .await;
            }
        }
        let mut entries = self.entries.lock().unwrap().clone();
        entries.sort_by_key(|entry| entry.version);
        let mut scene = Scene::new();
        let mut scenes = Vec::new();
        for entry in entries {
            let key = (entry.kind, path(&entry.object));
            if entry.is_gone {
                scene.remove(&key);
            } else {
                scene.insert(key, entry.object.clone());
            }
            scenes.push((entry, scene.clone()));
        }
        scenes
    }
}

/// `namespace/name`, or the name of what lives in none.
pub fn path(object: &DynamicObject) -> String {
    match object.namespace() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}

fn version(object: &DynamicObject) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap()
}

async fn record(client: Client, kind: Kind, entries: Arc<Mutex<Vec<Entry>>>) {
    let mut events = watcher(kind.all(&client), watcher::Config::default()).boxed();
    while let Some(event) = events.next().await {
        let (is_gone, mut object) = match event.unwrap_or_else(|error| panic!("{}: {error}", kind.plural)) {
            Event::Init | Event::InitDone => continue,
            Event::InitApply(object) | Event::Apply(object) => (false, object),
            Event::Delete(object) => (true, object),
        };
        object.managed_fields_mut().clear();
        entries.lock().unwrap().push(Entry { version: version(&object), kind, is_gone, object });
    }
}
