//! How many requests the edge takes for a tenant, in a TenantClass and in a Tenant.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How many requests the edge takes for each tenant of a class; what is beyond is answered with 429 (RFC 6585, section 4). A
/// tenant that chooses nothing gets `default`; without it, `max`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.default) || !has(self.max) || !has(self.default.requestsPerSecond) || !has(self.max.requestsPerSecond) || self.default.requestsPerSecond <= self.max.requestsPerSecond", "rateLimit.default.requestsPerSecond must not be above rateLimit.max.requestsPerSecond: lower it, or raise the maximum"))]
#[x_kube(validation = ("!has(self.default) || !has(self.max) || !has(self.default.burst) || !has(self.max.burst) || self.default.burst <= self.max.burst", "rateLimit.default.burst must not be above rateLimit.max.burst: lower it, or raise the maximum"))]
#[x_kube(validation = ("!has(self.default) || !has(self.max) || !has(self.default.clientRequestsPerSecond) || !has(self.max.clientRequestsPerSecond) || self.default.clientRequestsPerSecond <= self.max.clientRequestsPerSecond", "rateLimit.default.clientRequestsPerSecond must not be above rateLimit.max.clientRequestsPerSecond: lower it, or raise the maximum"))]
pub struct ClassRateLimit {
    /// What a tenant gets that does not choose. Default: `max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<RateLimit>,
    /// The most that a tenant may choose. Default: `default`, so that a tenant may only lower it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<RateLimit>,
}

/// How many requests the edge takes; what is beyond is answered with 429 (RFC 6585, section 4).
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.burst) || has(self.requestsPerSecond)", "rateLimit.burst goes with requestsPerSecond only: add requestsPerSecond, or remove burst"))]
#[x_kube(validation = ("!has(self.burst) || !has(self.requestsPerSecond) || self.burst >= self.requestsPerSecond", "rateLimit.burst must not be below requestsPerSecond, since so many may come at once anyway: raise it, or remove it"))]
pub struct RateLimit {
    /// Requests of all clients together in one second, over all hosts, routes and proxies of the tenant, 1 to 1000000. On
    /// kgateway each host has a count of its own, and so has each proxy pod: docs/edge.md. Default: no limit in a class, the
    /// class's in a Tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_second: Option<i32>,
    /// Requests that may come at once after a quiet time, 1 to 1000000. Envoy Gateway counts each second by itself, and takes no
    /// more than `requestsPerSecond` at once. Default: `requestsPerSecond`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<i32>,
    /// Requests of one client address in one second, 1 to 1000000. kgateway has no such limit. Default: no limit in a class, the
    /// class's in a Tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub client_requests_per_second: Option<i32>,
}
