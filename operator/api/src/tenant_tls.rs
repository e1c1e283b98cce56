//! What a Tenant asks of TLS at the edge, beyond its class.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::TlsVersion;

/// What a tenant's hosts speak, where that is stricter than the class.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TenantTls {
    /// Lowest TLS version. What the class demands is never lowered. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<TlsVersion>,
    /// Certificates that clients show. Needs a Dedicated gateway. Default: none are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificates: Option<ClientCertificates>,
}

/// Certificates that clients show (RFC 8446, section 4.3.2), on every host of the tenant; a client without a good one gets no
/// connection. A backend reads in `x-forwarded-client-cert` who came; what a client sends of that name is removed.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClientCertificates {
    /// Whom the edge believes: certificates of authorities in PEM, and nothing else.
    #[schemars(length(min = 64, max = 65_536))]
    #[x_kube(validation = ("!self.contains('PRIVATE KEY')", "tls.clientCertificates.authorities must hold certificates only: take the private key out, which is the authority's alone"))]
    #[x_kube(validation = ("self.contains('-----BEGIN CERTIFICATE-----')", "tls.clientCertificates.authorities must be certificates in PEM, such as the content of ca.crt"))]
    pub authorities: String,
}

/// Where the certificate of a domain comes from.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DomainTls {
    /// A Secret of type `kubernetes.io/tls` in `gw-<tenant>`, which the run team puts there and renews; Octroi never reads it.
    /// Default: none, and Octroi asks the class's issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')", "domains[].tls.secretName must be the name of a Secret: use lower-case letters, digits, '-' and '.', such as shop-2027"))]
    pub secret_name: Option<String>,
}
