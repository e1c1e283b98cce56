//! `Backend`: something outside the cluster.

use serde::Serialize;

use super::API_VERSION;
use crate::Spec;

/// Where something outside the cluster is.
#[derive(Serialize, Clone, Debug)]
pub enum BackendSpec {
    /// Hosts by name.
    #[serde(rename = "static")]
    Static(StaticHosts),
    /// A service of AWS.
    #[serde(rename = "aws")]
    Aws(Aws),
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

/// A service of AWS.
#[derive(Serialize, Clone, Debug)]
pub struct Aws {
    /// Where it is.
    pub region: String,
    /// By whose credentials requests are signed. Without it they would be those of the proxy.
    pub auth: AwsAuth,
    /// A function.
    pub lambda: Lambda,
}

/// By whose credentials requests are signed.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AwsAuth {
    /// `Secret`.
    #[serde(rename = "type")]
    pub auth_type: &'static str,
    /// A Secret beside the Backend, with `accessKey`, `secretKey` and perhaps `sessionToken`.
    pub secret_ref: SecretName,
}

/// A Secret of the same namespace.
#[derive(Serialize, Clone, Debug)]
pub struct SecretName {
    /// Its name.
    pub name: String,
}

/// A function of AWS Lambda.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Lambda {
    /// The account that it is in.
    pub account_id: String,
    /// Its name.
    pub function_name: String,
    /// A version or an alias of it.
    pub qualifier: String,
    /// Where the service is asked; a port is not left out.
    #[serde(rename = "endpointURL")]
    pub endpoint_url: String,
}
