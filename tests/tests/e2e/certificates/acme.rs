//! The lab's ACME server, and the DNS that it asks.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use octroi_tests::probe::Ask;
use octroi_tests::stage::{Stage, resolve};
use octroi_tests::{Error, Result};
use serde_json::json;

const ISSUER: &str = "lab-acme";
const NAMESPACE: &str = "acme";
const MANAGEMENT: u16 = 15_000;
const KEY: &str = "hmac-sha256:octroi-lab.";

/// An ACME server whose DNS this test may write.
pub struct Acme {
    /// Its ClusterIssuer.
    pub issuer: &'static str,
    dns: String,
    secret: String,
}

impl Acme {
    /// `None`, and a line that says so, where the cluster has no such server.
    ///
    /// # Errors
    /// When the cluster cannot be read.
    pub async fn of(stage: &Stage) -> Result<Option<Self>> {
        let issuer = json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": ISSUER}});
        if stage.get(&issuer).await?.is_none() {
            println!("skipped: this cluster has no ClusterIssuer {ISSUER}, which is an ACME server of the lab");
            return Ok(None);
        }
        let dns =
            stage.lab.kubectl(&["-n", NAMESPACE, "get", "service", "dns", "-o=jsonpath={.spec.clusterIP}"]).await?;
        let key = "-o=go-template={{.data.secret | base64decode}}";
        let secret = stage.lab.kubectl(&["-n", NAMESPACE, "get", "secret", "tsig", key]).await?;
        Ok(Some(Self { issuer: ISSUER, dns: dns.trim().into(), secret: secret.trim().into() }))
    }

    /// The root of its certificates, as PEM. It makes a new one at each start.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn root(&self, stage: &Stage) -> Result<String> {
        let ip =
            stage.lab.kubectl(&["-n", NAMESPACE, "get", "service", "pebble", "-o=jsonpath={.spec.clusterIP}"]).await?;
        let mut address = resolve(ip.trim()).await?;
        address.set_port(MANAGEMENT);
        let ask = Ask::get(&format!("https://pebble.{NAMESPACE}.svc:{MANAGEMENT}/roots/0"), address)?;
        let answer = stage.probe.ask(&ask).await.map_err(Error::failed("asking Pebble for its root"))?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Lets a name point at an address.
    ///
    /// # Errors
    /// When nsupdate is not there or is refused.
    pub async fn point(&self, name: &str, address: &SocketAddr) -> Result<()> {
        let ip = address.ip();
        let lines =
            format!("server {}\nzone test\nupdate delete {name}. A\nupdate add {name}. 1 A {ip}\nsend\n", self.dns);
        let key = format!("{KEY}:{}", self.secret);
        let update = tokio::task::spawn_blocking(move || update(&key, &lines));
        update.await.map_err(Error::failed("waiting for nsupdate"))?
    }
}

fn update(key: &str, lines: &str) -> Result<()> {
    let failed = || Error::io("nsupdate");
    let mut child = Command::new("nsupdate")
        .args(["-y", key])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed())?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(lines.as_bytes()).map_err(failed())?;
    }
    let output = child.wait_with_output().map_err(failed())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::Failed { what: "nsupdate".into(), detail: said })
}
