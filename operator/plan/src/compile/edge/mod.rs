//! What every host of a tenant gets at the edge, where no route takes it away: TLS settings, HSTS, limits and timeouts, and no
//! header from a client that only the platform may set. What it is, is here; in which words, in one file for each data plane.

mod auth;
mod envoy_gateway;
mod kgateway;
mod rate_limit;

use std::collections::BTreeMap;

use octroi_api::Hsts;
use octroi_external::kgateway::tls_options;
use octroi_external::{Header, HeaderSet, TargetRef};

use crate::child::{Child, ChildKey, Metadata};
use crate::compile::{traces, waf};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::{DataPlane, ResolvedClass};
use crate::resolve::layer4::ResolvedPort;
use crate::resolve::tls::ResolvedTls;
use crate::world::GatewayRef;

/// What is offered by ALPN. Said explicitly: Envoy Gateway drops to HTTP/1.1 where certificates of one Gateway overlap.
const ALPN: [&str; 2] = ["h2", "http/1.1"];

/// What a client sends of these reaches nobody: by them the platform speaks, or a backend is told another path than the one
/// that was judged.
const STEERING: [&str; 3] = ["x-octroi-tenant", "x-original-url", "x-rewrite-url"];

/// What a client says of where it comes from; kept when there are proxies in front that are believed.
const ORIGIN: [&str; 8] = [
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-real-ip",
];

/// Of a backend, what tells an attacker what runs there.
const BANNERS: [&str; 3] = ["server", "x-powered-by", "x-envoy-upstream-service-time"];

/// KiB in flight of one HTTP/2 request and of one connection: what Envoy's guide for edge proxies says.
const STREAM_WINDOW_KIB: u32 = 64;
const CONNECTION_WINDOW_KIB: u32 = 1024;

/// The edge policies of a Tenant: of its entry, and of its own Gateway while it has one.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let mut children = match tenant.class.data_plane {
        DataPlane::EnvoyGateway => envoy_gateway::of_entry(tenant, metadata),
        DataPlane::Kgateway => kgateway::of_entry(tenant, metadata),
    };
    if tenant.placement.own_gateway {
        let own = GatewayRef { namespace: tenant.name.gateway_namespace(), name: tenant.name.to_string() };
        let http = &tenant.http.http;
        match tenant.class.data_plane {
            DataPlane::EnvoyGateway => children.push(envoy_gateway::of_gateway(&own, &tenant.class, http, metadata)),
            DataPlane::Kgateway => {
                children.push(kgateway::of_gateway(&own, &tenant.class, http, shows_clients(tenant), metadata));
                children.extend(traces::backend(&own, &tenant.class, metadata));
            }
        }
    }
    children
}

/// The policies of an entry: where the data plane refuses one, the routes answer with errors.
pub fn policies_of_entry(tenant: &ResolvedTenant) -> Vec<ChildKey> {
    let kinds: &[ChildKind] = match tenant.class.data_plane {
        DataPlane::EnvoyGateway => {
            &[ChildKind::BackendTrafficPolicy, ChildKind::ClientTrafficPolicy, ChildKind::EnvoyExtensionPolicy]
        }
        DataPlane::Kgateway => &[ChildKind::TrafficPolicy],
    };
    let key = |kind: &ChildKind| ChildKey::new(*kind, &tenant.name.gateway_namespace(), tenant.name.as_str());
    kinds.iter().map(key).collect()
}

/// The policy of a port, where it has one: while the data plane refuses it, everybody may connect.
pub fn policy_of_port(tenant: &ResolvedTenant, port: &ResolvedPort) -> ChildKey {
    let name = format!("{}-{}", tenant.name, port.name);
    ChildKey::new(ChildKind::SecurityPolicy, &tenant.name.gateway_namespace(), &name)
}

/// Whether a backend learns of a client's certificate.
const fn shows_clients(tenant: &ResolvedTenant) -> bool {
    tenant.tls.client_certificates.is_some() && tenant.placement.own_gateway
}

/// The windows of HTTP/2, of a request and of a connection. Of one request Envoy holds back no more than its window is, whatever the
/// limit of its connection (seen on 1.39.1: 413 at 80 KiB with a window of 64), so the firewall's cap has to fit in.
fn windows(class: &ResolvedClass) -> [String; 2] {
    let held = waf::held_kib(class.waf.body_kib);
    [STREAM_WINDOW_KIB, CONNECTION_WINDOW_KIB].map(|least| kib(least.max(held)))
}

/// As both data planes write a size.
fn kib(size: u32) -> String {
    format!("{size}Ki")
}

/// The edge policy of a Gateway: of all that is on no tenant's entry, port 80 first of all.
pub fn of_gateway(gateway: &GatewayRef, class: &ResolvedClass, metadata: &Metadata) -> Vec<Child> {
    match class.data_plane {
        DataPlane::EnvoyGateway => vec![envoy_gateway::of_gateway(gateway, class, &class.http, metadata)],
        DataPlane::Kgateway => {
            let policy = kgateway::of_gateway(gateway, class, &class.http, false, metadata);
            traces::backend(gateway, class, metadata).into_iter().chain([policy]).collect()
        }
    }
}

/// `tls.options` of each listener: kgateway's place for TLS settings; Envoy Gateway has them in a policy.
pub fn listener_tls_options(data_plane: DataPlane, tls: &ResolvedTls) -> Option<BTreeMap<String, String>> {
    if data_plane == DataPlane::EnvoyGateway {
        return None;
    }
    let mut options = BTreeMap::from([
        (tls_options::MIN_VERSION.to_owned(), tls.min_version.as_str().to_owned()),
        (tls_options::ECDH_CURVES.to_owned(), tls.curves.join(",")),
        (tls_options::ALPN_PROTOCOLS.to_owned(), ALPN.join(",")),
    ]);
    if !tls.cipher_suites.is_empty() {
        options.insert(tls_options::CIPHER_SUITES.to_owned(), tls.cipher_suites.join(","));
    }
    Some(options)
}

fn entry_of(tenant: &ResolvedTenant) -> Vec<TargetRef> {
    vec![entry(tenant)]
}

fn entry(tenant: &ResolvedTenant) -> TargetRef {
    target("ListenerSet", tenant.name.as_str())
}

fn gateway_of(gateway: &GatewayRef) -> Vec<TargetRef> {
    vec![target("Gateway", &gateway.name)]
}

fn target(kind: &str, name: &str) -> TargetRef {
    TargetRef { group: super::GATEWAY_API.into(), kind: kind.into(), name: name.into(), section_name: None }
}

/// What of a request's headers never gets further; beside those by which Envoy is spoken to.
fn removed(class: &ResolvedClass) -> Vec<&'static str> {
    let origin = if class.http.trusted_hops == 0 { &ORIGIN[..] } else { &[] };
    let traces = class.tracing.as_ref().map(|_| traces::OF_CLIENTS);
    STEERING.iter().chain(origin).copied().chain(traces).collect()
}

/// What a response of a tenant's host says and does not say, whatever a route does.
fn response_headers(class: &ResolvedClass) -> HeaderSet {
    let hsts = Header { name: "Strict-Transport-Security".into(), value: hsts(&class.tls.hsts) };
    HeaderSet { set: vec![hsts], remove: BANNERS.to_vec() }
}

fn hsts(hsts: &Hsts) -> String {
    let sub_domains = if hsts.include_sub_domains == Some(true) { "; includeSubDomains" } else { "" };
    format!("max-age={}{sub_domains}", hsts.max_age_seconds)
}

/// As both data planes write a duration.
fn seconds(seconds: u32) -> String {
    format!("{seconds}s")
}
