//! Ports beside 443: TCP, UDP and TLS that is passed through. First what must not be had, then what is served, and then the same
//! again after a neighbour has tried to get at it.

use std::net::SocketAddr;
use std::time::Duration;

use octroi_api::TenantStatus;
use octroi_tests::demo::backend;
use octroi_tests::probe::{Ask, Outcome, Probe};
use octroi_tests::stage::{DataPlane, Guest, LIMIT, Stage, until};
use octroi_tests::{Error, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::on_stage;
use crate::sample;

const TCP: u16 = 5432;
const TLS: u16 = 5433;
const UDP: u16 = 5434;
/// Below 1024, which Envoy Gateway moves inside the pod.
const LOW: u16 = 465;
/// Offered by nobody.
const OTHER: u16 = 6000;
const PATIENCE: Duration = Duration::from_secs(2);
/// What a firewall refuses, and nobody looks at here.
const ATTACK: &str = "/?q=%3Cscript%3Ealert(1)%3C/script%3E";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_shared_gateway_a_port_has_one_tenant() {
    on_stage("l4", async |stage| {
        let class = stage.class("c", |spec| offers(stage, spec)).await?;
        let mut a = stage.tenant(&class, "a", |spec| asks(stage, "a", spec)).await?;
        has_its_ports(stage, &a).await?;
        let b = stage.tenant(&class, "b", |spec| asks(stage, "b", spec)).await?;
        is_taken_and_names_nobody(&b, &a).await?;
        let served = serve(stage, &a, "v1").await?;
        neighbour_reaches_for_it(stage, &b, &a).await?;
        // Its own entry has no such listeners: these are good routes that serve nobody.
        b.deploy_all(&routes(stage, &b, &b)).await?;
        nothing_else_answers(&a).await?;
        served.answers(stage, &a).await?;
        only_its_sources(stage, &mut a).await?;
        served.answers(stage, &a).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_gateways_of_their_own_two_tenants_have_the_same_ports() {
    on_stage("l4-own", async |stage| {
        let class = stage
            .class("c", |spec| {
                offers(stage, spec);
                spec["gateway"]["mode"] = json!("Dedicated");
            })
            .await?;
        let mut a = stage.tenant(&class, "a", |spec| asks(stage, "a", spec)).await?;
        let b = stage.tenant(&class, "b", |spec| asks(stage, "b", spec)).await?;
        for guest in [&a, &b] {
            has_its_ports(stage, guest).await?;
        }
        let (first, second) = (serve(stage, &a, "v1").await?, serve(stage, &b, "v2").await?);
        neighbour_reaches_for_it(stage, &b, &a).await?;
        nothing_else_answers(&a).await?;
        first.answers(stage, &a).await?;
        second.answers(stage, &b).await?;
        only_its_sources(stage, &mut a).await?;
        first.answers(stage, &a).await
    })
    .await;
}

fn offers(stage: &Stage, spec: &mut Value) {
    let all = if has_udp(stage) { json!(["TCP", "UDP", "TLS"]) } else { json!(["TCP", "TLS"]) };
    spec["layer4"] =
        json!({"ports": [{"from": LOW, "protocols": ["TCP"]}, {"from": TCP, "to": UDP, "protocols": all}]});
}

fn has_udp(stage: &Stage) -> bool {
    stage.plane == DataPlane::EnvoyGateway
}

fn asks(stage: &Stage, suffix: &str, spec: &mut Value) {
    let host = format!("mail.{}.{}", stage.name(suffix), stage.base);
    let mut ports = vec![
        json!({"name": "postgres", "protocol": "TCP", "port": TCP}),
        json!({"name": "low", "protocol": "TCP", "port": LOW}),
        json!({"name": "mail", "protocol": "TLS", "port": TLS, "hosts": [host]}),
    ];
    if has_udp(stage) {
        ports.push(json!({"name": "game", "protocol": "UDP", "port": UDP}));
    }
    spec["layer4"] = json!(ports);
}

fn mail(guest: &Guest<'_>) -> String {
    format!("mail.{}", guest.apex())
}

fn reasons(status: &TenantStatus) -> Vec<Option<String>> {
    status.layer4.iter().map(|port| port.reason.clone()).collect()
}

async fn has_its_ports(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    guest.ready().await?;
    let wanted = if has_udp(stage) { 4 } else { 3 };
    let ports = guest.until("its ports are ready", |status| {
        (status.layer4.len() == wanted && status.layer4.iter().all(|port| port.ready)).then(|| status.layer4.clone())
    });
    for port in ports.await? {
        let message = port.message.clone().unwrap_or_default();
        assert!(message.contains("the firewall, rate limits, authentication"), "{}: {port:?}", guest.name);
    }
    Ok(())
}

async fn is_taken_and_names_nobody(late: &Guest<'_>, first: &Guest<'_>) -> Result<()> {
    let status = late
        .until("its ports are taken", |status| {
            let is_taken = |reason: &Option<String>| reason.as_deref() == Some("PortTaken");
            (!status.layer4.is_empty() && reasons(status).iter().all(is_taken)).then(|| status.clone())
        })
        .await?;
    let said = serde_json::to_string(&status).map_err(Error::failed("the status"))?;
    assert!(!said.contains(&first.name), "{}'s status names the other tenant: {said}", late.name);
    let entry = late.gateway_namespace();
    assert!(said.contains("belongs to somebody else"), "{entry}: {said}");
    Ok(())
}

/// What of a tenant answers, and whom its backend's certificate is believed by.
struct Served {
    version: &'static str,
    probe: Probe,
}

/// The developer deploys the backend with a certificate of its own, and a route for each port.
async fn serve(stage: &Stage, guest: &Guest<'_>, version: &'static str) -> Result<Served> {
    let authority = authority()?;
    let (certificate, key) = certificate(&authority, &mail(guest))?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "mail", "namespace": guest.name}, "stringData": {"tls.crt": certificate, "tls.key": key},
    });
    guest.deploy_all(&[secret, with_tls(backend::deployment(&guest.name, version)), service(guest, version)]).await?;
    guest.deploy_all(&routes(stage, guest, guest)).await?;
    let served = Served { version, probe: Probe::trusting(&authority.pem())? };
    served.answers(stage, guest).await?;
    Ok(served)
}

fn with_tls(mut deployment: Value) -> Value {
    let pod = &mut deployment["spec"]["template"]["spec"];
    pod["volumes"] = json!([{"name": "tls", "secret": {"secretName": "mail"}}]);
    pod["containers"][0]["volumeMounts"] = json!([{"name": "tls", "mountPath": "/tls", "readOnly": true}]);
    if let Some(env) = pod["containers"][0]["env"].as_array_mut() {
        env.push(json!({"name": "TLS_DIR", "value": "/tls"}));
    }
    deployment
}

fn service(guest: &Guest<'_>, version: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "ports", "namespace": guest.name},
        "spec": {"selector": {"app": format!("web-{version}")}, "ports": [
            {"name": "tcp", "port": TCP, "targetPort": 9000},
            {"name": "tls", "port": TLS, "targetPort": 8443},
            {"name": "udp", "port": UDP, "targetPort": 9000, "protocol": "UDP"},
        ]},
    })
}

/// Routes in one tenant's namespace that mean the ports of another one, or its own.
fn routes(stage: &Stage, guest: &Guest<'_>, meant: &Guest<'_>) -> Vec<Value> {
    let route = |kind: &str, name: &str, spec: Value| {
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": guest.name}, "spec": spec})
    };
    let parent = |section: &str| {
        json!([{"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": meant.name,
            "namespace": meant.gateway_namespace(), "sectionName": section}])
    };
    let to = |port: u16| json!([{"backendRefs": [{"name": "ports", "port": port}]}]);
    let mut all = vec![
        route("TCPRoute", "postgres", json!({"parentRefs": parent("postgres"), "rules": to(TCP)})),
        route("TCPRoute", "low", json!({"parentRefs": parent("low"), "rules": to(TCP)})),
        route("TLSRoute", "mail", json!({"hostnames": [mail(meant)], "rules": to(TLS)})),
    ];
    if has_udp(stage) {
        all.push(route("UDPRoute", "game", json!({"parentRefs": parent("game"), "rules": to(UDP)})));
    }
    all
}

impl Served {
    /// Every port answers, by this backend and nobody else's.
    async fn answers(&self, stage: &Stage, guest: &Guest<'_>) -> Result<()> {
        for port in [TCP, LOW] {
            let what = format!("{} answers on {port}", guest.name);
            let address = at(guest, port).await?;
            until(&what, LIMIT, async || {
                let heard = tcp_echo(address).await;
                Ok(if heard.as_deref() == Some(self.version) { Ok(()) } else { Err(format!("{heard:?}")) })
            })
            .await?;
        }
        // What the firewall would refuse passes, and the certificate is the backend's own.
        let ask = Ask::get(&format!("https://{}{ATTACK}", mail(guest)), at(guest, TLS).await?)?;
        let answer = self.probe.until_status(&ask, 200, LIMIT).await?.answer;
        assert_eq!(sample::version(&answer).as_deref(), Some(self.version), "{}", guest.name);
        assert_eq!(Outcome::of(&stage.probe.ask(&ask).await), Outcome::NoTls, "the edge must not end it");
        if has_udp(stage) {
            let address = at(guest, UDP).await?;
            until(&format!("{} answers by UDP", guest.name), LIMIT, async || {
                let heard = udp_echo(address).await;
                let wanted = format!("{} ping", self.version);
                Ok(if heard.as_ref() == Some(&wanted) { Ok(()) } else { Err(format!("{heard:?}")) })
            })
            .await?;
        }
        self.refuses_other_names(guest).await
    }

    async fn refuses_other_names(&self, guest: &Guest<'_>) -> Result<()> {
        let address = at(guest, TLS).await?;
        for name in [guest.apex(), guest.www(), "www.elsewhere.example".into()] {
            let ask = Ask::get(&format!("https://{name}/"), address)?;
            let outcome = Outcome::of(&self.probe.ask(&ask).await);
            assert!(matches!(outcome, Outcome::NoTls | Outcome::NoAnswer), "{name} at {}: {outcome}", guest.name);
        }
        Ok(())
    }
}

/// Whatever the neighbour's developer writes is refused.
async fn neighbour_reaches_for_it(stage: &Stage, neighbour: &Guest<'_>, victim: &Guest<'_>) -> Result<()> {
    let guards = ["is not the entry of Tenant", "is not a host of Tenant"];
    for route in routes(stage, neighbour, victim) {
        let named = route["kind"].as_str().unwrap_or_default().to_owned();
        let error = match neighbour.developer.apply(&route).await {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{}: a {named} for {}'s port must be refused", neighbour.name, victim.name),
        };
        assert!(guards.iter().any(|guard| error.contains(guard)), "{named}: {error}");
    }
    if stage.get(&claim_of(stage)).await?.is_some() {
        let refused = neighbour.developer.delete(&claim_of(stage)).await;
        assert!(refused.is_err(), "a developer deletes a claim of a port");
    }
    Ok(())
}

fn claim_of(stage: &Stage) -> Value {
    json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "PortClaim", "metadata": {"name": format!("{}.tcp-{TCP}", stage.name("c"))}})
}

/// Neither ports that nobody offers, nor those that stand for others inside the pod.
async fn nothing_else_answers(guest: &Guest<'_>) -> Result<()> {
    for port in [OTHER, 10_000 + LOW, 10_443, 19_000, 19_001] {
        let heard = tcp_echo(at(guest, port).await?).await;
        assert_eq!(heard, None, "{} answers on {port}", guest.name);
    }
    Ok(())
}

/// A port for some addresses is closed to all others; where the data plane cannot tell them apart, it is closed to all.
async fn only_its_sources(stage: &Stage, guest: &mut Guest<'_>) -> Result<()> {
    let address = at(guest, TCP).await?;
    // A documentation range (RFC 5737): nobody comes from there.
    guest.change(|spec| spec["layer4"][0]["allowedSources"] = json!(["192.0.2.0/24"])).await?;
    until(&format!("{} lets nobody in", guest.name), LIMIT, async || {
        Ok(tcp_echo(address).await.map_or(Ok(()), |heard| Err(format!("heard {heard}"))))
    })
    .await?;
    if stage.plane == DataPlane::Kgateway {
        let says = |status: &TenantStatus| (reasons(status)[0].as_deref() == Some("Unsupported")).then_some(());
        guest.until("it says that the data plane cannot", says).await?;
    } else {
        guest.ready().await?;
        guest.change(|spec| spec["layer4"][0]["allowedSources"] = json!(["0.0.0.0/0", "::/0"])).await?;
        until(&format!("{} lets everybody in", guest.name), LIMIT, async || {
            Ok(tcp_echo(address).await.map(drop).ok_or("nobody answers"))
        })
        .await?;
    }
    guest
        .change(|spec| {
            if let Some(port) = spec["layer4"][0].as_object_mut() {
                port.remove("allowedSources");
            }
        })
        .await?;
    guest.ready().await
}

async fn at(guest: &Guest<'_>, port: u16) -> Result<SocketAddr> {
    let mut address = guest.address().await?;
    address.set_port(port);
    Ok(address)
}

/// The version of the backend that greets, once it has sent back what it was sent.
async fn tcp_echo(address: SocketAddr) -> Option<String> {
    let heard = timeout(PATIENCE, async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(b"ping\n").await.ok()?;
        stream.shutdown().await.ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        text.strip_suffix("\nping\n").map(str::to_owned)
    });
    heard.await.ok().flatten()
}

async fn udp_echo(address: SocketAddr) -> Option<String> {
    let heard = timeout(PATIENCE, async {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await.ok()?;
        socket.send_to(b"ping", address).await.ok()?;
        let mut datagram = [0; 64];
        let (length, _) = socket.recv_from(&mut datagram).await.ok()?;
        Some(String::from_utf8_lossy(&datagram[..length]).into_owned())
    });
    heard.await.ok().flatten()
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "a tenant's own");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key()?).map_err(Error::failed("an authority"))
}

/// Certificate and key for a host, in PEM.
fn certificate(authority: &CertifiedIssuer<'static, KeyPair>, host: &str) -> Result<(String, String)> {
    let params = CertificateParams::new([host.to_owned()]).map_err(Error::failed("a certificate's name"))?;
    let key = key()?;
    let certificate = params.signed_by(&key, authority).map_err(Error::failed("a certificate"))?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn key() -> Result<KeyPair> {
    KeyPair::generate().map_err(Error::failed("a key"))
}
