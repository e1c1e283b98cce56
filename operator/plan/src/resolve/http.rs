//! What the edge takes from clients, with every default filled in.

use octroi_api::ClassHttp;

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
    use octroi_api::{HttpLimits, HttpTimeouts};

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
}
