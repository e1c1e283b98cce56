//! What the edge takes from clients, by traffic: forged headers, slow and silent clients, odd paths and names, answers that
//! take long. A tenant has no word in any of it but to take less, and a route's own `timeouts`.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use futures::try_join;
use hyper::Method;
use octroi_tests::probe::{Answer, Ask, Failure, Outcome, Probe};
use octroi_tests::stage::{DataPlane, Guest, LIMIT, Stage};
use octroi_tests::{Error, Result};
use serde_json::{Value, json};

use crate::alone_on_stage;
use crate::sample;
use octroi_tests::probe::tls_hello::{self, ECDSA_AES_256, Offer, P_256, Version, X25519, accepts};

const FORGED: &str = "192.0.2.66";
/// Each with a value that nobody but this client writes.
const CLAIMS: [&str; 29] = [
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-max-retries",
    "x-envoy-original-host",
    "x-envoy-original-path",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-ms",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-octroi-tenant",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
/// No list has it, and Envoy may read it one day.
const UNHEARD_OF: &str = "x-envoy-unheard-of";
/// What the class of the impatient edge takes of TLS 1.2, and no more.
const CHOSEN: Offer = Offer { version: Version::Tls12, suites: &[ECDSA_AES_256], groups: &[X25519, P_256] };
/// What the class of the impatient edge says, in seconds.
const PATIENCE: u64 = 2;
/// A busy machine may be late by this much.
const LATE: Duration = Duration::from_secs(4);
const CONNECTIONS: usize = 4;
const BODY_KIB: usize = 64;
/// What the firewall takes by default.
const FIREWALLS_BODY_KIB: usize = 128;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_edge_takes_nothing_that_it_should_not() {
    alone_on_stage("hard", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let impatient = stage.class("i", be_impatient).await?;
        let (a, b) = (stage.tenant(&class, "a", |_| {}).await?, stage.tenant(&impatient, "b", |_| {}).await?);
        Box::pin(edge_of(stage, &a, &b)).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dedicated_edge_takes_nothing_that_it_should_not() {
    alone_on_stage("hard-own", async |stage| {
        let own = |spec: &mut Value| spec["gateway"]["mode"] = json!("Dedicated");
        let class = stage.class("c", own).await?;
        let impatient = stage
            .class("i", |spec| {
                own(spec);
                be_impatient(spec);
            })
            .await?;
        let (a, b) = (stage.tenant(&class, "a", |_| {}).await?, stage.tenant(&impatient, "b", |_| {}).await?);
        Box::pin(edge_of(stage, &a, &b)).await
    })
    .await;
}

fn be_impatient(spec: &mut Value) {
    let timeouts = json!({"handshakeSeconds": PATIENCE, "requestHeadersSeconds": PATIENCE, "idleSeconds": PATIENCE,
        "streamIdleSeconds": PATIENCE, "requestSeconds": PATIENCE});
    spec["tls"]["cipherSuites"] = json!(["ECDHE-ECDSA-AES256-GCM-SHA384"]);
    spec["tls"]["curves"] = json!(["X25519"]);
    spec["http"] = json!({"trustedHops": 1, "timeouts": timeouts, "limits": {"concurrentStreams": 7, "connections": CONNECTIONS, "bodyKiB": BODY_KIB}});
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_of_a_shared_edge_may_let_in_less_and_its_neighbour_notices_nothing() {
    alone_on_stage("hard-less", async |stage| {
        let class = stage.class("c", allow_little).await?;
        Box::pin(tightened(stage, &class, false)).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_of_its_own_edge_may_let_in_less() {
    alone_on_stage("hard-less-own", async |stage| {
        let class = stage
            .class("c", |spec| {
                allow_little(spec);
                spec["gateway"]["mode"] = json!("Dedicated");
            })
            .await?;
        Box::pin(tightened(stage, &class, true)).await
    })
    .await;
}

/// Of streams, so that a tenant can ask for more.
fn allow_little(spec: &mut Value) {
    spec["http"] = json!({"limits": {"concurrentStreams": 50}});
}

/// `a` asks for less, `b` for more, of one class.
async fn tightened(stage: &Stage, class: &str, is_own: bool) -> Result<()> {
    let timeouts = json!({"requestHeadersSeconds": PATIENCE, "idleSeconds": PATIENCE, "streamIdleSeconds": PATIENCE,
        "requestSeconds": PATIENCE});
    let limits = json!({"concurrentStreams": 7, "connections": CONNECTIONS, "bodyKiB": BODY_KIB});
    let a = stage.tenant(class, "a", |spec| spec["http"] = json!({"timeouts": timeouts, "limits": limits})).await?;
    let more = json!({"limits": {"concurrentStreams": 1000}});
    let b = stage.tenant(class, "b", |spec| spec["http"] = more).await?;
    for guest in [&a, &b] {
        guest.deploy_all(&sample::echo(&guest.name)).await?;
        guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
        stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
    }
    says_what_holds(stage, &a, &b, is_own).await?;
    let by_entry = stage.plane == DataPlane::EnvoyGateway;
    offers_streams(stage, &a, if by_entry || is_own { 7 } else { 50 }).await?;
    offers_streams(stage, &b, 50).await?;
    takes_bodies_of(stage, &a, BODY_KIB).await?;
    takes_bodies_of(stage, &b, FIREWALLS_BODY_KIB).await?;
    let slow = async {
        cuts_a_long_answer(stage, &a).await?;
        let (ask, limit) = (a.ask(&a.www(), "/").await?, Duration::from_secs(PATIENCE) + LATE);
        let body = format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 10\r\n\r\n", a.www());
        closed("half a body", stage.probe.raw(&ask).await, body.as_bytes(), limit).await?;
        if by_entry || is_own {
            closed("no request", stage.probe.raw(&ask).await, &[], limit).await?;
        }
        if by_entry { drips(stage, &ask, limit).await } else { Ok(()) }
    };
    try_join!(waits_for_a_long_answer(stage, &b), slow)?;
    if by_entry {
        takes_so_many_connections(stage, &a, &b).await?;
    }
    Ok(())
}

/// What more is asked for is the class's, and what this data plane cannot do is named.
async fn says_what_holds(stage: &Stage, less: &Guest<'_>, more: &Guest<'_>, is_own: bool) -> Result<()> {
    let said = async |guest: &Guest<'_>, kind: &str| -> Result<String> {
        let found = guest.until(kind, |status| status.conditions.iter().find(|c| c.type_ == kind).cloned()).await?;
        Ok(format!("{} {}: {}", found.status, found.reason, found.message))
    };
    let accepted = said(more, "Accepted").await?;
    let wanted = "True Clamped: spec.http.limits.concurrentStreams is 50, the most that the class allows";
    assert!(accepted.starts_with(wanted), "{}: {accepted:?}", more.name);
    let can = said(less, "CapabilitiesSupported").await?;
    match stage.plane {
        DataPlane::EnvoyGateway => assert!(can.starts_with("True Ready"), "{}: {can:?}", less.name),
        DataPlane::Kgateway => {
            assert!(can.starts_with("False Unsupported") && can.contains("spec.http.limits.connections"), "{can:?}");
            assert_eq!(can.contains("concurrentStreams on a Shared gateway"), !is_own, "{can:?}");
        }
    }
    Ok(())
}

/// One with the defaults, one with a class that sets everything.
async fn edge_of(stage: &Stage, plain: &Guest<'_>, impatient: &Guest<'_>) -> Result<()> {
    for guest in [plain, impatient] {
        guest.deploy_all(&sample::echo(&guest.name)).await?;
        guest.deploy(&talkative(&guest.name, &guest.www())).await?;
        stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
    }
    takes_of_tls_what_the_class_says(plain, impatient).await?;
    believes_nobody(stage, plain).await?;
    believes_one_hop(stage, impatient).await?;
    tells_nothing_of_itself(stage, plain).await?;
    reads_paths_and_names(stage, plain).await?;
    offers_streams(stage, plain, 100).await?;
    offers_streams(stage, impatient, 7).await?;
    takes_bodies_of(stage, impatient, BODY_KIB).await?;
    takes_bodies_of(stage, plain, FIREWALLS_BODY_KIB).await?;
    let slow = async {
        cuts_a_long_answer(stage, impatient).await?;
        closes_on_the_silent_and_the_slow(stage, impatient).await
    };
    try_join!(waits_for_a_long_answer(stage, plain), slow)?;
    if stage.plane == DataPlane::EnvoyGateway {
        takes_so_many_connections(stage, impatient, plain).await?;
    }
    Ok(())
}

/// A route that answers with what a backend should not tell.
fn talkative(namespace: &str, host: &str) -> Value {
    let banners = json!([{"name": "server", "value": "legacy/1.2"}, {"name": "x-powered-by", "value": "PHP/5.3"}]);
    let rule = json!({
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": banners}}],
        "backendRefs": [{"name": "web-v1", "port": 80}],
    });
    sample::route_of(namespace, "www", &[host.to_owned()], &json!([rule]))
}

async fn takes_of_tls_what_the_class_says(plain: &Guest<'_>, picky: &Guest<'_>) -> Result<()> {
    let usual = Offer::of(Version::Tls12);
    let other_suite = Offer { suites: usual.suites, ..CHOSEN };
    let other_curve = Offer { groups: usual.groups, ..CHOSEN };
    for (guest, offer, is_taken) in
        [(plain, usual, true), (picky, CHOSEN, true), (picky, other_suite, false), (picky, other_curve, false)]
    {
        let taken = accepts(guest.address().await?, &guest.www(), &offer).await?;
        assert_eq!(taken, is_taken, "{}: {offer:x?}", guest.name);
    }
    Ok(())
}

async fn claiming(stage: &Stage, guest: &Guest<'_>) -> Result<Answer> {
    let ask = guest.ask(&guest.www(), "/claims").await?;
    // kgateway removes by name only.
    let unheard_of = (stage.plane == DataPlane::EnvoyGateway).then_some(UNHEARD_OF);
    let ask = CLAIMS.into_iter().chain(unheard_of).fold(ask, |ask, name| ask.header(name, FORGED));
    stage.probe.ask(&ask).await.map_err(Error::failed("a request with forged headers"))
}

async fn believes_nobody(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let seen = claiming(stage, guest).await?.json()?;
    let headers = &seen["headers"];
    assert!(!headers.to_string().contains(FORGED), "{headers}");
    let from = headers["X-Forwarded-For"][0].as_str().unwrap_or_default();
    assert!(from.parse::<std::net::IpAddr>().is_ok(), "the backend must learn the client's address: {headers}");
    assert_eq!((&headers["X-Forwarded-Proto"][0], &seen["path"]), (&json!("https"), &json!("/claims")));
    Ok(())
}

/// Behind one proxy that is believed, what it says of the client stays, and what steers Envoy or the platform goes.
async fn believes_one_hop(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let seen = claiming(stage, guest).await?.json()?;
    let headers = &seen["headers"];
    let from = headers["X-Forwarded-For"][0].as_str().unwrap_or_default();
    assert!(from.starts_with(FORGED), "{headers}");
    for name in ["X-Octroi-Tenant", "X-Original-Url", "X-Envoy-Original-Path", "X-Envoy-Unheard-Of"] {
        assert!(headers[name].is_null(), "{name}: {headers}");
    }
    Ok(())
}

async fn tells_nothing_of_itself(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    for path in ["/", "/status/500"] {
        let answer = stage.probe.ask(&guest.ask(&guest.www(), path).await?).await.map_err(Error::failed(path))?;
        let told = ["server", "x-powered-by", "x-envoy-upstream-service-time"].map(|name| answer.header(name));
        assert_eq!(told, [None; 3], "{path}");
        assert!(answer.header("strict-transport-security").is_some(), "{path}");
    }
    Ok(())
}

async fn reads_paths_and_names(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let path_of = async |path: &str| -> Result<Value> {
        let answer = stage.probe.ask(&guest.ask(&guest.www(), path).await?).await.map_err(Error::failed(path))?;
        Ok(if answer.code == 200 { answer.json()?["path"].clone() } else { json!(answer.code) })
    };
    assert_eq!(path_of("/a//b").await?, json!("/a/b"));
    assert_eq!(path_of("/a/../b").await?, json!("/b"));
    let underscored = guest.ask(&guest.www(), "/").await?.header("x_octroi_tenant", FORGED);
    let http_1 = Probe::offering(&stage.authority, &["http/1.1"])?;
    let (slash, name) = (path_of("/a%2Fb").await?, Outcome::of(&http_1.ask(&underscored).await));
    match stage.plane {
        DataPlane::EnvoyGateway => assert_eq!((slash, name), (json!(307), Outcome::Code(400))),
        // It has no say in either; see docs/edge.md.
        DataPlane::Kgateway => assert_eq!((slash, name), (json!("/a%2Fb"), Outcome::Code(200))),
    }
    Ok(())
}

/// `SETTINGS_MAX_CONCURRENT_STREAMS` of the server's first frame (RFC 9113, section 6.5).
async fn offers_streams(stage: &Stage, guest: &Guest<'_>, wanted: u32) -> Result<()> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const FRAME_HEADER: usize = 9;
    let probe = Probe::offering(&stage.authority, &["h2"])?;
    let what = || "the server's settings";
    let mut raw = probe.raw(&guest.ask(&guest.www(), "/").await?).await.map_err(Error::failed(what()))?;
    raw.say(PREFACE).await.map_err(Error::failed(what()))?;
    let frame = raw.hear(LIMIT).await.map_err(Error::failed(what()))?;
    let settings = frame.get(FRAME_HEADER..).unwrap_or_default().chunks_exact(6);
    let streams = settings.filter(|setting| setting[..2] == [0, 3]).find_map(|s| s[2..].try_into().ok());
    assert_eq!(streams.map(u32::from_be_bytes), Some(wanted), "{frame:?}");
    Ok(())
}

/// As large as is allowed, and one byte more.
async fn takes_bodies_of(stage: &Stage, guest: &Guest<'_>, kib: usize) -> Result<()> {
    let post = async |size: usize| -> Result<u16> {
        let ask = guest.ask(&guest.www(), "/").await?.method(Method::POST);
        let ask = ask.header("content-type", "application/octet-stream").body(vec![b'a'; size]);
        Ok(stage.probe.ask(&ask).await.map_err(Error::failed(format!("a body of {size} bytes")))?.code)
    };
    assert_eq!((post(kib * 1024).await?, post(kib * 1024 + 1).await?), (200, 413), "{}", guest.name);
    Ok(())
}

/// Envoy's own patience is 15 s.
async fn waits_for_a_long_answer(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let ask = guest.ask(&guest.www(), "/sleep?ms=17000").await?;
    let answer = stage.probe.clone().timeout(LIMIT).ask(&ask).await.map_err(Error::failed("an answer after 17 s"))?;
    assert_eq!(answer.code, 200);
    Ok(())
}

async fn cuts_a_long_answer(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let ask = guest.ask(&guest.www(), "/sleep?ms=30000").await?;
    let since = Instant::now();
    let answer = stage.probe.clone().timeout(LIMIT).ask(&ask).await.map_err(Error::failed("a late answer"))?;
    println!("{}: an answer of 30 s is cut with {} after {:?}", guest.name, answer.code, since.elapsed());
    assert_eq!(answer.code, 504);
    assert!(since.elapsed() < Duration::from_secs(PATIENCE) + LATE, "{:?}", since.elapsed());
    Ok(())
}

async fn closes_on_the_silent_and_the_slow(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let (secure, plain) = (guest.ask(&guest.www(), "/").await?, guest.ask_plain(&guest.www(), "/").await?);
    let limit = Duration::from_secs(PATIENCE) + LATE;
    // kgateway leaves the first bytes to Envoy's own patience, 15 s.
    let first_bytes = if stage.plane == DataPlane::Kgateway { Duration::from_secs(15) + LATE } else { limit };
    closed("no handshake", stage.probe.silent(&secure).await, &[], first_bytes).await?;
    let hello = tls_hello::hello(&guest.www(), &CHOSEN);
    closed("half a handshake", stage.probe.silent(&secure).await, &hello, limit).await?;
    closed("no request", stage.probe.raw(&secure).await, &[], limit).await?;
    closed("half a request", stage.probe.raw(&secure).await, b"GET / HTTP/1.1\r\nHost: a\r\n", limit).await?;
    closed("half a request, port 80", stage.probe.raw(&plain).await, b"GET / HTTP/1.1\r\nHost: a\r\n", limit).await?;
    if stage.plane == DataPlane::EnvoyGateway {
        drips(stage, &secure, limit).await?;
    }
    Ok(())
}

async fn closed(what: &str, raw: Result<octroi_tests::probe::Raw, Failure>, say: &[u8], limit: Duration) -> Result<()> {
    let mut raw = raw.map_err(Error::failed(what))?;
    raw.say(say).await.map_err(Error::failed(what))?;
    let closed = raw.until_closed(limit).await.map_err(Error::failed(format!("{what}: not closed after {limit:?}")))?;
    println!("{what}: closed after {:?}", closed.after);
    assert!(closed.after > Duration::from_secs(PATIENCE) / 2, "{what}: {closed:?}");
    Ok(())
}

/// A header line each half second: each is a sign of life, and all of them together take too long.
async fn drips(stage: &Stage, ask: &Ask, limit: Duration) -> Result<()> {
    let what = "a request that drips";
    let mut raw = stage.probe.raw(ask).await.map_err(Error::failed(what))?;
    raw.say(b"GET / HTTP/1.1\r\nHost: a\r\n").await.map_err(Error::failed(what))?;
    let since = Instant::now();
    while since.elapsed() < limit {
        if raw.say(b"X-Drip: a\r\n").await.is_err() || raw.hear(Duration::from_millis(500)).await.is_ok() {
            println!("{what}: answered or closed after {:?}", since.elapsed());
            return Ok(());
        }
    }
    Err(Error::Failed { what: what.into(), detail: format!("it is still listened to after {limit:?}") })
}

/// One connection too many is closed; a neighbour's clients notice nothing.
async fn takes_so_many_connections(stage: &Stage, guest: &Guest<'_>, neighbour: &Guest<'_>) -> Result<()> {
    let ask = guest.ask(&guest.www(), "/").await?;
    let http_1 = Probe::offering(&stage.authority, &["http/1.1"])?;
    let held = try_join_all((0..CONNECTIONS).map(|_| http_1.raw(&ask))).await.map_err(Error::failed("connections"))?;
    let outcome = Outcome::of(&http_1.ask(&ask).await);
    println!("{}: beside {CONNECTIONS} connections, one more: {outcome}", guest.name);
    assert!(matches!(outcome, Outcome::NoTls | Outcome::NoAnswer), "{outcome}");
    let other = stage.probe.ask(&neighbour.ask(&neighbour.www(), "/").await?).await;
    assert_eq!(Outcome::of(&other), Outcome::Code(200), "{}", neighbour.name);
    drop(held);
    stage.probe.until_status(&ask, 200, LIMIT).await?;
    Ok(())
}
