//! Resources of other projects, as far as Octroi writes them: cert-manager, Envoy Gateway and kgateway.
//!
//! Only the fields that Octroi sets are here, in the words of their own schemas. What is emitted is checked against the
//! real CustomResourceDefinitions by the contract tests. This crate must never hold a decision of Octroi.

pub mod cert_manager;
pub mod envoy_gateway;
pub mod kgateway;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

/// What a spec is the spec of.
pub trait Spec: Serialize {
    /// Group and version, as in `apiVersion`.
    const API_VERSION: &'static str;
    /// As in `kind`.
    const KIND: &'static str;
}

/// An object as it is sent to the API server.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Object<S> {
    api_version: &'static str,
    kind: &'static str,
    /// Name, namespace, labels and annotations.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: S,
}

impl<S: Spec> Object<S> {
    /// An object of the kind that `spec` belongs to.
    pub fn new(metadata: ObjectMeta, spec: S) -> Self {
        Self { api_version: S::API_VERSION, kind: S::KIND, metadata, spec }
    }
}

/// A reference to an object in the same namespace, as the policies of both data planes write it.
#[derive(Serialize, Clone, Debug)]
pub struct TargetRef {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// One listener of it; absent for all.
    #[serde(rename = "sectionName", skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// A reference to a Service in any namespace that grants it, with what both data planes' schemas fill in.
#[derive(Serialize, Clone, Debug)]
pub struct ServiceRef {
    group: &'static str,
    kind: &'static str,
    name: &'static str,
    namespace: &'static str,
    port: u16,
}

impl ServiceRef {
    /// This port of this Service.
    pub const fn new(namespace: &'static str, name: &'static str, port: u16) -> Self {
        Self { group: "", kind: "Service", name, namespace, port }
    }
}

/// A header and its value.
#[derive(Serialize, Clone, Debug)]
pub struct Header {
    /// Name of the header.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Headers that are set, and such that are removed.
#[derive(Serialize, Clone, Debug, Default)]
pub struct HeaderSet {
    /// Replaces what is there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Header>,
    /// Names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<&'static str>,
}
