//! How large a route may be: the data plane carries it for all.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{items, text};

const RULES: usize = 16;
const MATCHES: usize = 128;
const CONDITIONS: usize = 256;
const BACKENDS: usize = 64;
const EXPRESSIONS: usize = 16;
const EXPRESSION_LENGTH: usize = 128;

/// A repeated group that itself repeats, and counted repetition, make small text into a large automaton.
#[allow(clippy::unwrap_used, reason = "a constant, which a test compiles")]
static HEAVY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[+*}]\??\)+[+*{]|\{[0-9]*,?[0-9]{3,}").unwrap());

/// What of it is too large.
pub(super) fn objection(object: &Value) -> Option<String> {
    let rules = || items(object, "/spec/rules");
    let matches = || rules().flat_map(|rule| items(rule, "/matches"));
    let conditions = || matches().flat_map(|m| items(m, "/headers").chain(items(m, "/queryParams")));
    let backends = rules().flat_map(|rule| items(rule, "/backendRefs"));
    let compared = conditions().filter(|c| is_expression(c)).filter_map(|condition| text(condition, "value"));
    let paths = matches()
        .filter_map(|m| m.get("path"))
        .filter(|path| is_expression(path))
        .filter_map(|path| text(path, "value"));
    // An HTTPRoute's method is a plain word.
    let methods = matches().filter_map(|m| m.get("method")).filter(|method| is_expression(method));
    let parts = methods.flat_map(|method| ["service", "method"].into_iter().filter_map(|part| text(method, part)));
    let expressions: Vec<&str> = compared.chain(paths).chain(parts).collect();
    for (what, count, most) in [
        ("rules", rules().count(), RULES),
        ("matches", matches().count(), MATCHES),
        ("headers and query parameters to compare", conditions().count(), CONDITIONS),
        ("backendRefs", backends.count(), BACKENDS),
        ("regular expressions", expressions.len(), EXPRESSIONS),
    ] {
        if count > most {
            return Some(format!("it has {count} {what}, and a route has at most {most}; write two routes"));
        }
    }
    let heavy = expressions.into_iter().find(|e| e.chars().count() > EXPRESSION_LENGTH || HEAVY.is_match(e))?;
    let shown: String = heavy.chars().take(EXPRESSION_LENGTH).collect();
    Some(format!("its regular expression '{shown}' is too heavy; write a lighter one, or a prefix"))
}

fn is_expression(condition: &Value) -> bool {
    text(condition, "type") == Some("RegularExpression")
}
