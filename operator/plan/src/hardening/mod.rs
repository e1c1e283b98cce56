//! Whether a data plane's own settings keep tenants apart: what its control plane was told beside anything that Octroi writes.

mod finding;
pub mod judge;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;

pub use self::finding::{Finding, Grade, good_if_empty, title};

/// The settings of one data plane, as far as the operator sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPlane {
    /// What is looked at: `ConfigMap envoy-gateway-system/envoy-gateway-config`.
    pub subject: String,
    /// What was seen of it.
    pub seen: Seen,
}

/// What was seen of a data plane's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing is there by that name.
    Absent,
    /// The API server refuses to show it, in its words.
    Refused(String),
    /// It was judged.
    Judged {
        /// Whose settings they are, as GatewayClasses say it; `None` when that does not follow from them.
        controller: Option<String>,
        /// What was found.
        findings: Vec<Finding>,
    },
}

impl Seen {
    /// Of the configuration of Envoy Gateway.
    pub fn envoy_gateway(config: &ConfigMap) -> Self {
        Self::Judged { controller: judge::controller_of(config), findings: judge::envoy_gateway(config) }
    }

    /// Of the Deployment of kgateway. Its name as a controller is fixed.
    pub fn kgateway(deployment: &Deployment) -> Self {
        Self::Judged { controller: None, findings: judge::kgateway(deployment) }
    }
}
