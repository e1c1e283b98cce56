//! What the edge takes from clients: what a class says, with every default filled in, and what a tenant makes less of.

use octroi_api::{ClassHttp, GatewayMode, TenantHttp};

use crate::resolve::class::DataPlane;

/// What the edge takes from clients. Times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedHttp {
    /// Proxies in front of the edge that are believed.
    pub trusted_hops: u32,
    /// For the TLS handshake.
    pub handshake: u32,
    /// For all headers of a request.
    pub request_headers: u32,
    /// For the next request on a connection.
    pub idle: u32,
    /// For a sign of life within a request.
    pub stream_idle: u32,
    /// For the whole answer; 0 is for ever.
    pub request: u32,
    /// Requests at once on one HTTP/2 connection.
    pub concurrent_streams: u32,
    /// Connections at once to one host or wildcard, at one proxy pod.
    pub connections: u32,
    /// The body of a request in KiB; `None` for any.
    pub body_kib: Option<u32>,
}

/// Fills in the defaults.
pub fn resolve(http: Option<&ClassHttp>) -> ResolvedHttp {
    let http = http.cloned().unwrap_or_default();
    let (timeouts, limits) = (http.timeouts.unwrap_or_default(), http.limits.unwrap_or_default());
    // The API server refuses what is below 0.
    let or = |said: Option<i32>, default: u32| said.and_then(|said| u32::try_from(said).ok()).unwrap_or(default);
    ResolvedHttp {
        trusted_hops: or(http.trusted_hops, 0),
        handshake: or(timeouts.handshake_seconds, 10),
        request_headers: or(timeouts.request_headers_seconds, 10),
        idle: or(timeouts.idle_seconds, 300),
        stream_idle: or(timeouts.stream_idle_seconds, 300),
        request: or(timeouts.request_seconds, 0),
        concurrent_streams: or(limits.concurrent_streams, 100),
        connections: or(limits.connections, 4096),
        body_kib: limits.body_kib.and_then(|said| u32::try_from(said).ok()),
    }
}

/// What of it is a tenant's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantsHttp {
    /// What holds.
    pub http: ResolvedHttp,
    /// Its own fields that the data plane cannot do.
    pub unsupported: Vec<&'static str>,
}

/// The class's, made less where the tenant asks for it; what it asks for and does not get is said in `clamped`. `serving` is the
/// mode of the Gateway that serves it.
pub fn of_tenant(
    said: Option<&TenantHttp>,
    class: &ResolvedHttp,
    data_plane: DataPlane,
    serving: GatewayMode,
    clamped: &mut Vec<String>,
) -> TenantsHttp {
    let said = said.cloned().unwrap_or_default();
    let (timeouts, limits) = (said.timeouts.clone().unwrap_or_default(), said.limits.clone().unwrap_or_default());
    let mut least = |field: &str, wanted: Option<i32>, most: u32| {
        let Some(wanted) = wanted.map(count) else { return most };
        if wanted > most {
            let next = "lower it to that, or remove it";
            clamped.push(format!("spec.http.{field} is {most}, the most that the class allows: {next}"));
        }
        wanted.min(most)
    };
    let request = if class.request == 0 { NO_END } else { class.request };
    let request = least("timeouts.requestSeconds", timeouts.request_seconds, request);
    let body = least("limits.bodyKiB", limits.body_kib, class.body_kib.unwrap_or(NO_END));
    let http = ResolvedHttp {
        request_headers: least(
            "timeouts.requestHeadersSeconds",
            timeouts.request_headers_seconds,
            class.request_headers,
        ),
        idle: least("timeouts.idleSeconds", timeouts.idle_seconds, class.idle),
        stream_idle: least("timeouts.streamIdleSeconds", timeouts.stream_idle_seconds, class.stream_idle),
        request: if request == NO_END { 0 } else { request },
        concurrent_streams: least("limits.concurrentStreams", limits.concurrent_streams, class.concurrent_streams),
        connections: least("limits.connections", limits.connections, class.connections),
        body_kib: (body != NO_END).then_some(body),
        ..*class
    };
    TenantsHttp { http, unsupported: beyond(&said, data_plane, serving) }
}

/// More than any schema allows.
const NO_END: u32 = u32::MAX;

/// The API server refuses what is below 1.
fn count(said: i32) -> u32 {
    u32::try_from(said).unwrap_or_default().max(1)
}

/// kgateway 2.4 says of an entry alone what is in a TrafficPolicy; what is in a ListenerPolicy it says of a whole Gateway, and so of
/// a tenant where that is its own.
fn beyond(said: &TenantHttp, data_plane: DataPlane, serving: GatewayMode) -> Vec<&'static str> {
    if data_plane == DataPlane::EnvoyGateway {
        return Vec::new();
    }
    let is_shared = serving == GatewayMode::Shared;
    let (timeouts, limits) = (said.timeouts.as_ref(), said.limits.as_ref());
    let headers = timeouts.and_then(|timeouts| timeouts.request_headers_seconds);
    let idle = timeouts.and_then(|timeouts| timeouts.idle_seconds).filter(|_| is_shared);
    let streams = limits.and_then(|limits| limits.concurrent_streams).filter(|_| is_shared);
    let connections = limits.and_then(|limits| limits.connections);
    [
        ("spec.http.timeouts.requestHeadersSeconds", headers),
        ("spec.http.timeouts.idleSeconds on a Shared gateway", idle),
        ("spec.http.limits.concurrentStreams on a Shared gateway", streams),
        ("spec.http.limits.connections", connections),
    ]
    .into_iter()
    .filter_map(|(field, said)| said.map(|_| field))
    .collect()
}

/// Fields that are set and that the data plane cannot do (kgateway 2.4: neither is in the schema of a ListenerPolicy).
pub fn unsupported(http: Option<&ClassHttp>, data_plane: DataPlane) -> Vec<&'static str> {
    let Some(http) = http.filter(|_| data_plane == DataPlane::Kgateway) else { return Vec::new() };
    let headers = http.timeouts.as_ref().and_then(|timeouts| timeouts.request_headers_seconds);
    let connections = http.limits.as_ref().and_then(|limits| limits.connections);
    [("spec.http.timeouts.requestHeadersSeconds", headers), ("spec.http.limits.connections", connections)]
        .into_iter()
        .filter_map(|(field, said)| said.map(|_| field))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use octroi_api::{HttpLimits, HttpTimeouts, TenantHttpLimits, TenantHttpTimeouts};

    #[test]
    fn nothing_is_left_to_the_data_plane() {
        let none = resolve(None);
        assert_eq!(
            (none.handshake, none.request_headers, none.idle, none.stream_idle, none.request),
            (10, 10, 300, 300, 0)
        );
        assert_eq!((none.trusted_hops, none.concurrent_streams, none.connections), (0, 100, 4096));
    }

    #[test]
    fn what_is_set_and_cannot_be_done_is_named() {
        let timeouts =
            HttpTimeouts { request_headers_seconds: Some(5), idle_seconds: Some(5), ..HttpTimeouts::default() };
        let limits = HttpLimits { connections: Some(10), ..HttpLimits::default() };
        let http = ClassHttp { timeouts: Some(timeouts), limits: Some(limits), ..ClassHttp::default() };
        let named = unsupported(Some(&http), DataPlane::Kgateway);
        assert_eq!(named, ["spec.http.timeouts.requestHeadersSeconds", "spec.http.limits.connections"]);
        assert!(unsupported(Some(&http), DataPlane::EnvoyGateway).is_empty());
        assert!(unsupported(Some(&ClassHttp::default()), DataPlane::Kgateway).is_empty());
    }

    const EG: DataPlane = DataPlane::EnvoyGateway;

    /// Every field, all of them one number.
    fn all(number: i32) -> TenantHttp {
        let timeouts = TenantHttpTimeouts {
            request_headers_seconds: Some(number),
            idle_seconds: Some(number),
            stream_idle_seconds: Some(number),
            request_seconds: Some(number),
        };
        let limits =
            TenantHttpLimits { concurrent_streams: Some(number), connections: Some(number), body_kib: Some(number) };
        TenantHttp { timeouts: Some(timeouts), limits: Some(limits) }
    }

    fn tightened(said: &TenantHttp, class: &ResolvedHttp) -> (ResolvedHttp, Vec<String>) {
        let mut clamped = Vec::new();
        (of_tenant(Some(said), class, EG, GatewayMode::Shared, &mut clamped).http, clamped)
    }

    #[test]
    fn a_tenant_that_says_nothing_has_what_the_class_says() {
        let class = resolve(None);
        let mut clamped = Vec::new();
        let found = of_tenant(None, &class, EG, GatewayMode::Shared, &mut clamped);
        assert_eq!((found.http, found.unsupported, clamped.len()), (class, Vec::new(), 0));
        let empty = TenantHttp { timeouts: Some(TenantHttpTimeouts::default()), limits: None };
        assert_eq!(tightened(&empty, &class), (class, Vec::new()));
    }

    #[test]
    fn a_tenant_may_ask_for_less_and_where_the_class_has_no_end_for_one() {
        let class = ResolvedHttp { trusted_hops: 2, handshake: 7, ..resolve(None) };
        let (found, clamped) = tightened(&all(5), &class);
        let wanted = ResolvedHttp {
            trusted_hops: 2,
            handshake: 7,
            request_headers: 5,
            idle: 5,
            stream_idle: 5,
            request: 5,
            concurrent_streams: 5,
            connections: 5,
            body_kib: Some(5),
        };
        assert_eq!((found, clamped), (wanted, Vec::new()));
    }

    #[test]
    fn a_tenant_gets_no_more_than_the_class_and_is_told() {
        let class = ResolvedHttp { request: 60, body_kib: Some(64), connections: 90, ..resolve(None) };
        let (found, clamped) = tightened(&all(3600), &class);
        assert_eq!(found, class);
        assert_eq!(clamped.len(), 7, "{clamped:?}");
        let first =
            "spec.http.timeouts.requestSeconds is 60, the most that the class allows: lower it to that, or remove it";
        assert_eq!(clamped[0], first);
        let (same, clamped) = tightened(&all(10), &ResolvedHttp { request: 10, body_kib: Some(10), ..class });
        assert_eq!((same.request, same.body_kib, clamped.len()), (10, Some(10), 0), "as much is not more");
    }

    #[test]
    fn a_class_that_is_lowered_takes_effect() {
        let (before, said) = tightened(&all(80), &ResolvedHttp { body_kib: Some(100), ..resolve(None) });
        let (after, and_then) = tightened(&all(80), &ResolvedHttp { body_kib: Some(60), ..resolve(None) });
        assert_eq!((before.body_kib, after.body_kib), (Some(80), Some(60)));
        assert_eq!(and_then.len(), said.len() + 1, "{and_then:?}");
    }

    #[test]
    fn nothing_stored_makes_a_limit_of_none_at_all() {
        for number in [0, -1, i32::MIN] {
            let (found, clamped) = tightened(&all(number), &resolve(None));
            assert_eq!((found.request, found.body_kib, found.connections, clamped.len()), (1, Some(1), 1, 0));
        }
    }

    #[test]
    fn what_a_tenant_sets_and_kgateway_cannot_do_for_it_alone_is_named() {
        let of = |plane, mode| of_tenant(Some(&all(5)), &resolve(None), plane, mode, &mut Vec::new()).unsupported;
        assert!(of(EG, GatewayMode::Shared).is_empty() && of(EG, GatewayMode::Dedicated).is_empty());
        let everywhere = ["spec.http.timeouts.requestHeadersSeconds", "spec.http.limits.connections"];
        assert_eq!(of(DataPlane::Kgateway, GatewayMode::Dedicated), everywhere);
        let shared = of(DataPlane::Kgateway, GatewayMode::Shared);
        assert_eq!(shared.len(), 4, "{shared:?}");
        assert_eq!(shared[1], "spec.http.timeouts.idleSeconds on a Shared gateway");
        let routes = TenantHttp {
            timeouts: Some(TenantHttpTimeouts {
                stream_idle_seconds: Some(5),
                request_seconds: Some(5),
                ..Default::default()
            }),
            limits: Some(TenantHttpLimits { body_kib: Some(5), ..Default::default() }),
        };
        let found = of_tenant(Some(&routes), &resolve(None), DataPlane::Kgateway, GatewayMode::Shared, &mut Vec::new());
        assert!(found.unsupported.is_empty(), "{:?}", found.unsupported);
    }
}
