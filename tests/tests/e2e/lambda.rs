//! Functions of AWS Lambda as upstreams: what they cost while their credentials are missing or wrong, and whose credentials they are
//! called with. First what must not be had; what is served beside it is asked after each.
//!
//! That a function answers is not shown here: the lab has no AWS. `cargo test -p octroi-tests --test lambda` shows it, by a real
//! Envoy and a server that verifies signatures.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::api::DeleteParams;
use octroi_api::{TenantStatus, UpstreamStatus};
use octroi_tests::probe::Answer;
use octroi_tests::stage::{DataPlane, Guest, LIMIT, Stage};
use octroi_tests::{Error, Result, strict};
use serde_json::{Value, json};

use crate::on_stage;
use crate::sample;
use crate::upstreams::{at_path, both_are_served, fails, nobody_else_names_it, pasted};

const UPSTREAM: &str = "thumbs";
const SECRET: &str = "invoker";
const SECRET_KEY: &str = "not-a-key-of-anybody-but-it-is-secret";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_shared_gateway_a_function_is_called_with_its_tenants_credentials_or_not_at_all() {
    on_stage("fn", async |stage| {
        let class = stage.class("c", offers).await?;
        play(stage, &class).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_gateways_of_their_own_a_function_is_called_with_its_tenants_credentials_or_not_at_all() {
    on_stage("fn-own", async |stage| {
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
    spec["upstreams"] = json!({"allowed": ["Lambda"]});
}

async fn play(stage: &Stage, class: &str) -> Result<()> {
    let lambda =
        json!({"region": "eu-west-3", "accountId": "123456789012", "functionName": "thumbs", "secretName": SECRET});
    let asks = |spec: &mut Value| spec["upstreams"] = json!([{"name": UPSTREAM, "lambda": lambda}]);
    let a = stage.tenant(class, "a", asks).await?;
    let b = stage.tenant(class, "b", asks).await?;
    for guest in [&a, &b] {
        guest.deploy_all(&sample::echo(&guest.name)).await?;
        guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
    }
    both_are_served(stage, &a, &b).await?;
    if stage.plane == DataPlane::EnvoyGateway {
        return not_there(&a).await;
    }
    let rule = pasted(stage, &a).await?;
    nobody_else_names_it(&a, &b, &rule).await?;
    for guest in [&a, &b] {
        let rule = pasted(stage, guest).await?;
        guest.deploy(&sample::route_of(&guest.name, UPSTREAM, &[guest.www()], &json!([at_path(&rule)]))).await?;
    }
    without_credentials(stage, &a, &b).await?;

    // Those of one are not those of the other, who names a Secret of the same name.
    stage.apply(&secret(&a, &[("accessKey", "AKIAOFNOBODY"), ("secretKey", SECRET_KEY)])).await?;
    a.until("its upstream is ready", |status| of(status).filter(|upstream| upstream.ready)).await?;
    refused_by_aws(stage, &a).await?;
    without_credentials(stage, &b, &a).await?;

    // One of two is none.
    stage.apply(&secret(&b, &[("accessKey", "AKIAOFNOBODY")])).await?;
    without_credentials(stage, &b, &a).await?;
    let api = strict::endpoint(&stage.client, &secret(&a, &[])).await?;
    api.delete(SECRET, &DeleteParams::default()).await.map_err(Error::kube("deleting the Secret"))?;
    without_credentials(stage, &a, &b).await
}

/// Envoy Gateway signs nothing: it is said, and the rest is served.
async fn not_there(guest: &Guest<'_>) -> Result<()> {
    let unsupported = |status: &TenantStatus| {
        let says = |kind: &str| status.conditions.iter().any(|c| c.type_ == kind && c.status == "False");
        let upstream = of(status).filter(|upstream| upstream.reason.as_deref() == Some("Unsupported"))?;
        says("CapabilitiesSupported").then_some(upstream.message)?
    };
    let message = guest.until("its upstream is unsupported", unsupported).await?;
    assert!(message.contains("name that by https"), "{message}");
    Ok(())
}

/// The proxy's own role, or another tenant's credentials, do not stand in.
async fn without_credentials(stage: &Stage, guest: &Guest<'_>, other: &Guest<'_>) -> Result<()> {
    let is_closed = |status: &TenantStatus| {
        let upstream = of(status).filter(|upstream| upstream.reason.as_deref() == Some("NotProgrammed"))?;
        upstream.message
    };
    let message = guest.until("its upstream is closed", is_closed).await?;
    assert!(message.contains(&format!("Secret '{SECRET}' (lambda.secretName)")), "{message}");
    assert!(!message.contains(&other.name), "{message}");
    fails(stage, guest).await?;
    both_are_served(stage, guest, other).await
}

/// By AWS, where the cluster reaches it, or by nobody who answers for its name; and nobody is told what was signed with.
async fn refused_by_aws(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let ask = guest.ask(&guest.www(), "/crm").await?;
    let is_refusal = |answer: &Answer| [403, 503, 504].contains(&answer.code);
    let waited = stage.probe.until(&ask, LIMIT, "403, 503 or 504", is_refusal).await?;
    println!("with credentials of nobody: {}", waited.answer.code);
    let body = String::from_utf8_lossy(&waited.answer.body).into_owned();
    assert!(!body.contains(SECRET_KEY), "{body}");
    Ok(())
}

fn of(status: &TenantStatus) -> Option<UpstreamStatus> {
    status.upstreams.iter().find(|upstream| upstream.name == UPSTREAM).cloned()
}

fn secret(guest: &Guest<'_>, entries: &[(&str, &str)]) -> Value {
    let data: BTreeMap<&str, String> = entries.iter().map(|(name, value)| (*name, STANDARD.encode(value))).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": SECRET, "namespace": guest.gateway_namespace()},
        "data": data,
    })
}
