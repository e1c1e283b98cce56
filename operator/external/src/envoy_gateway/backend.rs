//! `Backend`: something outside the cluster.

use serde::Serialize;

use super::API_VERSION;
use crate::Spec;

/// Where something outside the cluster is, and how it is spoken to.
#[derive(Serialize, Clone, Debug)]
pub struct BackendSpec {
    /// Where it is.
    pub endpoints: Vec<Endpoint>,
    /// That it speaks TLS.
    pub tls: BackendTls,
}

impl Spec for BackendSpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "Backend";
}

/// Where something is.
#[derive(Serialize, Clone, Debug)]
pub struct Endpoint {
    /// By name.
    pub fqdn: Fqdn,
}

/// A name that the proxy resolves, and a port.
#[derive(Serialize, Clone, Debug)]
pub struct Fqdn {
    /// The name, without a dot at its end.
    pub hostname: String,
    /// The port.
    pub port: u16,
}

/// TLS to a backend. With `sni` its certificate must be good for that name.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct BackendTls {
    /// `System`: the authorities of the proxy's image.
    #[serde(rename = "wellKnownCACertificates")]
    pub well_known_ca_certificates: &'static str,
    /// The name that is asked for.
    pub sni: String,
    /// Always false.
    pub insecure_skip_verify: bool,
}
