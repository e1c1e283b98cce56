//! What the edge takes from a tenant's clients, beyond its class.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What the edge takes from a tenant's clients, where that is less than the class's. What asks for more gets what the class says.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TenantHttp {
    /// How long the edge waits. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<TenantHttpTimeouts>,
    /// How much one client may take. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<TenantHttpLimits>,
}

/// How long the edge waits, in seconds. For a handshake it waits as long as the class says: whose it is, is not known before.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TenantHttpTimeouts {
    /// For all headers of a request, 1 to 120. kgateway has no such timeout. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 120))]
    pub request_headers_seconds: Option<i32>,
    /// For the next request on an open connection, 1 to 3600. On kgateway only with a Dedicated gateway. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub idle_seconds: Option<i32>,
    /// For a sign of life within a request, of the client or of the backend, 1 to 3600. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub stream_idle_seconds: Option<i32>,
    /// For the whole answer, counted from the end of the request, 1 to 86400. A route's own `timeouts.request` comes first.
    /// Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub request_seconds: Option<i32>,
}

/// How much one client may take.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TenantHttpLimits {
    /// Requests at once on one HTTP/2 connection, 1 to 1000. On kgateway only with a Dedicated gateway. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub concurrent_streams: Option<i32>,
    /// Connections at once to one host or wildcard of the tenant, at one proxy pod, 1 to 1000000. kgateway has no such limit.
    /// Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: Option<i32>,
    /// The body of a request in KiB, 1 to 1048576; a larger one is answered with 413. The edge then takes a body as a whole
    /// before it passes it on, as with the class's. Default: the class's.
    #[serde(default, rename = "bodyKiB", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub body_kib: Option<i32>,
}
