//! Events on Tenants and TenantClasses: one for each change of reason.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use octroi_api::conditions::{ConditionType, Reason, reason_of};
use tracing::warn;

/// Publishes Events.
pub struct Events {
    recorder: Recorder,
}

/// Longest note of an Event (Kubernetes API: events.k8s.io/v1).
const MAX_NOTE: usize = 1000;

impl Events {
    /// In the name of this replica.
    pub fn new(client: Client, identity: &str) -> Self {
        let reporter = Reporter { controller: "octroi".into(), instance: Some(identity.into()) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Publishes an Event if the reason of `Ready` is another than before.
    pub async fn on_change(&self, reference: &ObjectReference, old: &[Condition], new: &[Condition]) {
        let Some(ready) = new.iter().find(|c| c.type_ == ConditionType::Ready.as_str()) else { return };
        if reason_of(old, ConditionType::Ready) == Some(ready.reason.as_str()) {
            return;
        }
        let is_normal =
            [Reason::Ready, Reason::Progressing, Reason::Terminating].iter().any(|r| r.as_str() == ready.reason);
        let event = Event {
            type_: if is_normal { EventType::Normal } else { EventType::Warning },
            reason: ready.reason.clone(),
            note: Some(ready.message.chars().take(MAX_NOTE).collect()),
            action: "Reconcile".into(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, reference).await {
            warn!(%error, "cannot publish an Event; the status says the same");
        }
    }
}
