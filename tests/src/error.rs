//! The one error of the test lab. It never hides the next step: whoever reads it is in the middle of a failing run.

use std::time::Duration;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the lab, a check or the demo could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, process or socket of this machine.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The API server refused, or could not be reached.
    #[error("{what}: {}", said(source))]
    Kube {
        /// What was tried.
        what: String,
        /// What the client said.
        source: Box<kube::Error>,
    },
    /// Something is wrong that a retry does not cure.
    #[error("{what}: {detail}")]
    Failed {
        /// What was tried.
        what: String,
        /// What came out.
        detail: String,
    },
    /// This machine or cluster lacks something.
    #[error("{what}\nnext: {next}")]
    Missing {
        /// What is missing.
        what: String,
        /// What to do about it.
        next: String,
    },
    /// A deadline passed.
    #[error("{what}: not so after {:.1} s\n{state}", waited.as_secs_f64())]
    NotInTime {
        /// What was waited for.
        what: String,
        /// For how long.
        waited: Duration,
        /// What was seen last, and the next step.
        state: String,
    },
}

impl Error {
    /// Wraps an error of the operating system, for `map_err`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Wraps an error of the Kubernetes client, for `map_err`.
    pub fn kube(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Kube { what, source: Box::new(source) }
    }

    /// Wraps any other error by what it prints, for `map_err`.
    pub fn failed<D: ToString>(what: impl Into<String>) -> impl FnOnce(D) -> Self {
        let what = what.into();
        move |detail| Self::Failed { what, detail: detail.to_string() }
    }

    /// The HTTP code the API server answered with, when it answered.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Kube { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// The message the API server answered with: what a user reads after `kubectl apply`. Empty when it did not answer.
    pub fn api_message(&self) -> &str {
        match self {
            Self::Kube { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => &status.message,
                _ => "",
            },
            _ => "",
        }
    }
}

/// The API server's own words where there are any; the client prints its whole status twice.
fn said(source: &kube::Error) -> String {
    match source {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.trim().to_owned(),
        other => other.to_string(),
    }
}
