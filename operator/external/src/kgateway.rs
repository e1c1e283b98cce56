//! `GatewayParameters`, `TrafficPolicy` and `DirectResponse` of `gateway.kgateway.dev/v1alpha1` (kgateway 2.4).

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::MetricSpec;
use k8s_openapi::api::core::v1::{PodSecurityContext, ResourceRequirements, SecurityContext};
use serde::Serialize;

use crate::{Header, Spec, TargetRef};

const API_VERSION: &str = "gateway.kgateway.dev/v1alpha1";

/// Keys of a listener's `tls.options`; a route cannot reach them.
pub mod tls_options {
    /// `1.2` or `1.3`.
    pub const MIN_VERSION: &str = "kgateway.dev/min-tls-version";
    /// TLS 1.2 suites by OpenSSL names, separated by commas.
    pub const CIPHER_SUITES: &str = "kgateway.dev/cipher-suites";
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
}

impl Spec for TrafficPolicySpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "TrafficPolicy";
}

/// Headers that are changed.
#[derive(Serialize, Clone, Debug)]
pub struct HeaderModifiers {
    /// On the way to the backend.
    pub request: RemovedHeaders,
    /// On the way to the client.
    pub response: HeaderSet,
}

/// Headers that are removed.
#[derive(Serialize, Clone, Debug)]
pub struct RemovedHeaders {
    /// Their names.
    pub remove: Vec<&'static str>,
}

/// Headers that are set.
#[derive(Serialize, Clone, Debug)]
pub struct HeaderSet {
    /// Replaces what is there.
    pub set: Vec<Header>,
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
