//! The watches on what users write: Tenants, TenantClasses, GatewayClasses.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use gateway_api::apis::standard::gatewayclasses::GatewayClass;
use kube::api::Api;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Client, ResourceExt};
use octroi_api::{Tenant, TenantClass};
use octroi_plan::world::{GatewayClassView, TenantView};
use tracing::warn;

use crate::backoff::WatchBackoff;
use crate::state::State;
use crate::watch::is_not_found;

/// Names under which the first lists are waited for.
pub const TENANTS: &str = "tenants";
/// As [`TENANTS`].
pub const CLASSES: &str = "tenantclasses";
/// As [`TENANTS`].
pub const GATEWAY_CLASSES: &str = "gatewayclasses";

type Objects<K> = std::pin::Pin<Box<dyn Stream<Item = Result<K, watcher::Error>> + Send>>;

/// Tenants whose spec, finalizers or annotations changed; status alone is no reason to look again.
pub fn tenants(client: Client, state: Arc<State>) -> (Objects<Tenant>, Store<Tenant>) {
    let (reader, writer) = reflector::store();
    let mut listing = HashSet::new();
    let stream = watcher(Api::all(client), Config::default())
        .backoff(WatchBackoff::default())
        .modify(|tenant: &mut Tenant| tenant.managed_fields_mut().clear())
        .inspect_ok(move |event| note_tenant(event, &mut listing, &state))
        .reflect(writer)
        .inspect_err(|error| complain("tenants", error))
        .touched_objects()
        .predicate_filter(
            predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
            PredicateConfig::default(),
        );
    (stream.boxed(), reader)
}

fn note_tenant(event: &Event<Tenant>, listing: &mut HashSet<String>, state: &State) {
    match event {
        Event::Init => listing.clear(),
        Event::InitApply(tenant) | Event::Apply(tenant) => {
            listing.insert(tenant.name_any());
            let kept = tenant.status.as_ref().and_then(|s| s.class_name.clone());
            let class = tenant.spec.class_name.clone().or(kept);
            let old = state.world().tenants.insert(tenant.name_any(), TenantView { class: class.clone() });
            let before = old.and_then(|view| view.class);
            if before != class {
                before.iter().chain(&class).for_each(|name| state.triggers.class(name));
            }
        }
        Event::Delete(tenant) => state.forget_tenant(&tenant.name_any()),
        Event::InitDone => {
            let known: Vec<String> = state.world().tenants.keys().cloned().collect();
            known.iter().filter(|name| !listing.contains(*name)).for_each(|name| state.forget_tenant(name));
            listing.clear();
            state.listed(TENANTS);
        }
    }
}

/// TenantClasses whose spec, finalizers or annotations changed.
pub fn classes(client: Client, state: Arc<State>) -> (Objects<TenantClass>, Store<TenantClass>) {
    let (reader, writer) = reflector::store();
    let mut listing = HashSet::new();
    let stream = watcher(Api::all(client), Config::default())
        .backoff(WatchBackoff::default())
        .modify(|class: &mut TenantClass| class.managed_fields_mut().clear())
        .inspect_ok(move |event| note_class(event, &mut listing, &state))
        .reflect(writer)
        .inspect_err(|error| complain("tenantclasses", error))
        .touched_objects()
        .predicate_filter(
            predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
            PredicateConfig::default(),
        );
    (stream.boxed(), reader)
}

fn note_class(event: &Event<TenantClass>, listing: &mut HashSet<String>, state: &State) {
    match event {
        Event::Init => listing.clear(),
        Event::InitApply(class) | Event::Apply(class) => {
            listing.insert(class.name_any());
            let old = state.world().classes.insert(class.name_any(), class.clone());
            let is_same = old.is_some_and(|old| {
                old.metadata.generation == class.metadata.generation
                    && old.metadata.annotations == class.metadata.annotations
            });
            if !is_same {
                // Any class may nest with, or be the default instead of, another.
                state.wake_all();
            }
        }
        Event::Delete(class) => {
            state.world().classes.remove(&class.name_any());
            state.classes.forget(&class.name_any());
            state.wake_all();
        }
        Event::InitDone => {
            state.world().classes.retain(|name, _| listing.contains(name));
            listing.clear();
            state.listed(CLASSES);
        }
    }
}

/// Watches GatewayClasses for as long as the task lives.
pub async fn gateway_classes(client: Client, state: Arc<State>) {
    let events = watcher(Api::<GatewayClass>::all(client), Config::default()).backoff(WatchBackoff::default());
    let mut events = std::pin::pin!(events);
    let mut listing = HashSet::new();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => note_gateway_class(event, &mut listing, &state),
            Ok(None) => return,
            Err(error) => {
                if is_not_found(&error) {
                    state.listed(GATEWAY_CLASSES);
                }
                complain(GATEWAY_CLASSES, &error);
            }
        }
    }
}

fn note_gateway_class(event: Event<GatewayClass>, listing: &mut HashSet<String>, state: &State) {
    match event {
        Event::Init => listing.clear(),
        Event::InitApply(class) | Event::Apply(class) => {
            listing.insert(class.name_any());
            let view = GatewayClassView::from(&class);
            let old = state.world().gateway_classes.insert(class.name_any(), view.clone());
            if old.as_ref() != Some(&view) {
                state.wake_all();
            }
        }
        Event::Delete(class) => {
            state.world().gateway_classes.remove(&class.name_any());
            state.wake_all();
        }
        Event::InitDone => {
            state.world().gateway_classes.retain(|name, _| listing.contains(name));
            listing.clear();
            state.listed(GATEWAY_CLASSES);
        }
    }
}

/// Logs that a watch broke.
pub fn complain(kind: &str, error: &watcher::Error) {
    if is_not_found(error) {
        warn!(
            kind,
            "its CustomResourceDefinition is not installed: see 'What must be there' in Octroi's README; it is looked for again"
        );
    } else {
        warn!(kind, %error, "watch broke; it is tried again");
    }
}
