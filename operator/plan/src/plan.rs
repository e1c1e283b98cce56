//! What is to be done about one Tenant or TenantClass.

use crate::child::Child;
use crate::diff::Changes;
use crate::rejection::Rejection;

/// What is to be done about something of which `R` holds.
#[derive(Clone, Debug)]
pub enum Plan<R> {
    /// Keep it as it should be.
    Keep {
        /// What holds of it.
        resolved: Box<R>,
        /// What must exist.
        desired: Vec<Child>,
        /// What must be done.
        changes: Changes,
    },
    /// Touch nothing, and say why.
    Reject(Vec<Rejection>),
    /// Take it away. Done when nothing is left over: then the finalizer goes.
    TearDown(Changes),
    /// Deleted while protected, or while in use: leave everything as it is, and let it go. One of that name takes it back.
    Orphan,
}

impl<R> Plan<R> {
    /// What must be written now.
    pub fn changes(&self) -> Option<&Changes> {
        match self {
            Self::Keep { changes, .. } | Self::TearDown(changes) => Some(changes),
            Self::Reject(_) | Self::Orphan => None,
        }
    }

    /// Whether it may go: nothing of it is left, or it is to be left as it is.
    pub fn releases(&self) -> bool {
        match self {
            Self::Orphan => true,
            Self::TearDown(changes) => changes.leftover.is_empty(),
            Self::Keep { .. } | Self::Reject(_) => false,
        }
    }
}
