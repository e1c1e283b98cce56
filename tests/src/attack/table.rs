//! The table of `docs/security.md`, from the files.

use std::fmt::Write as _;

use super::file::Attack;
use super::guard;

/// The line before the table.
pub const BEGIN: &str = "<!-- attacks: written by `UPDATE_DOCS=1 cargo test -p octroi-tests --test docs` -->";
/// The line after it.
pub const END: &str = "<!-- end of attacks -->";

/// The table.
pub fn of(attacks: &[Attack]) -> String {
    let mut text = String::from("| # | attack | who | what stops it |\n|---|---|---|---|\n");
    for attack in attacks {
        let guards = guard::names(&attack.guards);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {guards} |",
            attack.row,
            attack.title.replace('|', "\\|"),
            attack.user.title()
        );
    }
    text
}

/// The page with its table written anew; nothing when it has no place for one.
pub fn within(page: &str, attacks: &[Attack]) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}{END}{after}", of(attacks)))
}
