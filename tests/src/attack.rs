//! The attack suite: what a tenant's people, and people with more rights than they should have, try against the platform
//! and its other tenants. Each attack is a file of `tests/attacks/`, and none may have an effect.
//!
//! Nothing in here knows what a guard looks like inside: a guard is known by its name, by what it answers, and by what
//! happens when it is taken away ([`matrix`]). Adding an attack is adding a file.

pub mod arena;
pub mod cast;
pub mod file;
pub mod guard;
pub mod lab;
pub mod load;
pub mod matrix;
pub mod observe;
pub mod operator;
pub mod request;
pub mod run;
pub mod suite;
pub mod table;
pub mod take_away;
mod undo;

pub use self::arena::{Arena, Clients, User, Vars};
pub use self::file::Attack;
pub use self::guard::Guard;
pub use self::run::{Outcome, run};
