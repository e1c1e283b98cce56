//! Traces: which requests are traced, where their spans go and whose they are, in the words of each data plane.
//!
//! A trace begins at the edge: what a client sends of one is removed, or it could keep its requests out of the sample, and choose the
//! name of a trace that is not its own. Whose a request is comes from the name of the filter chain, as in the access log. No query is
//! in a span: Envoy would write it into `http.url` (tried on 1.39.1).

use octroi_external::{Header, Object, envoy_gateway as eg, kgateway as kgw};

use crate::child::{Child, ChildKey, Metadata};
use crate::compile::access_log;
use crate::kind::ChildKind;
use crate::resolve::class::ResolvedClass;
use crate::resolve::tracing::ResolvedTracing;
use crate::world::GatewayRef;

/// The attribute of a span that says whose it is.
const TENANT: &str = "octroi.tenant";
/// What Envoy calls the address that was asked for.
const URL: &str = "http.url";
/// The path alone. What Envoy's formatters for headers have for it, `REQ_WITHOUT_QUERY`, is no part of what a span may have.
const PATH: &str = "%CEL(request.url_path):256%";
/// By this header kgateway's proxies carry whose a request is to its span, since an attribute cannot be computed there. No client sets it.
pub const TENANT_HEADER: &str = "x-octroi-tenant";
/// What a client sends of a trace (W3C Trace Context). The second means nothing without the first.
pub const OF_CLIENTS: &str = "traceparent";
/// Of 100: none that asks for it, and all that were chosen.
const NOBODY: u32 = 0;
const ALL: u32 = 100;
/// Nothing of a path but its first slash.
const NO_PATH: u32 = 1;

/// In an EnvoyProxy.
pub fn envoy_gateway(tracing: &ResolvedTracing) -> eg::Tracing {
    eg::Tracing {
        sampling_rate: tracing.percent,
        provider: eg::TracingProvider { r#type: "OpenTelemetry", host: tracing.host(), port: tracing.port },
        tags: [(TENANT, access_log::TENANT), (URL, PATH)].into(),
    }
}

/// In the ListenerPolicy of this Gateway.
pub fn kgateway(tracing: &ResolvedTracing, gateway: &GatewayRef) -> kgw::Tracing {
    let backend = backend_key(gateway);
    let api = backend.kind.api();
    let without = kgw::EnvironmentResourceDetector { enable: false };
    kgw::Tracing {
        provider: kgw::TracingProvider {
            open_telemetry: kgw::OpenTelemetry {
                grpc_service: kgw::Collector {
                    backend_ref: kgw::BackendRef { group: api.group, kind: api.kind, name: backend.name },
                },
                resource_detectors: vec![kgw::ResourceDetector { environment_resource_detector: without }],
            },
        },
        client_sampling: NOBODY,
        random_sampling: tracing.percent,
        overall_sampling: ALL,
        max_path_tag_length: NO_PATH,
        spawn_upstream_span: true,
        attributes: vec![kgw::Attribute { name: TENANT, request_header: kgw::AttributeHeader { name: TENANT_HEADER } }],
    }
}

/// The header that says whose a request is, whatever a client says; `-` where that is nobody's.
pub fn tenant_header() -> Header {
    Header { name: TENANT_HEADER.into(), value: access_log::TENANT_OR_NOBODY.into() }
}

/// Where kgateway's proxies find the collector: in their own namespace, so that nobody grants anything.
pub fn backend(gateway: &GatewayRef, class: &ResolvedClass, metadata: &Metadata) -> Option<Child> {
    let tracing = class.tracing.as_ref()?;
    let key = backend_key(gateway);
    let hosts = vec![kgw::Host { host: tracing.host(), port: tracing.port }];
    let spec = kgw::BackendSpec::Static(kgw::StaticHosts { hosts, app_protocol: Some("grpc") });
    Some(Child::new(key.clone(), &Object::new(metadata.of_child(&key), spec)))
}

/// With a dot, which no upstream of a tenant has in its name.
fn backend_key(gateway: &GatewayRef) -> ChildKey {
    ChildKey::new(ChildKind::KgatewayBackend, &gateway.namespace, &format!("{}.traces", gateway.name))
}
