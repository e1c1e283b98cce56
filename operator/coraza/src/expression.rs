//! The engine's regular expressions: RE2's syntax as Go reads it, run by the crate `regex`.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::bytes::{Regex, RegexBuilder};

/// Compiled, and how much of the program it may take: the longest of the rules are alternatives of hundreds of words.
const MAX_SIZE: usize = 64 << 20;

/// Every expression that was ever compiled. Rule sets share them, and a reload brings few new ones.
static COMPILED: LazyLock<Mutex<HashMap<String, &'static Regex>>> = LazyLock::new(Mutex::default);

/// The expression, which lives as long as the process.
pub(crate) fn compiled(pattern: &str) -> Option<&'static Regex> {
    let mut all = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(pattern) {
        return Some(known);
    }
    let fresh: &'static Regex = Box::leak(Box::new(compile(pattern)?));
    all.insert(pattern.to_owned(), fresh);
    Some(fresh)
}

/// By bytes, as ModSecurity's rules are meant; by characters where the expression names some that are no bytes.
fn compile(pattern: &str) -> Option<Regex> {
    let pattern = translated(pattern);
    let by = |characters| {
        let mut builder = RegexBuilder::new(&pattern);
        builder.dot_matches_new_line(true).unicode(characters).size_limit(MAX_SIZE);
        builder.build().ok()
    };
    by(false).or_else(|| by(true))
}

/// RE2's syntax in that of `regex`: in brackets, `[`, `&&`, `--` and `~~` are plain signs to RE2; outside, so are `\<` and `\>`.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut brackets = false;
    while let Some(sign) = rest.chars().next() {
        let after = &rest[sign.len_utf8()..];
        let next = after.chars().next();
        let taken = match (sign, brackets) {
            ('\\', _) if is_byte(after) => {
                out.extend(["\\x", &after[2..4]]);
                6
            }
            ('\\', _) => {
                let escaped = next.map_or(0, char::len_utf8);
                if !matches!(next, Some('<' | '>')) {
                    out.push('\\');
                }
                out.push_str(&after[..escaped]);
                1 + escaped
            }
            ('[', false) => {
                brackets = true;
                let head = ["[^]", "[]", "[^", "["].into_iter().find(|head| rest.starts_with(head)).unwrap_or("[");
                out.push_str(&head.replace(']', "\\]"));
                head.len()
            }
            ('[', true) if after.starts_with(':') => {
                let end = rest.find(":]").map_or(1, |end| end + 2);
                out.push_str(&rest[..end]);
                end
            }
            (']', true) => {
                brackets = false;
                out.push(']');
                1
            }
            ('[', true) => {
                out.push_str("\\[");
                1
            }
            ('&' | '~' | '-', true) if next == Some(sign) => {
                out.extend(['\\', sign, '\\', sign]);
                2
            }
            _ => {
                out.push(sign);
                sign.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// Whether `x{be}` follows: to the rules a byte, to `regex` a character, unless it is written as `xbe`.
fn is_byte(after: &str) -> bool {
    let digits = after.strip_prefix("x{").and_then(|rest| rest.split_once('}')).map(|(digits, _)| digits);
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::{compiled, translated};

    #[test]
    fn brackets_mean_what_they_mean_to_re2() {
        for (re2, here) in [
            ("[[]", "[\\[]"),
            ("[^]a]", "[^\\]a]"),
            ("[]a]", "[\\]a]"),
            ("[a&&b]", "[a\\&\\&b]"),
            ("[[:alpha:]_]", "[[:alpha:]_]"),
            ("\\<a\\>", "<a>"),
            ("\\x{be}[\\x{bc}]\\x{2018}", "\\xbe[\\xbc]\\x{2018}"),
            ("[\\]\\[]x[", "[\\]\\[]x["),
            ("a&&b--", "a&&b--"),
        ] {
            assert_eq!(translated(re2), here, "{re2}");
        }
    }

    #[test]
    fn bytes_and_characters_match() {
        let matches = |pattern, text: &[u8]| compiled(pattern).unwrap().is_match(text);
        assert!(matches("^\\xff.$", b"\xff\n"));
        assert!(matches("[\u{2018}\u{2019}]", "a\u{2019}".as_bytes()));
        assert!(matches("^caf\u{e9}$", "caf\u{e9}".as_bytes()));
        assert!(compiled("(").is_none());
    }
}
