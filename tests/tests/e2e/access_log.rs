//! The access log says whose each request is, whatever the client says, and holds no secret of it; what proxies count is told by
//! tenant. Read as the platform's people read it: by `kubectl logs`, and through the API server.

use std::collections::BTreeSet;
use std::time::Duration;

use octroi_tests::probe::Ask;
use octroi_tests::stage::{DataPlane, Guest, LIMIT, Stage};
use octroi_tests::{Error, Result};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{on_stage, rules, sample};

const PROXIES: &str = "gateway.networking.k8s.io/gateway-name";
const SECRET: &str = "token=octroi-e2e-secret";
/// Where there is a rate limit, and something was above it.
const WITH_LIMITS: [&str; 2] = ["envoy_cluster_ratelimit_over_limit", "envoy_http_local_rate_limit_rate_limited"];
/// kgateway makes hosts a part of the first name, and leaves out what was never counted.
const OF_ENVOY_GATEWAY: [&str; 5] = [
    "envoy_http_ext_proc_failure_mode_allowed",
    "envoy_listener_manager_lds_update_rejected",
    "envoy_cluster_manager_cds_update_rejected",
    "envoy_cluster_upstream_cx_connect_fail",
    "envoy_cluster_upstream_cx_none_healthy",
];
const POLL: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_edge_says_whose_each_request_is() {
    on_stage("log", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let (a, b) = (stage.tenant(&class, "a", |_| {}).await?, stage.tenant(&class, "b", |_| {}).await?);
        for guest in [&a, &b] {
            arrived(stage, guest).await?;
        }
        tells(stage, &a, &b, "octroi-gateways").await?;
        tells(stage, &b, &a, "octroi-gateways").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_of_the_tenants_own_says_whose_each_request_is() {
    on_stage("log-own", async |stage| {
        let class = stage.class("c", |spec| spec["gateway"]["mode"] = json!("Dedicated")).await?;
        let (a, b) = (stage.tenant(&class, "a", |_| {}).await?, stage.tenant(&class, "b", |_| {}).await?);
        arrived(stage, &a).await?;
        tells(stage, &a, &b, &a.gateway_namespace()).await
    })
    .await;
}

async fn arrived(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    guest.deploy_all(&sample::echo(&guest.name)).await?;
    guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
    stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
    Ok(())
}

async fn tells(stage: &Stage, guest: &Guest<'_>, other: &Guest<'_>, namespace: &str) -> Result<()> {
    // No route takes the apex.
    says(stage, guest, namespace, "no-route", &guest.apex(), 404, "route_not_found", |ask| ask).await?;
    let attack = |ask: Ask| ask.header("user-agent", "sqlmap/1.8");
    says(stage, guest, namespace, "attack", &guest.www(), 403, "octroi_waf_blocked", attack).await?;
    let forged = |ask: Ask| {
        let name = &other.name;
        ask.header("x-octroi-tenant", name)
            .header("x-request-id", name)
            .header("user-agent", &format!("\",\"tenant\":\"{name}\",\"x\":\""))
            .header("x-envoy-original-path", &format!("/?{SECRET}"))
    };
    says(stage, guest, namespace, "forged", &guest.www(), 200, "via_upstream", forged).await?;
    says(stage, guest, namespace, "plain", &guest.www(), 200, "via_upstream", |ask| ask).await?;
    counts(stage, guest, namespace).await?;
    knows(stage, guest).await
}

/// One line, the tenant's, about this request.
#[expect(clippy::too_many_arguments, reason = "a row of a table")]
async fn says(
    stage: &Stage,
    guest: &Guest<'_>,
    namespace: &str,
    what: &str,
    host: &str,
    code: u16,
    details: &str,
    change: impl FnOnce(Ask) -> Ask,
) -> Result<()> {
    let path = format!("/octroi-log/{}/{what}", guest.name);
    let ask = change(guest.ask(host, &format!("{path}?{SECRET}")).await?);
    let answer = stage.probe.ask(&ask).await.unwrap_or_else(|failure| panic!("{path}: {failure}"));
    assert_eq!(answer.code, code, "{path}");
    let line = line(stage, namespace, &path).await?;
    println!("{line}");
    let said = [&line["tenant"], &line["path"], &line["status"], &line["status_details"]];
    assert_eq!(said, [&json!(guest.name), &json!(path), &json!(code), &json!(details)], "{line}");
    assert_eq!(line["authority"].as_str().and_then(|text| text.split(':').next()), Some(host), "{line}");
    for known in ["time", "client", "tls", "request_id", "method", "protocol", "listener"] {
        assert!(!line[known].is_null(), "{known} is not known: {line}");
    }
    Ok(())
}

/// The only line that has these words, once it is written.
async fn line(stage: &Stage, namespace: &str, words: &str) -> Result<Value> {
    let since = Instant::now();
    loop {
        let args = ["logs", "-n", namespace, "-l", PROXIES, "--all-containers", "--tail=-1", "--since=5m"];
        let text = stage.lab.kubectl(&[&args[..], &["--max-log-requests=50"]].concat()).await?;
        assert!(!text.contains(SECRET), "a query is in the log of {namespace}");
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(words)).collect();
        match lines.as_slice() {
            [] if since.elapsed() < LIMIT => sleep(POLL).await,
            [one] => return Ok(serde_json::from_str(one).unwrap_or_else(|error| panic!("{error}: {one}"))),
            lines => panic!("{namespace}: {} lines with {words}: {lines:?}", lines.len()),
        }
    }
}

/// The tenant's requests are counted by its namespace, whatever its routes are called.
async fn counts(stage: &Stage, guest: &Guest<'_>, namespace: &str) -> Result<()> {
    let (port, path, cluster) = match stage.plane {
        DataPlane::EnvoyGateway => (19001, "stats/prometheus", format!("\"httproute/{}\"", guest.name)),
        DataPlane::Kgateway => (9091, "metrics", format!("\"kube_{}_", guest.name)),
    };
    let scraped = scrape(stage, namespace, PROXIES, port, path).await?;
    for name in ["envoy_cluster_upstream_rq_xx", "envoy_cluster_upstream_rq_time_bucket"] {
        let counted = scraped.lines().any(|line| line.starts_with(&format!("{name}{{")) && line.contains(&cluster));
        assert!(counted, "{namespace}: no {name} of {cluster}");
    }
    for name in used("envoy_").iter().filter(|name| !WITH_LIMITS.contains(&name.as_str())) {
        let is_there = stage.plane == DataPlane::EnvoyGateway || !OF_ENVOY_GATEWAY.contains(&name.as_str());
        assert!(!is_there || scraped.contains(&format!("\n{name}{{")), "{namespace}: no {name}");
    }
    Ok(())
}

/// The operator says whose the namespace is, and the firewall whose the attack was.
async fn knows(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let operator = scrape(stage, "octroi-system", "app.kubernetes.io/name=octroi", 8080, "metrics").await?;
    let held = format!("octroi_tenant_namespaces{{tenant=\"{0}\",tenant_namespace=\"{0}\"}} 1", guest.name);
    assert!(operator.contains(&held), "the operator does not say {held}");
    let firewall = scrape(stage, "octroi-gateways", "app.kubernetes.io/name=octroi-waf", 8080, "metrics").await?;
    let blocked = format!("octroi_waf_attacks_total{{tenant=\"{}\",action=\"blocked\"}}", guest.name);
    assert!(firewall.contains(&blocked), "the firewall does not count {blocked}");
    for name in used("octroi_") {
        let base = name.trim_end_matches("_total").trim_end_matches("_bucket");
        let is_there = [&operator, &firewall].iter().any(|text| text.contains(&format!("# TYPE {base} ")));
        assert!(is_there, "neither the operator nor the firewall has {name}");
    }
    Ok(())
}

/// The metrics of rules and dashboard that begin so.
fn used(prefix: &str) -> BTreeSet<String> {
    let of_panels = rules::panels().into_iter().map(|(_, expression)| expression);
    let expressions = rules::all().into_iter().map(|rule| rule.expression).chain(of_panels);
    let names = expressions.flat_map(|expression| rules::names(&expression));
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// What all pods of this label say, one after the other.
async fn scrape(stage: &Stage, namespace: &str, label: &str, port: u16, path: &str) -> Result<String> {
    let name = "jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}";
    let pods = stage.lab.kubectl(&["get", "pods", "-n", namespace, "-l", label, "-o", name]).await?;
    let mut scraped = String::new();
    let mut last = None;
    for pod in pods.lines().filter(|line| !line.is_empty()) {
        let url = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/{path}");
        // No administrator reaches into a proxy: only who holds the keys for emergencies.
        match stage.kubectl_past_the_guards(&["get", "--raw", &url]).await {
            Ok(text) => scraped.push_str(&text),
            // Beside those of the data plane under test there may be others, which listen elsewhere.
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) if scraped.is_empty() => Err(error),
        None if scraped.is_empty() => Err(Error::Missing {
            what: format!("{namespace} has no pod {label}"),
            next: "look whether Octroi is installed there".into(),
        }),
        _ => Ok(scraped),
    }
}
