//! Whom the demo trusts: the authority behind the class's issuer, and not whatever the tenant's gateway shows.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::Secret;
use kube::api::DynamicObject;
use kube::{Api, Client};
use octroi_api::TenantClass;
use serde_json::json;

use crate::{Error, Result, script, strict};

/// The PEM file to trust instead, for a cluster whose issuer is not an authority of its own.
const CA_SETTING: &str = "OCTROI_E2E_CA";
/// cert-manager's "cluster resource namespace": where a ClusterIssuer's secrets are, unless it was told otherwise.
const ISSUER_NAMESPACE: &str = "cert-manager";

/// Leaves the authority where the report's curl line finds it, below a folder that git ignores.
pub(super) fn keep(pem: &str) -> Result<PathBuf> {
    let dir = script::repository().join("target");
    let file = dir.join("demo-ca.pem");
    std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(&file, pem)).map_err(Error::io("keeping the CA"))?;
    Ok(PathBuf::from("target/demo-ca.pem"))
}

/// The certificate of the authority that signs for a class, as PEM.
pub(super) async fn authority(client: &Client, class: &str) -> Result<String> {
    let what = || Error::kube(format!("the issuer of TenantClass {class}"));
    let class = Api::<TenantClass>::all(client.clone()).get(class).await.map_err(what())?;
    of_issuer(client, &class.spec.tls.issuer_ref.name).await
}

/// The certificate of the authority behind a ClusterIssuer, as PEM.
///
/// # Errors
/// When the issuer is not there, or is no authority of its own and no PEM file is named instead.
pub async fn of_issuer(client: &Client, name: &str) -> Result<String> {
    if let Some(file) = std::env::var_os(CA_SETTING) {
        return std::fs::read_to_string(&file).map_err(Error::io(format!("{CA_SETTING} ({})", file.display())));
    }
    let what = || Error::kube(format!("ClusterIssuer {name}"));
    let issuers = json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer"});
    let issuer: DynamicObject = strict::endpoint(client, &issuers).await?.get(name).await.map_err(what())?;
    let secret = issuer.data["spec"]["ca"]["secretName"].as_str().ok_or_else(|| Error::Missing {
        what: format!("ClusterIssuer {name} is not an authority of its own"),
        next: format!("set {CA_SETTING} to a PEM file of the authority behind it"),
    })?;
    let secret = Api::<Secret>::namespaced(client.clone(), ISSUER_NAMESPACE).get(secret).await.map_err(what())?;
    let data = secret.data.unwrap_or_default();
    let pem = data.get("tls.crt").ok_or_else(|| Error::Missing {
        what: format!("the secret of ClusterIssuer {name} holds no tls.crt"),
        next: format!("set {CA_SETTING} to a PEM file of the authority"),
    })?;
    Ok(String::from_utf8_lossy(&pem.0).into_owned())
}
