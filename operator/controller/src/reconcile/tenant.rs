//! One Tenant: finalizer, children, status, Event.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::controller::Action;
use octroi_api::Tenant;
use octroi_api::conditions::{ConditionType, reason_of};
use octroi_plan::ChildKind;
use octroi_plan::child::Owner;
use octroi_plan::resolve::class::name_of;
use octroi_plan::resolve::hosts::ClaimState;
use octroi_plan::resolve::namespaces::candidates;
use octroi_plan::resolve::placement::shard_index;
use octroi_plan::routes::judge;
use octroi_plan::status::{self, Failure, certificates};
use octroi_plan::tenant::{TenantPlan, plan};
use octroi_plan::world::{GatewayRef, Noticed, World};

use super::converge::converge;
use super::{Context, finish, status as status_write, time_to};
use crate::adoption::inventories;
use crate::error::ReconcileError;
use crate::finalizer;

const RESOURCE: &str = "tenants";
/// How often a namespace that may not be adopted is looked at again.
const ADOPTION_INTERVAL: Duration = Duration::from_secs(15);

/// Brings one Tenant to where it should be, as far as that goes now.
///
/// # Errors
/// When a write failed: it is tried again later.
pub async fn reconcile(tenant: Arc<Tenant>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    context.state.synced().await;
    let started = Instant::now();
    let result = once(context.state.tenants.newest(tenant), &context).await;
    let label = if result.is_ok() { "ok" } else { "error" };
    context.metrics.reconciled(RESOURCE, label, started.elapsed().as_secs_f64());
    result
}

async fn once(tenant: Arc<Tenant>, context: &Context) -> Result<Action, ReconcileError> {
    let api: Api<Tenant> = Api::all(context.client.clone());
    let name = tenant.name_any();
    let is_going = tenant.metadata.deletion_timestamp.is_some();
    if is_going && !finalizer::is_set(tenant.as_ref()) {
        return Ok(Action::await_change());
    }
    let tenant = if is_going || finalizer::is_set(tenant.as_ref()) {
        tenant
    } else {
        let stored = finalizer::set(&api, tenant.as_ref()).await;
        context.metrics.wrote_resource(RESOURCE, "patch", stored.is_ok());
        let stored = stored?;
        context.state.tenants.note(stored.clone());
        Arc::new(stored)
    };

    look_into_candidates(&tenant, context).await?;
    let (plan, failures) =
        converge(context, |world| plan_and_place(&tenant, world, context), TenantPlan::changes).await?;
    context.state.set_blocked(&name, is_blocked(&plan));
    if plan.releases() {
        let cleared = finalizer::clear(&api, tenant.as_ref()).await;
        context.metrics.wrote_resource(RESOURCE, "patch", cleared.is_ok());
        cleared?;
        context.metrics.judged(RESOURCE, &tenant.name_any(), None);
        context.metrics.holds(&name, BTreeSet::new());
        context.route_events.forget(&name);
        return Ok(Action::await_change());
    }
    write_status(&api, &tenant, &plan, &failures, context).await?;
    let action = finish(RESOURCE, &name, &failures, context)?;
    Ok(look_again(&plan, &context.state.world()).map_or(action, Action::requeue))
}

/// Reads what is in the namespaces that are to be adopted. What was read for an earlier plan is forgotten.
async fn look_into_candidates(tenant: &Tenant, context: &Context) -> Result<(), ReconcileError> {
    let candidates = candidates(tenant, &context.state.world());
    let read = inventories(&context.client, candidates)
        .await
        .map_err(|source| ReconcileError::Own { what: "the namespaces to adopt", source: Box::new(source) })?;
    let mut world = context.state.world();
    for namespace in &tenant.spec.namespaces {
        world.inventories.remove(&namespace.name);
    }
    world.inventories.extend(read);
    Ok(())
}

/// When time alone changes what is to be done or said: a hold ends, the renewal of a certificate becomes overdue, or somebody
/// may have put right what kept a namespace from being adopted, which no watch tells.
fn look_again(plan: &TenantPlan, world: &World) -> Option<Duration> {
    let TenantPlan::Keep { resolved, desired, .. } = plan else { return None };
    let adoption = (!resolved.unadopted.is_empty()).then_some(ADOPTION_INTERVAL);
    let until = resolved.state.hold.as_ref().and_then(|hold| hold.until);
    let overdue = certificates::next_look(resolved, desired, world);
    adoption.into_iter().chain(until.map(time_to)).chain(overdue.map(time_to)).min()
}

/// Plans, and keeps the place that the plan took, under one lock: two new tenants never take one last place.
fn plan_and_place(tenant: &Tenant, world: &mut World, context: &Context) -> TenantPlan {
    let name = tenant.name_any();
    let class = name_of(tenant, world).map(ToOwned::to_owned);
    note_class(&name, class.as_ref(), world, context);
    world.now = Timestamp::now();
    let plan = plan(tenant, world);
    if let TenantPlan::Keep { resolved, .. } = &plan {
        let target = &resolved.placement.target;
        let before = world.placement(&name).cloned();
        if world.note_plan(resolved) == Noticed::Change {
            wake_classes_of(before.iter().chain([target]), world, context);
        }
    } else {
        world.drop_wanted(&name);
    }
    plan
}

/// Classes count their tenants. A Tenant that was forgotten meanwhile stays so.
fn note_class(name: &str, class: Option<&String>, world: &mut World, context: &Context) {
    let Some(view) = world.tenants.get_mut(name).filter(|view| view.class.as_ref() != class) else { return };
    let before = std::mem::replace(&mut view.class, class.cloned());
    before.iter().chain(class).for_each(|name| context.state.triggers.class(name));
}

/// Classes have as many shared Gateways as tenants need.
fn wake_classes_of<'a>(gateways: impl Iterator<Item = &'a GatewayRef>, world: &World, context: &Context) {
    for gateway in gateways {
        for class in world.classes.keys().filter(|class| shard_index(class, gateway).is_some()) {
            context.state.triggers.class(class);
        }
    }
}

/// Whether the Tenant waits for something that belongs to others.
fn is_blocked(plan: &TenantPlan) -> bool {
    match plan {
        TenantPlan::Reject(_) => true,
        TenantPlan::Keep { resolved, .. } => {
            let mut claims = resolved.ports.iter().flat_map(|port| &port.claims).map(|claim| claim.state);
            // What somebody claims, or gives up, decides whether it may be an upstream.
            !resolved.upstreams.is_empty()
                || resolved.hosts.iter().any(|h| h.claim != ClaimState::Ours)
                || claims.any(|state| state != ClaimState::Ours)
        }
        TenantPlan::TearDown(_) | TenantPlan::Orphan => false,
    }
}

/// Those that say that they are the tenant's, whatever becomes of its present spec: they are served by what stands.
fn namespaces_of(tenant: &Tenant, world: &World) -> BTreeSet<String> {
    let owner = Owner::Tenant(tenant.name_any());
    let namespaces = world.owned_by(&owner).filter(|key| key.kind == ChildKind::Namespace);
    namespaces.map(|key| key.name.clone()).collect()
}

async fn write_status(
    api: &Api<Tenant>,
    tenant: &Tenant,
    plan: &TenantPlan,
    failures: &[Failure],
    context: &Context,
) -> Result<(), ReconcileError> {
    let (wanted, judged) = {
        let world = context.state.world();
        context.metrics.holds(&tenant.name_any(), namespaces_of(tenant, &world));
        let status = status::tenant::of(tenant, plan, &world, failures, Timestamp::now());
        (status, judge::of_plan(tenant, plan, &world))
    };
    if let Some(judged) = judged.filter(|_| context.lease.is_current()) {
        let before = tenant.status.as_ref().and_then(|s| s.routes.as_ref());
        context.route_events.tell(&tenant.name_any(), before, &judged).await;
    }
    let reason = wanted.as_ref().and_then(|w| reason_of(&w.conditions, ConditionType::Ready));
    context.metrics.judged(RESOURCE, &tenant.name_any(), reason);
    let Some(wanted) = wanted.filter(|w| tenant.status.as_ref() != Some(w)) else { return Ok(()) };
    let old = tenant.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    let replies = &context.state.tenants;
    status_write::publish(context, api, tenant, &wanted, (old, &wanted.conditions), replies).await
}
