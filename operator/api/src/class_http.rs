//! What the edge takes from clients, in a TenantClass.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What the edge takes from clients. Whatever is not said has a default: no timeout and no limit is left to the data plane.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassHttp {
    /// How many proxies stand in front of the edge whose `X-Forwarded-For` is believed, 0 to 8. Default: 0, and what a client
    /// says of where it comes from is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 8))]
    pub trusted_hops: Option<i32>,
    /// How long the edge waits. Default: see each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<HttpTimeouts>,
    /// How much one client may take. Default: see each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<HttpLimits>,
}

/// How long the edge waits, in seconds.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HttpTimeouts {
    /// For the TLS handshake of a new connection, 1 to 60. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60))]
    pub handshake_seconds: Option<i32>,
    /// For all headers of a request, 1 to 120. Default: 10. kgateway has no such timeout: there `streamIdleSeconds` ends a
    /// client that stops, and none that goes on slowly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 120))]
    pub request_headers_seconds: Option<i32>,
    /// For the next request on an open connection, 1 to 3600. Default: 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub idle_seconds: Option<i32>,
    /// For a sign of life within a request, of the client or of the backend, 1 to 3600. Default: 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub stream_idle_seconds: Option<i32>,
    /// For the whole answer, counted from the end of the request, 0 to 86400; 0 is for ever, as long as there are signs of
    /// life. Default: 0, since streams and downloads have no end that the platform knows. A route's own `timeouts.request`
    /// comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400))]
    pub request_seconds: Option<i32>,
}

/// How much one client may take.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HttpLimits {
    /// Requests at once on one HTTP/2 connection, 1 to 1000. Default: 100 (RFC 9113, section 6.5.2, wants no less).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub concurrent_streams: Option<i32>,
    /// Connections at once to one host or wildcard of a tenant, at one proxy pod, 1 to 1000000. Default: 4096. kgateway has
    /// no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: Option<i32>,
    /// The body of a request in KiB, 1 to 1048576; a larger one is answered with 413. The edge then takes a body as a whole
    /// before it passes it on: uploads are held in the proxy's memory, and a gRPC stream or a WebSocket that never ends its
    /// request gets no further. Default: no limit, and bodies are passed on as they come.
    #[serde(default, rename = "bodyKiB", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub body_kib: Option<i32>,
}
