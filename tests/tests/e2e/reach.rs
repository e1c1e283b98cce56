//! A Tenant is reachable by what its own developer deploys: hosts, certificate, protocols, redirect, and what is refused.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures::{StreamExt as _, stream};
use octroi_tests::demo::backend::{self, CANARY_PATH, HEADER, VERSIONS};
use octroi_tests::probe::{Ask, Outcome, Probe, rate};
use octroi_tests::stage::{Guest, LIMIT, Stage, until};
use octroi_tests::{Error, Result};
use serde_json::json;

use crate::on_stage;
use crate::sample::{self, version};
use octroi_tests::probe::tls_hello::{Version, is_accepted};

const DEFAULT_HSTS: &str = "max-age=31536000";
const SPLIT_REQUESTS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_tenant_is_reached_by_what_its_developer_deploys() {
    on_stage("shared", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let (a, b) = (stage.tenant(&class, "a", |_| {}).await?, stage.tenant(&class, "b", |_| {}).await?);
        deploy(&a).await?;
        deploy(&b).await?;
        answers_on_both_hosts(stage, &a).await?;
        answers_on_both_hosts(stage, &b).await?;
        assert_eq!(a.address().await?, b.address().await?, "both are on the class's Gateway");
        speaks_both_protocols(stage, &a).await?;
        keeps_hsts(stage, &a, DEFAULT_HSTS).await?;
        sends_http_to_https(stage, &a).await?;
        refuses_versions(&a, &[Version::Tls10, Version::Tls11], &[Version::Tls12]).await?;
        answers_nothing_else(stage, &a).await?;
        keeps_to_itself(stage, &a, &b).await?;
        splits_and_rewrites(stage, &a).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dedicated_tenant_is_reached_by_what_its_developer_deploys() {
    on_stage("dedicated", async |stage| {
        let class = stage.class("c", |spec| {
            spec["gateway"]["mode"] = json!("Dedicated");
            spec["tls"]["minVersion"] = json!("1.3");
            spec["tls"]["hsts"] = json!({"maxAgeSeconds": 63_072_000, "includeSubDomains": true});
        });
        let class = class.await?;
        let (a, b) = (stage.tenant(&class, "a", |_| {}).await?, stage.tenant(&class, "b", |_| {}).await?);
        deploy(&a).await?;
        deploy(&b).await?;
        answers_on_both_hosts(stage, &a).await?;
        answers_on_both_hosts(stage, &b).await?;
        assert_ne!(a.address().await?, b.address().await?, "each has a Gateway of its own");
        speaks_both_protocols(stage, &a).await?;
        keeps_hsts(stage, &a, "max-age=63072000; includeSubDomains").await?;
        sends_http_to_https(stage, &a).await?;
        refuses_versions(&a, &[Version::Tls10, Version::Tls11, Version::Tls12], &[]).await?;
        answers_nothing_else(stage, &a).await?;
        keeps_to_itself(stage, &a, &b).await?;
        splits_and_rewrites(stage, &a).await
    })
    .await;
}

async fn deploy(guest: &Guest<'_>) -> Result<()> {
    guest.deploy_all(&sample::echo(&guest.name)).await?;
    let stored = guest.deploy(&sample::route(&guest.name, "www", &[guest.www(), guest.apex()])).await?;
    let parent = &stored.data["spec"]["parentRefs"][0];
    assert_eq!((&parent["kind"], &parent["name"]), (&json!("ListenerSet"), &json!(guest.name)), "{parent}");
    Ok(())
}

async fn answers_on_both_hosts(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    for host in [guest.www(), guest.apex()] {
        let waited = stage.probe.until_status(&guest.ask(&host, "/").await?, 200, LIMIT).await?;
        let tls = waited.answer.tls.clone().unwrap_or_default();
        let mut sans = tls.sans.clone();
        sans.sort_unstable();
        assert_eq!(sans, [format!("*.{}", guest.apex()), guest.apex()], "{host}");
        // The probe trusts nobody else, so this is what a reader recognises, and not what makes it sure.
        if std::env::var_os(octroi_tests::stage::ISSUER_SETTING).is_none() {
            assert_eq!(tls.issuer, "lab-ca", "{host}");
        }
        assert_eq!(waited.answer.json()?["host"], json!(host));
    }
    Ok(())
}

async fn speaks_both_protocols(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let ask = guest.ask(&guest.www(), "/").await?;
    for (offered, agreed) in [(vec!["h2"], "h2"), (vec!["http/1.1"], "http/1.1"), (vec!["http/1.1", "h2"], "h2")] {
        let probe = Probe::offering(&stage.authority, &offered)?;
        let answer = probe.ask(&ask).await.map_err(Error::failed(format!("offering {offered:?}")))?;
        let tls = answer.tls.unwrap_or_default();
        assert_eq!((answer.code, tls.alpn.as_deref()), (200, Some(agreed)), "offering {offered:?}");
    }
    Ok(())
}

/// What a developer would write to get rid of it.
async fn keeps_hsts(stage: &Stage, guest: &Guest<'_>, policy: &str) -> Result<()> {
    const NAME: &str = "Strict-Transport-Security";
    let ask = guest.ask(&guest.www(), "/").await?;
    let seen = |answer: &octroi_tests::probe::Answer| answer.header(NAME).map(str::to_owned);
    let waited = stage.probe.until(&ask, LIMIT, NAME, |answer| seen(answer).is_some()).await?;
    assert_eq!(seen(&waited.answer).as_deref(), Some(policy));

    let host = format!("hsts.{}", guest.apex());
    let rule = |path: &str, modifier| {
        json!({
            "matches": [{"path": {"type": "PathPrefix", "value": path}}],
            "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}],
            "backendRefs": [{"name": "web-v1", "port": 80}],
        })
    };
    let rules = json!([
        rule("/remove", json!({"remove": [NAME]})),
        rule("/set", json!({"set": [{"name": NAME, "value": "max-age=0"}]})),
    ]);
    let route = sample::route_of(&guest.name, "hsts", std::slice::from_ref(&host), &rules);
    let refused = guest.developer.apply(&route).await.expect_err("a route that changes HSTS");
    assert!(refused.api_message().contains("that header is the platform's"), "{}", refused.api_message());
    // The data plane holds alone, too.
    stage.past_the_guards().await?.apply(&route).await?;
    for path in ["/remove", "/set"] {
        let waited = stage.probe.until_status(&guest.ask(&host, path).await?, 200, LIMIT).await?;
        let header = seen(&waited.answer);
        println!("{}: a route that would {path} HSTS: {header:?}", guest.name);
        assert_eq!(header.as_deref(), Some(policy), "a route that would {path} it");
    }
    Ok(())
}

async fn sends_http_to_https(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let host = guest.www();
    let path = "/some/path?q=1";
    let waited = stage.probe.until_status(&guest.ask_plain(&host, path).await?, 308, LIMIT).await?;
    let location = waited.answer.header("location").unwrap_or_default().replace(":443/", "/");
    assert_eq!(location, format!("https://{host}{path}"));
    Ok(())
}

async fn refuses_versions(guest: &Guest<'_>, refused: &[Version], accepted: &[Version]) -> Result<()> {
    let address = guest.address().await?;
    let expected = refused.iter().map(|v| (v, false)).chain(accepted.iter().map(|v| (v, true)));
    for (version, wanted) in expected {
        assert_eq!(is_accepted(address, &guest.www(), *version).await?, wanted, "{version:?}");
    }
    Ok(())
}

async fn answers_nothing_else(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let unrouted = guest.ask(&format!("nobody.{}", guest.apex()), "/").await?;
    assert_eq!(Outcome::of(&stage.probe.ask(&unrouted).await), Outcome::Code(404));
    let foreign = Ask::get("https://www.nobody.example/", guest.address().await?)?;
    let outcome = Outcome::of(&stage.probe.ask(&foreign).await);
    println!("{}: a host of nobody in the handshake: {outcome}", guest.name);
    assert_eq!(outcome, Outcome::NoTls);
    let hidden = guest.ask(&guest.www(), "/").await?.header("host", "www.nobody.example");
    let outcome = Outcome::of(&stage.probe.ask(&hidden).await);
    println!("{}: a host of nobody in the request: {outcome}", guest.name);
    assert!(matches!(outcome, Outcome::Code(404 | 421)), "{outcome}");
    Ok(())
}

/// One tenant's name in the handshake, the other's in the request.
async fn keeps_to_itself(stage: &Stage, a: &Guest<'_>, b: &Guest<'_>) -> Result<()> {
    for protocols in [["h2"], ["http/1.1"]] {
        let probe = Probe::offering(&stage.authority, &protocols)?;
        for address in [a.address().await?, b.address().await?] {
            let outcome = crossed(&probe, a, b, address).await?;
            println!("handshake for {}, {protocols:?} request for {}: {outcome}", a.name, b.name);
            assert!(!matches!(outcome, Outcome::Code(200..=299)), "{} answered", b.name);
        }
    }
    Ok(())
}

async fn crossed(probe: &Probe, shown: &Guest<'_>, asked: &Guest<'_>, address: SocketAddr) -> Result<Outcome> {
    let ask = Ask::get(&format!("https://{}/", shown.www()), address)?.header("host", &asked.www());
    Ok(Outcome::of(&probe.ask(&ask).await))
}

async fn splits_and_rewrites(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    guest
        .deploy_all(&[backend::deployment(&guest.name, VERSIONS[1]), backend::service(&guest.name, VERSIONS[1])])
        .await?;
    guest.deploy(&backend::canary(&guest.name, &guest.www(), &guest.name)).await?;
    let ask = guest.ask(&guest.www(), CANARY_PATH).await?;
    until("the rarer version answers", LIMIT, async || {
        let seen = stage.probe.ask(&ask).await.ok().and_then(|answer| version(&answer));
        Ok(if seen.as_deref() == Some(VERSIONS[1]) { Ok(()) } else { Err(format!("{seen:?}")) })
    })
    .await?;
    let asked = stream::iter(0..SPLIT_REQUESTS).map(async |_| stage.probe.ask(&ask).await).buffer_unordered(8);
    let answers: Vec<_> = asked.collect().await;
    let mut counts = BTreeMap::<String, usize>::new();
    for answer in answers {
        let answer = answer.map_err(Error::failed("the split"))?;
        assert_eq!(answer.json()?["headers"][HEADER][0], json!(guest.name), "the backend saw the rewritten header");
        *counts.entry(version(&answer).unwrap_or_default()).or_default() += 1;
    }
    println!("{}: 90/10 of {SPLIT_REQUESTS}: {}", guest.name, rate::counted(&counts));
    // Five standard deviations of 200 draws at one in ten.
    let rare = counts.get(VERSIONS[1]).copied().unwrap_or_default();
    assert!((1..=41).contains(&rare) && counts.len() == 2, "{counts:?}");
    Ok(())
}
