//! Plays the controllers that a light lab has not: it judges Gateways, ListenerSets and Certificates as an honest data
//! plane and cert-manager would. Only what exists, only for the generation it saw, an entry only while its Gateway serves.
//! For a Gateway of kgateway it keeps the proxy's Deployment too, whose pods it calls ready in the kubelet's place. A test can have it hold back, or fail.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::stream::{BoxStream, select_all};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::runtime::watcher;
use kube::runtime::watcher::Event;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::light::LightLab;
use crate::{Error, Result};

/// The address of every Gateway (RFC 5737).
pub const ADDRESS: &str = "192.0.2.10";
/// Between two looks at an API that is not installed.
const RETRY: Duration = Duration::from_millis(200);
const SINCE: &str = "2026-01-01T00:00:00Z";

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Part {
    Gateway,
    ListenerSet,
    Certificate,
    Pod,
    /// The proxy of a Gateway of kgateway, by the Gateway's name.
    Proxy,
}

impl Part {
    const WATCHED: [Self; 4] = [Self::Gateway, Self::ListenerSet, Self::Certificate, Self::Pod];

    fn resource(self) -> ApiResource {
        let (group, kind, plural) = match self {
            Self::Gateway => ("gateway.networking.k8s.io", "Gateway", "gateways"),
            Self::ListenerSet => ("gateway.networking.k8s.io", "ListenerSet", "listenersets"),
            Self::Certificate => ("cert-manager.io", "Certificate", "certificates"),
            Self::Pod => ("", "Pod", "pods"),
            Self::Proxy => ("apps", "Deployment", "deployments"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural)
    }
}

/// What the player is to do about an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Judge it well, as soon as it can be.
    #[default]
    Serve,
    /// Write nothing.
    Hold,
    /// Judge it badly, in these words.
    Fail(String),
}

type Orders = Mutex<HashMap<(Part, String, String), Order>>;

#[derive(Default)]
struct Shared {
    orders: Orders,
    changed: Notify,
    stop: CancellationToken,
}

impl Shared {
    fn order(&self, key: &(Part, String, String)) -> Order {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.get(key).cloned().unwrap_or_default()
    }
}

/// The player, on a thread of its own, so that tests of several runtimes can share it. It ends when dropped.
pub struct Player {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    /// Starts to play.
    ///
    /// # Errors
    /// When there is no thread or no client to be had.
    pub fn start(lab: &LightLab) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::io("player"))?;
        let client = {
            let _entered = runtime.enter();
            lab.client()?
        };
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("player".into())
            .spawn(move || runtime.block_on(play(client, &of_thread)))
            .map_err(Error::io("player"))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What to do about one object from now on.
    pub fn order(&self, part: Part, namespace: &str, name: &str, order: Order) {
        let mut orders = self.shared.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.insert((part, namespace.to_owned(), name.to_owned()), order);
        self.shared.changed.notify_one();
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // It panicked: the test that waits for it says so.
            let _ = thread.join();
        }
    }
}

type Seen = BTreeMap<(Part, String, String), DynamicObject>;

async fn play(client: Client, shared: &Shared) {
    let mut events = select_all(Part::WATCHED.map(|part| watch(client.clone(), part)));
    let (mut seen, mut proxies) = (Seen::new(), Proxies::new());
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.changed.notified() => {}
            event = events.next() => match event {
                None => return,
                Some((part, event)) => note(part, event, &mut seen),
            },
        }
        judge_all(&client, shared, &mut seen).await;
        keep_proxies(&client, shared, &seen, &mut proxies).await;
    }
}

/// Proxies that were made, and the uid of the Gateway of each.
type Proxies = BTreeMap<(String, String), String>;

/// A proxy for each Gateway of kgateway that exists; none for one that does not.
async fn keep_proxies(client: &Client, shared: &Shared, seen: &Seen, proxies: &mut Proxies) {
    let mut wanted = Proxies::new();
    for ((part, namespace, name), gateway) in seen {
        let class = gateway.data["spec"]["gatewayClassName"].as_str().unwrap_or_default();
        let order = shared.order(&(Part::Proxy, namespace.clone(), name.clone()));
        if *part == Part::Gateway && class.contains("kgateway") && order == Order::Serve {
            wanted.insert((namespace.clone(), name.clone()), gateway.uid().unwrap_or_default());
        }
    }
    let api =
        |namespace: &str| Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &Part::Proxy.resource());
    // Whatever fails here is tried again at the next event, or its namespace is gone and the proxy with it.
    for (namespace, name) in proxies.keys().filter(|key| wanted.get(*key) != proxies.get(*key)) {
        let _ = api(namespace).delete(name, &DeleteParams::default()).await;
    }
    proxies.retain(|key, uid| wanted.get(key) == Some(uid));
    for (key, uid) in wanted {
        if proxies.contains_key(&key) {
            continue;
        }
        let params = PatchParams::apply("player").force();
        let proxy = Patch::Apply(proxy(&key.1));
        if api(&key.0).patch(&key.1, &params, &proxy).await.is_ok() {
            proxies.insert(key, uid);
        }
    }
}

/// The Deployment of a proxy.
fn proxy(gateway: &str) -> Value {
    let labels = json!({"gateway.networking.k8s.io/gateway-name": gateway});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": gateway, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{"name": "proxy", "image": "proxy", "securityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                }}],
            }},
        },
    })
}

fn watch(client: Client, part: Part) -> BoxStream<'static, (Part, Event<DynamicObject>)> {
    let api = Api::all_with(client, &part.resource());
    let paced = watcher(api, watcher::Config::default()).or_else(|error| async {
        tokio::time::sleep(RETRY).await;
        Err(error)
    });
    paced.filter_map(move |event| async move { event.ok().map(|event| (part, event)) }).boxed()
}

fn key(part: Part, object: &DynamicObject) -> (Part, String, String) {
    (part, object.namespace().unwrap_or_default(), object.name_any())
}

fn note(part: Part, event: Event<DynamicObject>, seen: &mut Seen) {
    match event {
        Event::Init => seen.retain(|(other, _, _), _| *other != part),
        Event::InitApply(object) | Event::Apply(object) => drop(seen.insert(key(part, &object), object)),
        Event::Delete(object) => drop(seen.remove(&key(part, &object))),
        Event::InitDone => {}
    }
}

async fn judge_all(client: &Client, shared: &Shared, seen: &mut Seen) {
    let keys: Vec<_> = seen.keys().cloned().collect();
    for key in keys {
        let order = shared.order(&key);
        let Some(object) = seen.get(&key) else { continue };
        let Some(status) = verdict(key.0, object, &order, seen).filter(|status| !says(object, status)) else {
            continue;
        };
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), &key.1, &key.0.resource());
        let patch = Patch::Merge(json!({"metadata": {"uid": object.uid()}, "status": status}));
        // Gone, or another one by now: the watch says which.
        if let Ok(stored) = api.patch_status(&key.2, &PatchParams::default(), &patch).await {
            seen.insert(key, stored);
        }
    }
}

fn says(object: &DynamicObject, status: &Value) -> bool {
    let said = &object.data["status"];
    status.as_object().is_some_and(|wanted| wanted.iter().all(|(field, value)| said[field] == *value))
}

fn verdict(part: Part, object: &DynamicObject, order: &Order, seen: &Seen) -> Option<Value> {
    let generation = object.metadata.generation.unwrap_or_default();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": SINCE, "observedGeneration": generation})
    };
    let good = |kind: &str| condition(kind, "True", kind, "by the player");
    match (part, order) {
        (_, Order::Hold) | (Part::Proxy, _) => None,
        (Part::Gateway, Order::Serve) => Some(json!({
            "conditions": [good("Accepted"), good("Programmed")],
            "addresses": [{"type": "IPAddress", "value": ADDRESS}],
        })),
        (Part::Pod, _) => Some(json!({"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": SINCE},
        ]})),
        (Part::Certificate, Order::Serve) => Some(json!({"conditions": [good("Ready")]})),
        (Part::Certificate, Order::Fail(why)) => Some(json!({"conditions": [
            condition("Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist"),
            condition("Issuing", "False", "Failed", why),
        ]})),
        (Part::ListenerSet, Order::Serve) => {
            if !is_served(&object.data["spec"]["parentRef"], seen) {
                return None;
            }
            let listener = |listener: &Value| {
                json!({"name": listener["name"], "attachedRoutes": 0, "supportedKinds": [],
                    "conditions": [good("Accepted"), good("Programmed"), good("ResolvedRefs")]})
            };
            let listeners = object.data["spec"]["listeners"].as_array()?.iter().map(listener).collect::<Vec<_>>();
            Some(json!({"conditions": [good("Accepted"), good("Programmed")], "listeners": listeners}))
        }
        (Part::Gateway | Part::ListenerSet, Order::Fail(why)) => {
            Some(json!({"conditions": [good("Accepted"), condition("Programmed", "False", "Invalid", why)]}))
        }
    }
}

/// Whether the Gateway that an entry names exists and was judged well in its present generation.
fn is_served(parent: &Value, seen: &Seen) -> bool {
    let text = |field: &str| parent[field].as_str().unwrap_or_default().to_owned();
    let Some(gateway) = seen.get(&(Part::Gateway, text("namespace"), text("name"))) else { return false };
    let conditions = gateway.data["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|c| {
        c["type"] == "Programmed"
            && c["status"] == "True"
            && c["observedGeneration"].as_i64() == gateway.metadata.generation
    })
}
