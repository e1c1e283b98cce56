//! At rest the operator costs nothing but its lease; and what it finds in order after a restart it leaves alone.

use std::time::{Duration, Instant};

use octroi_tests::operator::{Counted, Operator};
use serde_json::json;

use crate::world::{World, apply, class, tenant};

const TENANTS: usize = 20;
/// The operator renews its lease that often.
const RENEWAL: Duration = Duration::from_secs(2);
const WRITES: [&str; 6] = ["APPLY", "PATCH", "POST", "PUT", "DELETE", "DELETECOLLECTION"];

#[tokio::test]
async fn twenty_tenants_at_rest_cost_a_lease_renewal_every_two_seconds_and_a_restart_writes_nothing() {
    let mut world = World::start().await;
    let client = world.lab.client().unwrap();
    apply(&client, &class("rest", "rest.test", &json!({}))).await;
    let names: Vec<String> = (0..TENANTS).map(|i| format!("rest-{i}")).collect();
    for (i, name) in names.iter().enumerate() {
        let spec = match i % 4 {
            0 => json!({"gateway": {"mode": "Dedicated"}}),
            1 => {
                json!({"domains": [{"host": format!("{name}.example")}], "namespaces": [{"name": format!("{name}-a")}, {"name": format!("{name}-b")}]})
            }
            _ => json!({}),
        };
        apply(&client, &tenant(name, "rest", &spec)).await;
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    world.ready(&client, &all).await;
    quiet(&world).await;

    let idle = Duration::from_secs(std::env::var("OCTROI_IDLE_SECONDS").map_or(60, |text| text.parse().unwrap()));
    let (writes, before, since) = (world.operator.writes().await.unwrap(), read(&world).await, Instant::now());
    // The one thing here that takes its time by definition.
    tokio::time::sleep(idle).await;
    let (after, took) = (read(&world).await, since.elapsed());
    assert_eq!(world.operator.writes().await.unwrap(), writes);

    let leases = |counted: &Counted| counted.requests(&["PUT"], |resource| resource == "leases");
    let opened = |counted: &Counted| counted.requests(&["WATCH"], |_| true);
    let of_operator = after.of_operator - before.of_operator;
    let renewals = leases(&after) - leases(&before);
    let renewed = u64::try_from(took.as_millis() / RENEWAL.as_millis()).unwrap();
    println!("{of_operator} requests of the operator in {took:?}; lease renewals of everybody: {renewals}");
    assert!(of_operator + 2 + took.as_secs() / 20 >= renewed, "{of_operator} requests: is it counted at all?");
    assert!(of_operator <= renewed + 1 + opened(&after) - opened(&before), "{of_operator} requests in {took:?}");
    assert!(of_operator <= renewals + opened(&after) - opened(&before), "{of_operator} requests, {renewals} renewals");
    let others = |counted: &Counted| counted.requests(&WRITES, |resource| resource != "leases");
    assert_eq!(others(&after) - others(&before), 0, "somebody wrote something else than a lease");

    restart(&mut world).await;
    world
        .eventually("every Tenant was looked at", async || {
            let count = world.operator.reconciles("tenants").await.map_err(|error| error.to_string())?;
            if count >= u64::try_from(TENANTS).unwrap() { Ok(()) } else { Err(count.to_string()) }
        })
        .await;
    quiet(&world).await;
    assert_eq!(world.operator.writes().await.unwrap().into_iter().collect::<Vec<_>>(), []);
    let restarted = read(&world).await;
    assert_eq!(others(&restarted) - others(&after), 0, "the restart wrote something");
}

async fn restart(world: &mut World) {
    world.operator.signal("KILL").unwrap();
    world
        .eventually("it is dead", async || match world.operator.ended().unwrap() {
            Some(_) => Ok(()),
            None => Err("it runs".into()),
        })
        .await;
    world.operator = Operator::start(&world.lab, "one").await.unwrap_or_else(|error| panic!("{error}"));
}

async fn read(world: &World) -> Counted {
    Counted::read(&world.lab).await.unwrap()
}

/// Waits for a stretch of four seconds in which nothing but leases is asked for.
async fn quiet(world: &World) {
    const STRETCH: Duration = Duration::from_secs(4);
    let (mut known, mut since) = (read(world).await, Instant::now());
    world
        .eventually("a quiet stretch", async || {
            let now = read(world).await;
            if now.requests(&WRITES, |r| r != "leases") != known.requests(&WRITES, |r| r != "leases") {
                (known, since) = (now, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            if since.elapsed() >= STRETCH { Ok(()) } else { Err("somebody writes".into()) }
        })
        .await;
}
