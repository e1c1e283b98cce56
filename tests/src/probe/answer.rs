//! One answer, with the certificate that the server proved itself by.

use hyper::HeaderMap;
use hyper::body::Bytes;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Failure;
use crate::{Error, Result};

/// An answer, whatever its code.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What the TLS handshake showed; absent on plain HTTP.
    pub tls: Option<Served>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).map_err(Error::failed("the body as JSON"))
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What the server showed in the handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The DNS names of the leaf certificate.
    pub sans: Vec<String>,
    /// The common name of its issuer.
    pub issuer: String,
    /// The protocol agreed on by ALPN.
    pub alpn: Option<String>,
}

impl Served {
    pub(super) fn read(leaf: &CertificateDer<'_>, alpn: Option<&[u8]>) -> Result<Self, Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::Tls(format!("the leaf certificate: {error}"));
        let (_, leaf) = X509Certificate::from_der(leaf).map_err(|error| broken(&error))?;
        let names = leaf.subject_alternative_name().map_err(|error| broken(&error))?;
        let sans = names.map(|names| names.value.general_names.iter().filter_map(dns).collect()).unwrap_or_default();
        let issuer = leaf.issuer().iter_common_name().next().and_then(|name| name.as_str().ok());
        Ok(Self {
            sans,
            issuer: issuer.unwrap_or_default().to_owned(),
            alpn: alpn.map(|name| String::from_utf8_lossy(name).into_owned()),
        })
    }

    /// The certificate's name that covers a host: the exact one, or the wildcard above it.
    pub fn name_for(&self, host: &str) -> Option<&str> {
        let wildcard = host.split_once('.').map(|(_, above)| format!("*.{above}"));
        let covers = |name: &&String| *name == host || Some(*name) == wildcard.as_ref();
        self.sans.iter().find(covers).map(String::as_str)
    }
}

fn dns(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    }
}
