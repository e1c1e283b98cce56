//! Why a route is not served as it is written.

/// Why a route is not served, or not in full: the word in `status.routes.failing[].reason` and in the Event on the route.
/// A closed list, so that the documentation can say of each what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteProblem {
    /// A hostname is not one of the tenant's, or not any more.
    HostnameNotOwned,
    /// It names no hostname, so it would ask for every host there is.
    HostnameMissing,
    /// A parent is not the tenant's entry.
    ParentNotOwned,
    /// It hangs on nothing: it names no parent, or no listener of the entry takes it.
    NotAttached,
    /// A backend, or its port, is not there.
    BackendNotFound,
    /// A backend is in a namespace that the route may not reach.
    BackendNotPermitted,
    /// The data plane cannot do what it says, or not all of it.
    Invalid,
    /// The tenant is suspended. Nothing is wrong with the route, so it is never among the failing ones.
    Suspended,
}

impl RouteProblem {
    /// Every problem, for tables.
    pub const ALL: [Self; 8] = [
        Self::HostnameNotOwned,
        Self::HostnameMissing,
        Self::ParentNotOwned,
        Self::NotAttached,
        Self::BackendNotFound,
        Self::BackendNotPermitted,
        Self::Invalid,
        Self::Suspended,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostnameNotOwned => "HostnameNotOwned",
            Self::HostnameMissing => "HostnameMissing",
            Self::ParentNotOwned => "ParentNotOwned",
            Self::NotAttached => "NotAttached",
            Self::BackendNotFound => "BackendNotFound",
            Self::BackendNotPermitted => "BackendNotPermitted",
            Self::Invalid => "Invalid",
            Self::Suspended => "Suspended",
        }
    }

    /// The problem of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|problem| problem.as_str() == word)
    }
}
