//! What Octroi's tests and its demo stand on: a light control plane, the full lab, CRDs, strict applies and probes.
//!
//! Nothing in here may know how the operator works inside; it sees a cluster only as a user of it would.

pub mod admission_cost;
pub mod attack;
pub mod bench;
pub mod crds;
pub mod demo;
pub mod edge_load;
mod environment;
pub mod error;
pub mod guards;
pub mod lab;
pub mod light;
pub mod manifest;
pub mod operator;
pub mod player;
pub mod probe;
mod script;
pub mod stage;
pub mod strict;
pub mod tenant_user;

pub use error::{Error, Result};
