//! `Backend`: something outside the cluster.

use serde::Serialize;

use super::API_VERSION;
use crate::Spec;

/// Where something outside the cluster is.
#[derive(Serialize, Clone, Debug)]
pub struct BackendSpec {
    /// Hosts by name.
    #[serde(rename = "static")]
    pub static_hosts: StaticHosts,
}

impl Spec for BackendSpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "Backend";
}

/// Hosts by name.
#[derive(Serialize, Clone, Debug)]
pub struct StaticHosts {
    /// Each of them.
    pub hosts: Vec<Host>,
    /// What is spoken to them; absent for HTTP/1.1.
    #[serde(rename = "appProtocol", skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<&'static str>,
}

/// A host that the proxy resolves, and a port.
#[derive(Serialize, Clone, Debug)]
pub struct Host {
    /// The name; with a dot at its end it is looked up as it is.
    pub host: String,
    /// The port.
    pub port: u16,
}
