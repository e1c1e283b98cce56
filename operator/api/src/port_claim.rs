//! `PortClaim`: who has a port of the shared Gateways of a class.

use k8s_openapi::schemars;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::Transport;

/// Who has one port of the shared Gateways of one class. Written by Octroi only. Its name is derived from class, transport and
/// port, so that creating it is the lock: of two tenants that ask for one port, the first keeps it, also after a restore in any
/// order.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[kube(
    group = "octroi.dev",
    version = "v1alpha1",
    kind = "PortClaim",
    plural = "portclaims",
    category = "octroi",
    derive = "Default",
    derive = "PartialEq",
    doc = "Who has a port of the shared Gateways of a TenantClass. Written by Octroi: one object per port, named so that creating it is the lock.",
    annotation("helm.sh/resource-policy", "keep"),
    printcolumn(
        name = "Class",
        type_ = "string",
        json_path = ".spec.className",
        description = "on whose shared Gateways"
    ),
    printcolumn(name = "Protocol", type_ = "string", json_path = ".spec.protocol", description = "TCP or UDP"),
    printcolumn(name = "Port", type_ = "integer", json_path = ".spec.port", description = "what is had"),
    printcolumn(name = "Tenant", type_ = "string", json_path = ".spec.tenant", description = "who has it"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "since when")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self == oldSelf", "a PortClaim never changes hands: delete it, and Octroi gives the port to the Tenant that asks for it"))]
pub struct PortClaimSpec {
    /// The TenantClass on whose shared Gateways it is.
    #[schemars(length(min = 1, max = 40))]
    pub class_name: String,
    /// TCP (also for TLS) or UDP.
    pub protocol: Transport,
    /// The number.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: i32,
    /// The name of the Tenant that has it.
    #[schemars(length(min = 1, max = 59))]
    pub tenant: String,
}
