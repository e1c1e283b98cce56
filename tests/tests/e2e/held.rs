//! A suspended tenant answers 503 with the platform's page on every host, a cordoned one serves on and takes nothing new,
//! and neither is noticed by the neighbour on the same proxy.

use std::time::Duration;

use octroi_tests::Result;
use octroi_tests::probe::rate::{self, Connections, counted};
use octroi_tests::probe::{Answer, Outcome};
use octroi_tests::stage::{Guest, LIMIT, Stage};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::on_stage;
use crate::sample;

const PER_SECOND: u32 = 20;
const HOLD: &str = "octroi.dev/hold";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_tenant_answers_with_the_page_everywhere_and_comes_back() {
    on_stage("held", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let mut held = stage.tenant(&class, "held", |_| {}).await?;
        let good = stage.tenant(&class, "good", |_| {}).await?;
        for guest in [&held, &good] {
            guest.deploy_all(&sample::echo(&guest.name)).await?;
            guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
            stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
        }
        let (ask, neighbour) = (held.ask(&held.www(), "/").await?, good.ask(&good.www(), "/").await?);
        let stop = CancellationToken::new();
        let (long, end) = (Duration::from_mins(5), stop.clone());
        let seen = rate::run(&stage.probe, &ask, PER_SECOND, Connections::Fresh, long, &stop);
        let beside = rate::run(&stage.probe, &neighbour, PER_SECOND, Connections::Fresh, long, &stop);
        let acted = async {
            let acted = suspend_and_resume(stage, &mut held).await;
            end.cancel();
            acted
        };
        let (seen, beside, acted) = tokio::join!(seen, beside, acted);
        acted?;
        println!("suspended: {}; beside it: {}", counted(&seen.histogram()), counted(&beside.histogram()));
        let only = [Outcome::Code(200), Outcome::Code(503)];
        let others: Vec<_> = seen.histogram().into_keys().filter(|outcome| !only.contains(outcome)).collect();
        assert!(others.is_empty(), "nothing but the tenant's own answer and the page: {others:?}");
        assert_eq!(beside.failed(200), 0, "{}", counted(&beside.histogram()));
        // Also while cordoned.
        held.developer.delete(&sample::route(&held.name, "www", &[held.www()])).await
    })
    .await;
}

async fn suspend_and_resume(stage: &Stage, held: &mut Guest<'_>) -> Result<()> {
    held.annotate(HOLD, "Suspended", json!({})).await?;
    let without_a_route = format!("nothing-here.{}", held.apex());
    for host in [held.www(), without_a_route, held.apex()] {
        let is_page = |answer: &Answer| {
            answer.code == 503 && String::from_utf8_lossy(&answer.body).contains("Ce site est indisponible")
        };
        let ask = held.ask(&host, "/any/path?x=1").await?;
        let waited = stage.probe.until(&ask, LIMIT, "503 with the page", is_page).await?;
        println!("{host}: the page after {:.2} s", waited.elapsed.as_secs_f64());
        assert_eq!(waited.answer.header("cache-control"), Some("no-store"), "{:?}", waited.answer);
        let kind = waited.answer.header("content-type").unwrap_or_default().to_owned();
        assert!(kind.starts_with("text/html"), "{kind}");
    }
    held.annotate(HOLD, "Cordoned", json!({})).await?;
    let waited = stage.probe.until_status(&held.ask(&held.www(), "/").await?, 200, LIMIT).await?;
    println!("back after {:.2} s", waited.elapsed.as_secs_f64());
    cordoned(held).await?;
    held.annotate(HOLD, "Active", json!({})).await.expect_err("a hold that is none is refused");
    Ok(())
}

/// New routes and new hosts are refused; what makes a route smaller, and its labels, pass.
async fn cordoned(held: &Guest<'_>) -> Result<()> {
    let new = sample::route(&held.name, "late", &[format!("late.{}", held.apex())]);
    let refused = held.developer.apply(&new).await.expect_err("a new route while cordoned");
    assert!(refused.api_message().contains("ordoned"), "{}", refused.api_message());
    let mut more: Value = sample::route(&held.name, "www", &[held.www(), held.apex()]);
    let refused = held.developer.apply(&more).await.expect_err("a host more while cordoned");
    assert!(refused.api_message().contains("ordoned"), "{}", refused.api_message());
    more["spec"]["hostnames"] = json!([held.www()]);
    more["metadata"]["labels"] = json!({"reviewed": "yes"});
    held.developer.apply(&more).await.map(drop)
}
