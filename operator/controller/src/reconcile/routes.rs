//! Events on routes: one when its problem appears or changes, one when it is solved.
//!
//! Not by kube's Recorder: of two Events with one reason it keeps the note of the first, and names them by the object, whose
//! name may be as long as an Event's.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, PostParams};
use octroi_api::RoutesStatus;
use octroi_plan::routes::judge::{Judged, Outcome};
use octroi_plan::routes::news::{News, Told};
use tokio::time::Instant;
use tracing::{debug, warn};

/// Events on routes of one tenant in a [`MINUTE`]: whoever breaks and mends a thousand routes must not keep the API server
/// busy for all others.
const MOST: usize = 200;
const MINUTE: Duration = Duration::from_mins(1);
/// Events at once.
const CONCURRENCY: usize = 8;

/// Publishes Events on routes, and remembers what they told.
pub struct RouteEvents {
    client: Client,
    identity: String,
    tenants: Mutex<HashMap<String, OfTenant>>,
}

struct OfTenant {
    told: Told,
    minute: Instant,
    left: usize,
}

impl OfTenant {
    fn new(status: Option<&RoutesStatus>) -> Self {
        Self { told: Told::of_status(status), minute: Instant::now(), left: MOST }
    }

    /// As much of the news as may go out now.
    fn news(&mut self, judged: &[Judged]) -> Vec<News> {
        if self.minute.elapsed() > MINUTE {
            (self.minute, self.left) = (Instant::now(), MOST);
        }
        let mut news = self.told.news(judged);
        if news.len() > self.left {
            debug!(events = news.len() - self.left, "too many Events on routes in a minute; the status says the same");
            news.truncate(self.left);
        }
        self.left -= news.len();
        news
    }
}

impl RouteEvents {
    /// In the name of this replica.
    pub fn new(client: Client, identity: &str) -> Self {
        Self { client, identity: identity.into(), tenants: Mutex::default() }
    }

    /// Tells what is new of a tenant's routes. `status` says what was told before this process began.
    pub async fn tell(&self, tenant: &str, status: Option<&RoutesStatus>, judged: &[Judged]) {
        let news = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            tenants.entry(tenant.to_owned()).or_insert_with(|| OfTenant::new(status)).news(judged)
        };
        let all = news.iter().map(|news| self.publish(news)).collect::<Vec<_>>();
        stream::iter(all).buffer_unordered(CONCURRENCY).collect::<()>().await;
    }

    /// Forgets a tenant that is gone.
    pub fn forget(&self, tenant: &str) {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    async fn publish(&self, news: &News) {
        let event = self.event(news);
        let events: Api<Event> = Api::namespaced(self.client.clone(), &news.route.key.namespace);
        if let Err(error) = events.create(&PostParams::default(), &event).await {
            warn!(%error, "cannot publish an Event on a route; the Tenant's status says the same");
        }
    }

    fn event(&self, news: &News) -> Event {
        let Judged { key, uid, outcome } = &news.route;
        let (kind, reason, note) = match (outcome, news.solved) {
            (Outcome::Problem(problem), _) => ("Warning", problem.word.as_str(), problem.message()),
            (_, Some(solved)) => {
                ("Normal", "Accepted", format!("{} is solved: the data plane serves the route", solved.as_str()))
            }
            (_, None) => ("Normal", "Accepted", "the data plane serves the route".to_owned()),
        };
        let (api, now) = (key.kind.api(), Timestamp::now());
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{uid}.{:x}", now.as_nanosecond())),
                namespace: Some(key.namespace.clone()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            regarding: Some(ObjectReference {
                api_version: Some(format!("{}/{}", api.group, api.version)),
                kind: Some(api.kind.into()),
                namespace: Some(key.namespace.clone()),
                name: Some(key.name.clone()),
                uid: Some(uid.clone()),
                ..ObjectReference::default()
            }),
            type_: Some(kind.into()),
            reason: Some(reason.into()),
            note: Some(note),
            action: Some("Judge".into()),
            reporting_controller: Some("octroi".into()),
            reporting_instance: Some(self.identity.clone()),
            ..Event::default()
        }
    }
}
