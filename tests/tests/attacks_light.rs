//! The attack suite on a control plane without pods: every attack that needs no traffic, with the real operator running
//! and with it gone, and the matrix of guards. The same files run against real gateways in `attacks.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

#[path = "attacks_light/files.rs"]
mod files;
mod helm;
#[path = "attacks_light/world.rs"]
mod world;

use std::collections::BTreeMap;

use octroi_tests::attack::{Arena, Outcome, load, matrix, run};
use world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attack_has_an_effect_with_the_operator_up_or_stopped_and_every_guard_is_needed() {
    let mut world = World::start().await;
    let attacks = load::all().unwrap();
    let up = all(&world.arena, "up").await;
    world.stop_operator();
    let stopped = all(&world.arena, "stopped").await;

    let say = |line: &str| println!("{line}");
    let matrix = matrix::measure(&world.arena, &attacks, say).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{}", matrix.print());

    let failed: Vec<_> = up.iter().chain(&stopped).filter(|(_, outcome)| is_bad(outcome)).collect();
    for (name, outcome) in &failed {
        println!("{name}: {outcome}");
    }
    assert!(failed.is_empty(), "{} runs of {} attacks: see above", failed.len(), attacks.len());
    assert_eq!(matrix.leaked(), Vec::<String>::new(), "attacks that one of their guards does not stop alone");
    assert_eq!(matrix.unproved(), Vec::<&str>::new(), "guards that no attack needs");
}

fn is_bad(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Effect(_) | Outcome::Unproved(_))
}

async fn all(arena: &Arena, phase: &str) -> BTreeMap<String, Outcome> {
    let mut outcomes = BTreeMap::new();
    for attack in load::all().unwrap() {
        let outcome = run(arena, &attack).await.unwrap_or_else(|error| panic!("{}: {error}", attack.name));
        println!("{phase:8} {}: {outcome}", attack.name);
        outcomes.insert(format!("{phase} {}", attack.name), outcome);
    }
    outcomes
}
