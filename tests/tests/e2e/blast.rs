//! A mistake stays with the tenant that made it: its neighbour on the same proxy does not lose one request, and its next
//! change still gets through.

use std::time::Duration;

use octroi_tests::probe::rate::{self, Connections, counted};
use octroi_tests::stage::{Guest, LIMIT, Stage, until};
use octroi_tests::{Error, Result};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::on_stage;
use crate::sample;

const REQUESTS: usize = 100;
const PER_SECOND: u32 = 25;
/// For a neighbour's change while somebody else's objects are broken: many times what it usually takes.
const USUAL: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_routes_and_certificates_stay_with_their_tenant() {
    on_stage("blast", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let (good, bad) = (stage.tenant(&class, "good", |_| {}).await?, stage.tenant(&class, "bad", |_| {}).await?);
        for guest in [&good, &bad] {
            guest.deploy_all(&sample::echo(&guest.name)).await?;
            guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
            stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
        }
        assert_eq!(good.address().await?, bad.address().await?, "they share a proxy");
        undisturbed(stage, &good, "broken routes", async || break_routes(&bad).await).await?;
        gets_through(stage, &good, "routes").await?;
        undisturbed(stage, &good, "an invalid certificate", async || break_certificate(stage, &bad).await).await?;
        gets_through(stage, &good, "certificate").await
    })
    .await;
}

/// 100 of 100, while it happens and after it.
async fn undisturbed(
    stage: &Stage,
    guest: &Guest<'_>,
    what: &str,
    mistake: impl AsyncFn() -> Result<()>,
) -> Result<()> {
    let ask = guest.ask(&guest.www(), "/").await?;
    let stop = CancellationToken::new();
    let lasting = Duration::from_secs(1) * u32::try_from(REQUESTS).unwrap() / PER_SECOND;
    let run = rate::run(&stage.probe, &ask, PER_SECOND, Connections::Fresh, lasting, &stop);
    let (run, made) = tokio::join!(run, mistake());
    made?;
    println!("{}: beside {what}: {}", guest.name, counted(&run.histogram()));
    assert_eq!(
        (run.samples.len(), run.failed(200)),
        (REQUESTS, 0),
        "{}: {:?}",
        counted(&run.histogram()),
        run.failures
    );
    Ok(())
}

async fn gets_through(stage: &Stage, guest: &Guest<'_>, name: &str) -> Result<()> {
    let host = format!("{name}.{}", guest.apex());
    guest.deploy(&sample::route(&guest.name, name, std::slice::from_ref(&host))).await?;
    let waited = stage.probe.until_status(&guest.ask(&host, "/").await?, 200, USUAL).await?;
    println!("{}: a new route beside the neighbour's broken {name}: {:.2} s", guest.name, waited.elapsed.as_secs_f64());
    Ok(())
}

/// What developers get wrong. That something is refused at once is fine too.
async fn break_routes(bad: &Guest<'_>) -> Result<()> {
    let backend = |name: &str| json!({"name": name, "port": 80});
    let expression = |value: &str| json!({"matches": [{"path": {"type": "RegularExpression", "value": value}}], "backendRefs": [backend("web-v1")]});
    let no_backend = json!({"backendRefs": [backend("nowhere")]});
    let foreign = json!({"backendRefs": [{"name": "envoy-gateway", "namespace": "default", "port": 80}]});
    let unknown_filter = json!({
        "filters": [{"type": "ExtensionRef", "extensionRef": {"group": "nowhere.example", "kind": "Filter", "name": "x"}}],
        "backendRefs": [backend("web-v1")],
    });
    let mistakes: [(&str, Value); 5] = [
        ("regex", expression("/([a-z")),
        ("bomb", expression(&format!("/{}", "(a*)*".repeat(60)))),
        ("no-backend", no_backend),
        ("foreign", foreign),
        ("filter", unknown_filter),
    ];
    for (name, rule) in mistakes {
        let route = sample::route_of(&bad.name, name, &[format!("{name}.{}", bad.apex())], &json!([rule]));
        match bad.developer.apply(&route).await {
            Ok(_) => {}
            Err(error) if matches!(error.code(), Some(403 | 422)) => {
                println!("{name}: refused: {}", error.api_message());
            }
            Err(error) => return Err(error),
        }
    }
    // The own exact host of a route that works, taken by one that does not.
    let rule = json!({"backendRefs": [backend("nowhere")]});
    bad.developer.apply(&sample::route_of(&bad.name, "www", &[bad.www()], &json!([rule]))).await.map(drop)
}

/// Nobody but the platform can, and cert-manager repairs it: so again and again, for a while.
async fn break_certificate(stage: &Stage, bad: &Guest<'_>) -> Result<()> {
    let garbage = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": bad.name, "namespace": bad.gateway_namespace()},
        "stringData": {"tls.crt": "no certificate", "tls.key": "no key"},
    });
    let mut broken = 0;
    for _ in 0..10 {
        stage.apply(&garbage).await?;
        broken += usize::from(!is_programmed(stage, bad).await?);
    }
    println!("{}: its entry was seen broken {broken} times", bad.name);
    until("its certificate is issued again", LIMIT, async || {
        Ok(if is_programmed(stage, bad).await? { Ok(()) } else { Err("the entry is not programmed") })
    })
    .await
}

async fn is_programmed(stage: &Stage, guest: &Guest<'_>) -> Result<bool> {
    let entry = stage.get(&guest.entry()).await?;
    let entry = entry.ok_or_else(|| Error::Failed { what: guest.name.clone(), detail: "it has no entry".into() })?;
    let listeners = entry.data["status"]["listeners"].as_array().cloned().unwrap_or_default();
    let programmed = |listener: &Value| {
        let conditions = listener["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        conditions.iter().any(|c| c["type"] == "Programmed" && c["status"] == "True")
    };
    Ok(!listeners.is_empty() && listeners.iter().all(programmed))
}
