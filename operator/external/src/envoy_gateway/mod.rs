//! `EnvoyProxy`, `ClientTrafficPolicy`, `BackendTrafficPolicy`, `SecurityPolicy`, `EnvoyExtensionPolicy`, `HTTPRouteFilter` and `Backend` of `gateway.envoyproxy.io/v1alpha1`
//! (Envoy Gateway 1.9).

mod backend;
mod extension;
mod rate_limit;
mod security;
mod telemetry;
mod traffic;

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::MetricSpec;
use k8s_openapi::api::core::v1::{PodSecurityContext, ResourceRequirements, SecurityContext, Volume, VolumeMount};
use serde::Serialize;

pub use self::backend::*;
pub use self::extension::*;
pub use self::rate_limit::*;
pub use self::security::*;
pub use self::telemetry::*;
pub use self::traffic::*;
use crate::{HeaderSet, Spec};

const API_VERSION: &str = "gateway.envoyproxy.io/v1alpha1";

/// How the proxy of a Gateway runs.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyProxySpec {
    /// Where it runs.
    pub provider: Provider,
    /// HTTP filters that are not in their default order.
    pub filter_order: Vec<FilterPosition>,
    /// What it says of what it does.
    pub telemetry: Telemetry,
}

/// A kind of HTTP filters that comes before another.
#[derive(Serialize, Clone, Debug)]
pub struct FilterPosition {
    /// Which.
    pub name: &'static str,
    /// Before which.
    pub before: &'static str,
}

impl Spec for EnvoyProxySpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "EnvoyProxy";
}

/// Where a proxy runs.
#[derive(Serialize, Clone, Debug)]
pub struct Provider {
    /// Always `Kubernetes`.
    #[serde(rename = "type")]
    pub provider_type: &'static str,
    /// What is made there.
    pub kubernetes: KubernetesProvider,
}

/// What is made in Kubernetes for a proxy.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesProvider {
    /// The pods.
    pub envoy_deployment: Deployment,
    /// Chooses the number of pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_hpa: Option<HorizontalPodAutoscaler>,
    /// How many pods may be away at once.
    #[serde(rename = "envoyPDB")]
    pub envoy_pdb: PodDisruptionBudget,
    /// What is in front of the pods.
    pub envoy_service: Service,
}

/// The pods of a proxy.
#[derive(Serialize, Clone, Debug)]
pub struct Deployment {
    /// How many; absent when an autoscaler chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// The pod.
    pub pod: Pod,
    /// The Envoy container.
    pub container: Container,
    /// What the fields above cannot say.
    pub patch: DeploymentPatch,
}

/// A patch on the Deployment that Envoy Gateway makes.
#[derive(Serialize, Clone, Debug)]
pub struct DeploymentPatch {
    /// `StrategicMerge`: containers and volumes are merged by name.
    #[serde(rename = "type")]
    pub patch_type: &'static str,
    /// Part of a Deployment.
    pub value: PatchedDeployment,
}

/// Part of a Deployment.
#[derive(Serialize, Clone, Debug)]
pub struct PatchedDeployment {
    /// Part of its spec.
    pub spec: PatchedDeploymentSpec,
}

/// Part of the spec of a Deployment.
#[derive(Serialize, Clone, Debug)]
pub struct PatchedDeploymentSpec {
    /// Part of its pod template.
    pub template: PatchedTemplate,
}

/// Part of a pod template.
#[derive(Serialize, Clone, Debug)]
pub struct PatchedTemplate {
    /// Part of the pod's spec.
    pub spec: PatchedPod,
}

/// Part of a pod's spec.
#[derive(Serialize, Clone, Debug)]
pub struct PatchedPod {
    /// Merged by name.
    pub containers: Vec<PatchedContainer>,
    /// Merged by name.
    pub volumes: Vec<Volume>,
}

/// Part of a container.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct PatchedContainer {
    /// Which container.
    pub name: &'static str,
    /// Merged by mount path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Part of the probe.
    pub startup_probe: StartupProbe,
}

/// How often a starting container is asked, and how often in vain.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct StartupProbe {
    /// Seconds between two questions.
    pub period_seconds: i32,
    /// Questions in vain before the container is started again.
    pub failure_threshold: i32,
}

/// A proxy's pod.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Security of the pod.
    pub security_context: PodSecurityContext,
}

/// The Envoy container.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Requests and limits.
    pub resources: ResourceRequirements,
    /// Security of the container.
    pub security_context: SecurityContext,
}

/// Chooses the number of pods.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct HorizontalPodAutoscaler {
    /// Fewest.
    pub min_replicas: i32,
    /// Most.
    pub max_replicas: i32,
    /// By what.
    pub metrics: Vec<MetricSpec>,
}

/// How many pods may be away at once.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct PodDisruptionBudget {
    /// Pods that may be away.
    pub max_unavailable: i32,
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
    pub annotations: BTreeMap<String, String>,
    /// Which controller makes the load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<String>,
    /// CIDRs that may reach it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub load_balancer_source_ranges: Vec<String>,
}

/// What a route may refer to by an `ExtensionRef` filter.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteFilterSpec {
    /// An answer that the proxy gives by itself.
    pub direct_response: DirectResponse,
}

impl Spec for HttpRouteFilterSpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "HTTPRouteFilter";
}

/// An answer that the proxy gives by itself.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DirectResponse {
    /// HTTP status.
    pub status_code: u16,
    /// As in `Content-Type`.
    pub content_type: &'static str,
    /// Other headers: a route's ResponseHeaderModifier does not reach an answer of the proxy's own.
    pub header: HeaderSet,
    /// Body.
    pub body: InlineBody,
}

/// A body that stands in the object itself. Envoy reads it as a format: `%%` is a percent sign.
#[derive(Serialize, Clone, Debug)]
pub struct InlineBody {
    /// `Inline`.
    pub r#type: &'static str,
    /// The text.
    pub inline: String,
}
