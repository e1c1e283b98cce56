//! `GatewayParameters`, `ListenerPolicy`, `TrafficPolicy`, `DirectResponse` and `Backend` of `gateway.kgateway.dev/v1alpha1` (kgateway 2.4).

mod auth;
mod backend;
mod tracing;

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::MetricSpec;
use k8s_openapi::api::core::v1::{PodSecurityContext, ResourceRequirements, SecurityContext};
use serde::Serialize;

pub use self::auth::*;
pub use self::backend::*;
pub use self::tracing::*;
use crate::{HeaderSet, ServiceRef, Spec, TargetRef};

const API_VERSION: &str = "gateway.kgateway.dev/v1alpha1";

/// Keys of a listener's `tls.options`; a route cannot reach them.
pub mod tls_options {
    /// `1.2` or `1.3`.
    pub const MIN_VERSION: &str = "kgateway.dev/min-tls-version";
    /// TLS 1.2 suites by OpenSSL names, separated by commas.
    pub const CIPHER_SUITES: &str = "kgateway.dev/cipher-suites";
    /// Groups for the key exchange, separated by commas.
    pub const ECDH_CURVES: &str = "kgateway.dev/ecdh-curves";
    /// What is offered by ALPN, separated by commas.
    pub const ALPN_PROTOCOLS: &str = "kgateway.dev/alpn-protocols";
}

/// How the proxy of a Gateway runs.
#[derive(Serialize, Clone, Debug)]
pub struct GatewayParametersSpec {
    /// What is made in Kubernetes.
    pub kube: Kube,
}

impl Spec for GatewayParametersSpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "GatewayParameters";
}

/// What is made in Kubernetes for a proxy.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Kube {
    /// The pods; absent when an autoscaler chooses their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Deployment>,
    /// The Envoy container.
    pub envoy_container: EnvoyContainer,
    /// The pod.
    pub pod_template: PodTemplate,
    /// What is in front of the pods.
    pub service: Service,
    /// Chooses the number of pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizontal_pod_autoscaler: Option<Overlay<AutoscalerSpec>>,
    /// How many pods may be away at once.
    pub pod_disruption_budget: Overlay<BudgetSpec>,
}

/// The pods of a proxy.
#[derive(Serialize, Clone, Debug)]
pub struct Deployment {
    /// How many.
    pub replicas: i32,
}

/// The Envoy container.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyContainer {
    /// Requests and limits.
    pub resources: ResourceRequirements,
    /// Security of the container.
    pub security_context: SecurityContext,
}

/// A proxy's pod.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// Security of the pod.
    pub security_context: PodSecurityContext,
}

/// What is in front of the pods.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Type of the Service.
    #[serde(rename = "type")]
    pub service_type: &'static str,
    /// For the load balancer's controller.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra_annotations: BTreeMap<String, String>,
    /// Which controller makes the load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<String>,
    /// CIDRs that may reach it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub load_balancer_source_ranges: Vec<String>,
}

/// An object that kgateway makes beside the Deployment; kgateway fills in target and selector.
#[derive(Serialize, Clone, Debug)]
pub struct Overlay<S> {
    /// The object's spec.
    pub spec: S,
}

/// Spec of a HorizontalPodAutoscaler without its target.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AutoscalerSpec {
    /// Fewest.
    pub min_replicas: i32,
    /// Most.
    pub max_replicas: i32,
    /// By what.
    pub metrics: Vec<MetricSpec>,
}

/// Spec of a PodDisruptionBudget without its selector.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct BudgetSpec {
    /// Pods that may be away.
    pub max_unavailable: i32,
}

/// What is done with requests and responses.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct TrafficPolicySpec {
    /// What it is attached to.
    pub target_refs: Vec<TargetRef>,
    /// Headers.
    pub header_modifiers: HeaderModifiers,
    /// How long the proxy waits.
    pub timeouts: Timeouts,
    /// Bodies of requests are taken as a whole; absent where they are passed on as they come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer: Option<Buffer>,
    /// A service that is asked about each request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ext_proc: Option<ExtProcPolicy>,
    /// How many requests pass; absent for any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Who may come in.
    #[serde(flatten)]
    pub auth: AuthPolicy,
}

impl Spec for TrafficPolicySpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "TrafficPolicy";
}

/// Bodies of requests are taken as a whole.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Buffer {
    /// Largest one, as a quantity.
    pub max_request_size: String,
}

/// How many requests pass.
#[derive(Serialize, Clone, Debug)]
pub struct RateLimit {
    /// Counted by the proxy itself: for each listener, in each of its pods.
    pub local: LocalRateLimit,
}

/// What the proxy counts by itself.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct LocalRateLimit {
    /// Each request takes a token.
    pub token_bucket: TokenBucket,
}

/// A bucket that fills evenly.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct TokenBucket {
    /// What it holds when it is full, as it is at first.
    pub max_tokens: u32,
    /// What comes in one interval.
    pub tokens_per_fill: u32,
    /// At least 50 ms.
    pub fill_interval: String,
}

/// Headers that are changed.
#[derive(Serialize, Clone, Debug)]
pub struct HeaderModifiers {
    /// Of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<HeaderSet>,
    /// On the way to the client.
    pub response: HeaderSet,
}

/// How long the proxy waits.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// For a backend's whole answer; `0s` is for ever. A route's own comes first.
    pub request: String,
    /// For a sign of life within a request.
    pub stream_idle: String,
}

/// Which service is asked about each request.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ExtProcPolicy {
    /// The GatewayExtension that says so.
    pub extension_ref: ExtensionRef,
}

/// A GatewayExtension of the same namespace.
#[derive(Serialize, Clone, Debug)]
pub struct ExtensionRef {
    /// Name.
    pub name: String,
}

/// What a TrafficPolicy refers to.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub enum GatewayExtensionSpec {
    /// A service that proxies ask about each request.
    ExtProc(ExtProc),
    /// Tokens that are believed.
    Jwt(Jwt),
}

impl Spec for GatewayExtensionSpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "GatewayExtension";
}

/// A service that is asked by ext_proc.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ExtProc {
    /// Where it is.
    pub grpc_service: GrpcService,
    /// Whether requests pass while it has no answer.
    pub fail_open: bool,
    /// How long one answer may take.
    pub message_timeout: String,
    /// Whether its answer may change what follows.
    pub allow_processing_mode_override: bool,
    /// What it is sent.
    pub processing_mode: ProcessingMode,
    /// What Envoy tells beside that.
    pub request_attributes: Vec<&'static str>,
    /// Before and after what it is asked.
    pub filter_stage: FilterStage,
}

/// A gRPC service.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct GrpcService {
    /// Its Service, in any namespace that grants it.
    pub backend_ref: ServiceRef,
}

/// What a service is sent of a request and of its answer, in Envoy's words.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ProcessingMode {
    /// Headers of the request.
    pub request_header_mode: &'static str,
    /// Its body.
    pub request_body_mode: &'static str,
    /// Headers of the answer.
    pub response_header_mode: &'static str,
    /// Its body.
    pub response_body_mode: &'static str,
}

/// Before or after which of the proxy's own filters.
#[derive(Serialize, Clone, Debug)]
pub struct FilterStage {
    /// Such as `AuthN`.
    pub stage: &'static str,
    /// `Before`, `During` or `After`.
    pub predicate: &'static str,
}

/// What the listeners of a Gateway do with clients' connections. Routes cannot override it.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ListenerPolicySpec {
    /// What it is attached to.
    pub target_refs: Vec<TargetRef>,
    /// On every port.
    pub default: Listeners,
}

impl Spec for ListenerPolicySpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "ListenerPolicy";
}

/// What listeners do with clients' connections.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Listeners {
    /// For the TLS handshake.
    pub transport_socket_connect_timeout: String,
    /// How much of a body a filter may hold back, in bytes.
    pub per_connection_buffer_limit_bytes: u32,
    /// HTTP.
    pub http_settings: HttpSettings,
}

/// HTTP of listeners.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct HttpSettings {
    /// Whether the peer of the connection is the client, but for trusted hops.
    pub use_remote_address: bool,
    /// So many entries of `X-Forwarded-For`, from the right, are believed.
    pub xff_num_trusted_hops: u32,
    /// Of a request, before anything else.
    pub early_request_header_modifier: HeaderSet,
    /// What happens to `x-forwarded-client-cert`.
    pub forward_client_cert_details: ForwardClientCertDetails,
    /// What happens to `server`.
    pub server_header_transformation: &'static str,
    /// All headers of a request, in KiB.
    pub max_request_headers_kb: u32,
    /// Headers of a request.
    pub max_headers_count: u32,
    /// For the next request on a connection.
    pub idle_timeout: String,
    /// For a sign of life within a request.
    pub stream_idle_timeout: String,
    /// HTTP/2.
    pub http2_protocol_options: Http2,
    /// Each is a log of its own, with a line for each request.
    pub access_log: Vec<AccessLog>,
    /// Which requests are traced; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
}

/// A line for each request.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AccessLog {
    /// Where it goes.
    pub file_sink: FileSink,
}

/// A file of the proxy's container.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct FileSink {
    /// Absolute.
    pub path: &'static str,
    /// What is in a line: by name, in Envoy's command operators.
    pub json_format: BTreeMap<&'static str, &'static str>,
}

/// What happens to `x-forwarded-client-cert`.
#[derive(Serialize, Clone, Debug)]
pub struct ForwardClientCertDetails {
    /// As in Envoy, such as `Sanitize`.
    pub mode: &'static str,
    /// What of a client's certificate it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<ClientCertDetails>,
}

/// What of a client's certificate `x-forwarded-client-cert` says.
#[derive(Serialize, Clone, Debug)]
pub struct ClientCertDetails {
    /// The subject.
    pub subject: bool,
    /// DNS names.
    pub dns: bool,
    /// URIs.
    pub uri: bool,
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

/// An answer that the proxy gives by itself.
#[derive(Serialize, Clone, Debug)]
pub struct DirectResponseSpec {
    /// HTTP status.
    pub status: u16,
    /// Body, at most 4096 bytes.
    pub body: String,
}

impl Spec for DirectResponseSpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "DirectResponse";
}
