//! The two controllers: Tenants and TenantClasses. Both plan, write, plan again until nothing is left to write, and then
//! say in the status how far that went.

mod class;
mod converge;
mod events;
mod routes;
mod sources;
mod status;
mod tenant;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use octroi_plan::status::Failure;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::error::ReconcileError;
use crate::health::Health;
use crate::leader::Held;
use crate::metrics::Metrics;
use crate::state::State;
use crate::{Config, control_planes, discovery, dns, proxies, triggers};

/// Reconciles of one controller at once.
const CONCURRENCY: u16 = 32;
/// tokio's timers reach two years; a certificate may live longer.
const LONGEST_WAIT: Duration = Duration::from_hours(30 * 24);
/// Events that come together are answered together.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// What a reconcile has at hand.
pub struct Context {
    client: Client,
    state: Arc<State>,
    metrics: Arc<Metrics>,
    lease: Arc<Held>,
    backoff: Backoff,
    events: events::Events,
    route_events: routes::RouteEvents,
}

/// Runs both controllers and all watches until `shutdown`, and finishes the reconciles that run then.
pub async fn run(
    client: Client,
    config: &Config,
    lease: Arc<Held>,
    metrics: Arc<Metrics>,
    health: Health,
    shutdown: CancellationToken,
) {
    let (triggers, receivers) = triggers::channel();
    let first_lists = [
        discovery::NAME,
        sources::TENANTS,
        sources::CLASSES,
        sources::GATEWAY_CLASSES,
        proxies::NAME,
        control_planes::ENVOY_GATEWAY,
        control_planes::KGATEWAY,
    ];
    let state = Arc::new(State::new(triggers, first_lists.map(Into::into)));
    let context = Arc::new(Context {
        client: client.clone(),
        state: Arc::clone(&state),
        metrics,
        lease,
        backoff: Backoff::default(),
        events: events::Events::new(client.clone(), &config.identity),
        route_events: routes::RouteEvents::new(client.clone(), &config.identity),
    });
    let watches = [
        tokio::spawn(discovery::run(client.clone(), Arc::clone(&state))),
        tokio::spawn(sources::gateway_classes(client.clone(), Arc::clone(&state))),
        tokio::spawn(proxies::run(client.clone(), Arc::clone(&state))),
        tokio::spawn(control_planes::envoy_gateway(client.clone(), config.envoy_gateway.clone(), Arc::clone(&state))),
        tokio::spawn(control_planes::kgateway(client.clone(), config.kgateway.clone(), Arc::clone(&state))),
        tokio::spawn(dns::run(Arc::clone(&state))),
    ];
    let readiness = tokio::spawn(async move {
        state.synced().await;
        info!("every watch has listed");
        health.set_ready(true);
    });

    let (tenant_triggers, class_triggers) = receivers.split();
    let settings = ControllerConfig::default().concurrency(CONCURRENCY).debounce(DEBOUNCE);
    let (tenant_stream, tenant_reader) = sources::tenants(client.clone(), Arc::clone(&context.state));
    let (class_stream, class_reader) = sources::classes(client, Arc::clone(&context.state));
    let tenants = Controller::for_stream(tenant_stream, tenant_reader)
        .reconcile_on(tenant_triggers)
        .with_config(settings.clone())
        .graceful_shutdown_on(shutdown.clone().cancelled_owned())
        .run(
            tenant::reconcile,
            |tenant, error, context| retry(tenant.as_ref(), "tenants", error, &context),
            Arc::clone(&context),
        )
        .for_each(|_| async {});
    let classes = Controller::for_stream(class_stream, class_reader)
        .reconcile_on(class_triggers)
        .with_config(settings)
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(
            class::reconcile,
            |class, error, context| retry(class.as_ref(), "tenantclasses", error, &context),
            Arc::clone(&context),
        )
        .for_each(|_| async {});
    tokio::join!(tenants, classes);
    readiness.abort();
    watches.iter().for_each(tokio::task::JoinHandle::abort);
}

/// The time until then, or to look again before: a timer has an end.
fn time_to(then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(Timestamp::now())).unwrap_or_default().min(LONGEST_WAIT)
}

/// What a reconcile ends with: well, or to be tried again.
fn finish(
    resource: &'static str,
    name: &str,
    failures: &[Failure],
    context: &Context,
) -> Result<Action, ReconcileError> {
    match failures.first() {
        None => {
            context.backoff.succeeded(&format!("{resource}/{name}"));
            Ok(Action::await_change())
        }
        Some(first) => {
            Err(ReconcileError::Writes { count: failures.len(), first: format!("{}: {}", first.key, first.message) })
        }
    }
}

fn retry<K: kube::ResourceExt>(
    object: &K,
    resource: &'static str,
    error: &ReconcileError,
    context: &Context,
) -> Action {
    let name = object.name_any();
    let wait = context.backoff.failed(&format!("{resource}/{name}"));
    warn!(resource, name, %error, wait_ms = wait.as_millis(), "tried again later");
    Action::requeue(wait)
}
