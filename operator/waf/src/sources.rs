//! The rules as files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The setup file of the Core Rule Set, and its folder, by the names that Coraza's module of it has.
pub(crate) const SETUP: &str = "@crs-setup.conf.example";
pub(crate) const FOLDER: &str = "@owasp_crs";
/// The engine stops reading a file at a longer line, and says nothing.
const MAX_LINE: usize = 64 * 1024 - 1;

/// Why files are no rules.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or folder could not be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The engine was built without rules.
    #[error(transparent)]
    BuiltIn(#[from] octroi_coraza::Error),
    /// Not the Core Rule Set.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// A line that the engine would silently stop at.
    #[error("{file}: a line is longer than {MAX_LINE} bytes")]
    LongLine {
        /// In which file.
        file: String,
    },
}

/// The files of the Core Rule Set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    files: BTreeMap<String, Vec<u8>>,
}

impl Sources {
    /// Takes files by their names below the folder `rules` of Coraza's module of the rule set: `@crs-setup.conf.example` and
    /// `@owasp_crs/…`.
    ///
    /// # Errors
    /// When one of the two is missing, or a line is too long for the engine.
    pub fn new(files: BTreeMap<String, Vec<u8>>) -> Result<Self, SourceError> {
        if !files.contains_key(SETUP) {
            return Err(SourceError::Missing(SETUP));
        }
        let is_rules = |name: &Path| name.starts_with(FOLDER) && name.extension().is_some_and(|end| end == "conf");
        if !files.keys().any(|name| is_rules(name.as_ref())) {
            return Err(SourceError::Missing("@owasp_crs/*.conf"));
        }
        let too_long = |content: &[u8]| content.split(|byte| *byte == b'\n').any(|line| line.len() > MAX_LINE);
        match files.iter().find(|(_, content)| too_long(content)) {
            Some((name, _)) => Err(SourceError::LongLine { file: name.clone() }),
            None => Ok(Self { files }),
        }
    }

    /// Those that the engine was built with.
    ///
    /// # Errors
    /// As [`Sources::new`].
    pub fn built_in() -> Result<Self, SourceError> {
        let files = octroi_coraza::core_rule_set()?;
        Self::new(files.into_iter().filter(|(name, _)| name == SETUP || name.starts_with(FOLDER)).collect())
    }

    /// Reads them from a folder.
    ///
    /// # Errors
    /// As [`Sources::new`], and when something cannot be read.
    pub fn read(folder: &Path) -> Result<Self, SourceError> {
        let mut files = BTreeMap::new();
        files.insert(SETUP.to_owned(), content(&folder.join(SETUP))?);
        let rules = folder.join(FOLDER);
        for entry in fs::read_dir(&rules).map_err(unreadable(&rules))? {
            let path = entry.map_err(unreadable(&rules))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            // Kubernetes mounts a ConfigMap's files as links beside folders of its own.
            if path.is_file() {
                files.insert(format!("{FOLDER}/{name}"), content(&path)?);
            }
        }
        Self::new(files)
    }

    /// The files themselves, to make others of them.
    pub fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        self.files
    }

    pub(crate) fn files(&self) -> Vec<(&str, &[u8])> {
        self.files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect()
    }
}

fn content(path: &Path) -> Result<Vec<u8>, SourceError> {
    fs::read(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> SourceError {
    let path = path.to_owned();
    move |source| SourceError::Unreadable { path, source }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{MAX_LINE, SETUP, SourceError, Sources};

    fn files(rules: &[(&str, usize)]) -> BTreeMap<String, Vec<u8>> {
        rules.iter().map(|(name, length)| ((*name).to_owned(), vec![b'#'; *length])).collect()
    }

    #[test]
    fn what_is_not_the_rule_set_is_refused() {
        assert!(matches!(Sources::new(files(&[])), Err(SourceError::Missing(SETUP))));
        assert!(matches!(Sources::new(files(&[(SETUP, 1)])), Err(SourceError::Missing(_))));
        assert!(matches!(Sources::new(files(&[(SETUP, 1), ("@owasp_crs/a.data", 1)])), Err(SourceError::Missing(_))));
        assert!(matches!(Sources::read("no such folder".as_ref()), Err(SourceError::Unreadable { .. })));
    }

    #[test]
    fn a_line_that_the_engine_would_stop_at_is_refused() {
        assert!(Sources::new(files(&[(SETUP, 1), ("@owasp_crs/a.conf", MAX_LINE)])).is_ok());
        let error = Sources::new(files(&[(SETUP, 1), ("@owasp_crs/a.conf", MAX_LINE + 1)])).unwrap_err();
        assert!(matches!(error, SourceError::LongLine { file } if file == "@owasp_crs/a.conf"));
    }
}
