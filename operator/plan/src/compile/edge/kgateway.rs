//! The edge in kgateway's words. It has no limit on connections, no timeout for a request's headers, and no choice for escaped
//! slashes and for underscores in names; it always normalises paths.

use octroi_external::{Header, HeaderSet, Object, kgateway as kgw};

use super::{auth, entry_of, gateway_of, kib, rate_limit, removed, response_headers, seconds, windows};
use crate::child::{Child, ChildKey, Metadata};
use crate::compile::{access_log, traces, upstreams, waf};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::ResolvedClass;
use crate::resolve::http::ResolvedHttp;
use crate::world::GatewayRef;

/// What Envoy has by itself: said, so that no release changes it unseen.
const MAX_HEADERS_KIB: u32 = 60;
const MAX_HEADERS: u32 = 100;

/// Of the headers by which Envoy is spoken to, those that it leaves in a request from outside. It drops the others itself, and
/// kgateway takes no more than 16 names in all.
const LEFT_BY_ENVOY: [&str; 5] = [
    "x-envoy-attempt-count",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-host",
    "x-envoy-original-path",
];

/// The policy of a tenant's entry.
pub(super) fn of_entry(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let key = ChildKey::new(ChildKind::TrafficPolicy, &tenant.name.gateway_namespace(), tenant.name.as_str());
    let http = &tenant.http.http;
    let spec = kgw::TrafficPolicySpec {
        target_refs: entry_of(tenant),
        header_modifiers: kgw::HeaderModifiers {
            request: request_headers(tenant),
            response: response_headers(&tenant.class),
        },
        timeouts: kgw::Timeouts { request: seconds(http.request), stream_idle: seconds(http.stream_idle) },
        buffer: http.body_kib.map(|size| kgw::Buffer { max_request_size: kib(size) }),
        ext_proc: waf::is_on(tenant)
            .then(|| kgw::ExtProcPolicy { extension_ref: kgw::ExtensionRef { name: tenant.name.to_string() } }),
        rate_limit: rate_limit::kgateway(tenant),
        auth: auth::kgateway::policy(tenant),
    };
    let policy = Child::new(key.clone(), &Object::new(metadata.of_child(&key), spec));
    let firewall = waf::is_on(tenant).then(|| firewall(tenant, metadata));
    firewall.into_iter().chain(auth::kgateway::extension(tenant, metadata)).chain([policy]).collect()
}

fn request_headers(tenant: &ResolvedTenant) -> Option<HeaderSet> {
    let remove = upstreams::kept_from_functions(tenant);
    (!remove.is_empty()).then(|| HeaderSet { remove, ..HeaderSet::default() })
}

fn firewall(tenant: &ResolvedTenant, metadata: &Metadata) -> Child {
    let key = ChildKey::new(ChildKind::GatewayExtension, &tenant.name.gateway_namespace(), tenant.name.as_str());
    let class = &tenant.class.waf;
    let ext_proc = kgw::ExtProc {
        grpc_service: kgw::GrpcService { backend_ref: waf::service() },
        fail_open: class.fail_open,
        message_timeout: seconds(waf::patience(class.body_kib)),
        // Only so does a WebSocket get through, whose handshake looks like a request with a body that never ends.
        allow_processing_mode_override: true,
        processing_mode: kgw::ProcessingMode {
            request_header_mode: "SEND",
            request_body_mode: "BUFFERED",
            response_header_mode: "SKIP",
            response_body_mode: "NONE",
        },
        // The name of the filter chain tells whose a request is: this control plane wrote it, and no client can.
        request_attributes: vec!["xds.filter_chain_name", "source.address", "request.protocol"],
        // What costs less to refuse is refused before.
        filter_stage: kgw::FilterStage { stage: "RateLimit", predicate: "After" },
    };
    let spec = kgw::GatewayExtensionSpec::ExtProc(ext_proc);
    Child::new(key.clone(), &Object::new(metadata.of_child(&key), spec))
}

/// The policy of a Gateway: what kgateway lets nobody say of an entry alone.
pub(super) fn of_gateway(
    gateway: &GatewayRef,
    class: &ResolvedClass,
    http: &ResolvedHttp,
    shows_clients: bool,
    metadata: &Metadata,
) -> Child {
    let key = ChildKey::new(ChildKind::ListenerPolicy, &gateway.namespace, &gateway.name);
    let [stream_window, connection_window] = windows(class);
    let http_settings = kgw::HttpSettings {
        use_remote_address: true,
        xff_num_trusted_hops: http.trusted_hops,
        early_request_header_modifier: early_headers(class),
        forward_client_cert_details: forwarded(shows_clients),
        // Envoy adds none of its own; a backend's is removed by the policy of the entry.
        server_header_transformation: "PassThrough",
        max_request_headers_kb: MAX_HEADERS_KIB,
        max_headers_count: MAX_HEADERS,
        idle_timeout: seconds(http.idle),
        stream_idle_timeout: seconds(http.stream_idle),
        http2_protocol_options: kgw::Http2 {
            max_concurrent_streams: http.concurrent_streams,
            initial_stream_window_size: stream_window,
            initial_connection_window_size: connection_window,
        },
        access_log: vec![kgw::AccessLog {
            file_sink: kgw::FileSink { path: access_log::PATH, json_format: access_log::fields() },
        }],
        tracing: class.tracing.as_ref().map(|tracing| traces::kgateway(tracing, gateway)),
    };
    let default = kgw::Listeners {
        transport_socket_connect_timeout: seconds(http.handshake),
        per_connection_buffer_limit_bytes: waf::held_kib(class.waf.body_kib) * 1024,
        http_settings,
    };
    let spec = kgw::ListenerPolicySpec { target_refs: gateway_of(gateway), default };
    Child::new(key.clone(), &Object::new(metadata.of_child(&key), spec))
}

/// Where requests are traced, whose a request is replaces what a client says of that; so it is no name more than kgateway takes.
fn early_headers(class: &ResolvedClass) -> HeaderSet {
    let set: Vec<Header> = class.tracing.iter().map(|_| traces::tenant_header()).collect();
    let is_set = |name: &&str| set.iter().any(|header| header.name == *name);
    let remove = removed(class).into_iter().chain(LEFT_BY_ENVOY).filter(|name| !is_set(name)).collect();
    HeaderSet { set, remove }
}

/// What a client says of its certificate is removed, or replaced by what the handshake showed.
fn forwarded(shows_clients: bool) -> kgw::ForwardClientCertDetails {
    if !shows_clients {
        return kgw::ForwardClientCertDetails { mode: "Sanitize", details: None };
    }
    let details = Some(kgw::ClientCertDetails { subject: true, dns: true, uri: true });
    kgw::ForwardClientCertDetails { mode: "SanitizeSet", details }
}
