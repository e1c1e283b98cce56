//! `DomainClaim`: who owns a host.

use k8s_openapi::schemars;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Who owns one host. Written by Octroi only. Its name is derived from the host, so that creating it is the lock: of
/// two tenants that ask for one host, the first keeps it, also after a restore in any order.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[kube(
    group = "octroi.dev",
    version = "v1alpha1",
    kind = "DomainClaim",
    plural = "domainclaims",
    category = "octroi",
    derive = "Default",
    derive = "PartialEq",
    doc = "Who owns a host. Written by Octroi: one object per host, named so that creating it is the lock.",
    annotation("helm.sh/resource-policy", "keep"),
    printcolumn(name = "Host", type_ = "string", json_path = ".spec.host", description = "what is owned"),
    printcolumn(name = "Tenant", type_ = "string", json_path = ".spec.tenant", description = "who owns it"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "since when")
)]
#[x_kube(validation = ("self == oldSelf", "a DomainClaim never changes hands: delete it, and Octroi gives the host to the Tenant that asks for it"))]
pub struct DomainClaimSpec {
    /// The host, exact or `*.suffix`.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// The name of the Tenant that owns it.
    #[schemars(length(min = 1, max = 59))]
    pub tenant: String,
}
