//! What is seen of the tenants' requests, beside the access log and the counters.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What is seen of the tenants' requests, beside the access log and the counters.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassObservability {
    /// Traces, sent by the proxies. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<ClassTracing>,
}

/// Which requests are traced, and where their spans are sent.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassTracing {
    /// Who takes the spans, by OTLP over gRPC without TLS.
    pub collector: TraceCollector,
    /// Of 100 requests so many are traced, whatever a client says, 0 to 100. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub sampling_percent: Option<i32>,
}

/// A Service of the cluster that takes OTLP over gRPC, in no tenant's namespace.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
pub struct TraceCollector {
    /// Namespace of the Service. Proxies reach no pod there that is a tenant's.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", "tracing.collector.namespace must be the name of a namespace: lower case, digits and dashes, such as observability"))]
    pub namespace: String,
    /// Name of the Service.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", "tracing.collector.name must be the name of a Service: lower case, digits and dashes, without its domain, such as otel-collector"))]
    pub name: String,
    /// Port of the Service, which its pods must listen on too, 1 to 65535; 4317 is OTLP's own for gRPC.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: i32,
}
