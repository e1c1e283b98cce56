//! The watches on routes, in all namespaces: tenants write them, and Octroi tells what is wrong with them. What arrives is
//! reduced in the stream.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use kube::api::Api;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use octroi_plan::routes::observed::{Route, RouteObject};
use octroi_plan::routes::{RouteChange, RouteKey, RouteKind};
use octroi_plan::{ChildKey, ChildKind, Owner};
use tracing::warn;

use crate::apis;
use crate::backoff::WatchBackoff;
use crate::state::State;
use crate::watch::is_not_found;

/// Changes of a tenant's routes within this time are told by one status.
const WINDOW: Duration = Duration::from_millis(300);
/// A data plane that has not judged a new generation by then is worth a word.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name under which a kind's first list is waited for. Octroi's own HTTPRoutes have a watch of their own.
pub fn name(kind: RouteKind) -> String {
    format!("routes/{}", kind.api().plural)
}

/// Watches a kind for as long as the task lives.
pub async fn run(client: Client, kind: RouteKind, state: Arc<State>) {
    let api: Api<RouteObject> = Api::all_with(client, &apis::resource_of(kind.api()));
    let events = watcher(api, Config::default()).backoff(WatchBackoff::default());
    let mut events = std::pin::pin!(events);
    let mut listing = HashSet::new();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => handle(kind, event, &mut listing, &state),
            Ok(None) => return,
            Err(error) => {
                if is_not_found(&error) {
                    state.listed(&name(kind));
                }
                warn!(kind = kind.api().plural, %error, "watch broke; it is tried again");
            }
        }
    }
}

fn handle(kind: RouteKind, event: Event<RouteObject>, listing: &mut HashSet<RouteKey>, state: &State) {
    match event {
        Event::Init => listing.clear(),
        Event::InitApply(object) => {
            listing.insert(key(kind, &object));
            seen(kind, &object, state);
        }
        Event::Apply(object) => seen(kind, &object, state),
        Event::Delete(object) => gone(&key(kind, &object), state),
        Event::InitDone => {
            let known = state.world().routes.keys_of(kind);
            known.iter().filter(|key| !listing.contains(*key)).for_each(|key| gone(key, state));
            // Kept for the next list, it would cost as much as the routes do.
            *listing = HashSet::new();
            state.listed(&name(kind));
        }
    }
}

/// Forgets every route of a kind whose CustomResourceDefinition is gone.
pub fn forget(kind: RouteKind, state: &State) {
    let known = state.world().routes.keys_of(kind);
    for key in &known {
        gone(key, state);
    }
}

fn key(kind: RouteKind, object: &RouteObject) -> RouteKey {
    RouteKey { namespace: object.namespace().unwrap_or_default(), kind, name: object.name_any() }
}

fn seen(kind: RouteKind, object: &RouteObject, state: &State) {
    let key = key(kind, object);
    let namespace = key.namespace.clone();
    let change = state.world().routes.observe(key, Route::of(object));
    wake(&namespace, change, state);
}

fn gone(key: &RouteKey, state: &State) {
    let change = state.world().routes.forget(key);
    wake(&key.namespace, change, state);
}

/// Wakes the tenant of a namespace; that of one which is not known yet is woken when it is.
fn wake(namespace: &str, change: RouteChange, state: &State) {
    let delay = match change {
        RouteChange::Echo => return,
        RouteChange::Waits => PATIENCE,
        RouteChange::News => WINDOW,
    };
    let key = ChildKey::new(ChildKind::Namespace, "", namespace);
    let owner = state.world().get(&key).and_then(|namespace| namespace.owner.clone());
    if let Some(Owner::Tenant(tenant)) = owner {
        state.triggers.tenant_later(&tenant, delay);
    }
}
