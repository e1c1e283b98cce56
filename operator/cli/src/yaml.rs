//! YAML in and out.

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One document, keys in a stable order.
///
/// # Errors
/// When the value cannot be written as YAML.
pub fn print(value: &impl Serialize) -> Result<String> {
    let value = serde_json::to_value(value).context("cannot serialise")?;
    serde_saphyr::to_string(&value).context("cannot write YAML")
}

/// Every document of a text that is not empty.
///
/// # Errors
/// When the text is no YAML; the message says where.
pub fn documents(text: &str) -> Result<Vec<Value>> {
    let values: Vec<Value> = serde_saphyr::from_multiple(text).context("not YAML")?;
    Ok(values.into_iter().filter(|v| !v.is_null()).collect())
}

/// A typed value, with an error that names the field.
///
/// # Errors
/// When the document is not of that type.
pub fn typed<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("not of the expected shape")
}
