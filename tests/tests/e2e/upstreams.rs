//! Upstreams outside the cluster: who may name one, where a name may lead to, and what an upstream that does not answer costs
//! others. First what must not be had; what is served beside it is asked after each.
//!
//! The host outside is one of the lab's, whose authority is in the image of its proxies.

use std::net::SocketAddr;

use octroi_api::UpstreamStatus;
use octroi_tests::probe::Answer;
use octroi_tests::stage::{Guest, LIMIT, Stage, resolve, until};
use octroi_tests::{Error, Result};
use serde_json::{Value, json};

use crate::certificates::acme::Acme;
use crate::on_stage;
use crate::sample;

const UPSTREAM: &str = "crm";
const PATH: &str = "/crm";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_shared_gateway_an_upstream_is_its_tenants_and_costs_nobody_else() {
    on_stage("up", async |stage| {
        let class = stage.class("c", offers).await?;
        play(stage, &class).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_gateways_of_their_own_an_upstream_is_its_tenants_and_costs_nobody_else() {
    on_stage("up-own", async |stage| {
        let own = |spec: &mut Value| {
            offers(spec);
            spec["gateway"]["mode"] = json!("Dedicated");
        };
        let class = stage.class("c", own).await?;
        play(stage, &class).await
    })
    .await;
}

fn offers(spec: &mut Value) {
    spec["upstreams"] = json!({"allowed": ["HTTPS"]});
}

async fn play(stage: &Stage, class: &str) -> Result<()> {
    let host = format!("{}.elsewhere.test", stage.name(UPSTREAM));
    let asks = |spec: &mut Value| spec["upstreams"] = json!([{"name": UPSTREAM, "https": {"host": host}}]);
    let mut a = stage.tenant(class, "a", asks).await?;
    let b = stage.tenant(class, "b", |_| {}).await?;
    for guest in [&a, &b] {
        guest.ready().await?;
        guest.deploy_all(&sample::echo(&guest.name)).await?;
        guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
    }
    both_are_served(stage, &a, &b).await?;
    let rule = pasted(stage, &a).await?;
    nobody_else_names_it(&a, &b, &rule).await?;
    a.deploy(&sample::route_of(&a.name, UPSTREAM, &[a.www()], &json!([at_path(&rule)]))).await?;
    // Nobody has the name yet.
    fails(stage, &a).await?;
    both_are_served(stage, &a, &b).await?;
    leads(stage, &a, &b, &host).await?;
    another_name_is_not_answered_for(stage, &mut a, &host).await?;
    served_hosts_are_none(&mut a, &b).await?;
    both_are_served(stage, &a, &b).await
}

/// The rule that `octroi-entry` has to paste.
pub(crate) async fn pasted(stage: &Stage, guest: &Guest<'_>) -> Result<Value> {
    let like =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "octroi-entry", "namespace": guest.name}});
    until(&format!("{} has a rule to paste", guest.name), LIMIT, async || {
        let entry = stage.get(&like).await?;
        let text = entry.as_ref().and_then(|entry| entry.data["data"]["upstreams.yaml"].as_str());
        let rules: Option<Value> = text.and_then(|text| serde_saphyr::from_str(text).ok());
        Ok(rules.map(|rules| rules[0].clone()).ok_or("octroi-entry has no upstreams.yaml"))
    })
    .await
}

pub(crate) fn at_path(rule: &Value) -> Value {
    let mut rule = rule.clone();
    rule["matches"] = json!([{"path": {"type": "PathPrefix", "value": PATH}}]);
    rule
}

/// Neither a neighbour's route, nor a mirror, nor another kind of route, nor the Service of that namespace.
pub(crate) async fn nobody_else_names_it(owner: &Guest<'_>, neighbour: &Guest<'_>, rule: &Value) -> Result<()> {
    let backend = &rule["backendRefs"][0];
    let route = |guest: &Guest<'_>, rules: Value| sample::route_of(&guest.name, "reach", &[guest.www()], &rules);
    let mirror = json!({"type": "RequestMirror", "requestMirror": {"backendRef": backend}});
    let mut grpc = route(owner, json!([{"backendRefs": [backend]}]));
    grpc["kind"] = json!("GRPCRoute");
    let mut service = backend.clone();
    service["group"] = json!("");
    service["kind"] = json!("Service");
    service["port"] = json!(443);
    for (guest, object, says) in [
        (neighbour, route(neighbour, json!([rule])), "not of kind Service"),
        (
            owner,
            route(owner, json!([{"filters": [mirror], "backendRefs": [{"name": "web-v1", "port": 80}]}])),
            "not of kind Service",
        ),
        (owner, grpc, "not of kind Service"),
        (owner, route(owner, json!([{"backendRefs": [service]}])), "is not for routes of namespace"),
    ] {
        let error = match guest.developer.apply(&object).await {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{}: must be refused: {object}", guest.name),
        };
        assert!(error.contains(says), "{}: {error}", guest.name);
    }
    Ok(())
}

/// The name leads outside and is answered; then to the API server, to the proxy itself, to its loopback, and nobody there answers
/// for it; then outside again.
async fn leads(stage: &Stage, a: &Guest<'_>, b: &Guest<'_>, host: &str) -> Result<()> {
    let Some(dns) = Acme::of(stage).await? else { return Ok(()) };
    let outside = service(stage, "internet", "host").await?;
    let api_server = service(stage, "default", "kubernetes").await?;
    for inside in [api_server, a.address().await?, resolve("127.0.0.1").await?] {
        dns.point(host, &outside).await?;
        answers(stage, a, host).await?;
        dns.point(host, &inside).await?;
        fails(stage, a).await?;
        both_are_served(stage, a, b).await?;
    }
    dns.point(host, &outside).await?;
    answers(stage, a, host).await
}

async fn service(stage: &Stage, namespace: &str, name: &str) -> Result<SocketAddr> {
    let args = ["-n", namespace, "get", "service", name, "-o=jsonpath={.spec.clusterIP}"];
    resolve(stage.lab.kubectl(&args).await?.trim()).await
}

/// The host outside answers, and was asked by its own name.
async fn answers(stage: &Stage, guest: &Guest<'_>, host: &str) -> Result<()> {
    let ask = guest.ask(&guest.www(), PATH).await?;
    let waited = stage.probe.until_status(&ask, 200, LIMIT).await?;
    assert_eq!(sample::version(&waited.answer).as_deref(), Some("elsewhere"), "{}", guest.name);
    let said: Value = serde_json::from_slice(&waited.answer.body).map_err(Error::failed("the answer from outside"))?;
    assert_eq!((said["host"].as_str(), said["path"].as_str()), (Some(host), Some(PATH)), "{said}");
    Ok(())
}

/// One name further down, which the certificate is not good for, though the same host has it.
async fn another_name_is_not_answered_for(stage: &Stage, a: &mut Guest<'_>, host: &str) -> Result<()> {
    let Some(dns) = Acme::of(stage).await? else { return Ok(()) };
    let further = format!("www.{host}");
    dns.point(&further, &service(stage, "internet", "host").await?).await?;
    a.change(|spec| spec["upstreams"][0]["https"]["host"] = json!(further)).await?;
    fails(stage, a).await
}

/// What this cluster serves is no upstream: only that one is closed, and nobody is named.
async fn served_hosts_are_none(a: &mut Guest<'_>, b: &Guest<'_>) -> Result<()> {
    let host = b.www();
    a.change(|spec| spec["upstreams"][0]["https"]["host"] = json!(host)).await?;
    let is_closed = |upstreams: &[UpstreamStatus]| {
        let first = upstreams.first().filter(|first| first.reason.as_deref() == Some("Invalid"))?;
        first.message.clone()
    };
    let message = a.until("its upstream is refused", |status| is_closed(&status.upstreams)).await?;
    assert!(message.contains("that this cluster serves"), "{message}");
    Ok(())
}

pub(crate) async fn both_are_served(stage: &Stage, a: &Guest<'_>, b: &Guest<'_>) -> Result<()> {
    for guest in [a, b] {
        let waited = stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
        assert_eq!(sample::version(&waited.answer).as_deref(), Some("v1"), "{}", guest.name);
    }
    Ok(())
}

/// The edge answers that the upstream does not, and so it stays.
pub(crate) async fn fails(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let ask = guest.ask(&guest.www(), PATH).await?;
    let is_failure = |answer: &Answer| [500, 503, 504].contains(&answer.code);
    stage.probe.until(&ask, LIMIT, "500, 503 or 504", is_failure).await?;
    for _ in 0..5 {
        let answer = stage.probe.ask(&ask).await.map_err(Error::failed("asking the upstream"))?;
        assert!(is_failure(&answer), "{}: {} from {ask:?}", guest.name, answer.code);
    }
    Ok(())
}
