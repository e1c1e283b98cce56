//! Traces say whose each request is and hold no secret of it; no client brings its requests into the sample or keeps them out of it;
//! and who does not ask for traces, or whose collector is away, is served as before.
//!
//! The collector is the lab's: Service `observability/otel-collector`, which answers what it has as JSON on port 8080.

use std::time::Duration;

use octroi_tests::Result;
use octroi_tests::stage::{DataPlane, Guest, LIMIT, Stage, until};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{on_stage, sample};

const SPANS: &str = "/api/v1/namespaces/observability/services/otel-collector:8080/proxy/";
const QUERY: &str = "token=octroi-e2e-secret-query";
const AUTHORIZATION: &str = "Bearer octroi-e2e-secret-header";
/// What a client sends of a trace of its own choice: sampled, and not.
const SAMPLED: &str = "00-11111111111111111111111111111111-2222222222222222-01";
const UNSAMPLED: &str = "00-33333333333333333333333333333333-4444444444444444-00";
const REQUESTS: usize = 10;
/// Envoy sends what it has each 5 s.
const FLUSHED: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_edge_traces_what_its_class_says_and_whose_it_is() {
    on_stage("trace", async |stage| Box::pin(traces(stage, "Shared")).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dedicated_edge_traces_what_its_class_says_and_whose_it_is() {
    on_stage("trace-own", async |stage| Box::pin(traces(stage, "Dedicated")).await).await;
}

async fn traces(stage: &Stage, mode: &str) -> Result<()> {
    let class = async |suffix: &str, tracing: Option<(&str, u32)>| {
        stage
            .class(suffix, |spec| {
                spec["gateway"]["mode"] = json!(mode);
                if let Some((name, percent)) = tracing {
                    let collector = json!({"namespace": "observability", "name": name, "port": 4317});
                    spec["observability"] = json!({"tracing": {"collector": collector, "samplingPercent": percent}});
                }
            })
            .await
    };
    let off = class("off", None).await?;
    let nothing = class("zero", Some(("otel-collector", 0))).await?;
    let away = class("away", Some(("octroi-e2e-nobody", 100))).await?;
    let all = class("all", Some(("otel-collector", 100))).await?;
    let untraced = stage.tenant(&off, "off", |_| {}).await?;
    let unsampled = stage.tenant(&nothing, "zero", |_| {}).await?;
    let lost = stage.tenant(&away, "away", |_| {}).await?;
    let traced = stage.tenant(&all, "all", |_| {}).await?;
    for guest in [&untraced, &unsampled, &lost, &traced] {
        guest.deploy_all(&sample::echo(&guest.name)).await?;
        guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
        stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
    }
    // Each is answered, also while nobody takes its spans.
    for guest in [&untraced, &unsampled, &lost] {
        for traceparent in [None, Some(SAMPLED)] {
            asked(stage, guest, &traced.name, traceparent).await?;
        }
    }
    for traceparent in [None, Some(SAMPLED), Some(UNSAMPLED)] {
        asked(stage, &traced, &untraced.name, traceparent).await?;
    }
    let wanted = 3 * REQUESTS;
    until("the spans arrive", LIMIT, async || {
        let own = edge_spans(&spans(stage).await?, &traced.name).len();
        Ok(if own >= wanted { Ok(()) } else { Err(format!("{own} of {wanted}")) })
    })
    .await?;
    // Whatever else is on its way.
    sleep(FLUSHED).await;
    let spans = spans(stage).await?;
    for guest in [&untraced, &unsampled, &lost] {
        let text = spans.iter().map(Value::to_string).find(|span| span.contains(&guest.name));
        assert_eq!(text, None, "a span of {}, which none is to be of", guest.name);
    }
    let own = edge_spans(&spans, &traced.name);
    // The requests by which the route was waited for are traced too.
    assert!(own.len() >= wanted, "{} of {wanted}", own.len());
    for span in &own {
        tells(stage, span);
    }
    Ok(())
}

/// Asks some times, as a client that forges what it can; each is answered.
async fn asked(stage: &Stage, guest: &Guest<'_>, other: &str, traceparent: Option<&str>) -> Result<()> {
    for _ in 0..REQUESTS {
        let mut ask = guest.ask(&guest.www(), &format!("/octroi-traces?{QUERY}")).await?;
        for (name, value) in [
            ("authorization", AUTHORIZATION),
            ("x-client-trace-id", "forged"),
            ("x-envoy-force-trace", "true"),
            ("x-octroi-tenant", other),
        ] {
            ask = ask.header(name, value);
        }
        if let Some(value) = traceparent {
            ask = ask.header("traceparent", value);
        }
        let answer = stage.probe.ask(&ask).await.unwrap_or_else(|failure| panic!("{}: {failure}", guest.name));
        assert_eq!(answer.code, 200, "{} with {traceparent:?}", guest.name);
    }
    Ok(())
}

/// What the collector has.
async fn spans(stage: &Stage) -> Result<Vec<Value>> {
    let text = stage.lab.kubectl(&["get", "--raw", SPANS]).await?;
    for secret in [QUERY, AUTHORIZATION] {
        assert!(!text.contains(secret), "a span has {secret}");
    }
    Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// The spans of the edge itself, and not of its calls to backends, that are this tenant's.
fn edge_spans<'a>(spans: &'a [Value], tenant: &str) -> Vec<&'a Value> {
    let is_own = |span: &&Value| span["attributes"]["octroi.tenant"] == tenant && span["kind"] == "SPAN_KIND_SERVER";
    spans.iter().filter(is_own).collect()
}

fn tells(stage: &Stage, span: &Value) {
    // A trace begins here, whatever a client says.
    assert_eq!(span["parent_id"], "", "{span}");
    for forged in [SAMPLED, UNSAMPLED] {
        assert!(!forged.contains(span["trace_id"].as_str().unwrap_or_default()), "{span}");
    }
    let url = span["attributes"]["http.url"].as_str().unwrap_or_default();
    let is_so = match stage.plane {
        DataPlane::EnvoyGateway => url == "/octroi-traces" || url == "/",
        DataPlane::Kgateway => url.ends_with('/') && !url.contains("octroi-traces"),
    };
    assert!(is_so, "{span}");
}
