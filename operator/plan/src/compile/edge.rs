//! What every host of a tenant gets at the edge, attached to its entry, where no route takes it away: TLS settings, HSTS (a
//! route's ResponseHeaderModifier removes or replaces it on neither data plane: the end-to-end suite tries), and no header
//! from a client that only the platform may set.

use std::collections::BTreeMap;

use octroi_api::Hsts;
use octroi_external::kgateway::tls_options;
use octroi_external::{Header, Object, TargetRef, envoy_gateway as eg, kgateway as kgw};

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::{DataPlane, ResolvedTls};

/// What is offered by ALPN. Said explicitly: Envoy Gateway drops to HTTP/1.1 where certificates of one Gateway overlap.
const ALPN: [&str; 2] = ["h2", "http/1.1"];

/// Headers that only the platform may set: what a client sends of them reaches no backend.
const PLATFORM_HEADERS: [&str; 1] = ["x-octroi-tenant"];

/// The edge policy of a Tenant.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let kind = match tenant.class.data_plane {
        DataPlane::EnvoyGateway => ChildKind::ClientTrafficPolicy,
        DataPlane::Kgateway => ChildKind::TrafficPolicy,
    };
    let key = ChildKey::new(kind, &tenant.name.gateway_namespace(), tenant.name.as_str());
    let target_refs =
        vec![TargetRef { group: super::GATEWAY_API.into(), kind: "ListenerSet".into(), name: tenant.name.to_string() }];
    let set = vec![Header { name: "Strict-Transport-Security".into(), value: hsts(&tenant.class.tls.hsts) }];
    let tls = &tenant.class.tls;
    let metadata = metadata.of_child(&key);
    vec![match tenant.class.data_plane {
        DataPlane::EnvoyGateway => {
            let spec = eg::ClientTrafficPolicySpec {
                target_refs,
                tls: eg::ClientTls {
                    min_version: tls.min_version.as_str(),
                    ciphers: tls.cipher_suites.clone(),
                    alpn_protocols: ALPN.to_vec(),
                },
                headers: eg::Headers {
                    early_request_headers: eg::RemovedHeaders { remove: PLATFORM_HEADERS.to_vec() },
                    late_response_headers: eg::HeaderSet { set },
                },
            };
            Child::new(key, &Object::new(metadata, spec))
        }
        DataPlane::Kgateway => {
            let header_modifiers = kgw::HeaderModifiers {
                request: kgw::RemovedHeaders { remove: PLATFORM_HEADERS.to_vec() },
                response: kgw::HeaderSet { set },
            };
            Child::new(key, &Object::new(metadata, kgw::TrafficPolicySpec { target_refs, header_modifiers }))
        }
    }]
}

/// `tls.options` of each listener: kgateway's place for TLS settings; Envoy Gateway has them in the policy above.
pub fn listener_tls_options(data_plane: DataPlane, tls: &ResolvedTls) -> Option<BTreeMap<String, String>> {
    if data_plane == DataPlane::EnvoyGateway {
        return None;
    }
    let mut options = BTreeMap::from([
        (tls_options::MIN_VERSION.to_owned(), tls.min_version.as_str().to_owned()),
        (tls_options::ALPN_PROTOCOLS.to_owned(), ALPN.join(",")),
    ]);
    if !tls.cipher_suites.is_empty() {
        options.insert(tls_options::CIPHER_SUITES.to_owned(), tls.cipher_suites.join(","));
    }
    Some(options)
}

fn hsts(hsts: &Hsts) -> String {
    let sub_domains = if hsts.include_sub_domains == Some(true) { "; includeSubDomains" } else { "" };
    format!("max-age={}{sub_domains}", hsts.max_age_seconds)
}
