//! What every benchmark stands on: load in an open loop, figures out of it, and the time of the machine's cores.
//!
//! Nothing in here knows what is asked, or of whom.

pub mod cpu;
pub mod figures;
pub mod open_loop;
