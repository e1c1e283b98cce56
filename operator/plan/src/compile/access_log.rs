//! The access log of each proxy: one JSON line for each request on standard output, with the same fields on both data planes.
//!
//! Envoy quotes what is in a field, so no client breaks a line; what clients send is cut at a length. Secrets are often in a query,
//! so none is written.

use std::collections::BTreeMap;

/// Standard output of the proxy's container.
pub const PATH: &str = "/dev/stdout";

/// Whose request it is: the `acme` of `gw-acme`, by the name of the filter chain that took the connection. The control plane writes
/// that name, so neither a client nor a route has a word in it, and a request has it before any route is looked for. It is
/// `<namespace>/<ListenerSet>/<listener>` on kgateway, with `<namespace>/<Gateway>/` before it on Envoy Gateway (1.9.1,
/// `irListenerName` of internal/gatewayapi/helpers.go). What is no tenant's, such as port 80 of a shared Gateway, is `null`.
/// `re.capture` is of CEL in Envoy (tried on 1.38.3 and 1.39.1).
pub const TENANT: &str = "%CEL(re.capture(xds.filter_chain_name, '^(?:[^/]+/[^/]+/)?gw-([^/]+)/[^/]+/[^/]+$'))%";

/// The same where nothing may be missing, since the client's own word would then stay: `-`, which is no name of a tenant.
pub const TENANT_OR_NOBODY: &str = "%CEL(xds.filter_chain_name.matches('^(?:[^/]+/[^/]+/)?gw-([^/]+)/[^/]+/[^/]+$') ? re.capture(xds.filter_chain_name, '^(?:[^/]+/[^/]+/)?gw-([^/]+)/[^/]+/[^/]+$') : '-')%";

/// Names as in docs/observability.md, which a test compares.
const FIELDS: [(&str, &str); 24] = [
    ("time", "%START_TIME%"),
    ("tenant", TENANT),
    ("listener", "%FILTER_CHAIN_NAME%"),
    ("route", "%ROUTE_NAME%"),
    ("method", "%REQ(:METHOD):32%"),
    ("authority", "%REQ(:AUTHORITY):256%"),
    ("path", "%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH):1024%"),
    ("protocol", "%PROTOCOL%"),
    ("status", "%RESPONSE_CODE%"),
    ("status_details", "%RESPONSE_CODE_DETAILS%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration_ms", "%DURATION%"),
    ("upstream_ms", "%RESPONSE_DURATION%"),
    ("upstream", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_failure", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("client", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("peer", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("tls", "%DOWNSTREAM_TLS_VERSION%"),
    ("user_agent", "%REQ(USER-AGENT):256%"),
    ("request_id", "%REQ(X-REQUEST-ID):64%"),
    ("traceparent", "%REQ(TRACEPARENT):64%"),
];

/// What is in a line, by name.
pub fn fields() -> BTreeMap<&'static str, &'static str> {
    FIELDS.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{FIELDS, fields};

    #[test]
    fn each_name_is_there_once() {
        assert_eq!(fields().len(), FIELDS.len());
    }

    #[test]
    fn what_a_client_sends_is_cut_and_without_a_query() {
        for (name, operator) in FIELDS.iter().filter(|(_, operator)| operator.contains("%REQ")) {
            let length = operator.trim_end_matches('%').rsplit_once("):").map(|(_, length)| length.parse::<u32>());
            assert!(matches!(length, Some(Ok(1..=1024))), "{name}: {operator}");
            assert!(!operator.contains(":PATH") || operator.starts_with("%REQ_WITHOUT_QUERY"), "{name}: {operator}");
        }
    }

    #[test]
    fn no_client_says_whose_request_it_is() {
        let tenant = fields()["tenant"];
        for clients in ["REQ", "SERVER_NAME", "request.", "METADATA", "ROUTE"] {
            assert!(!tenant.contains(clients), "{tenant}");
        }
    }
}
