//! One replica writes. Whoever takes over does so soon, and whoever was away too long never writes again.

use std::time::{Duration, Instant};

use kube::Client;
use octroi_tests::operator::{Counted, Operator};
use serde_json::json;

use crate::world::{CONFIG_MAP, World, apply, class, delete, eventually, tenant, within};

/// A lease that nobody renews is free after 15 s; whoever waits looks every two.
const TAKEOVER: Duration = Duration::from_secs(20);
const AT_ONCE: Duration = Duration::from_secs(5);
const WRITES: [&str; 6] = ["APPLY", "PATCH", "POST", "PUT", "DELETE", "DELETECOLLECTION"];

async fn leads(operator: &Operator) -> bool {
    operator.get("/metrics").await.is_ok_and(|(_, text)| text.lines().any(|line| line == "octroi_leader 1"))
}

async fn takes_over(operator: &Operator, limit: Duration) -> Duration {
    let since = Instant::now();
    within(limit, "it leads", async || if leads(operator).await { Ok(()) } else { Err("it stands by".into()) })
        .await
        .unwrap_or_else(|late| panic!("{late}\n{}", operator.log()));
    operator.wait_until_ready().await.unwrap();
    since.elapsed()
}

/// Somebody brings a child back that was deleted.
async fn works(client: &Client) {
    let api = CONFIG_MAP.within(client, "pair-a");
    delete(&api, "octroi-entry").await;
    eventually("it is back", async || match api.get_opt("octroi-entry").await.unwrap() {
        Some(_) => Ok(()),
        None => Err("it is not there".into()),
    })
    .await;
}

#[tokio::test]
async fn one_of_two_writes_and_the_other_takes_over_when_it_must() {
    let mut world = World::start().await;
    let client = world.lab.client().unwrap();
    let second = Operator::start(&world.lab, "two").await.unwrap();
    apply(&client, &class("pair", "pair.test", &json!({}))).await;
    apply(&client, &tenant("pair-a", "pair", &json!({}))).await;
    world.ready(&client, &["pair-a"]).await;
    assert!(leads(&world.operator).await && !leads(&second).await);
    assert!(second.writes().await.unwrap().is_empty(), "who stands by has written");

    world.operator.signal("KILL").unwrap();
    println!("after SIGKILL: {:?}", takes_over(&second, TAKEOVER).await);
    works(&client).await;

    // A new one stands by; the leader is asked to go, and gives the lease back.
    let third = Operator::start(&world.lab, "three").await.unwrap();
    assert!(!leads(&third).await);
    second.signal("TERM").unwrap();
    println!("after SIGTERM: {:?}", takes_over(&third, AT_ONCE).await);
    let status = eventually("it ends", async || second.ended().unwrap().ok_or("it runs".into())).await;
    assert_eq!(status.code(), Some(0), "{}", second.log());
    works(&client).await;

    // Frozen, say by a node that swaps: it must not write when it wakes up.
    world.operator = Operator::start(&world.lab, "four").await.unwrap();
    third.signal("STOP").unwrap();
    println!("after SIGSTOP: {:?}", takes_over(&world.operator, TAKEOVER).await);
    works(&client).await;
    world.ready(&client, &["pair-a"]).await;
    // The new leader is held up for a moment, so that the stale one alone sees damage; yet it is no longer its to repair.
    world.operator.signal("STOP").unwrap();
    let api = CONFIG_MAP.within(&client, "pair-a");
    delete(&api, "octroi-entry").await;
    let others = |counted: &Counted| counted.requests(&WRITES, |resource| resource != "leases" && resource != "events");
    let before = Counted::read(&world.lab).await.unwrap();
    third.signal("CONT").unwrap();
    let status = eventually("it ends", async || third.ended().unwrap().ok_or("it runs".into())).await;
    assert_ne!(status.code(), Some(0), "{}", third.log());
    assert!(third.log().contains("lost the lease"), "{}", third.log());
    let after = Counted::read(&world.lab).await.unwrap();
    assert_eq!(others(&after) - others(&before), 0, "the stale leader wrote: {}", third.log());
    assert!(api.get_opt("octroi-entry").await.unwrap().is_none());

    world.operator.signal("CONT").unwrap();
    let repaired = async || match api.get_opt("octroi-entry").await.unwrap() {
        Some(_) => Ok(()),
        None => Err("it is not there".into()),
    };
    world.eventually("the leader repairs it", repaired).await;
    assert!(leads(&world.operator).await);
}
