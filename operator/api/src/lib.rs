//! The API of Octroi: group `octroi.dev`, version `v1alpha1`, all cluster-scoped.
//!
//! [`TenantClass`] is an offer, [`Tenant`] is one client, [`DomainClaim`] records who owns a host and [`PortClaim`] who has
//! a port. The types derive
//! their CustomResourceDefinitions, with every rule that the API server can judge alone written as CEL, so that bad
//! input is refused at `kubectl apply`. Names that arrive as text are parsed once, in [`names`].
//!
//! This crate must never talk to a cluster, read a clock or know what a Tenant is turned into.
#![deny(missing_docs)]

mod auth;
// One `printcolumn` a column: not a repetition.
#[allow(clippy::duplicated_attributes)]
mod claim;
mod class;
// A number in a manifest says its unit, as in Kubernetes.
#[allow(clippy::struct_field_names)]
mod class_http;
mod class_namespaces;
pub mod conditions;
pub mod crds;
pub mod labels;
mod layer4;
pub mod names;
mod observability;
// One `printcolumn` a column: not a repetition.
#[allow(clippy::duplicated_attributes)]
mod port_claim;
mod rate_limit;
mod route_problem;
mod schema;
mod tenant;
#[allow(clippy::struct_field_names)]
mod tenant_http;
mod tenant_tls;
mod upstream;
mod waf;

pub use auth::{ApiKeyAuth, BasicAuth, ClaimToHeader, JwtAuth, TenantAuth};
pub use claim::{DomainClaim, DomainClaimSpec};
pub use class::{
    CertificateScope, ClassGateway, ClassIssuance, ClassNamespaces, ClassPages, ClassShard, ClassTls, Hsts, IssuerRef,
    PodSecurity, Proxy, ProxyService, ResourceList, Resources, ServiceType, TenantClass, TenantClassSpec,
    TenantClassStatus, TlsVersion,
};
pub use class_http::{ClassHttp, HttpLimits, HttpTimeouts};
pub use class_namespaces::{ContainerLimits, EgressAllow, NamespaceNetwork};
pub use layer4::{ClassLayer4, PortProtocol, PortRange, PortStatus, TenantPort, Transport};
pub use observability::{ClassObservability, ClassTracing, TraceCollector};
pub use port_claim::{PortClaim, PortClaimSpec};
pub use rate_limit::{ClassRateLimit, RateLimit};
pub use route_problem::RouteProblem;
pub use tenant::{
    Contact, Deletion, Domain, DomainStatus, FailingItem, GatewayStatus, Member, MemberKind, MemberRole,
    NamespacePolicy, NamespacesStatus, RoutesStatus, Tenant, TenantGateway, TenantNamespace, TenantSpec, TenantState,
    TenantStatus,
};
pub use tenant_http::{TenantHttp, TenantHttpLimits, TenantHttpTimeouts};
pub use tenant_tls::{ClientCertificates, DomainTls, TenantTls};
pub use upstream::{
    ClassUpstreams, HttpsUpstream, LambdaUpstream, S3Upstream, TenantUpstream, UpstreamKind, UpstreamStatus,
};
pub use waf::{ClassWaf, TenantWaf, WafExclusion, WafMode};

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The API group of every kind here.
pub const GROUP: &str = "octroi.dev";
/// The only served version.
pub const VERSION: &str = "v1alpha1";

/// Shared: an Envoy shared with other tenants of the class; listeners and certificates stay the tenant's own. Dedicated: an
/// Envoy of the tenant's own, with its own address. Default: Shared for a class, the class's mode for a tenant.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GatewayMode {
    /// An Envoy shared with other tenants of the class. Each tenant keeps listeners and certificates of its own.
    #[default]
    Shared,
    /// An Envoy of the tenant's own, with its own address.
    Dedicated,
}

impl GatewayMode {
    /// The word used in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "Shared",
            Self::Dedicated => "Dedicated",
        }
    }
}

/// How many proxy pods run. With `max` above `min` a HorizontalPodAutoscaler chooses between them.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[x_kube(validation = ("self.min <= self.max", "replicas.min must not be above replicas.max: raise max or lower min"))]
pub struct Replicas {
    /// Fewest proxy pods, 1 to 50.
    #[schemars(range(min = 1, max = 50))]
    pub min: i32,
    /// Most proxy pods, 1 to 50.
    #[schemars(range(min = 1, max = 50))]
    pub max: i32,
}
