//! Who must be looked at again. The controllers drop duplicates.

use futures::Stream;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::reflector::ObjectRef;
use octroi_api::{Tenant, TenantClass};

/// The sending side.
pub struct Triggers {
    tenants: UnboundedSender<ObjectRef<Tenant>>,
    classes: UnboundedSender<ObjectRef<TenantClass>>,
}

/// The receiving side, for the two controllers.
pub struct Receivers {
    tenants: UnboundedReceiver<ObjectRef<Tenant>>,
    classes: UnboundedReceiver<ObjectRef<TenantClass>>,
}

/// Both sides.
pub fn channel() -> (Triggers, Receivers) {
    let ((tenants, tenants_rx), (classes, classes_rx)) = (unbounded(), unbounded());
    (Triggers { tenants, classes }, Receivers { tenants: tenants_rx, classes: classes_rx })
}

impl Triggers {
    /// Looks at a Tenant again.
    pub fn tenant(&self, name: &str) {
        // The receiver is gone only while the operator ends.
        let _ = self.tenants.unbounded_send(ObjectRef::new(name));
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
        (self.tenants, self.classes)
    }
}
