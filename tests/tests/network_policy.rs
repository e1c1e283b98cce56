//! What the NetworkPolicies of tenants and proxies mean: who reaches whom. Nothing here is proved by traffic; see the
//! evaluator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

#[path = "network_policy/evaluator.rs"]
mod evaluator;
#[path = "network_policy/flows.rs"]
mod flows;
#[path = "network_policy/moves.rs"]
mod moves;
#[path = "network_policy/mutants.rs"]
mod mutants;
#[path = "network_policy/recipes.rs"]
mod recipes;
#[path = "network_policy/stage.rs"]
mod stage;
