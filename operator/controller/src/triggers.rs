//! Who must be looked at again. The controllers drop duplicates.

use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::stream::{Stream, select};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::scheduler;
use kube::runtime::scheduler::ScheduleRequest;
use octroi_api::{Tenant, TenantClass};
use tokio::time::Instant;

type Later = ScheduleRequest<ObjectRef<Tenant>>;

/// The sending side.
pub struct Triggers {
    tenants: UnboundedSender<ObjectRef<Tenant>>,
    tenants_later: UnboundedSender<Later>,
    classes: UnboundedSender<ObjectRef<TenantClass>>,
}

/// The receiving side, for the two controllers.
pub struct Receivers {
    tenants: UnboundedReceiver<ObjectRef<Tenant>>,
    tenants_later: UnboundedReceiver<Later>,
    classes: UnboundedReceiver<ObjectRef<TenantClass>>,
}

/// Both sides.
pub fn channel() -> (Triggers, Receivers) {
    let ((tenants, tenants_rx), (classes, classes_rx)) = (unbounded(), unbounded());
    let (tenants_later, later_rx) = unbounded();
    let receivers = Receivers { tenants: tenants_rx, tenants_later: later_rx, classes: classes_rx };
    (Triggers { tenants, tenants_later, classes }, receivers)
}

impl Triggers {
    /// Looks at a Tenant again.
    pub fn tenant(&self, name: &str) {
        // The receiver is gone only while the operator ends.
        let _ = self.tenants.unbounded_send(ObjectRef::new(name));
    }

    /// Looks at a Tenant again after this time. Of several, the earliest counts and stands for all: a burst is answered
    /// once, and one that never ends is answered all the same.
    pub fn tenant_later(&self, name: &str, delay: Duration) {
        let run_at = Instant::now() + delay;
        let _ = self.tenants_later.unbounded_send(ScheduleRequest { message: ObjectRef::new(name), run_at });
    }

    /// Looks at a TenantClass again.
    pub fn class(&self, name: &str) {
        let _ = self.classes.unbounded_send(ObjectRef::new(name));
    }
}

impl Receivers {
    /// For the controller of each.
    pub fn split(
        self,
    ) -> (impl Stream<Item = ObjectRef<Tenant>> + Send, impl Stream<Item = ObjectRef<TenantClass>> + Send) {
        (select(self.tenants, scheduler(self.tenants_later)), self.classes)
    }
}
