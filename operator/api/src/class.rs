//! `TenantClass`: an offer of the platform, as StorageClass is for disks.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::schemars;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::schema::condition_list;
use crate::{
    ClassHttp, ClassLayer4, ClassObservability, ClassRateLimit, ClassUpstreams, ClassWaf, ContainerLimits, GatewayMode,
    NamespaceNetwork, Replicas,
};

/// An offer: what every tenant of it gets, and how far a tenant may choose.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "octroi.dev",
    version = "v1alpha1",
    kind = "TenantClass",
    plural = "tenantclasses",
    category = "octroi",
    status = "TenantClassStatus",
    derive = "PartialEq",
    doc = "An offer of the platform: base domain, gateway, certificates and limits of the Tenants on it.",
    annotation("helm.sh/resource-policy", "keep"),
    validation = ("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40", "metadata.name must be a DNS label of at most 40 characters that starts with a letter, such as gold"),
    validation = ("self.spec.baseDomain == oldSelf.spec.baseDomain || !has(oldSelf.status) || !has(oldSelf.status.tenants) || oldSelf.status.tenants == 0", "spec.baseDomain cannot change while tenants use the class, since their hosts hang on it: make a new TenantClass and move the tenants"),
    validation = ("self.spec.gateway.gatewayClassName == oldSelf.spec.gateway.gatewayClassName || !has(oldSelf.status) || !has(oldSelf.status.tenants) || oldSelf.status.tenants == 0", "spec.gateway.gatewayClassName cannot change while tenants use the class, since all of them would answer on other addresses at once: make a new TenantClass and move the tenants"),
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.baseDomain", description = "tenants answer below it"),
    printcolumn(name = "GatewayClass", type_ = "string", json_path = ".spec.gateway.gatewayClassName", description = "what serves it"),
    printcolumn(name = "Tenants", type_ = "integer", json_path = ".status.tenants", description = "how many use it"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status", description = "whether its gateways were seen in place"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason", description = "why it is, or is not, ready"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "since when")
)]
#[serde(rename_all = "camelCase")]
pub struct TenantClassSpec {
    /// Tenants answer at `<tenant>.<baseDomain>` and `*.<tenant>.<baseDomain>`. Classes may share one; one below
    /// another is refused. It cannot change while tenants use the class.
    #[schemars(length(max = 160))]
    #[x_kube(validation = ("self.matches('^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')", "baseDomain must be a lower-case DNS name such as apps.example: no wildcard, scheme, port, upper case or trailing dot, and an internationalised name in its xn-- form"))]
    #[x_kube(validation = ("!self.matches('(^|[.])([a-wyz0-9].|x[^n])--')", "baseDomain has a label with '--' in its third and fourth place, which DNS reserves for xn-- names (RFC 5890): choose another name"))]
    pub base_domain: String,
    /// What the traffic of the tenants enters by.
    pub gateway: ClassGateway,
    /// Certificates, and what the edge speaks.
    pub tls: ClassTls,
    /// What the edge takes from clients. Default: see each of its fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<ClassHttp>,
    /// The web application firewall. Default: the OWASP Core Rule Set in Block mode, paranoia level 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waf: Option<ClassWaf>,
    /// How many requests it takes for each tenant. Default: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<ClassRateLimit>,
    /// Ports beside 443 that its tenants may have. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer4: Option<ClassLayer4>,
    /// What its tenants may reach outside the cluster by their routes. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstreams: Option<ClassUpstreams>,
    /// What is seen of the tenants' requests, beside the access log and the counters. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observability: Option<ClassObservability>,
    /// What every namespace of a tenant gets. Default: Pod Security Standard restricted, a quota on counts, small defaults
    /// for containers, and a network that other tenants are not in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<ClassNamespaces>,
    /// What the edge answers by itself. Default: short pages in English and French.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<ClassPages>,
}

/// What the edge answers by itself.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassPages {
    /// The HTML page that every host of a Suspended tenant answers, with status 503; at most 4000 bytes (a proxy answers
    /// by itself with at most 4096). Default: a short page in English and French that names nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4000))]
    #[x_kube(validation = ("size(bytes(self)) <= 4000", "pages.suspended must have at most 4000 bytes in UTF-8: shorten it, and link images and styles instead of inlining them"))]
    pub suspended: Option<String>,
}

/// What the traffic of the tenants enters by.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.mode) || self.mode != 'Dedicated' || !has(self.allowDedicated) || self.allowDedicated", "gateway.mode Dedicated needs gateway.allowDedicated: set it to true, or choose mode Shared"))]
pub struct ClassGateway {
    /// The GatewayClass, of kgateway or Envoy Gateway. Its `spec.controllerName` says which data plane it is.
    #[schemars(length(min = 1, max = 253))]
    pub gateway_class_name: String,
    /// What a tenant gets that does not choose. Default: Shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<GatewayMode>,
    /// Whether a tenant may ask for a proxy of its own. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_dedicated: Option<bool>,
    /// Tenants on one shared Gateway before another is made, 1 to 500. Default: 100. A tenant stays where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub max_tenants_per_shard: Option<i32>,
    /// Size and address of the proxies. Default: two pods behind a load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
}

/// Size and address of the proxies of a class.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Proxy {
    /// How many proxy pods a Gateway runs. Default: 2 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// Requests and limits of a proxy pod. Default: 100m and 256Mi requested, 1Gi at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The Service in front of the proxies. Default: type LoadBalancer, without annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ProxyService>,
}

/// Requests and limits of a container.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[x_kube(validation = ("!has(self.requests) || !has(self.limits) || !has(self.requests.cpu) || !has(self.limits.cpu) || !isQuantity(self.requests.cpu) || !isQuantity(self.limits.cpu) || quantity(self.requests.cpu).compareTo(quantity(self.limits.cpu)) <= 0", "resources.requests.cpu must not be above resources.limits.cpu, or no proxy could start: raise the limit or lower the request"))]
#[x_kube(validation = ("!has(self.requests) || !has(self.limits) || !has(self.requests.memory) || !has(self.limits.memory) || !isQuantity(self.requests.memory) || !isQuantity(self.limits.memory) || quantity(self.requests.memory).compareTo(quantity(self.limits.memory)) <= 0", "resources.requests.memory must not be above resources.limits.memory, or no proxy could start: raise the limit or lower the request"))]
pub struct Resources {
    /// What the scheduler sets aside. Default: what is in limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceList>,
    /// What the container never passes. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceList>,
}

/// CPU and memory as Kubernetes quantities.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
pub struct ResourceList {
    /// CPU, such as 500m or "2". Default: not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(validation = ("self.matches('^([0-9]+|[0-9]*[.][0-9]+)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$') && quantity(self).isGreaterThan(quantity('0')) && quantity(self).isLessThan(quantity('1E'))", "cpu must be a quantity above 0, such as 500m or 2"))]
    pub cpu: Option<String>,
    /// Memory, such as 512Mi. Default: not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(validation = ("self.matches('^([0-9]+|[0-9]*[.][0-9]+)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$') && !quantity(self).isLessThan(quantity('32Mi')) && quantity(self).isLessThan(quantity('1E'))", "memory must be a quantity of at least 32Mi, such as 512Mi (512m would be half a byte)"))]
    pub memory: Option<String>,
}

/// The Service in front of the proxies.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.loadBalancerClass) || !has(self.type) || self.type == 'LoadBalancer'", "service.loadBalancerClass goes with type LoadBalancer only: remove it, or set type LoadBalancer"))]
#[x_kube(validation = ("!has(self.sourceRanges) || !has(self.type) || self.type == 'LoadBalancer'", "service.sourceRanges goes with type LoadBalancer only: remove it, or set type LoadBalancer"))]
pub struct ProxyService {
    /// Type of the Service. Default: LoadBalancer.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub service_type: Option<ServiceType>,
    /// Annotations for the load balancer's controller. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 1024}))]
    #[x_kube(validation = ("self.all(k, !format.qualifiedName().validate(k).hasValue())", "service.annotations must have keys that an object can have, such as example.com/internal: after the optional DNS prefix at most 63 letters, digits, '-', '_' and '.'"))]
    pub annotations: BTreeMap<String, String>,
    /// Which controller makes the load balancer. Default: the cluster's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = ("!format.qualifiedName().validate(self).hasValue()", "service.loadBalancerClass must be a name with an optional DNS prefix, such as example.com/internal"))]
    pub load_balancer_class: Option<String>,
    /// CIDRs that may reach the load balancer. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 3, max = 43)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("self.all(c, isCIDR(c))", "service.sourceRanges must be CIDRs, such as 203.0.113.0/24"))]
    pub source_ranges: Vec<String>,
}

/// Type of the Service in front of the proxies. Default: LoadBalancer.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceType {
    /// Reached inside the cluster only.
    ClusterIP,
    /// Reached on a port of each node.
    NodePort,
    /// Reached by a load balancer's address.
    #[default]
    LoadBalancer,
}

/// Certificates, and what the edge speaks.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.cipherSuites) || !has(self.minVersion) || self.minVersion != '1.3'", "tls.cipherSuites has no effect with minVersion 1.3, whose suites are fixed: remove one of them"))]
pub struct ClassTls {
    /// The cert-manager issuer of all certificates of the class.
    pub issuer_ref: IssuerRef,
    /// How many new certificates that issuer is asked for, all classes together, so that they stay below what a public authority
    /// takes; what is above waits its turn, and says so. Default: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuance: Option<ClassIssuance>,
    /// One certificate per tenant, or one of the class for the single host `<tenant>.<baseDomain>`. Default: PerTenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateScope>,
    /// Lowest TLS version. Default: 1.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<TlsVersion>,
    /// Cipher suites of TLS 1.2 by their OpenSSL names. Default: the four ECDHE AES-GCM suites of Mozilla's
    /// intermediate profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 3, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("self.all(c, c.matches('^ECDHE-(ECDSA|RSA)-(AES128-GCM-SHA256|AES256-GCM-SHA384|CHACHA20-POLY1305)$'))", "tls.cipherSuites must be forward-secret AEAD suites by their OpenSSL names, such as ECDHE-ECDSA-AES128-GCM-SHA256"))]
    #[x_kube(validation = ("size(self) == 0 || self.exists(c, c.startsWith('ECDHE-ECDSA-'))", "tls.cipherSuites has none for certificates with ECDSA keys, which all of Octroi's are: add one such as ECDHE-ECDSA-AES128-GCM-SHA256"))]
    pub cipher_suites: Vec<String>,
    /// Groups for the key exchange, the preferred one first. Default: X25519MLKEM768, X25519, P-256: post-quantum where the
    /// client can (draft-ietf-tls-ecdhe-mlkem).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(min = 3, max = 32)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("self.all(c, c in ['X25519MLKEM768', 'X25519', 'P-256', 'P-384', 'P-521'])", "tls.curves must be among X25519MLKEM768, X25519, P-256, P-384 and P-521: name others, such as X25519"))]
    #[x_kube(validation = ("size(self) == 0 || self.exists(c, c != 'X25519MLKEM768')", "tls.curves has none that clients without post-quantum key exchange know: add X25519"))]
    pub curves: Vec<String>,
    /// HTTP Strict Transport Security (RFC 6797). Default: one year, this host only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts: Option<Hsts>,
}

/// How many new certificates an issuer is asked for. Renewals are cert-manager's, and do not count.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
pub struct ClassIssuance {
    /// At most so many.
    #[schemars(range(min = 1, max = 100_000))]
    pub certificates: i32,
    /// In so many hours, whenever they begin. Default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 168))]
    pub hours: Option<i32>,
}

/// A cert-manager issuer that every namespace can use.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
pub struct IssuerRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its kind. Default: ClusterIssuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = ("self != 'Issuer'", "tls.issuerRef.kind must be a cluster-scoped issuer, since certificates live in one namespace per tenant: use ClusterIssuer"))]
    pub kind: Option<String>,
    /// Its API group. Default: cert-manager.io.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub group: Option<String>,
}

/// Whose certificate a tenant's own host gets. PerTenant: one per tenant, for `<tenant>.<baseDomain>` and
/// `*.<tenant>.<baseDomain>`. ClassWildcard: one `*.<baseDomain>` of the class, which covers `<tenant>.<baseDomain>` only, so
/// that the tenant has no wildcard host. Default: PerTenant.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateScope {
    /// A certificate per tenant, for `<tenant>.<baseDomain>` and `*.<tenant>.<baseDomain>`.
    #[default]
    PerTenant,
    /// One certificate `*.<baseDomain>` of the class: it covers `<tenant>.<baseDomain>` only, so the tenant has no
    /// wildcard host.
    ClassWildcard,
}

/// The lowest TLS version, 1.2 (RFC 5246) or 1.3 (RFC 8446). Default: 1.2.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    #[serde(rename = "1.3")]
    V1_3,
}

impl TlsVersion {
    /// As written in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}

/// HTTP Strict Transport Security (RFC 6797).
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Hsts {
    /// For how many seconds a browser insists on HTTPS; 0 makes it forget. At most two years.
    #[schemars(range(min = 0, max = 63_072_000))]
    pub max_age_seconds: i64,
    /// Whether the hosts below are included. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_sub_domains: Option<bool>,
}

/// What every namespace of a tenant gets.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ClassNamespaces {
    /// Pod Security Standard that is enforced. Default: restricted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_security: Option<PodSecurity>,
    /// How much a namespace may hold: resource names and quantities as in `ResourceQuota.spec.hard`, such as pods: "500" or
    /// requests.cpu: "8". What is given is merged over the default. Default: counts only: 100 HTTPRoutes, 50 GRPCRoutes, 20
    /// each of TLSRoutes, TCPRoutes and UDPRoutes, 50 Services (none of type LoadBalancer or NodePort, which cannot be
    /// raised), 200 each of Pods, Secrets and ConfigMaps, 50 PersistentVolumeClaims, 500 Jobs, 50 CronJobs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 16}))]
    #[x_kube(validation = ("self.all(k, k.contains('/') ? !format.qualifiedName().validate(k).hasValue() : k in ['pods', 'services', 'services.loadbalancers', 'services.nodeports', 'secrets', 'configmaps', 'persistentvolumeclaims', 'replicationcontrollers', 'resourcequotas', 'cpu', 'memory', 'ephemeral-storage', 'requests.cpu', 'requests.memory', 'requests.storage', 'requests.ephemeral-storage', 'limits.cpu', 'limits.memory', 'limits.ephemeral-storage'])", "namespaces.quota must have names that a ResourceQuota counts, such as pods, requests.cpu or count/deployments.apps"))]
    #[x_kube(validation = ("self.all(k, self[k].matches('^([0-9]+|[0-9]*[.][0-9]+)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$') && quantity(self[k]).isLessThan(quantity('1E')) && (quantity(self[k]).isInteger() || k.endsWith('cpu') || k.endsWith('memory') || k.endsWith('storage')))", "namespaces.quota must have quantities of at least 0, and whole ones of what is counted, such as \"100\" or 64Gi"))]
    #[x_kube(validation = ("!self.exists(k, k in ['services.loadbalancers', 'services.nodeports'] && isQuantity(self[k]) && quantity(self[k]).isGreaterThan(quantity('0')))", "namespaces.quota cannot raise services.loadbalancers or services.nodeports above 0, since a tenant's traffic enters by its gateway only: remove them, and give the tenant gateway.mode Dedicated if it needs an address of its own"))]
    pub quota: BTreeMap<String, String>,
    /// What a container gets that does not say, and at most. Default: 50m CPU and 64Mi memory requested, 512Mi memory as
    /// limit, no CPU limit, no maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_range: Option<ContainerLimits>,
    /// Whom the pods may reach, and who may reach them, beside the tenant's own pods and its gateway. Default: DNS and the
    /// internet may be reached, no private or link-local range; nobody else reaches them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NamespaceNetwork>,
}

/// The Pod Security Standard that is enforced in every namespace of a tenant. Default: restricted.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum PodSecurity {
    /// Anything goes.
    Privileged,
    /// Nothing that is known to break out of a container.
    Baseline,
    /// As hardened as pods can be.
    #[default]
    Restricted,
}

impl PodSecurity {
    /// The value of the label `pod-security.kubernetes.io/enforce`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// What Octroi saw of a class.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TenantClassStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// How many Tenants use the class. While above 0, deleting it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub tenants: Option<i32>,
    /// The shared Gateways, at most the first 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub shards: Vec<ClassShard>,
    /// Accepted, Ready, CapabilitiesSupported, DataPlaneHardened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition_list")]
    pub conditions: Vec<Condition>,
}

/// One shared Gateway of a class.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassShard {
    /// Name of the Gateway.
    #[schemars(length(max = 253))]
    pub name: String,
    /// How many tenants are on it.
    #[schemars(range(min = 0))]
    pub tenants: i32,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub address: Option<String>,
}
