//! What is known not to be as it should: each with a class and a reason, and wrong as soon as it is no longer so.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Result, invalid, unreadable};

/// Why a regression test does not pass, its bytes given to the engine directly or sent through Envoy.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Envoy answers such a request itself; it never comes to the firewall.
    EnvoyRefuses,
    /// Envoy makes another request of it before the firewall sees it.
    EnvoyNormalises,
    /// The test is about something that is not there: another engine's wording, a web server's own log.
    Harness,
    /// The engine is wrong.
    Engine,
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::EnvoyRefuses => "envoy-refuses",
            Self::EnvoyNormalises => "envoy-normalises",
            Self::Harness => "harness",
            Self::Engine => "engine",
        })
    }
}

/// A known deviation of the regression tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// Which of the four.
    pub class: Class,
    /// What happens, and why that is no hole, or that it is one.
    #[allow(dead_code, reason = "for those who read the file, which must give one")]
    pub reason: String,
}

/// An ordinary request that the rules refuse.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The rules that match, all of them.
    pub rules: Vec<u32>,
    /// What in it they take for an attack.
    #[allow(dead_code, reason = "for those who read the file, which must give one")]
    pub reason: String,
}

/// An attack that the rules let pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missed {
    /// Why they do.
    #[allow(dead_code, reason = "for those who read the file, which must give one")]
    pub reason: String,
}

/// Reads a ledger of this crate's folder.
///
/// # Errors
/// When it cannot be read.
pub fn read<T: for<'a> Deserialize<'a>>(name: &str) -> Result<BTreeMap<String, T>> {
    let path = folder().join(name);
    let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
    serde_saphyr::from_str(&text).map_err(|error| invalid(&path, &error))
}

/// The folder of this crate.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
