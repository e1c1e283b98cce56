//! The real operator on a real API server, as its users and its saboteurs meet it. No data plane and no cert-manager run
//! here: a player judges in their place, and a test can have it hold back or fail.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

#[path = "operator/adoption.rs"]
mod adoption;
#[path = "operator/argo.rs"]
mod argo;
#[path = "operator/bad_world.rs"]
mod bad_world;
#[path = "operator/claims.rs"]
mod claims;
#[path = "operator/deletion.rs"]
mod deletion;
#[path = "operator/drift.rs"]
mod drift;
#[path = "operator/hardening.rs"]
mod hardening;
#[path = "operator/history.rs"]
mod history;
#[path = "operator/hold.rs"]
mod hold;
#[path = "operator/idle.rs"]
mod idle;
#[path = "operator/intruders.rs"]
mod intruders;
#[path = "operator/leader.rs"]
mod leader;
#[path = "operator/limits.rs"]
mod limits;
#[path = "operator/members.rs"]
mod members;
#[path = "operator/optional_apis.rs"]
mod optional_apis;
#[path = "operator/ports.rs"]
mod ports;
#[path = "operator/routes.rs"]
mod routes;
#[path = "operator/sharding.rs"]
mod sharding;
#[path = "operator/states.rs"]
mod states;
#[path = "operator/status.rs"]
mod status;
#[path = "operator/world.rs"]
mod world;
