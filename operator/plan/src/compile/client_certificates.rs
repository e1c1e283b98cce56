//! Certificates that the clients of a tenant's own Gateway show. By the field of the Gateway API (GEP-91), which holds for the
//! listeners of every entry on both data planes; a ListenerPolicy of kgateway says the same of the Gateway's own listeners
//! only, and none of a tenant's is one.

use std::collections::BTreeMap;

use gateway_api::apis::standard::gateways as gw;
use k8s_openapi::api::core::v1::ConfigMap;

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;

/// The ConfigMap with the certificates of a tenant's authorities.
const AUTHORITIES: &str = "client-authorities";

/// Whom the data plane believes, for it to read.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Option<Child> {
    let certificates = tenant.tls.client_certificates.as_ref()?;
    let key = ChildKey::new(ChildKind::ConfigMap, &tenant.name.gateway_namespace(), AUTHORITIES);
    let data = Some(BTreeMap::from([("ca.crt".to_owned(), certificates.authorities.clone())]));
    Some(Child::new(key.clone(), &ConfigMap { metadata: metadata.of_child(&key), data, ..ConfigMap::default() }))
}

/// What the tenant's own Gateway asks of clients; `None` for nothing.
pub fn asked(tenant: &ResolvedTenant) -> Option<gw::GatewayTls> {
    tenant.tls.client_certificates.as_ref()?;
    let authorities = gw::GatewayTlsFrontendDefaultValidationCaCertificateRefs {
        group: String::new(),
        kind: "ConfigMap".into(),
        name: AUTHORITIES.into(),
        namespace: None,
    };
    let validation = gw::GatewayTlsFrontendDefaultValidation {
        ca_certificate_refs: vec![authorities],
        mode: Some(gw::GatewayTlsFrontendDefaultValidationMode::AllowValidOnly),
    };
    let default = gw::GatewayTlsFrontendDefault { validation: Some(validation) };
    Some(gw::GatewayTls { frontend: Some(gw::GatewayTlsFrontend { default, per_port: None }), backend: None })
}
