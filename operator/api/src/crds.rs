//! The CustomResourceDefinitions of this group.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResourceExt, Resource};

use crate::{DomainClaim, PortClaim, Tenant, TenantClass};

/// A CustomResourceDefinition and the name of the file it belongs in.
pub struct CrdFile {
    /// Such as `octroi.dev_tenants.yaml`.
    pub file_name: String,
    /// What the file holds.
    pub crd: CustomResourceDefinition,
}

/// All of them, in the order of their file names.
pub fn all() -> Vec<CrdFile> {
    let file = |plural: &str, crd| CrdFile { file_name: format!("{}_{plural}.yaml", crate::GROUP), crd };
    vec![
        file(&DomainClaim::plural(&()), DomainClaim::crd()),
        file(&PortClaim::plural(&()), PortClaim::crd()),
        file(&TenantClass::plural(&()), TenantClass::crd()),
        file(&Tenant::plural(&()), Tenant::crd()),
    ]
}
