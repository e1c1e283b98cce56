//! The user's mistakes: each names its field, the reason and the next step, and never another tenant.

use octroi_api::conditions::Reason;

/// One thing about a Tenant or a TenantClass that cannot be had. Nothing is retried until something changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why, in one word.
    pub reason: Reason,
    /// Which field, such as `spec.domains[1].host`.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Rejection {
    /// A rejection.
    pub fn new(reason: Reason, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, field: field.into(), message: message.into() }
    }
}

/// All of them in one message.
pub fn summary(rejections: &[Rejection]) -> String {
    rejections.iter().map(|r| format!("{}: {}", r.field, r.message)).collect::<Vec<_>>().join("; ")
}
