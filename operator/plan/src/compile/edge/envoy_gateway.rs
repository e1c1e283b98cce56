//! The edge in Envoy Gateway's words.

use octroi_api::PortProtocol;
use octroi_external::{HeaderSet, Object, TargetRef, envoy_gateway as eg};

use super::{
    ALPN, BANNERS, auth, entry, entry_of, gateway_of, kib, rate_limit, removed, response_headers, seconds,
    shows_clients, windows,
};
use crate::child::{Child, ChildKey, Metadata};
use crate::compile::waf;
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::ResolvedClass;
use crate::resolve::http::ResolvedHttp;
use crate::resolve::layer4::ResolvedPort;
use crate::resolve::tls::ResolvedTls;
use crate::world::GatewayRef;

/// By these Envoy is told what to do. What it may read one day is removed as well as what it reads now.
const ENVOYS: &str = "x-envoy-";

/// The policies of a tenant's entry.
pub(super) fn of_entry(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let of_kind = |kind| ChildKey::new(kind, &tenant.name.gateway_namespace(), tenant.name.as_str());
    let class = &tenant.class;
    let clients = of_kind(ChildKind::ClientTrafficPolicy);
    let (http, tls) = (&tenant.http.http, Some(client_tls(&tenant.tls.tls)));
    let mut spec = client_policy(entry_of(tenant), class, http, tls, response_headers(class));
    let claims = tenant.auth.claim_headers();
    spec.headers.early_request_headers.remove.extend(claims.into_iter().map(String::from));
    if shows_clients(tenant) {
        let cert_details_to_add = vec!["Subject", "DNS", "URI"];
        spec.headers.x_forwarded_client_cert = eg::ForwardedClientCert { mode: "SanitizeSet", cert_details_to_add };
    }
    let clients = Child::new(clients.clone(), &Object::new(metadata.of_child(&clients), spec));
    let backends = of_kind(ChildKind::BackendTrafficPolicy);
    let spec = eg::BackendTrafficPolicySpec {
        target_refs: entry_of(tenant),
        timeout: eg::BackendTimeout { http: eg::BackendHttpTimeout { request_timeout: seconds(http.request) } },
        request_buffer: http.body_kib.map(|size| eg::RequestBuffer { limit: kib(size) }),
        rate_limit: rate_limit::envoy_gateway(tenant),
    };
    let backends = Child::new(backends.clone(), &Object::new(metadata.of_child(&backends), spec));
    let mut children = vec![backends, clients];
    if waf::is_on(tenant) {
        let firewall = of_kind(ChildKind::EnvoyExtensionPolicy);
        let spec = firewall_policy(tenant);
        children.push(Child::new(firewall.clone(), &Object::new(metadata.of_child(&firewall), spec)));
    }
    if let Some(spec) = auth::envoy_gateway::policy(&tenant.auth, entry_of(tenant)) {
        let auth = of_kind(ChildKind::SecurityPolicy);
        children.push(Child::new(auth.clone(), &Object::new(metadata.of_child(&auth), spec)));
    }
    children.extend(tenant.open_ports().filter_map(|port| of_port(port, tenant, metadata)));
    children
}

/// Who may connect to a port; none where anybody may and nothing else says otherwise.
fn of_port(port: &ResolvedPort, tenant: &ResolvedTenant, metadata: &Metadata) -> Option<Child> {
    let is_open_to_all = port.sources.is_empty() && tenant.auth.is_open();
    if port.protocol == PortProtocol::Udp || is_open_to_all {
        return None;
    }
    let key = super::policy_of_port(tenant, port);
    let sections = port.listeners().into_iter().map(|(name, _)| Some(name));
    let on = |section_name| TargetRef { section_name, ..entry(tenant) };
    let spec = auth::envoy_gateway::of_port(&port.sources, sections.map(on).collect());
    Some(Child::new(key.clone(), &Object::new(metadata.of_child(&key), spec)))
}

fn firewall_policy(tenant: &ResolvedTenant) -> eg::EnvoyExtensionPolicySpec {
    let class = &tenant.class.waf;
    // The name of the route tells whose a request is: this control plane wrote it, and no client can.
    let attributes = vec!["xds.route_name", "source.address", "request.protocol"];
    let ext_proc = eg::ExtProc {
        backend_refs: vec![eg::WeightedServiceRef { service: waf::service(), weight: 1 }],
        fail_open: class.fail_open,
        message_timeout: seconds(waf::patience(class.body_kib)),
        processing_mode: eg::ProcessingMode {
            // Only so does a WebSocket get through, whose handshake looks like a request with a body that never ends.
            allow_mode_override: true,
            request: eg::Processed { body: "Buffered", attributes },
        },
    };
    eg::EnvoyExtensionPolicySpec { target_refs: entry_of(tenant), ext_proc: vec![ext_proc] }
}

/// The policy of a Gateway. Without HSTS, which says nothing on plain HTTP (RFC 6797, section 7.2).
pub(super) fn of_gateway(
    gateway: &GatewayRef,
    class: &ResolvedClass,
    http: &ResolvedHttp,
    metadata: &Metadata,
) -> Child {
    // A tenant's entry has its tenant's name, and so has its Gateway.
    let name = format!("{}-gateway", gateway.name);
    let key = ChildKey::new(ChildKind::ClientTrafficPolicy, &gateway.namespace, &name);
    let response = HeaderSet { set: Vec::new(), remove: BANNERS.to_vec() };
    let spec = client_policy(gateway_of(gateway), class, http, None, response);
    Child::new(key.clone(), &Object::new(metadata.of_child(&key), spec))
}

fn client_policy(
    target_refs: Vec<TargetRef>,
    class: &ResolvedClass,
    http: &ResolvedHttp,
    tls: Option<eg::ClientTls>,
    late_response_headers: HeaderSet,
) -> eg::ClientTrafficPolicySpec {
    let [stream_window, connection_window] = windows(class);
    let x_forwarded_for = eg::XForwardedFor { num_trusted_hops: http.trusted_hops };
    eg::ClientTrafficPolicySpec {
        target_refs,
        client_ip_detection: (http.trusted_hops > 0).then_some(eg::ClientIpDetection { x_forwarded_for }),
        tls,
        path: eg::Path { escaped_slashes_action: "UnescapeAndRedirect", disable_merge_slashes: false },
        headers: eg::Headers {
            enable_envoy_headers: false,
            with_underscores_action: "RejectRequest",
            x_forwarded_client_cert: eg::ForwardedClientCert { mode: "Sanitize", cert_details_to_add: Vec::new() },
            early_request_headers: eg::EarlyHeaders {
                remove: removed(class).into_iter().map(String::from).collect(),
                remove_on_match: vec![eg::StringMatch { kind: "Prefix", value: ENVOYS }],
            },
            late_response_headers,
        },
        timeout: eg::ClientTimeout {
            tcp: eg::ClientTcpTimeout {
                connection_inspection_timeout: seconds(http.handshake),
                tls_handshake_timeout: seconds(http.handshake),
            },
            http: eg::ClientHttpTimeout {
                request_headers_received_timeout: seconds(http.request_headers),
                idle_timeout: seconds(http.idle),
                stream_idle_timeout: seconds(http.stream_idle),
            },
        },
        connection: eg::ClientConnection {
            connection_limit: eg::ConnectionLimit { value: http.connections },
            buffer_limit: kib(waf::held_kib(class.waf.body_kib)),
        },
        http2: eg::Http2 {
            max_concurrent_streams: http.concurrent_streams,
            initial_stream_window_size: stream_window,
            initial_connection_window_size: connection_window,
        },
    }
}

fn client_tls(tls: &ResolvedTls) -> eg::ClientTls {
    eg::ClientTls {
        min_version: tls.min_version.as_str(),
        ciphers: tls.cipher_suites.clone(),
        ecdh_curves: tls.curves.clone(),
        alpn_protocols: ALPN.to_vec(),
    }
}
