//! Reads the files of `tests/attacks/`, and says what is wrong with one.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::arena::{VARS, Vars};
use super::file::{Attack, Expect, Verb};
use crate::{Error, Result, manifest, script};

/// The folder of the attacks.
pub fn folder() -> PathBuf {
    script::repository().join("tests/attacks")
}

/// Every attack, by row and name.
///
/// # Errors
/// When a file cannot be read, has a field that there is not, or contradicts itself.
pub fn all() -> Result<Vec<Attack>> {
    let mut attacks = Vec::new();
    for file in manifest::files(&folder())? {
        attacks.push(one(&file)?);
    }
    attacks.sort_by(|a, b| (a.row, &a.name).cmp(&(b.row, &b.name)));
    Ok(attacks)
}

fn one(file: &Path) -> Result<Attack> {
    let what = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(Error::io(what.clone()))?;
    let value: Value = serde_saphyr::from_str(&text).map_err(Error::failed(what.clone()))?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut attack: Attack = serde_json::from_value(value.clone()).map_err(Error::failed(what.clone()))?;
    attack.name = name;
    contradiction(&attack).map_or(Ok(()), Err).and_then(|()| placeholders(&value)).map_err(Error::failed(what))?;
    Ok(attack)
}

/// What cannot be meant.
fn contradiction(attack: &Attack) -> Option<String> {
    let said = |is_wrong: bool, what: &str| is_wrong.then(|| what.to_owned());
    let traffic = attack.verb == Verb::Traffic;
    let accepted = matches!(attack.expect, Expect::NoEffect);
    let prefix = format!("{:02}-", attack.row);
    said(!attack.name.starts_with(&prefix), "the file's name must start with its row")
        .or_else(|| said(attack.guards.is_empty(), "name the guards that must stop it"))
        .or_else(|| {
            said(
                (attack.verb == Verb::Patch) != attack.patch.is_some(),
                "patch goes with verb: patch, and only with it",
            )
        })
        .or_else(|| {
            said(traffic != attack.manifest.is_null(), "every verb but traffic needs a manifest, and traffic has none")
        })
        .or_else(|| said(traffic && !accepted, "traffic is not refused: expect noEffect"))
        .or_else(|| {
            said(accepted == attack.effect.is_empty(), "effect is said where nothing is refused, and only there")
        })
        .or_else(|| said(attack.verb == Verb::Connect && attack.subresource.is_none(), "connect needs a subresource"))
}

/// A placeholder that does not exist would be sent as it stands, and be refused for the wrong reason.
fn placeholders(value: &Value) -> Result<(), String> {
    let vars: Vars = VARS.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
    super::arena::fill(value, &vars).map(drop)
}
