//! Certificates of one light lab: an authority, the API server's own, and one per user.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::{Error, Result};

/// The attribute type "organization", spelled as an OID: the API server reads each such attribute as a group.
const ORGANIZATION: [u64; 4] = [2, 5, 4, 10];

/// The files of a certificate and its key.
pub(super) struct Identity {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// The authority of one lab, its files in one folder.
pub(super) struct Pki {
    dir: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
    issued: AtomicUsize,
}

impl Pki {
    pub(super) fn create(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(Error::io("the folder of certificates"))?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "octroi-light-lab");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = CertifiedIssuer::self_signed(params, new_key()?).map_err(refused)?;
        let pki = Self { dir: dir.to_path_buf(), authority, issued: AtomicUsize::new(0) };
        write(&pki.ca(), &pki.authority.pem())?;
        let accounts = new_key()?;
        write(&pki.account_key(), &accounts.serialize_pem())?;
        write(&pki.account_public_key(), &accounts.public_key_pem())?;
        Ok(pki)
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// Signs service account tokens.
    pub(super) fn account_key(&self) -> PathBuf {
        self.dir.join("accounts.key")
    }

    pub(super) fn account_public_key(&self) -> PathBuf {
        self.dir.join("accounts.pub")
    }

    /// The API server's certificate, for every name a client may use.
    pub(super) fn serving(&self) -> Result<Identity> {
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let mut params = CertificateParams::new(names.map(String::from)).map_err(refused)?;
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    /// A user's client certificate.
    pub(super) fn user(&self, name: &str, groups: &[&str]) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        // rcgen keeps one value per attribute type; a second group fits only under the type's other spelling.
        let types = [DnType::OrganizationName, DnType::CustomDnType(ORGANIZATION.to_vec())];
        if groups.len() > types.len() {
            return Err(Error::Failed {
                what: format!("a certificate for {name}"),
                detail: format!("at most {} groups fit, got {groups:?}", types.len()),
            });
        }
        for (kind, group) in types.into_iter().zip(groups) {
            params.distinguished_name.push(kind, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    fn issue(&self, mut params: CertificateParams) -> Result<Identity> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.authority).map_err(refused)?;
        // Numbered, because a user's name may hold what a file name cannot.
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let files = Identity {
            certificate: self.dir.join(format!("{number}.crt")),
            key: self.dir.join(format!("{number}.key")),
        };
        write(&files.certificate, &certificate.pem())?;
        write(&files.key, &key.serialize_pem())?;
        Ok(files)
    }
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate().map_err(refused)
}

fn write(file: &Path, content: &str) -> Result<()> {
    fs::write(file, content).map_err(Error::io(format!("writing {}", file.display())))
}

#[expect(clippy::needless_pass_by_value, reason = "it is the shape map_err wants")]
fn refused(error: rcgen::Error) -> Error {
    Error::Failed { what: "a certificate".into(), detail: error.to_string() }
}
