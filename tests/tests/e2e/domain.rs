//! Hosts of the client's own: a certificate of their own, one owner, and a move between owners.

use std::time::SystemTime;

use octroi_tests::Result;
use octroi_tests::probe::rate::{Connections, counted};
use octroi_tests::probe::{Ask, Outcome};
use octroi_tests::stage::{Guest, LIMIT, Stage};
use serde_json::{Value, json};

use crate::on_stage;
use crate::sample;
use crate::timeline::{Line, Running, answers_steadily, seconds};

const PER_SECOND: u32 = 50;
/// What A's route answers with, and B's: the code tells who it was.
const CODES: [u16; 2] = [201, 202];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_has_its_certificate_and_one_owner_at_every_instant_on_one_address() {
    on_stage("domain", async |stage| one_owner(stage, "Shared").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_has_one_owner_at_every_instant_also_on_two_addresses() {
    on_stage("domain2", async |stage| one_owner(stage, "Dedicated").await).await;
}

async fn one_owner(stage: &Stage, mode_of_b: &str) -> Result<()> {
    let class = stage.class("c", |_| {}).await?;
    let mut a = stage.tenant(&class, "a", |_| {}).await?;
    let mut b = stage.tenant(&class, "b", |spec| spec["gateway"] = json!({"mode": mode_of_b})).await?;
    let host = format!("shop.{}.example", a.name);
    a.change(|spec| spec["domains"] = domains(&host)).await?;
    for (guest, code) in [(&a, CODES[0]), (&b, CODES[1])] {
        guest.deploy_all(&sample::echo(&guest.name)).await?;
        guest.deploy(&sample::signed_route(&guest.name, "shop", &[guest.www()], code)).await?;
        stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, code, LIMIT).await?;
    }
    serve(stage, &a, &host, CODES[0]).await?;
    answers_with_its_own_certificate(stage, &a, &host).await?;
    a_route_for_it_is_refused(&b, &host).await;
    // The listeners hold alone, too: B's route has the host before B does.
    serve(stage, &b, &host, CODES[1]).await?;
    the_second_is_told_and_nothing_else(stage, &a, &mut b, &host).await?;
    moves(stage, &mut a, &b, &host).await
}

/// The platform writes a route for the host, past admission.
async fn serve(stage: &Stage, guest: &Guest<'_>, host: &str, code: u16) -> Result<()> {
    let route = sample::signed_route(&guest.name, "shop", &[host.to_owned(), guest.www()], code);
    stage.past_the_guards().await?.apply(&route).await.map(drop)
}

async fn a_route_for_it_is_refused(guest: &Guest<'_>, host: &str) {
    let route = sample::signed_route(&guest.name, "theft", &[host.to_owned()], CODES[1]);
    let refused = guest.developer.apply(&route).await.expect_err("a route for another tenant's host");
    assert!(refused.api_message().contains("is not a host of Tenant"), "{}", refused.api_message());
}

fn domains(host: &str) -> Value {
    json!([{"host": host}])
}

async fn answers_with_its_own_certificate(stage: &Stage, guest: &Guest<'_>, host: &str) -> Result<()> {
    let waited = stage.probe.until_status(&guest.ask(host, "/").await?, CODES[0], LIMIT).await?;
    assert_eq!(waited.answer.tls.unwrap_or_default().sans, [host]);
    let waited = stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, CODES[0], LIMIT).await?;
    assert!(!waited.answer.tls.unwrap_or_default().sans.contains(&host.to_owned()), "its own hosts keep their own");
    Ok(())
}

async fn the_second_is_told_and_nothing_else(
    stage: &Stage,
    owner: &Guest<'_>,
    second: &mut Guest<'_>,
    host: &str,
) -> Result<()> {
    second.change(|spec| spec["domains"] = domains(host)).await?;
    let told = second
        .until("it is told that the host is taken", |status| {
            let domain = status.domains.iter().find(|domain| domain.host == host)?;
            domain.reason.clone().zip(domain.message.clone())
        })
        .await?;
    assert_eq!(told.0, "HostTaken", "{told:?}");
    let tenant = second.get().await?;
    let said = serde_json::to_string(&tenant.status).unwrap_or_default();
    // The host itself holds A's name, as the test chose it.
    assert!(!said.replace(host, "").contains(&owner.name), "the loser's status names the owner: {said}");
    println!("{}: {}: {}", second.name, told.0, told.1);
    for guest in [owner, &*second] {
        let outcome = Outcome::of(&stage.probe.ask(&guest.ask(&guest.www(), "/").await?).await);
        assert!(matches!(outcome, Outcome::Code(201 | 202)), "{}: {outcome}", guest.name);
    }
    Ok(())
}

/// Both ask for it; the run team takes it from A.
async fn moves(stage: &Stage, a: &mut Guest<'_>, b: &Guest<'_>, host: &str) -> Result<()> {
    let asks = [a.ask(host, "/").await?, Ask::get(&format!("https://{host}/"), b.address().await?)?];
    let same_address = a.address().await? == b.address().await?;
    let asked = if same_address { &asks[..1] } else { &asks[..] };
    let running: Vec<_> =
        asked.iter().map(|ask| Running::start(&stage.probe, ask, PER_SECOND, Connections::Fresh)).collect();
    let moved = SystemTime::now();
    a.change(|spec| spec["domains"] = json!([])).await?;
    stage.probe.until_status(&asks[1], CODES[1], LIMIT).await?;
    b.ready().await?;
    answers_steadily(&stage.probe, &asks[1], CODES[1]).await;
    let mut lines = Vec::new();
    for run in running {
        lines.push(run.stop().await);
    }
    judge(&lines, moved, host);
    Ok(())
}

fn judge(lines: &[Line], moved: SystemTime, host: &str) {
    for line in lines {
        println!("{host}: {}", counted(&line.0.histogram()));
    }
    let of_a = lines.iter().filter_map(|line| line.last_sent(CODES[0])).max();
    let of_b = lines.iter().filter_map(|line| line.first_answer(CODES[1])).min();
    let (Some(last_of_a), Some(first_of_b)) = (of_a, of_b) else { panic!("{host}: A or B never answered") };
    println!(
        "{host}: taken from A at 0; A answered last at {:+.2} s, B first at {:+.2} s: nobody for {:.2} s",
        seconds(moved, last_of_a),
        seconds(moved, first_of_b),
        seconds(last_of_a, first_of_b)
    );
    assert!(last_of_a < first_of_b, "a request that was sent after B's first answer was answered by A");
}
