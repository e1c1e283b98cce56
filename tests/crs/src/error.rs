//! What can go wrong before there is a result.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The files are no rules.
    #[error(transparent)]
    Sources(#[from] octroi_waf::SourceError),
    /// The rules do not work.
    #[error(transparent)]
    Rules(#[from] octroi_waf::RulesError),
    /// The profiles do not work.
    #[error(transparent)]
    Profiles(#[from] octroi_waf::ProfilesError),
    /// Something around the tests does not work.
    #[error("{what}: {source}")]
    Io {
        /// What.
        what: String,
        /// How.
        source: io::Error,
    },
    /// The engine failed.
    #[error("{test}: {source}")]
    Inspect {
        /// On which test.
        test: String,
        /// How.
        source: octroi_waf::InspectError,
    },
}

/// A result, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;

/// Makes an error of reading `path`.
pub fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Unreadable { path, source }
}

/// Makes an error about what is in `path`.
pub fn invalid(path: &Path, problem: &dyn Display) -> Error {
    Error::Invalid { path: path.to_owned(), problem: problem.to_string() }
}
