//! `rateLimit` of a `BackendTrafficPolicy`. Only the global kind: the local one counts for each route by itself.

use serde::Serialize;

/// How many requests pass.
#[derive(Serialize, Clone, Debug)]
pub struct RateLimit {
    /// Counted by Envoy's rate limit service, for all proxies together.
    pub global: GlobalRateLimit,
}

/// What Envoy's rate limit service counts.
#[derive(Serialize, Clone, Debug)]
pub struct GlobalRateLimit {
    /// Each that a request is over refuses it.
    pub rules: Vec<RateLimitRule>,
}

/// One count.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct RateLimitRule {
    /// Of whom; all clients when there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_selectors: Vec<ClientSelector>,
    /// How many.
    pub limit: RateLimitValue,
    /// Whether all routes, listeners and proxies that the policy reaches share the count.
    pub shared: bool,
    /// Which headers tell of it.
    pub x_rate_limit_headers: &'static str,
}

/// Of whom a count is.
#[derive(Serialize, Clone, Debug)]
pub struct ClientSelector {
    /// By address.
    #[serde(rename = "sourceCIDR")]
    pub source_cidr: SourceCidr,
}

/// Addresses of clients.
#[derive(Serialize, Clone, Debug)]
pub struct SourceCidr {
    /// Whether it is of the addresses outside. Said, since the API server would fill it in.
    pub invert: bool,
    /// `Distinct`: one count for each address.
    pub r#type: &'static str,
    /// Within this range.
    pub value: &'static str,
}

/// How many.
#[derive(Serialize, Clone, Debug)]
pub struct RateLimitValue {
    /// Requests.
    pub requests: u32,
    /// In one of these.
    pub unit: &'static str,
}
