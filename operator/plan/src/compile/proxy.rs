//! How a Gateway's Envoy runs: number, size, Service and hardening, in the words of each data plane.

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::{MetricSpec, MetricTarget, ResourceMetricSource};
use k8s_openapi::api::core::v1::{
    Capabilities, EmptyDirVolumeSource, PodSecurityContext, ResourceRequirements, SeccompProfile, SecurityContext,
    Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use octroi_api::{Replicas, ResourceList, Resources, ServiceType};
use octroi_external::{Object, envoy_gateway as eg, kgateway as kgw};

use crate::child::{Child, ChildKey, Metadata};
use crate::compile::{access_log, traces};
use crate::kind::ChildKind;
use crate::resolve::class::{DataPlane, ResolvedClass, ResolvedProxy};

/// CPU use at which an autoscaler adds a proxy: room for a burst while one starts.
const TARGET_CPU_PERCENT: i32 = 70;
/// What Envoy counts for the backends of a route goes by its kind and namespace. With Envoy Gateway's default each rule of each
/// route is a label of its own, as many as a tenant likes, and a dot in a route's name becomes a part of the metric's name.
const CLUSTER_STAT_NAME: &str = "%ROUTE_KIND%/%ROUTE_NAMESPACE%";
/// How long an Envoy may take to start: as long as Envoy Gateway 1.9 gives it.
const STARTUP_SECONDS: i32 = 300;
/// Where the shutdown manager writes.
const SHUTDOWN_VOLUME: &str = "shutdown";
/// Proxies that a drain may take away at once.
const MAX_UNAVAILABLE: i32 = 1;

/// Group and kind of a Gateway's proxy parameters.
pub const fn parameters_kind(data_plane: DataPlane) -> (&'static str, &'static str) {
    let api = child_kind(data_plane).api();
    (api.group, api.kind)
}

const fn child_kind(data_plane: DataPlane) -> ChildKind {
    match data_plane {
        DataPlane::EnvoyGateway => ChildKind::EnvoyProxy,
        DataPlane::Kgateway => ChildKind::GatewayParameters,
    }
}

/// The proxy parameters of a Gateway in this namespace.
pub fn parameters(
    namespace: &str,
    name: &str,
    class: &ResolvedClass,
    replicas: Replicas,
    metadata: &Metadata,
) -> Child {
    let key = ChildKey::new(child_kind(class.data_plane), namespace, name);
    let metadata = metadata.of_child(&key);
    match class.data_plane {
        DataPlane::EnvoyGateway => Child::new(key, &Object::new(metadata, envoy_proxy(class, replicas))),
        DataPlane::Kgateway => Child::new(key, &Object::new(metadata, gateway_parameters(&class.proxy, replicas))),
    }
}

fn envoy_proxy(class: &ResolvedClass, replicas: Replicas) -> eg::EnvoyProxySpec {
    let proxy = &class.proxy;
    let autoscaled = is_autoscaled(replicas);
    eg::EnvoyProxySpec {
        // What costs less to refuse is refused before.
        filter_order: ["envoy.filters.http.ratelimit", "envoy.filters.http.rbac"]
            .map(|name| eg::FilterPosition { name, before: "envoy.filters.http.ext_proc" })
            .to_vec(),
        telemetry: telemetry(class),
        provider: eg::Provider {
            provider_type: "Kubernetes",
            kubernetes: eg::KubernetesProvider {
                envoy_deployment: eg::Deployment {
                    replicas: (!autoscaled).then_some(replicas.min),
                    pod: eg::Pod { security_context: pod_security() },
                    container: eg::Container {
                        resources: requirements(&proxy.resources),
                        security_context: container_security(),
                    },
                    patch: deployment_patch(),
                },
                envoy_hpa: autoscaled.then(|| eg::HorizontalPodAutoscaler {
                    min_replicas: replicas.min,
                    max_replicas: replicas.max,
                    metrics: vec![cpu_metric()],
                }),
                envoy_pdb: eg::PodDisruptionBudget { max_unavailable: MAX_UNAVAILABLE },
                envoy_service: eg::Service {
                    service_type: service_type(proxy.service_type),
                    annotations: proxy.annotations.clone(),
                    load_balancer_class: proxy.load_balancer_class.clone(),
                    load_balancer_source_ranges: proxy.source_ranges.clone(),
                },
            },
        },
    }
}

fn telemetry(class: &ResolvedClass) -> eg::Telemetry {
    let format = eg::AccessLogFormat { r#type: "JSON", json: access_log::fields() };
    let stdout = eg::AccessLogSink { r#type: "File", file: eg::AccessLogFile { path: access_log::PATH } };
    eg::Telemetry {
        access_log: eg::AccessLog { settings: vec![eg::AccessLogSetting { format, sinks: vec![stdout] }] },
        metrics: eg::ProxyMetrics { cluster_stat_name: CLUSTER_STAT_NAME },
        tracing: class.tracing.as_ref().map(traces::envoy_gateway),
    }
}

/// Two things that Envoy Gateway 1.9 has no field for. Its shutdown manager writes `/tmp/shutdown-ready`, which a read-only
/// file system needs a volume for; and it asks a starting Envoy only every 10 s, so that a new proxy waits for the second
/// question. Asked each second, for as long in all.
fn deployment_patch() -> eg::DeploymentPatch {
    let mount = VolumeMount { name: SHUTDOWN_VOLUME.into(), mount_path: "/tmp".into(), ..VolumeMount::default() };
    let volume =
        Volume { name: SHUTDOWN_VOLUME.into(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() };
    let container = |name, volume_mounts| eg::PatchedContainer {
        name,
        volume_mounts,
        startup_probe: eg::StartupProbe { period_seconds: 1, failure_threshold: STARTUP_SECONDS },
    };
    let envoy = container("envoy", Vec::new());
    let shutdown_manager = container("shutdown-manager", vec![mount]);
    let pod = eg::PatchedPod { containers: vec![envoy, shutdown_manager], volumes: vec![volume] };
    eg::DeploymentPatch {
        patch_type: "StrategicMerge",
        value: eg::PatchedDeployment {
            spec: eg::PatchedDeploymentSpec { template: eg::PatchedTemplate { spec: pod } },
        },
    }
}

fn gateway_parameters(proxy: &ResolvedProxy, replicas: Replicas) -> kgw::GatewayParametersSpec {
    let autoscaled = is_autoscaled(replicas);
    kgw::GatewayParametersSpec {
        kube: kgw::Kube {
            deployment: (!autoscaled).then_some(kgw::Deployment { replicas: replicas.min }),
            envoy_container: kgw::EnvoyContainer {
                resources: requirements(&proxy.resources),
                security_context: container_security(),
            },
            pod_template: kgw::PodTemplate { security_context: pod_security() },
            service: kgw::Service {
                service_type: service_type(proxy.service_type),
                extra_annotations: proxy.annotations.clone(),
                load_balancer_class: proxy.load_balancer_class.clone(),
                load_balancer_source_ranges: proxy.source_ranges.clone(),
            },
            horizontal_pod_autoscaler: autoscaled.then(|| kgw::Overlay {
                spec: kgw::AutoscalerSpec {
                    min_replicas: replicas.min,
                    max_replicas: replicas.max,
                    metrics: vec![cpu_metric()],
                },
            }),
            pod_disruption_budget: kgw::Overlay { spec: kgw::BudgetSpec { max_unavailable: MAX_UNAVAILABLE } },
        },
    }
}

fn is_autoscaled(replicas: Replicas) -> bool {
    replicas.max > replicas.min
}

const fn service_type(service_type: ServiceType) -> &'static str {
    match service_type {
        ServiceType::ClusterIP => "ClusterIP",
        ServiceType::NodePort => "NodePort",
        ServiceType::LoadBalancer => "LoadBalancer",
    }
}

fn requirements(resources: &Resources) -> ResourceRequirements {
    let list = |list: &ResourceList| -> BTreeMap<String, Quantity> {
        let entry = |name: &str, value: &Option<String>| value.clone().map(|v| (name.to_owned(), Quantity(v)));
        [entry("cpu", &list.cpu), entry("memory", &list.memory)].into_iter().flatten().collect()
    };
    ResourceRequirements {
        requests: resources.requests.as_ref().map(list),
        limits: resources.limits.as_ref().map(list),
        ..ResourceRequirements::default()
    }
}

fn cpu_metric() -> MetricSpec {
    MetricSpec {
        type_: "Resource".into(),
        resource: Some(ResourceMetricSource {
            name: "cpu".into(),
            target: MetricTarget {
                type_: "Utilization".into(),
                average_utilization: Some(TARGET_CPU_PERCENT),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}

fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), add: None }),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), localhost_profile: None }),
        ..SecurityContext::default()
    }
}
