//! `ClientTrafficPolicy` and `BackendTrafficPolicy`: what a proxy does with clients and with backends. Durations are as in
//! the Gateway API (GEP-2257), such as `10s`.

use serde::Serialize;

use super::{API_VERSION, RateLimit};
use crate::{HeaderSet, Spec, TargetRef};

/// What the proxy does with clients' connections. Routes cannot override it.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ClientTrafficPolicySpec {
    /// What it is attached to.
    pub target_refs: Vec<TargetRef>,
    /// Whom a request comes from; absent for the peer of the connection.
    #[serde(rename = "clientIPDetection", skip_serializing_if = "Option::is_none")]
    pub client_ip_detection: Option<ClientIpDetection>,
    /// TLS; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ClientTls>,
    /// How a path is read.
    pub path: Path,
    /// Headers.
    pub headers: Headers,
    /// How long the proxy waits.
    pub timeout: ClientTimeout,
    /// Connections.
    pub connection: ClientConnection,
    /// HTTP/2.
    pub http2: Http2,
}

impl Spec for ClientTrafficPolicySpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "ClientTrafficPolicy";
}

/// Whom a request comes from.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ClientIpDetection {
    /// By the header of that name.
    pub x_forwarded_for: XForwardedFor,
}

/// Which part of `X-Forwarded-For` is believed.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct XForwardedFor {
    /// So many from the right.
    pub num_trusted_hops: u32,
}

/// TLS towards clients.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ClientTls {
    /// `1.2` or `1.3`.
    pub min_version: &'static str,
    /// TLS 1.2 suites by OpenSSL names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ciphers: Vec<String>,
    /// Groups for the key exchange.
    #[serde(rename = "ecdhCurves")]
    pub ecdh_curves: Vec<String>,
    /// What is offered by ALPN.
    pub alpn_protocols: Vec<&'static str>,
}

/// How a path is read.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Path {
    /// What happens to `%2F` and `%5C`.
    pub escaped_slashes_action: &'static str,
    /// Whether `//` stays as it is.
    pub disable_merge_slashes: bool,
}

/// Headers that are changed.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Headers {
    /// Whether the proxy tells of itself in `x-envoy-*`.
    pub enable_envoy_headers: bool,
    /// What happens to names with an underscore.
    pub with_underscores_action: &'static str,
    /// What happens to `x-forwarded-client-cert`.
    pub x_forwarded_client_cert: ForwardedClientCert,
    /// Of a request, before anything else.
    pub early_request_headers: EarlyHeaders,
    /// Of a response, after everything else.
    pub late_response_headers: HeaderSet,
}

/// Headers that are removed.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct EarlyHeaders {
    /// Their names.
    pub remove: Vec<String>,
    /// What matches their names.
    pub remove_on_match: Vec<StringMatch>,
}

/// A match of a text.
#[derive(Serialize, Clone, Debug)]
pub struct StringMatch {
    /// Such as `Prefix`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What is compared.
    pub value: &'static str,
}

/// What happens to `x-forwarded-client-cert`.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ForwardedClientCert {
    /// As in Envoy, such as `Sanitize`.
    pub mode: &'static str,
    /// What of a client's certificate it says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cert_details_to_add: Vec<&'static str>,
}

/// How long the proxy waits for a client.
#[derive(Serialize, Clone, Debug)]
pub struct ClientTimeout {
    /// Before there is a request.
    pub tcp: ClientTcpTimeout,
    /// Of requests.
    pub http: ClientHttpTimeout,
}

/// How long the proxy waits before there is a request.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ClientTcpTimeout {
    /// For the first bytes, which say whose connection it is. Of a whole port: what one policy says holds for all.
    pub connection_inspection_timeout: String,
    /// For the TLS handshake.
    pub tls_handshake_timeout: String,
}

/// How long the proxy waits for requests.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ClientHttpTimeout {
    /// For all headers of one.
    pub request_headers_received_timeout: String,
    /// For the next one on a connection.
    pub idle_timeout: String,
    /// For a sign of life within one.
    pub stream_idle_timeout: String,
}

/// Connections.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ClientConnection {
    /// How many at once.
    pub connection_limit: ConnectionLimit,
    /// How much of a body a filter may hold back, as a quantity.
    pub buffer_limit: String,
}

/// How many connections at once.
#[derive(Serialize, Clone, Debug)]
pub struct ConnectionLimit {
    /// Of one listener, in one proxy.
    pub value: u32,
}

/// HTTP/2.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Http2 {
    /// Requests at once on a connection.
    pub max_concurrent_streams: u32,
    /// Bytes in flight of one request, as a quantity.
    pub initial_stream_window_size: String,
    /// Bytes in flight of one connection, as a quantity.
    pub initial_connection_window_size: String,
}

/// What the proxy does with requests on the way to backends.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct BackendTrafficPolicySpec {
    /// What it is attached to.
    pub target_refs: Vec<TargetRef>,
    /// How long the proxy waits.
    pub timeout: BackendTimeout,
    /// Bodies of requests are taken as a whole; absent where they are passed on as they come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_buffer: Option<RequestBuffer>,
    /// How many requests pass; absent for any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

impl Spec for BackendTrafficPolicySpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "BackendTrafficPolicy";
}

/// Bodies of requests are taken as a whole.
#[derive(Serialize, Clone, Debug)]
pub struct RequestBuffer {
    /// Largest one, as a quantity.
    pub limit: String,
}

/// How long the proxy waits for a backend.
#[derive(Serialize, Clone, Debug)]
pub struct BackendTimeout {
    /// Of requests.
    pub http: BackendHttpTimeout,
}

/// How long the proxy waits for a backend's answer.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct BackendHttpTimeout {
    /// For the whole of it; `0s` is for ever. A route's own comes first.
    pub request_timeout: String,
}
