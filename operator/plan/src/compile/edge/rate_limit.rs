//! How many requests a tenant's entry takes, in the words of each data plane.

use octroi_api::Replicas;
use octroi_external::{envoy_gateway as eg, kgateway as kgw};

use super::seconds;
use crate::resolve::ResolvedTenant;
use crate::resolve::rate_limit::Rate;
use crate::world::GatewayRef;

/// Every address, in each of the two protocols: a range of the one holds no address of the other.
const EVERYBODY: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// Envoy Gateway names a shared rule after the policy, and its count with it: the one policy of an entry makes one count for all
/// routes, hosts and proxies of the tenant (1.9.1, internal/xds/translator/ratelimit.go).
pub(super) fn envoy_gateway(tenant: &ResolvedTenant) -> Option<eg::RateLimit> {
    let limit = &tenant.rate_limit.limit;
    let of_all = limit.tenant.map(|rate| rule(rate.per_second, Vec::new()));
    let of_one = limit.client.into_iter().flat_map(|requests| {
        EVERYBODY.map(|value| {
            let source_cidr = eg::SourceCidr { invert: false, r#type: "Distinct", value };
            rule(requests, vec![eg::ClientSelector { source_cidr }])
        })
    });
    let rules: Vec<_> = of_all.into_iter().chain(of_one).collect();
    (!rules.is_empty()).then_some(eg::RateLimit { global: eg::GlobalRateLimit { rules } })
}

fn rule(requests: u32, client_selectors: Vec<eg::ClientSelector>) -> eg::RateLimitRule {
    let limit = eg::RateLimitValue { requests, unit: "Second" };
    eg::RateLimitRule { client_selectors, limit, shared: true, x_rate_limit_headers: "DraftVersion03" }
}

/// kgateway puts the bucket into the route configuration of each listener, in each pod of the proxy: a pod gets its share of the
/// rate, so that all of them together never pass it.
pub(super) fn kgateway(tenant: &ResolvedTenant) -> Option<kgw::RateLimit> {
    let token_bucket = tenant.rate_limit.limit.tenant.map(|rate| share(rate, pods(tenant)))?;
    Some(kgw::RateLimit { local: kgw::LocalRateLimit { token_bucket } })
}

/// As many as there may be: an autoscaler adds some when the limit is needed most.
fn pods(tenant: &ResolvedTenant) -> u32 {
    let own = GatewayRef { namespace: tenant.name.gateway_namespace(), name: tenant.name.to_string() };
    let Replicas { max, .. } =
        if tenant.placement.serving == own { tenant.replicas } else { tenant.class.proxy.replicas };
    u32::try_from(max).unwrap_or_default().max(1)
}

/// A fraction of a request has to wait for the next ones: the same rate over as many seconds as there are pods.
fn share(rate: Rate, pods: u32) -> kgw::TokenBucket {
    let whole = rate.per_second.is_multiple_of(pods);
    let (tokens_per_fill, every) = if whole { (rate.per_second / pods, 1) } else { (rate.per_second, pods) };
    kgw::TokenBucket { max_tokens: rate.burst.div_ceil(pods), tokens_per_fill, fill_interval: seconds(every) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(per_second: u32, burst: u32, pods: u32) -> (u32, u32, String) {
        let bucket = share(Rate { per_second, burst }, pods);
        (bucket.max_tokens, bucket.tokens_per_fill, bucket.fill_interval)
    }

    #[test]
    fn pods_share_a_rate_without_a_rest() {
        assert_eq!(of(100, 200, 1), (200, 100, "1s".into()));
        assert_eq!(of(100, 200, 2), (100, 50, "1s".into()));
        assert_eq!(of(100, 100, 3), (34, 100, "3s".into()), "33.3 a second each");
        assert_eq!(of(1, 1, 50), (1, 1, "50s".into()));
        assert_eq!(of(1_000_000, 1_000_000, 1), (1_000_000, 1_000_000, "1s".into()));
    }
}
