//! The chart's admission guards on a real API server, with the CRDs of every project that they speak of. No operator runs,
//! but where a test starts one: they hold without.
//!
//! Who is refused here has every right there is in the namespace, so that admission alone decides.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]
#![cfg(test)]

#[path = "guards/agreement.rs"]
mod agreement;
#[path = "guards/case.rs"]
mod case;
#[path = "guards/controllers.rs"]
mod controllers;
mod helm;
#[path = "guards/operations.rs"]
mod operations;
#[path = "guards/policies.rs"]
mod policies;
#[path = "guards/sizes.rs"]
mod sizes;
#[path = "guards/tables.rs"]
mod tables;
#[path = "guards/with_operator.rs"]
mod with_operator;
#[path = "guards/world.rs"]
mod world;
