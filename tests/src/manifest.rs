//! YAML files as JSON objects, and how many lines a reader sees in them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Error, Result};

/// One document of a file: the object, and its text as its author wrote it.
#[derive(Clone, Debug)]
pub struct Document {
    /// The object.
    pub object: Value,
    /// Its text, comments included.
    pub text: String,
}

impl Document {
    /// The lines that say something: neither blank nor comment.
    pub fn lines(&self) -> usize {
        self.text.lines().filter(|line| says_something(line)).count()
    }
}

/// The object's kind, or nothing.
pub fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

/// The object's name, or nothing.
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Every `*.yaml` of a folder, by name.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let what = || Error::io(format!("the folder {}", dir.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(what())? {
        let path = entry.map_err(what())?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Every document of a file; empty ones are left out.
///
/// # Errors
/// When the file cannot be read or is not YAML.
pub fn read(file: &Path) -> Result<Vec<Document>> {
    let what = file.display().to_string();
    let content = std::fs::read_to_string(file).map_err(Error::io(what.clone()))?;
    parse(&content).map_err(Error::failed(what))
}

/// Every document of every `*.yaml` of a folder.
///
/// # Errors
/// As [`files`] and [`read`].
pub fn read_all(dir: &Path) -> Result<Vec<Document>> {
    let mut all = Vec::new();
    for file in files(dir)? {
        all.extend(read(&file)?);
    }
    Ok(all)
}

/// Every document of a text.
///
/// # Errors
/// When it is not YAML.
pub fn parse(content: &str) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for text in split(content) {
        let object = if says_something(&text) {
            serde_saphyr::from_str(&text).map_err(Error::failed("YAML"))?
        } else {
            Value::Null
        };
        if !object.is_null() {
            documents.push(Document { object, text });
        }
    }
    Ok(documents)
}

/// Whether there is more than blanks and comments.
fn says_something(text: &str) -> bool {
    text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
}

/// `---` at the start of a line separates; inside a block scalar YAML forbids it there too.
fn split(content: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in content.lines() {
        if line == "---" || line.starts_with("--- ") {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_an_author_wrote() {
        let text = "# a client\n---\napiVersion: octroi.dev/v1alpha1\nkind: Tenant\n\n# its name\nmetadata: {name: acme}\n---\n";
        let documents = parse(text).unwrap();
        assert_eq!(documents.len(), 1);
        assert_eq!(documents[0].lines(), 3);
        assert_eq!((kind(&documents[0].object), name(&documents[0].object)), ("Tenant", "acme"));
    }
}
