//! `Certificate` of `cert-manager.io/v1` (cert-manager's API reference).

use serde::Serialize;

use crate::Spec;

/// What is asked of cert-manager.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSpec {
    /// Where key and certificate are put, in the same namespace.
    pub secret_name: String,
    /// Hosts in the certificate.
    pub dns_names: Vec<String>,
    /// Who signs.
    pub issuer_ref: IssuerRef,
    /// What key.
    pub private_key: PrivateKey,
    /// Key usages.
    pub usages: Vec<&'static str>,
}

impl Spec for CertificateSpec {
    const API_VERSION: &'static str = "cert-manager.io/v1";
    const KIND: &'static str = "Certificate";
}

/// Who signs.
#[derive(Serialize, Clone, Debug)]
pub struct IssuerRef {
    /// API group of the issuer.
    pub group: String,
    /// Kind of the issuer.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What key a certificate has.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct PrivateKey {
    /// `ECDSA` or `RSA`.
    pub algorithm: &'static str,
    /// Bits.
    pub size: i32,
    /// `Always`: a new key at each renewal.
    pub rotation_policy: &'static str,
}
