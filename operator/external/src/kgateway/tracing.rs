//! Which requests are traced: `ListenerPolicy.spec.default.httpSettings.tracing`.

use serde::Serialize;

/// Which requests are traced.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// Where spans go.
    pub provider: TracingProvider,
    /// Of 100 requests that ask for it by `x-client-trace-id`.
    pub client_sampling: u32,
    /// Of 100 others.
    pub random_sampling: u32,
    /// Of 100 that were chosen.
    pub overall_sampling: u32,
    /// Characters of a path, its query among them, that a span tells; at least 1.
    pub max_path_tag_length: u32,
    /// Whether what a backend takes is a span of its own.
    pub spawn_upstream_span: bool,
    /// Of each span.
    pub attributes: Vec<Attribute>,
}

/// Where spans go.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct TracingProvider {
    /// By OTLP.
    pub open_telemetry: OpenTelemetry,
}

/// OTLP over gRPC.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct OpenTelemetry {
    /// To whom.
    pub grpc_service: Collector,
    /// Who adds what to the resource.
    pub resource_detectors: Vec<ResourceDetector>,
}

/// A service behind a Backend.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Collector {
    /// In the policy's own namespace.
    pub backend_ref: BackendRef,
}

/// A Backend of the same namespace.
#[derive(Serialize, Clone, Debug)]
pub struct BackendRef {
    /// API group.
    pub group: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Name.
    pub name: String,
}

/// Who adds what to the resource.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDetector {
    /// What the container's environment says.
    pub environment_resource_detector: EnvironmentResourceDetector,
}

/// What the container's environment says.
#[derive(Serialize, Clone, Debug)]
pub struct EnvironmentResourceDetector {
    /// Whether it is asked.
    pub enable: bool,
}

/// An attribute of each span.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// What it is taken from.
    pub request_header: AttributeHeader,
}

/// A header of the request, as the proxy has it.
#[derive(Serialize, Clone, Debug)]
pub struct AttributeHeader {
    /// Name of the header.
    pub name: &'static str,
}
