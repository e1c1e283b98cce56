//! One TenantClass: finalizer, shared Gateways, certificate, status, Event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::controller::Action;
use octroi_api::TenantClass;
use octroi_api::conditions::{ConditionType, reason_of};
use octroi_plan::class::{ClassPlan, plan};
use octroi_plan::status::{self, Failure, certificates};
use octroi_plan::world::World;

use super::converge::converge;
use super::{Context, finish, status as status_write, time_to};
use crate::error::ReconcileError;
use crate::finalizer;

const RESOURCE: &str = "tenantclasses";

/// Brings one TenantClass to where it should be, as far as that goes now.
///
/// # Errors
/// When a write failed: it is tried again later.
pub async fn reconcile(class: Arc<TenantClass>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    context.state.synced().await;
    let started = Instant::now();
    let result = once(&context.state.classes.newest(class), &context).await;
    let label = if result.is_ok() { "ok" } else { "error" };
    context.metrics.reconciled(RESOURCE, label, started.elapsed().as_secs_f64());
    result
}

async fn once(class: &TenantClass, context: &Context) -> Result<Action, ReconcileError> {
    let api: Api<TenantClass> = Api::all(context.client.clone());
    let is_going = class.metadata.deletion_timestamp.is_some();
    if is_going && !finalizer::is_set(class) {
        return Ok(Action::await_change());
    }
    if !is_going && !finalizer::is_set(class) {
        let stored = finalizer::set(&api, class).await;
        context.metrics.wrote_resource(RESOURCE, "patch", stored.is_ok());
        context.state.classes.note(stored?);
    }
    let plan = |world: &mut World| {
        world.now = Timestamp::now();
        plan(class, world)
    };
    let (plan, failures) = converge(context, plan, ClassPlan::changes).await?;
    if plan.releases() {
        let cleared = finalizer::clear(&api, class).await;
        context.metrics.wrote_resource(RESOURCE, "patch", cleared.is_ok());
        cleared?;
        context.metrics.judged(RESOURCE, &class.name_any(), None);
        return Ok(Action::await_change());
    }
    write_status(&api, class, &plan, &failures, context).await?;
    let action = finish(RESOURCE, &class.name_any(), &failures, context)?;
    Ok(look_again(&plan, &context.state.world()).map_or(action, Action::requeue))
}

/// When the renewal of the class's certificate becomes overdue.
fn look_again(plan: &ClassPlan, world: &World) -> Option<Duration> {
    let ClassPlan::Keep { desired, .. } = plan else { return None };
    certificates::next_overdue(desired.iter().map(|child| &child.key), world).map(time_to)
}

async fn write_status(
    api: &Api<TenantClass>,
    class: &TenantClass,
    plan: &ClassPlan,
    failures: &[Failure],
    context: &Context,
) -> Result<(), ReconcileError> {
    let wanted = status::class::of(class, plan, &context.state.world(), failures, Timestamp::now());
    let reason = wanted.as_ref().and_then(|w| reason_of(&w.conditions, ConditionType::Ready));
    context.metrics.judged(RESOURCE, &class.name_any(), reason);
    let Some(wanted) = wanted.filter(|w| class.status.as_ref() != Some(w)) else { return Ok(()) };
    let old = class.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    let replies = &context.state.classes;
    status_write::publish(context, api, class, &wanted, (old, &wanted.conditions), replies).await
}
