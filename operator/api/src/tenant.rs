//! `Tenant`: one client of the platform.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::schemars;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::schema::condition_list;
use crate::{
    DomainTls, GatewayMode, PortStatus, RateLimit, Replicas, TenantAuth, TenantHttp, TenantPort, TenantTls,
    TenantUpstream, TenantWaf, UpstreamStatus,
};

/// What one client of the platform gets. Everything is optional except the members: the class gives the rest.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "octroi.dev",
    version = "v1alpha1",
    kind = "Tenant",
    plural = "tenants",
    category = "octroi",
    status = "TenantStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "One client of the platform: its namespaces, its entry on a gateway, its certificates and its rights. Example: spec: {members: [{kind: Group, name: acme-devs}]}",
    annotation("helm.sh/resource-policy", "keep"),
    validation = ("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 59", "metadata.name must be a DNS label of at most 59 characters that starts with a letter: use lower-case letters, digits and '-', such as acme-shop"),
    validation = ("!self.metadata.name.startsWith('gw-') && !self.metadata.name.startsWith('kube-') && !self.metadata.name.startsWith('octroi-')", "metadata.name must not start with gw-, kube- or octroi-, which belong to the platform: choose another name"),
    validation = ("!(self.metadata.name in ['argocd', 'cert-manager', 'default', 'edge', 'envoy-gateway-system', 'istio-system', 'kgateway-system', 'monitoring', 'octroi'])", "metadata.name is reserved for the platform: choose another name, such as the client's"),
    validation = ("!has(self.spec.tls) || !has(self.spec.tls.clientCertificates) || !has(self.spec.gateway) || !has(self.spec.gateway.mode) || self.spec.gateway.mode != 'Shared'", "spec.tls.clientCertificates needs a proxy of the tenant's own: set spec.gateway.mode to Dedicated, or remove them"),
    printcolumn(name = "Class", type_ = "string", json_path = ".status.className", description = "TenantClass in force"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".status.gateway.mode", description = "Shared or Dedicated"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", description = "where the tenant answers"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status", description = "whether everything was seen in place"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason", description = "why it is, or is not, ready"),
    printcolumn(name = "Routes", type_ = "integer", json_path = ".status.routes.accepted", priority = 1, description = "routes that the data plane has taken"),
    printcolumn(name = "Rejected", type_ = "integer", json_path = ".status.routes.rejected", priority = 1, description = "routes that are wrong, or not served in full"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "since the Tenant was created")
)]
#[serde(rename_all = "camelCase")]
pub struct TenantSpec {
    /// The TenantClass (the offer) this tenant is on. Default: the class annotated
    /// `octroi.dev/is-default-class: "true"`; the one chosen then is kept in `status.className`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub class_name: Option<String>,

    /// Whom to call about this tenant. Shown to the run team only. Default: nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,

    /// Who may work in the tenant's namespaces. Removing a member revokes its rights.
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into(), "namespace".into()]))]
    #[x_kube(validation = ("size(self) > 0", "members must not be empty, or nobody could work in the tenant's namespaces: name at least one, such as {kind: Group, name: acme-devs}"))]
    pub members: Vec<Member>,

    /// The tenant's namespaces. Default: one, named after the tenant. A namespace that exists already is taken only with
    /// `adopt`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub namespaces: Vec<TenantNamespace>,

    /// Whether a route in one of the tenant's namespaces may name a Service in another one of them. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_namespace: Option<bool>,

    /// Hosts beside the class's own `<tenant>.<baseDomain>` and `*.<tenant>.<baseDomain>`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["host".into()]))]
    pub domains: Vec<Domain>,

    /// Where the traffic enters. Default: what the class says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<TenantGateway>,

    /// Its firewall, where that is stricter than the class, and what is excluded from it. Default: what the class says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waf: Option<TenantWaf>,

    /// Who may come in: tokens, keys and addresses that are asked for, by path. Default: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub auth: Vec<TenantAuth>,

    /// What its hosts speak, where that is stricter than the class. Default: what the class says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TenantTls>,

    /// What the edge takes from its clients, where that is less than the class's. Default: what the class says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<TenantHttp>,

    /// How many requests the edge takes for it, up to the class's maximum. Default: what the class says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,

    /// Ports beside 443, of those that the class offers. On a shared Gateway a port has one tenant: the first that asks.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[x_kube(validation = ("self.all(a, self.filter(b, a.port == b.port && (a.protocol == 'UDP') == (b.protocol == 'UDP')).size() == 1)", "layer4 must name a port once for TCP or TLS and once for UDP, since nobody could tell two apart there: choose another port, or put the hosts into one item"))]
    pub layer4: Vec<TenantPort>,

    /// What its routes may reach outside the cluster, of the kinds that the class offers. Default: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub upstreams: Vec<TenantUpstream>,

    /// Whether the tenant may change its routes, and whether it is served. The annotation `octroi.dev/hold` says the same
    /// at 3 a.m.; the stricter of the two wins. Default: Active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TenantState>,

    /// What deleting this Tenant may do. Default: it is refused, and namespaces would be retained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
}

/// Whom to call about a tenant.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// The client's team. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub team: Option<String>,
    /// Where a human reads mail. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 254))]
    #[x_kube(validation = ("self.matches('^[^@ ]+@[^@ ]+$')", "contact.email must be one address, such as ops@acme.example"))]
    pub email: Option<String>,
    /// What the invoice names. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub cost_center: Option<String>,
}

/// Somebody who may work in the tenant's namespaces.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[x_kube(validation = ("self.kind == 'ServiceAccount' ? self.namespace != '' : self.namespace == ''", "members[].namespace goes with kind ServiceAccount, and only with it: add the ServiceAccount's namespace, or remove the field"))]
#[x_kube(validation = ("!self.name.startsWith('system:')", "members[].name must not start with system:, which names parts of Kubernetes: name the client's own user or group (for a ServiceAccount: kind ServiceAccount, name, namespace)"))]
#[x_kube(validation = ("self.kind != 'ServiceAccount' || self.name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')", "members[].name is not the name of a ServiceAccount: use lower-case letters, digits, '-' and '.', such as deployer"))]
pub struct Member {
    /// User, Group or ServiceAccount.
    pub kind: MemberKind,
    /// Its name as the API server sees it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The ServiceAccount's namespace; for no other kind. Default: none.
    #[serde(default)]
    #[schemars(length(max = 63))]
    #[x_kube(validation = ("self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", "members[].namespace must be the name of a namespace, such as acme-prod"))]
    pub namespace: String,
    /// What it may do. Default: Edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<MemberRole>,
}

/// Kind of the RBAC subject.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum MemberKind {
    User,
    Group,
    ServiceAccount,
}

/// What the member may do in the tenant's namespaces. View: read everything but Secrets. Edit: also write routes, workloads,
/// Services, ConfigMaps and Secrets, with logs, exec and port-forward. Admin: also ServiceAccounts with their tokens.
/// Default: Edit.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberRole {
    /// Edit, and ServiceAccounts with their tokens, and reading of rights and quota.
    Admin,
    /// Write routes, workloads, Services, ConfigMaps and Secrets; logs, exec and port-forward.
    #[default]
    Edit,
    /// Read everything but Secrets.
    View,
}

/// One of the tenant's namespaces.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
pub struct TenantNamespace {
    /// A DNS label of at most 59 characters; not gw-*, kube-*, octroi-* nor a name of the platform.
    #[schemars(length(min = 1, max = 59))]
    #[x_kube(validation = ("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')", "namespaces[].name must be a DNS label of at most 59 characters that starts with a letter, such as acme-prod"))]
    #[x_kube(validation = ("!self.startsWith('gw-') && !self.startsWith('kube-') && !self.startsWith('octroi-')", "namespaces[].name must not start with gw-, kube- or octroi-, which belong to the platform: choose another name, such as acme-prod"))]
    #[x_kube(validation = ("!(self in ['argocd', 'cert-manager', 'default', 'edge', 'envoy-gateway-system', 'istio-system', 'kgateway-system', 'monitoring', 'octroi'])", "namespaces[].name is reserved for the platform: choose another name, such as acme-prod"))]
    pub name: String,
    /// Whether a namespace that exists already, and belongs to nobody, may be taken: once everything in it keeps to the
    /// rules for tenants. Its labels and rights stay, and deleting the Tenant never deletes it. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<bool>,
}

/// A host of the client's own.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// An exact host (`shop.acme.example`) or a wildcard of one label (`*.acme.example`).
    #[schemars(length(max = 200))]
    #[x_kube(validation = ("self.matches('^([*][.])?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')", "domains[].host must be a lower-case DNS name such as shop.acme.example or *.acme.example: no scheme, port, path, upper case or trailing dot, and an internationalised name in its xn-- form"))]
    #[x_kube(validation = ("!self.startsWith('*.') || self.substring(2).contains('.')", "domains[].host must not be a wildcard of a top-level domain: name the domain, such as *.acme.example"))]
    #[x_kube(validation = ("!self.matches('(^|[.])([a-wyz0-9].|x[^n])--')", "domains[].host has a label with '--' in its third and fourth place, which DNS reserves for xn-- names (RFC 5890): choose another name"))]
    pub host: String,
    /// Where its certificate comes from. Default: Octroi asks the class's issuer for one, and has it renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<DomainTls>,
}

/// Where a tenant's traffic enters.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = ("!has(self.replicas) || !has(self.mode) || self.mode != 'Shared'", "gateway.replicas size a proxy of the tenant's own: remove them, or set mode Dedicated"))]
pub struct TenantGateway {
    /// Shared or Dedicated. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<GatewayMode>,
    /// Size of a Dedicated proxy. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
}

/// What deleting a Tenant may do.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// While true, deleting the Tenant is refused, and nothing is torn down whatever happens to it. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protect: Option<bool>,
    /// What becomes of the tenant's namespaces. Default: Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<NamespacePolicy>,
}

/// Whether a tenant may change its routes, and whether it is served. Active: both. Cordoned: it is served as it is; new
/// routes, and what adds a host, a parent, a match or a backend to one, are refused. Suspended: as Cordoned, and every host
/// answers 503 with the platform's page; nothing is deleted. Default: Active.
#[derive(
    Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum TenantState {
    /// It changes its routes and is served.
    #[default]
    Active,
    /// It is served as it is; its routes take nothing new.
    Cordoned,
    /// As Cordoned, and every host answers 503.
    Suspended,
}

impl TenantState {
    /// Every state, the mildest first.
    pub const ALL: [Self; 3] = [Self::Active, Self::Cordoned, Self::Suspended];

    /// The word used in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Cordoned => "Cordoned",
            Self::Suspended => "Suspended",
        }
    }

    /// The state of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What becomes of the tenant's namespaces when it is deleted. Retain: they stay with all that is in them; rights and labels
/// of the tenant are taken away. Delete: they go with all that is in them. Default: Retain.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamespacePolicy {
    /// They stay, with all that is in them; rights and labels of the tenant are taken away.
    #[default]
    Retain,
    /// They are deleted with all that is in them.
    Delete,
}

impl TenantSpec {
    /// Whether deletion is refused. Absent means yes.
    pub fn protected(&self) -> bool {
        self.deletion.and_then(|d| d.protect).unwrap_or(true)
    }
}

/// What Octroi saw, never what anybody asked for.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// The class in force. A changed default moves nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub class_name: Option<String>,
    /// Where the tenant answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub url: Option<String>,
    /// The Gateway that the tenant's entry is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayStatus>,
    /// Every host of the tenant, the class's own first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["host".into()]))]
    pub domains: Vec<DomainStatus>,
    /// Every port of `spec.layer4`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub layer4: Vec<PortStatus>,
    /// Every upstream of `spec.upstreams`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub upstreams: Vec<UpstreamStatus>,
    /// The tenant's namespaces, counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<NamespacesStatus>,
    /// The routes in the tenant's namespaces, counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<RoutesStatus>,
    /// Accepted, Ready, NamespacesReady, GatewayProgrammed, CertificatesReady.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition_list")]
    pub conditions: Vec<Condition>,
}

/// The Gateway that a tenant's entry is attached to.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayStatus {
    /// Shared or Dedicated, as served now.
    pub mode: GatewayMode,
    /// Name of the Gateway.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Namespace of the Gateway.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Address to point DNS at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub address: Option<String>,
}

/// One host of a tenant.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DomainStatus {
    /// The host.
    #[schemars(length(max = 253))]
    pub host: String,
    /// Whether it is claimed, has its certificate and is programmed.
    pub ready: bool,
    /// Until when its certificate is good, as in RFC 3339; not said of a Secret that the run team provides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub certificate_expires: Option<String>,
    /// Why not, or what threatens it, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    /// Why not, or what threatens it, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// The tenant's namespaces, counted.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespacesStatus {
    /// How many the Tenant asks for.
    #[schemars(range(min = 0, max = 64))]
    pub desired: i32,
    /// How many were seen in place with their rights.
    #[schemars(range(min = 0, max = 64))]
    pub ready: i32,
    /// At most 20 that were not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub failing: Vec<FailingItem>,
}

/// The routes in the tenant's namespaces, counted: HTTPRoute, GRPCRoute, TLSRoute, TCPRoute and UDPRoute.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutesStatus {
    /// How many the data plane has taken in their present generation.
    #[schemars(range(min = 0))]
    pub accepted: i32,
    /// How many are wrong, or not served in full.
    #[schemars(range(min = 0))]
    pub rejected: i32,
    /// How many are not served because the tenant is suspended. They are counted here only.
    #[schemars(range(min = 0))]
    pub suspended: i32,
    /// How many the data plane has still to judge in their present generation.
    #[schemars(range(min = 0))]
    pub pending: i32,
    /// At most 20 of the rejected ones, each named by kind, namespace and name, such as `HTTPRoute acme-prod/web`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub failing: Vec<FailingItem>,
}

/// Something that is not as it should be.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct FailingItem {
    /// Its name. A route's is its kind, namespace and name.
    #[schemars(length(max = 340))]
    pub name: String,
    /// Why, in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why, and what to do.
    #[schemars(length(max = 1024))]
    pub message: String,
}
