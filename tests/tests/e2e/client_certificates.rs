//! Certificates of clients: who shows none, or a stranger's, is refused; a backend learns who came, from nobody else.

use octroi_tests::probe::{Outcome, Probe};
use octroi_tests::stage::{Guest, LIMIT, Stage};
use octroi_tests::{Error, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::on_stage;
use crate::sample;
use octroi_tests::probe::tls_hello::{Version, is_accepted};

const HEADER: &str = "x-forwarded-client-cert";
const FORGED: &str = "Subject=\"CN=chief\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_show_certificates_to_one_tenant_and_its_neighbour_asks_for_none() {
    on_stage("clients", async |stage| {
        let authority = authority()?;
        let class = stage.class("c", |_| {}).await?;
        let dedicated = |spec: &mut Value| spec["gateway"] = json!({"mode": "Dedicated"});
        let asking = |spec: &mut Value| {
            dedicated(spec);
            let certificates = json!({"authorities": authority.pem()});
            spec["tls"] = json!({"minVersion": "1.3", "clientCertificates": certificates});
        };
        let (a, b) = (stage.tenant(&class, "a", asking).await?, stage.tenant(&class, "b", dedicated).await?);
        for guest in [&a, &b] {
            guest.deploy_all(&sample::echo(&guest.name)).await?;
            guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
        }
        let (friend, stranger) = (client(stage, &authority)?, client(stage, &self::authority()?)?);
        friend.until_status(&a.ask(&a.www(), "/").await?, 200, LIMIT).await?;
        stage.probe.until_status(&b.ask(&b.www(), "/").await?, 200, LIMIT).await?;

        for refused in [&stage.probe, &stranger] {
            let outcome = Outcome::of(&refused.ask(&a.ask(&a.www(), "/").await?).await);
            assert!(matches!(outcome, Outcome::NoTls | Outcome::NoAnswer), "{outcome}");
        }
        let said = said_of(&friend, &a).await?;
        assert!(said.contains("CN=device-7"), "the backend must learn who came: {said}");
        assert_eq!(said_of(&stage.probe, &b).await?, "null", "nobody speaks for himself");
        let address = a.address().await?;
        assert!(!is_accepted(address, &a.www(), Version::Tls12).await?, "the tenant asked for 1.3");
        assert!(is_accepted(b.address().await?, &b.www(), Version::Tls12).await?, "its neighbour did not");
        Ok(())
    })
    .await;
}

/// What the backend is told of the client, who claims to be somebody else.
async fn said_of(probe: &Probe, guest: &Guest<'_>) -> Result<String> {
    let ask = guest.ask(&guest.www(), "/").await?.header(HEADER, FORGED);
    let seen = probe.ask(&ask).await.map_err(Error::failed("a request with a forged header"))?.json()?;
    let said = seen["headers"]["X-Forwarded-Client-Cert"].to_string();
    assert!(!said.contains("chief"), "{said}");
    Ok(said)
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "devices");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key()?).map_err(Error::failed("an authority"))
}

/// A client whose certificate this authority signed.
fn client(stage: &Stage, authority: &CertifiedIssuer<'static, KeyPair>) -> Result<Probe> {
    let what = "a client's certificate";
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "device-7");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = key()?;
    let certificate = params.signed_by(&key, authority).map_err(Error::failed(what))?;
    Probe::showing(&stage.authority, &certificate.pem(), &key.serialize_pem())
}

fn key() -> Result<KeyPair> {
    KeyPair::generate().map_err(Error::failed("a key"))
}
