//! What must exist, and what must be done about it: pure.
//!
//! ```text
//! World (what was observed) ┐
//!                   Tenant ─┴> resolve -> compile -> diff -> Changes … apply (elsewhere) … -> World -> status
//! ```
//! The same input gives the same bytes. This crate must never hold a client, a clock, a random number or an environment
//! variable, and must never wait; `octroi render` and `octroi diff` call exactly what the operator calls.
#![deny(missing_docs)]

pub mod adoption;
pub mod certificate;
pub mod child;
pub mod class;
pub mod compile;
pub mod diff;
pub mod digest;
pub mod facts;
mod guards;
pub mod hardening;
pub mod issuance;
pub mod kind;
pub mod plan;
pub mod pointing;
pub mod quantity;
pub mod rejection;
pub mod resolve;
pub mod routes;
pub mod simulate;
pub mod status;
pub mod tenant;
pub mod waf_profile;
pub mod world;

pub use child::{Child, ChildKey, Owner};
pub use guards::GUARDS;
pub use kind::ChildKind;
