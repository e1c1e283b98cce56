//! A Tenant moves between a shared Gateway and one of its own. No route is touched; what visitors of the old address see is
//! counted; nobody moves without having said that the gap is accepted.

use std::time::{Duration, SystemTime};

use kube::api::DynamicObject;
use octroi_tests::probe::rate::{Connections, counted};
use octroi_tests::probe::{Ask, Outcome};
use octroi_tests::stage::{Guest, LIMIT, Stage, resolve, until};
use octroi_tests::{Error, Result};
use serde_json::{Value, json};

use crate::alone_on_stage;
use crate::sample;
use crate::timeline::{Line, Running, answers_steadily, seconds, shown};

const ACCEPT_GAP: &str = "octroi.dev/accept-gap";
const PER_SECOND: u32 = 100;
/// Of the runs that use their connections again: what they see does not depend on their rate.
const KEPT_PER_SECOND: u32 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_waits_for_consent_and_for_the_new_proxy_and_touches_no_route() {
    alone_on_stage("moving", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let mut guest = stage.tenant(&class, "a", |_| {}).await?;
        // It stays, so that the shared Gateway does too; and it must not notice.
        let neighbour = stage.tenant(&class, "b", |_| {}).await?;
        for tenant in [&guest, &neighbour] {
            tenant.deploy_all(&sample::echo(&tenant.name)).await?;
            tenant.deploy(&sample::route(&tenant.name, "www", &[tenant.www(), tenant.apex()])).await?;
            stage.probe.until_status(&tenant.ask(&tenant.www(), "/").await?, 200, LIMIT).await?;
            tenant.ready().await?;
        }
        let routes = [route(stage, &guest).await?, route(stage, &neighbour).await?];
        let beside = Running::start(&stage.probe, &neighbour.ask(&neighbour.www(), "/").await?, 20, Connections::Fresh);

        waits_for_consent(stage, &mut guest, "Dedicated").await?;
        moves(stage, &mut guest, "Dedicated", "consent given later").await?;
        unchanged(&routes[0], &route(stage, &guest).await?);
        waits_for_consent(stage, &mut guest, "Shared").await?;
        moves(stage, &mut guest, "Shared", "consent given later").await?;
        unchanged(&routes[0], &route(stage, &guest).await?);
        // Consent and mode in one write: the new proxy does not even exist yet.
        moves(stage, &mut guest, "Dedicated", "consent given at once").await?;
        unchanged(&routes[0], &route(stage, &guest).await?);

        let beside = beside.stop().await;
        println!("the neighbour on the shared Gateway meanwhile: {}", counted(&beside.0.histogram()));
        assert_eq!(beside.0.failed(200), 0, "the neighbour noticed");
        unchanged(&routes[1], &route(stage, &neighbour).await?);
        Ok(())
    })
    .await;
}

async fn route(stage: &Stage, guest: &Guest<'_>) -> Result<DynamicObject> {
    let found = stage.get(&sample::route(&guest.name, "www", &[])).await?;
    found.ok_or_else(|| Error::Failed { what: format!("the route of {}", guest.name), detail: "it is gone".into() })
}

fn unchanged(before: &DynamicObject, after: &DynamicObject) {
    let kept =
        |route: &DynamicObject| (route.metadata.uid.clone(), route.metadata.generation, route.data["spec"].clone());
    assert_eq!(kept(before), kept(after), "a move must not touch a route");
    let version = |route: &DynamicObject| route.metadata.resource_version.clone().unwrap_or_default();
    if version(before) != version(after) {
        // The data plane writes into the status of a route whose Gateway changed; nobody may write anything else.
        println!("the route's resourceVersion: {} -> {} (status only)", version(before), version(after));
        let managers = |route: &DynamicObject| {
            let entries = route.metadata.managed_fields.iter().flatten();
            let spec = entries.filter(|entry| entry.subresource.as_deref() != Some("status"));
            spec.map(|entry| (entry.manager.clone(), entry.time.clone())).collect::<Vec<_>>()
        };
        assert_eq!(managers(before), managers(after), "somebody wrote more than its status");
    }
}

/// Without the annotation nothing moves, and the status says what to type.
async fn waits_for_consent(stage: &Stage, guest: &mut Guest<'_>, mode: &str) -> Result<()> {
    let parent = parent(stage, guest).await?;
    guest.change(|spec| spec["gateway"] = json!({"mode": mode})).await?;
    let said = guest
        .until("it waits for consent", |status| {
            let waiting = status.conditions.iter().find(|c| c.reason == "GapNotAccepted")?;
            Some(waiting.message.clone())
        })
        .await?;
    let command = format!("kubectl annotate --overwrite tenant {} {ACCEPT_GAP}={mode}", guest.name);
    assert!(said.contains(&command), "{said}");
    // Also not once the proxy that it is to move to is there.
    let target = target(guest, mode).await?;
    until("the Gateway it is to move to is programmed", LIMIT, async || {
        Ok(programmed(stage, &target).await?.ok_or("not programmed"))
    })
    .await?;
    assert_eq!(self::parent(stage, guest).await?, parent, "it moved without consent");
    let outcome = Outcome::of(&stage.probe.ask(&guest.ask(&guest.www(), "/").await?).await);
    assert_eq!(outcome, Outcome::Code(200), "it is still served where it was");
    println!("{}: {said}", guest.name);
    Ok(())
}

async fn moves(stage: &Stage, guest: &mut Guest<'_>, mode: &str, case: &str) -> Result<()> {
    let old = guest.ask(&guest.www(), "/").await?;
    let target = target(guest, mode).await?;
    let parent_before = parent(stage, guest).await?;
    let fresh = Running::start(&stage.probe, &old, PER_SECOND, Connections::Fresh);
    let kept = Running::start(&stage.probe, &old, KEPT_PER_SECOND, Connections::Kept);

    let said = SystemTime::now();
    guest.annotate(ACCEPT_GAP, mode, json!({"gateway": {"mode": mode}})).await?;
    let (address, ready) = until("the new Gateway is programmed", LIMIT, async || {
        Ok(programmed(stage, &target).await?.ok_or("not programmed"))
    })
    .await
    .map(|address| (address, SystemTime::now()))?;
    let address = resolve(&address).await?;
    let new = Ask::get(&format!("https://{}/", guest.www()), address)?;
    let on_new = Running::start(&stage.probe, &new, PER_SECOND, Connections::Fresh);
    let attached = until("the entry is attached to it", LIMIT, async || {
        let now = parent(stage, guest).await?;
        Ok(if now == parent_before { Err("still where it was") } else { Ok(SystemTime::now()) })
    })
    .await?;
    stage.probe.until_status(&new, 200, LIMIT).await?;
    guest.ready().await?;
    answers_steadily(&stage.probe, &new, 200).await;
    let lines = [fresh.stop().await, kept.stop().await, on_new.stop().await];
    report(&format!("{case}: to {mode}"), said, ready, attached, &lines);

    assert_eq!(guest.address().await?, address, "its status names the new address");
    // A programmed Gateway is one whose proxy serves: only then may the old one be left.
    if let Some(dropped) = lines[0].0.disturbed(200).map(|(first, _)| lines[0].0.started + first) {
        assert!(ready <= dropped + POLLED, "the old address was dropped before the new Gateway was programmed");
    }
    assert!(ready <= attached + POLLED, "the entry moved before the new Gateway was programmed");
    Ok(())
}

/// How late what is polled here may be seen, on a busy machine.
const POLLED: Duration = Duration::from_millis(300);

fn report(case: &str, said: SystemTime, ready: SystemTime, attached: SystemTime, lines: &[Line; 3]) {
    let [fresh, kept, new] = lines;
    let stopped = |line: &Line| line.last_sent(200);
    let first = new.first_answer(200);
    println!("MOVE {case} (0 = the run team's write)");
    println!("  the new Gateway is seen programmed       {}", shown(said, Some(ready)));
    println!("  the entry is seen attached to it         {}", shown(said, Some(attached)));
    println!("  new address, fresh: first 200            {}", shown(said, first));
    println!("  new address, fresh: only 200 from        {}", shown(said, new.steady_from(200)));
    println!("  new address, fresh: all                  {}", counted(&new.0.histogram()));
    println!("  old address, fresh: last 200 sent        {}", shown(said, stopped(fresh)));
    println!("  old address, fresh: after that           {}", after(fresh));
    println!("  old address, kept connections: last 200  {}", shown(said, stopped(kept)));
    println!("  old address, kept connections: after     {}", after(kept));
    if let (Some(last), Some(first)) = (stopped(fresh), first) {
        println!("  neither address answers for              {:.2} s", seconds(last, first).max(0.0));
    }
}

fn after(line: &Line) -> String {
    match line.last_sent(200) {
        Some(last) => counted(&line.since(last + Duration::from_millis(1))),
        None => "it never answered".into(),
    }
}

/// The Gateway that a mode means for this tenant.
async fn target(guest: &Guest<'_>, mode: &str) -> Result<Value> {
    let (namespace, name) = match mode {
        "Dedicated" => (guest.gateway_namespace(), guest.name.clone()),
        _ => ("octroi-gateways".into(), format!("{}-0", guest.get().await?.spec.class_name.unwrap_or_default())),
    };
    Ok(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
    }))
}

/// Its address, once it is programmed.
async fn programmed(stage: &Stage, gateway: &Value) -> Result<Option<String>> {
    let Some(found) = stage.get(gateway).await? else { return Ok(None) };
    let status = &found.data["status"];
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let done = conditions.iter().any(|c| c["type"] == "Programmed" && c["status"] == "True");
    Ok(status["addresses"][0]["value"].as_str().filter(|_| done).map(str::to_owned))
}

async fn parent(stage: &Stage, guest: &Guest<'_>) -> Result<Value> {
    let entry = stage.get(&guest.entry()).await?;
    Ok(entry.map(|entry| entry.data["spec"]["parentRef"].clone()).unwrap_or_default())
}
