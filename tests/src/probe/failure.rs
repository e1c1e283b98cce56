//! Why there was no answer, coarse enough to count.

use std::fmt;

use super::Answer;

/// Why a request has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody accepted the connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The handshake failed: a closed connection, or a certificate that does not hold.
    #[error("no TLS: {0}")]
    Tls(String),
    /// The connection broke, or what came was not HTTP.
    #[error("no HTTP answer: {0}")]
    Http(String),
    /// Nothing in time.
    #[error("no answer in time")]
    Timeout,
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// An answer with this code.
    Code(u16),
    /// No connection.
    NoConnection,
    /// No TLS.
    NoTls,
    /// A broken connection.
    NoAnswer,
    /// Nothing in time.
    Timeout,
}

impl Outcome {
    /// What an attempt came to.
    pub fn of(attempt: &Result<Answer, Failure>) -> Self {
        match attempt {
            Ok(answer) => Self::Code(answer.code),
            Err(Failure::Connect(_)) => Self::NoConnection,
            Err(Failure::Tls(_)) => Self::NoTls,
            Err(Failure::Http(_)) => Self::NoAnswer,
            Err(Failure::Timeout) => Self::Timeout,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::NoConnection => f.write_str("no connection"),
            Self::NoTls => f.write_str("no TLS"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::Timeout => f.write_str("timeout"),
        }
    }
}
