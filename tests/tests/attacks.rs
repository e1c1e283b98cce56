//! The attack suite against real gateways, once with the operator up and once with it stopped. `make attacks` runs it
//! with more: failing over, and the matrix. It stops the operator, so it is a program of its own and runs alone.

#![cfg(test)]

use octroi_tests::attack::suite::{self, Phase};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attack_has_an_effect_with_the_operator_up_or_stopped() {
    let report = suite::on_lab(&[Phase::Up, Phase::Stopped], false, |line| println!("{line}")).await;
    let report = report.unwrap_or_else(|error| panic!("{error}"));
    println!("{} attacks, not here: {:?}", report.tried(), report.not_here());
    assert_eq!(report.with_effect(), Vec::<&str>::new(), "attacks with effect");
    assert_eq!(report.unproved(), Vec::<&str>::new(), "attacks that prove nothing");
}
