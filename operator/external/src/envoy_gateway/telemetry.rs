//! What a proxy says of what it does: `EnvoyProxy.spec.telemetry`.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a proxy says of what it does.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Telemetry {
    /// A line for each request.
    pub access_log: AccessLog,
    /// What is counted.
    pub metrics: ProxyMetrics,
    /// Which requests are traced; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
}

/// A line for each request.
#[derive(Serialize, Clone, Debug)]
pub struct AccessLog {
    /// Each is a log of its own.
    pub settings: Vec<AccessLogSetting>,
}

/// One log.
#[derive(Serialize, Clone, Debug)]
pub struct AccessLogSetting {
    /// What is in a line.
    pub format: AccessLogFormat,
    /// Where it goes.
    pub sinks: Vec<AccessLogSink>,
}

/// What is in a line.
#[derive(Serialize, Clone, Debug)]
pub struct AccessLogFormat {
    /// `JSON`.
    pub r#type: &'static str,
    /// By name, in Envoy's command operators.
    pub json: BTreeMap<&'static str, &'static str>,
}

/// Where a log goes.
#[derive(Serialize, Clone, Debug)]
pub struct AccessLogSink {
    /// `File`.
    pub r#type: &'static str,
    /// The file.
    pub file: AccessLogFile,
}

/// A file of the proxy's container.
#[derive(Serialize, Clone, Debug)]
pub struct AccessLogFile {
    /// Absolute.
    pub path: &'static str,
}

/// What a proxy counts.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ProxyMetrics {
    /// What the counters of a route's backends are called, with Envoy Gateway's operators such as `%ROUTE_NAMESPACE%`.
    pub cluster_stat_name: &'static str,
}

/// Which requests are traced.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// So many of 100.
    pub sampling_rate: u32,
    /// Where spans go.
    pub provider: TracingProvider,
    /// Attributes of each span, in Envoy's command operators; one that Envoy writes itself is replaced.
    pub tags: BTreeMap<&'static str, &'static str>,
}

/// Where spans go. By host and port and not by a reference: that would need a grant, or a Backend, which Envoy Gateway takes only where
/// its configuration says so.
#[derive(Serialize, Clone, Debug)]
pub struct TracingProvider {
    /// `OpenTelemetry`.
    pub r#type: &'static str,
    /// Name in the DNS.
    pub host: String,
    /// Port.
    pub port: u16,
}
