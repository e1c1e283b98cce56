//! The parts of a TenantClass that bound what a tenant's namespaces use and reach.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::ResourceList;

/// What a container gets that does not say, and at most, as in a `LimitRange` of type Container.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.defaultRequest) || !has(self.default) || !has(self.defaultRequest.cpu) || !has(self.default.cpu) || !isQuantity(self.defaultRequest.cpu) || !isQuantity(self.default.cpu) || quantity(self.defaultRequest.cpu).compareTo(quantity(self.default.cpu)) <= 0", "limitRange.defaultRequest.cpu must not be above limitRange.default.cpu: raise the default or lower the request"))]
#[x_kube(validation = ("!has(self.defaultRequest) || !has(self.default) || !has(self.defaultRequest.memory) || !has(self.default.memory) || !isQuantity(self.defaultRequest.memory) || !isQuantity(self.default.memory) || quantity(self.defaultRequest.memory).compareTo(quantity(self.default.memory)) <= 0", "limitRange.defaultRequest.memory must not be above limitRange.default.memory: raise the default or lower the request"))]
#[x_kube(validation = ("!has(self.max) || !has(self.max.cpu) || !isQuantity(self.max.cpu) || [has(self.default) && has(self.default.cpu) ? self.default.cpu : '0', has(self.defaultRequest) && has(self.defaultRequest.cpu) ? self.defaultRequest.cpu : '0'].all(v, !isQuantity(v) || quantity(v).compareTo(quantity(self.max.cpu)) <= 0)", "limitRange.max.cpu must not be below limitRange.default.cpu or limitRange.defaultRequest.cpu: raise max or lower them"))]
#[x_kube(validation = ("!has(self.max) || !has(self.max.memory) || !isQuantity(self.max.memory) || [has(self.default) && has(self.default.memory) ? self.default.memory : '0', has(self.defaultRequest) && has(self.defaultRequest.memory) ? self.defaultRequest.memory : '0'].all(v, !isQuantity(v) || quantity(v).compareTo(quantity(self.max.memory)) <= 0)", "limitRange.max.memory must not be below limitRange.default.memory or limitRange.defaultRequest.memory: raise max or lower them"))]
pub struct ContainerLimits {
    /// The limit of a container that names none. Default: 512Mi memory, no CPU limit; where max is set, at most that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ResourceList>,
    /// The request of a container that names none. Default: 50m CPU, 64Mi memory; never above its limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_request: Option<ResourceList>,
    /// The highest limit that a container may name. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<ResourceList>,
}

/// Whom a tenant's pods may reach, and who may reach them, beside the tenant's own pods and its gateway.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceNetwork {
    /// CIDRs that pods may not reach, beside the ones that never are: private, shared, loopback and link-local ranges of IPv4
    /// and IPv6 with the metadata addresses of clouds. Add the address of the API server and the ranges of nodes and pods
    /// where they are public; 0.0.0.0/0 and ::/0 close the internet. Default: none beside those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 3, max = 43)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("self.all(c, isCIDR(c) && cidr(c) == cidr(c).masked())", "networkPolicy.egressExcept must be CIDRs whose host bits are 0, such as 203.0.113.0/24"))]
    pub egress_except: Vec<String>,
    /// CIDRs that pods may reach all the same, such as the API server's or a database's. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["cidr".into()]))]
    pub egress_allow: Vec<EgressAllow>,
    /// Namespaces of the platform whose pods may reach the tenants' pods and the proxies' metrics, such as monitoring. A
    /// tenant's namespace never counts. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("self.all(n, !format.dns1123Label().validate(n).hasValue())", "networkPolicy.ingressNamespaces must be names of namespaces, such as monitoring"))]
    pub ingress_namespaces: Vec<String>,
}

/// Addresses that a tenant's pods may reach.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
pub struct EgressAllow {
    /// The addresses, such as 10.0.0.10/32. Most network plugins compare the address of the pod or node behind a Service, not
    /// the Service's own.
    #[schemars(length(min = 3, max = 43))]
    #[x_kube(validation = ("isCIDR(self) && cidr(self) == cidr(self).masked()", "networkPolicy.egressAllow[].cidr must be a CIDR whose host bits are 0, such as 10.0.0.10/32"))]
    pub cidr: String,
    /// The ports, TCP and UDP alike. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(range(min = 1, max = 65535)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub ports: Vec<i32>,
}
