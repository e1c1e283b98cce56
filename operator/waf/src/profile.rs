//! What a tenant may decide about its firewall. The class says in which bounds; that is checked before it comes here.

use std::num::NonZeroU16;

use crate::exclusion::Exclusion;

/// Whether an attack is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    #[default]
    Block,
    /// It is only reported, and so is everything else: nothing is refused.
    Detect,
}

/// The Core Rule Set's paranoia level: each adds rules, and false positives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Paranoia {
    /// For everybody.
    #[default]
    One = 1,
    /// For what holds other people's data.
    Two,
    /// For what is attacked by name; wants exclusions.
    Three,
    /// Nearly everything is suspicious.
    Four,
}

/// One tenant's firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whether an attack is refused.
    pub mode: Mode,
    /// Which rules run.
    pub paranoia: Paranoia,
    /// The anomaly score from which a request is an attack. One critical match scores 5, an error 4, a warning 3, a notice 2.
    pub threshold: NonZeroU16,
    /// The longest body, in bytes; a longer one is refused. Above [`crate::MAX_BODY`] it counts as that.
    pub max_body: u32,
    /// Whether answers are inspected, too: for what tells of the inside of an application. The request is then inspected twice.
    pub inspect_answers: bool,
    /// What is left out where.
    pub exclusions: Vec<Exclusion>,
}

impl Profile {
    /// The threshold that the Core Rule Set ships with: one critical match.
    pub const DEFAULT_THRESHOLD: NonZeroU16 = NonZeroU16::MIN.saturating_add(4);
    /// 1 MiB.
    pub const DEFAULT_MAX_BODY: u32 = 1 << 20;
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            paranoia: Paranoia::default(),
            threshold: Self::DEFAULT_THRESHOLD,
            max_body: Self::DEFAULT_MAX_BODY,
            inspect_answers: false,
            exclusions: Vec::new(),
        }
    }
}
