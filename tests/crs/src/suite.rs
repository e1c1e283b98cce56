//! The test files, in the format of go-ftw (<https://github.com/coreruleset/ftw-tests-schema>).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Result, invalid, unreadable};

/// One file.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    rule_id: Option<u32>,
    /// Missing where a rule has no test yet.
    #[serde(default)]
    tests: Option<Vec<Test>>,
}

/// One test: its stages happen one after another, and all have to pass.
#[derive(Deserialize)]
pub struct Test {
    #[serde(rename = "test_id")]
    number: u32,
    /// What for.
    #[serde(default)]
    pub desc: String,
    /// What happens.
    pub stages: Vec<Stage>,
}

/// A request and what has to come of it.
#[derive(Deserialize)]
pub struct Stage {
    /// The request.
    pub input: Input,
    /// What has to come of it.
    pub output: Output,
}

/// A request. What is left out has go-ftw's default.
#[derive(Deserialize)]
pub struct Input {
    /// `GET`.
    pub method: Option<String>,
    /// `/`.
    pub uri: Option<String>,
    /// `HTTP/1.1`.
    pub version: Option<String>,
    /// None. The tests of the Core Rule Set do not depend on their order.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body; none.
    pub data: Option<String>,
    /// All of the request in base64, instead of the above.
    pub encoded_request: Option<String>,
    /// Whether headers are added that a request of its kind has; yes.
    pub autocomplete_headers: Option<bool>,
}

/// What has to come of a request.
#[derive(Default, Deserialize)]
pub struct Output {
    /// The status.
    pub status: Option<u16>,
    /// What is in the log.
    #[serde(default)]
    pub log: Log,
    /// Whether the server has to break the connection off instead.
    #[serde(default)]
    pub expect_error: bool,
}

/// What has to be in the log.
#[derive(Default, Deserialize)]
pub struct Log {
    /// Rules that must match.
    #[serde(default)]
    pub expect_ids: Vec<u32>,
    /// Rules that must not.
    #[serde(default)]
    pub no_expect_ids: Vec<u32>,
    /// What one line must look like.
    pub match_regex: Option<String>,
    /// What no line may look like.
    pub no_match_regex: Option<String>,
}

/// Reads all tests below a folder, by their ids, such as `942100-7`.
///
/// # Errors
/// When a file cannot be read or is no test file, or an id is there twice.
pub fn read(folder: &Path) -> Result<BTreeMap<String, Test>> {
    let mut all = BTreeMap::new();
    for path in files(folder)? {
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        // A few are empty but for comments.
        let file: Option<File> = serde_saphyr::from_str(&text).map_err(|error| invalid(&path, &error))?;
        let Some(file) = file else { continue };
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        let Some(rule) = file.rule_id.or(stem) else { return Err(invalid(&path, &"it names no rule")) };
        for test in file.tests.unwrap_or_default() {
            let id = format!("{rule}-{}", test.number);
            if all.insert(id.clone(), test).is_some() {
                return Err(invalid(&path, &format!("{id} is there twice")));
            }
        }
    }
    Ok(all)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.is_dir() {
            all.extend(files(&path)?);
        } else if path.extension().is_some_and(|end| end == "yaml") {
            all.push(path);
        }
    }
    Ok(all)
}
