//! Exceptions from the rules, typed: a tenant never writes SecLang. Each holds for one rule, under one path, for one parameter, and
//! until a day.

use std::time::SystemTime;

/// Why an exclusion is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExclusion {
    /// Not one of the rules that look for attacks.
    #[error("rule {0} cannot be excluded: only 911000 to 948999 look for attacks in requests, the others do the sums")]
    Rule(u32),
    /// Not a plain path.
    #[error("{0:?} is not a path prefix: it starts with / and has no //, ., .., %, ?, #, ; or backslash")]
    Path(String),
    /// Not a name.
    #[error("{0:?} is not a parameter's name: 1 to 128 visible characters")]
    Name(String),
}

/// The id of a rule that may be excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(u32);

impl RuleId {
    /// # Errors
    /// For rules that are not about requests, and those that add up the score: without one of them nothing would be refused at all.
    pub fn new(id: u32) -> Result<Self, InvalidExclusion> {
        if (911_000..949_000).contains(&id) { Ok(Self(id)) } else { Err(InvalidExclusion::Rule(id)) }
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// A path and everything below it: `/a` holds for `/a` and `/a/b`, and not for `/ab`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// # Errors
    /// When it is not a plain path: one that only one reading is possible of.
    pub fn new(path: &str) -> Result<Self, InvalidExclusion> {
        if is_plain(path.as_bytes()) && !path.contains('%') && path.len() <= 1024 {
            Ok(Self(path.to_owned()))
        } else {
            Err(InvalidExclusion::Path(path.to_owned()))
        }
    }

    /// Whether a request's target is under it. One that an upstream might read as another path is under none: an exclusion must not
    /// be borrowed by `/open/%2e%2e/closed`.
    fn covers(&self, target: &[u8]) -> bool {
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        let prefix = self.0.strip_suffix('/').unwrap_or(&self.0).as_bytes();
        is_plain(path) && path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }
}

fn is_plain(path: &[u8]) -> bool {
    let odd = |byte: &u8| !byte.is_ascii_graphic() || matches!(byte, b'\\' | b';' | b'?' | b'#');
    let mut segments = path.split(|byte| *byte == b'/');
    let absolute = segments.next().is_some_and(<[u8]>::is_empty) && path.starts_with(b"/");
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let hollow = path.windows(2).any(|pair| pair == b"//");
    let dots = segments.any(|segment| segment == b"." || segment == b"..") || last == b"." || last == b"..";
    absolute && !hollow && !dots && !path.iter().any(odd) && !hides_a_sign(path)
}

/// `%2e`, `%2f`, `%5c`, `%3b`, `%25` and `%00` stand for what a path's structure is made of.
fn hides_a_sign(path: &[u8]) -> bool {
    let hidden = [b"%2e", b"%2f", b"%5c", b"%3b", b"%25", b"%00"];
    path.windows(3).any(|three| hidden.iter().any(|sign| three.eq_ignore_ascii_case(*sign)))
}

/// What the rule does not look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// A field of the query or of the body, both its value and its name. In JSON it is the path: `json.user.comment`.
    Argument(String),
    /// A cookie.
    Cookie(String),
    /// A header.
    Header(String),
    /// The rule is left out. For rules about no parameter, such as those on methods and content types.
    Any,
}

impl Parameter {
    /// The engine's collections that hold it, with its name. An empty name would mean the whole collection: it is refused before.
    fn targets(&self) -> Option<(&'static [&'static str], &str)> {
        const ARGUMENT: &[&str] = &["ARGS", "ARGS_GET", "ARGS_POST", "ARGS_NAMES", "ARGS_GET_NAMES", "ARGS_POST_NAMES"];
        match self {
            Self::Argument(name) => Some((ARGUMENT, name)),
            Self::Cookie(name) => Some((&["REQUEST_COOKIES", "REQUEST_COOKIES_NAMES"], name)),
            Self::Header(name) => Some((&["REQUEST_HEADERS", "REQUEST_HEADERS_NAMES"], name)),
            Self::Any => None,
        }
    }
}

/// One exception from one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    rule: RuleId,
    path: PathPrefix,
    parameter: Parameter,
    reason: String,
    expires: SystemTime,
}

impl Exclusion {
    /// # Errors
    /// When the parameter's name is empty, too long or not visible.
    pub fn new(
        rule: RuleId,
        path: PathPrefix,
        parameter: Parameter,
        reason: String,
        expires: SystemTime,
    ) -> Result<Self, InvalidExclusion> {
        if let Some((_, name)) = parameter.targets() {
            let visible = name.chars().all(|letter| !letter.is_control() && !letter.is_whitespace());
            if name.is_empty() || name.len() > 128 || !visible {
                return Err(InvalidExclusion::Name(name.to_owned()));
            }
        }
        Ok(Self { rule, path, parameter, reason, expires })
    }

    /// Why it is there, in the words of whoever asked for it.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether it is over.
    pub fn has_expired(&self, now: SystemTime) -> bool {
        now >= self.expires
    }

    /// What the engine leaves out of this request; nothing when it is over or about another path.
    pub(crate) fn for_request<'a>(
        &'a self,
        target: &[u8],
        now: SystemTime,
    ) -> impl Iterator<Item = octroi_coraza::Exclusion<'a>> {
        let holds = !self.has_expired(now) && self.path.covers(target);
        let (collections, name, whole) = match self.parameter.targets() {
            Some((collections, name)) => (collections, name, None),
            None => (&[][..], "", Some(octroi_coraza::Exclusion { rule: self.rule.0, target: None })),
        };
        let parts =
            collections.iter().map(move |of| octroi_coraza::Exclusion { rule: self.rule.0, target: Some((of, name)) });
        parts.chain(whole).filter(move |_| holds)
    }
}

#[cfg(test)]
mod tests {
    use super::{PathPrefix, RuleId};

    #[test]
    fn only_rules_that_look_for_attacks_can_be_excluded() {
        for id in [0, 10_001, 200_002, 901_001, 905_100, 949_110, 949_111, 959_100, 980_170, u32::MAX] {
            assert!(RuleId::new(id).is_err(), "{id}");
        }
        for id in [911_100, 920_420, 942_100, 944_300] {
            assert_eq!(RuleId::new(id).map(RuleId::get), Ok(id));
        }
    }

    #[test]
    fn a_prefix_is_a_plain_path() {
        for path in [
            "",
            "a",
            "//",
            "/a//b",
            "/.",
            "/a/..",
            "/../a",
            "/a%20b",
            "/a?b",
            "/a;b",
            "/a\\b",
            "/a b",
            "/é",
            "http://h/",
        ] {
            assert!(PathPrefix::new(path).is_err(), "{path}");
        }
        assert!(PathPrefix::new(&format!("/{}", "a".repeat(1024))).is_err());
    }

    #[test]
    fn a_prefix_covers_whole_segments_only() {
        let prefix = PathPrefix::new("/notes").unwrap();
        for target in ["/notes", "/notes/", "/notes/7?x=/../y", "/notes?q=1", "/notes/a%20b"] {
            assert!(prefix.covers(target.as_bytes()), "{target}");
        }
        for target in ["/", "/note", "/notes2", "/Notes", "/admin/notes", "/x?/notes", "http://h/notes", ""] {
            assert!(!prefix.covers(target.as_bytes()), "{target}");
        }
        assert!(PathPrefix::new("/").unwrap().covers(b"/anything"));
        assert!(PathPrefix::new("/notes/").unwrap().covers(b"/notes/7"));
    }

    #[test]
    fn a_path_with_two_readings_is_under_no_prefix() {
        let prefix = PathPrefix::new("/open").unwrap();
        let targets = [
            "/open/../closed",
            "/open/./x",
            "/open/%2e%2e/closed",
            "/open/%2E./closed",
            "/open/..",
            "/open//x",
            "/open/%2fx",
        ];
        for target in targets.into_iter().chain([
            "/open/..%5cclosed",
            "/open/\\x",
            "/open/;x",
            "/open/%252e",
            "/open/#",
            "/open/\u{7f}",
        ]) {
            assert!(!prefix.covers(target.as_bytes()), "{target}");
        }
    }
}
