//! What `make crs` and `make bench-waf` are made of.

pub mod error;
pub mod exclusions;
pub mod expect;
pub mod ledger;
pub mod regression;
pub mod suite;
pub mod through;
pub mod traffic;
pub mod upstream;
pub mod wire;
