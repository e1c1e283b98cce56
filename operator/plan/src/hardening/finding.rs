//! One thing that was looked at, and how it is.

use std::fmt::Display;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub grade: Grade,
    /// What was looked at.
    pub subject: String,
    /// What is so, and what to do about it.
    pub message: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// As it must be.
    Good,
    /// It was not found out.
    Unknown,
    /// Somebody has to look at it.
    Unsure,
    /// A promise of Octroi does not hold.
    Bad,
}

impl Grade {
    /// The word on the screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Unknown | Self::Unsure => "look",
            Self::Bad => "FAIL",
        }
    }
}

impl Finding {
    /// A finding.
    pub fn new(grade: Grade, subject: impl Display, message: impl Into<String>) -> Self {
        Self { grade, subject: subject.to_string(), message: message.into() }
    }

    /// Whether a promise of Octroi does not hold.
    pub fn must_be_put_right(&self) -> bool {
        self.grade == Grade::Bad
    }
}

/// The findings, or that all is well.
pub fn good_if_empty(findings: Vec<Finding>, subject: &str, message: &str) -> Vec<Finding> {
    if findings.is_empty() { vec![Finding::new(Grade::Good, subject, message)] } else { findings }
}

/// `namespace/name`.
pub fn title(namespace: Option<String>, name: &str) -> String {
    format!("{}/{name}", namespace.unwrap_or_default())
}
