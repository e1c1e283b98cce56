//! One watch per kind. What arrives is reduced in the stream; whole objects are not kept.

use std::collections::HashSet;
use std::sync::Arc;

use futures::TryStreamExt;
use kube::Client;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use octroi_api::labels;
use octroi_plan::{ChildKey, ChildKind};
use tracing::{debug, warn};

use crate::backoff::WatchBackoff;
use crate::state::State;
use crate::{apis, observe};

/// The name under which a kind's watch is waited for. With its group: both data planes have backends.
pub fn name(kind: ChildKind) -> String {
    let api = kind.api();
    if api.group.is_empty() { api.plural.to_owned() } else { format!("{}.{}", api.plural, api.group) }
}

/// Watches a kind for as long as the task lives.
pub async fn run(client: Client, kind: ChildKind, state: Arc<State>) {
    let events = watch(apis::all(&client, kind), config(kind)).backoff(WatchBackoff::default());
    let mut listing = HashSet::new();
    let mut events = std::pin::pin!(events);
    loop {
        match events.try_next().await {
            Ok(Some(event)) => handle(kind, event, &mut listing, &state),
            Ok(None) => return,
            Err(error) => {
                // A kind whose version is not served must not keep the others from starting.
                if is_not_found(&error) {
                    state.listed(&name(kind));
                }
                warn!(kind = kind.api().plural, %error, "watch broke; it is tried again");
            }
        }
    }
}

/// Namespaces and claims are watched whole: those of others count too.
fn config(kind: ChildKind) -> watcher::Config {
    let all = watcher::Config::default();
    match kind {
        ChildKind::Namespace | ChildKind::DomainClaim | ChildKind::PortClaim => all,
        _ => all.labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_VALUE)),
    }
}

fn handle(kind: ChildKind, event: Event<DynamicObject>, listing: &mut HashSet<ChildKey>, state: &State) {
    match event {
        Event::Init => listing.clear(),
        Event::InitApply(object) => {
            listing.insert(observe::key(kind, &object));
            seen(kind, &object, state);
        }
        Event::Apply(object) => seen(kind, &object, state),
        Event::Delete(object) => gone(&observe::key(kind, &object), object.metadata.uid.as_deref(), state),
        Event::InitDone => {
            let known = state.world().keys_of(kind);
            for key in known.iter().filter(|key| !listing.contains(*key)) {
                gone(key, None, state);
            }
            listing.clear();
            let is_new = state.world().apis.insert(kind);
            state.listed(&name(kind));
            if is_new {
                debug!(kind = kind.api().plural, "listed");
                state.wake_all();
            }
        }
    }
}

/// Takes note of an object, and wakes its owner and, if it changed hands, the owner it had.
pub fn seen(kind: ChildKind, object: &DynamicObject, state: &State) {
    let key = observe::key(kind, object);
    let observed = observe::observed(kind, object);
    let owner = observed.owner.clone();
    let (noticed, previous) = {
        let mut world = state.world();
        let previous = world.get(&key).and_then(|o| o.owner.clone()).filter(|o| Some(o) != owner.as_ref());
        (world.observe(key.clone(), observed), previous)
    };
    state.noticed(noticed, &key, &[owner, previous]);
}

/// Takes note that an object is gone.
pub fn gone(key: &ChildKey, uid: Option<&str>, state: &State) {
    let (noticed, owner) = {
        let mut world = state.world();
        let owner = world.get(key).and_then(|o| o.owner.clone());
        (world.forget(key, uid), owner)
    };
    state.noticed(noticed, key, &[owner]);
}

/// Whether the API server does not serve the kind.
pub fn is_not_found(error: &watcher::Error) -> bool {
    let source = match error {
        watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e) | watcher::Error::WatchFailed(e) => {
            e
        }
        watcher::Error::WatchError(status) => return status.code == 404,
        watcher::Error::NoResourceVersion => return false,
    };
    matches!(source, kube::Error::Api(status) if status.code == 404)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_watch_is_waited_for_by_a_name_of_its_own() {
        let names: HashSet<String> = ChildKind::ALL.into_iter().map(name).collect();
        assert_eq!(names.len(), ChildKind::ALL.len());
    }
}
