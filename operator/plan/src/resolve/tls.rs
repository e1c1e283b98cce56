//! What the edge speaks: what a class says, with every default filled in, and what a tenant makes stricter.

use octroi_api::conditions::Reason;
use octroi_api::{ClassTls, ClientCertificates, GatewayMode, Hsts, Tenant, TlsVersion};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::rejection::Rejection;
use crate::resolve::placement::ResolvedPlacement;

/// What the edge speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedTls {
    /// Lowest version.
    pub min_version: TlsVersion,
    /// Suites of TLS 1.2; empty when 1.3 is the lowest.
    pub cipher_suites: Vec<String>,
    /// Groups for the key exchange, the preferred one first.
    pub curves: Vec<String>,
    /// HTTP Strict Transport Security.
    pub hsts: Hsts,
}

/// What of it is a tenant's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantsTls {
    /// What its hosts speak.
    pub tls: ResolvedTls,
    /// Certificates that its clients show.
    pub client_certificates: Option<ClientCertificates>,
}

/// The forward-secret AES-GCM suites of Mozilla's intermediate profile (Server Side TLS 5.7).
const DEFAULT_SUITES: [&str; 4] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
];
const DEFAULT_CURVES: [&str; 3] = ["X25519MLKEM768", "X25519", "P-256"];
const YEAR_SECONDS: i64 = 31_536_000;
const AUTHORITIES: &str = "spec.tls.clientCertificates.authorities";

/// Fills in the defaults.
pub fn of_class(tls: &ClassTls) -> ResolvedTls {
    let or = |said: &[String], default: &[&str]| {
        if said.is_empty() { default.iter().map(|text| (*text).into()).collect() } else { said.to_vec() }
    };
    let min_version = tls.min_version.unwrap_or_default();
    let cipher_suites = match min_version {
        TlsVersion::V1_3 => Vec::new(),
        TlsVersion::V1_2 => or(&tls.cipher_suites, &DEFAULT_SUITES),
    };
    let year = || Hsts { max_age_seconds: YEAR_SECONDS, include_sub_domains: None };
    let hsts = tls.hsts.clone().unwrap_or_else(year);
    ResolvedTls { min_version, cipher_suites, curves: or(&tls.curves, &DEFAULT_CURVES), hsts }
}

/// The class's, made stricter where the tenant asks for it; what it asks for and does not get is said in `clamped`.
pub fn of_tenant(
    tenant: &Tenant,
    class: &ResolvedTls,
    placement: &ResolvedPlacement,
    clamped: &mut Vec<String>,
    rejections: &mut Vec<Rejection>,
) -> TenantsTls {
    let wanted = tenant.spec.tls.clone().unwrap_or_default();
    let mut tls = class.clone();
    match (class.min_version, wanted.min_version) {
        (TlsVersion::V1_2, Some(TlsVersion::V1_3)) => {
            tls.min_version = TlsVersion::V1_3;
            tls.cipher_suites.clear();
        }
        (TlsVersion::V1_3, Some(TlsVersion::V1_2)) => {
            clamped.push("spec.tls.minVersion is 1.3, as the class demands: remove it".into());
        }
        _ => {}
    }
    if let Some(certificates) = &wanted.client_certificates {
        rejections.extend(refuse(certificates, placement));
    }
    TenantsTls { tls, client_certificates: wanted.client_certificates }
}

fn refuse(certificates: &ClientCertificates, placement: &ResolvedPlacement) -> Option<Rejection> {
    let invalid = |field: &str, message: String| Some(Rejection::new(Reason::Invalid, field, message));
    if placement.target.mode() == GatewayMode::Shared {
        let message =
            "a Shared gateway asks no client for a certificate: set spec.gateway.mode to Dedicated, or remove them";
        return invalid("spec.tls.clientCertificates", message.into());
    }
    // A certificate that no TLS library reads would make the data plane refuse the tenant's whole entry.
    let next = "paste the authority's certificate in PEM, such as the content of ca.crt";
    match count(&certificates.authorities) {
        Ok(0) => invalid(AUTHORITIES, format!("there is no certificate in it: {next}")),
        Ok(_) => None,
        Err(why) => invalid(AUTHORITIES, format!("{why}: {next}")),
    }
}

/// How many certificates there are, all of them readable.
fn count(pem: &str) -> Result<usize, String> {
    let mut number = 0;
    for section in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        number += 1;
        let certificate = section.map_err(|error| format!("certificate {number} is not PEM ({error})"))?;
        webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|error| format!("certificate {number} is not an X.509 certificate ({error})"))?;
    }
    Ok(number)
}
