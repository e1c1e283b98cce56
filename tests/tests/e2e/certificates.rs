//! Certificates by ACME (RFC 8555), from a real ACME server that looks at DNS and at port 80 as a public one does: the wildcard
//! by DNS-01, a client's own domain by HTTP-01 once its DNS points here, whatever a tenant does with the solver's path.

#[path = "certificates/acme.rs"]
pub mod acme;

use futures::future::try_join;
use octroi_tests::Result;
use octroi_tests::probe::rate::{Connections, counted};
use octroi_tests::probe::{Outcome, Probe};
use octroi_tests::stage::{Guest, LIMIT, Stage};
use serde_json::json;

use crate::on_stage;
use crate::sample;
use crate::timeline::{Line, Running};
use acme::Acme;

const SOLVERS: &str = "octroi-http01";
const CHALLENGES: &str = "/.well-known/acme-challenge";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_is_served_once_its_dns_points_here_and_port_80_is_nobodys() {
    on_stage("acme", async |stage| {
        let Some(acme) = Acme::of(stage).await? else { return Ok(()) };
        let class = stage.class("c", |spec| spec["tls"]["issuerRef"] = json!({"name": acme.issuer})).await?;
        // Beside each other: cert-manager waits a minute for each record of DNS-01.
        let [shared, own] = ["Shared", "Dedicated"].map(|mode| Box::pin(issued(stage, &acme, &class, mode)));
        try_join(shared, own).await.map(drop)
    })
    .await;
}

async fn issued(stage: &Stage, acme: &Acme, class: &str, mode: &str) -> Result<()> {
    let probe = Probe::trusting(&acme.root(stage).await?)?;
    let suffix = mode.to_lowercase();
    let domain = format!("shop.{}.test", stage.name(&suffix));
    let guest = stage
        .tenant(class, &suffix, |spec| {
            spec["domains"] = json!([{"host": domain}]);
            spec["gateway"] = json!({"mode": mode});
        })
        .await?;
    guest.deploy_all(&sample::echo(&guest.name)).await?;
    guest.deploy(&sample::route(&guest.name, "shop", &[domain.clone(), guest.www()])).await?;

    has_to_wait(stage, &guest, &domain).await?;
    the_solvers_path_is_nobodys(stage, &guest, &domain).await?;
    let redirects = Running::start(&probe, &guest.ask_plain(&domain, "/").await?, 20, Connections::Fresh);
    acme.point(&domain, &guest.address().await?).await?;
    let waited = probe.until_status(&guest.ask(&domain, "/").await?, 200, LIMIT).await?;
    println!("{mode}: {domain} is served {:.1} s after its DNS points here", waited.elapsed.as_secs_f64());
    assert_eq!(waited.answer.tls.unwrap_or_default().sans, [domain.as_str()]);
    let Line(run) = redirects.stop().await;
    let seen = counted(&run.histogram());
    assert_eq!(run.failed(308), 0, "plain HTTP is redirected also while a challenge is answered: {seen}");
    the_solvers_path_is_nobodys(stage, &guest, &domain).await?;
    // By DNS-01, whatever became of the domain.
    let waited = probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
    assert_eq!(waited.answer.tls.unwrap_or_default().sans, [guest.apex(), format!("*.{}", guest.apex())]);
    guest.ready().await
}

/// The Certificate cannot be issued, the tenant is told what to do, and its other hosts are served.
async fn has_to_wait(stage: &Stage, guest: &Guest<'_>, domain: &str) -> Result<()> {
    let message = guest
        .until("it is told that DNS points elsewhere", |status| {
            let told = status.domains.iter().find(|d| d.host == domain && !d.ready)?;
            told.message.clone().filter(|_| told.reason.as_deref() == Some("DNSNotPointing"))
        })
        .await?;
    let address = guest.address().await?.ip().to_string();
    assert!(message.contains(&format!("give {domain} an address record with {address}")), "what to do: {message}");
    let named = json!({"name": domain, "namespace": guest.gateway_namespace()});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": named});
    assert!(stage.get(&secret).await?.is_none(), "nobody has shown that the domain is the client's");
    Ok(())
}

/// What a tenant tries: a route of its own on port 80, in its namespace and beside the solver's.
async fn the_solvers_path_is_nobodys(stage: &Stage, guest: &Guest<'_>, domain: &str) -> Result<()> {
    let gateway = guest.until("it has a Gateway", |status| status.gateway.clone()).await?;
    let mut route = sample::route(&guest.name, "acme-theft", &[domain.to_owned()]);
    route["spec"]["rules"][0]["matches"] = json!([{"path": {"type": "PathPrefix", "value": CHALLENGES}}]);
    route["spec"]["parentRefs"] =
        json!([{"name": gateway.name, "namespace": gateway.namespace, "sectionName": "http"}]);
    let refused = guest.developer.apply(&route).await.expect_err("a route on port 80");
    assert!(refused.api_message().contains("octroi-route-parents"), "{}", refused.api_message());
    let mut solvers = route.clone();
    solvers["spec"]["parentRefs"] = json!([{
        "group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": SOLVERS, "namespace": guest.gateway_namespace(),
    }]);
    let refused = guest.developer.apply(&solvers).await.expect_err("a route on the solver's listener");
    assert!(refused.api_message().contains("octroi-route-parents"), "{}", refused.api_message());
    let mut beside = solvers.clone();
    beside["metadata"]["namespace"] = json!(guest.gateway_namespace());
    let refused = guest.developer.apply(&beside).await.expect_err("a route beside the solver's");
    assert_eq!(refused.code(), Some(403), "{}", refused.api_message());
    // Also past admission: neither listener takes a route of a tenant's namespace.
    let platform = stage.past_the_guards().await?;
    route["metadata"]["name"] = json!("acme-theft-of-the-gateways");
    for theft in [&route, &solvers] {
        platform.apply(theft).await?;
    }
    let ask = guest.ask_plain(domain, &format!("{CHALLENGES}/token")).await?;
    let waited = stage.probe.until(&ask, LIMIT, "a redirect", |answer| answer.code == 308).await?;
    // A proxy that starts may not answer yet.
    let answered = waited.others.keys().any(|outcome| matches!(outcome, Outcome::Code(_)));
    assert!(!answered, "{}: {:?}", guest.name, waited.others);
    for theft in [&route, &solvers] {
        platform.delete(theft).await?;
    }
    Ok(())
}
