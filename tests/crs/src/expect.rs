//! Whether what came of a request is what had to.

use octroi_waf::Outcome;
use regex::Regex;

use crate::suite::Output;

/// What came of a request.
pub struct Seen {
    /// The status that the client got; 0 for a connection that was closed instead.
    pub status: u16,
    /// The rules that matched.
    pub ids: Vec<u32>,
    /// The engine's log, a line a rule.
    pub log: Vec<String>,
}

impl Seen {
    /// Out of the engine's words and the upstream's status.
    pub fn new(outcome: &Outcome, status: u16) -> Self {
        let line = |rule: &octroi_waf::MatchedRule| {
            let tags: Vec<_> = rule.tags.iter().map(|tag| format!("[tag {tag:?}]")).collect();
            let tags = tags.join(" ");
            // A rule is one line, whatever it quotes.
            let (message, data) = (rule.message.escape_debug(), rule.data.escape_debug());
            format!("{message} [id \"{}\"] [msg \"{message}\"] [data \"{data}\"] {tags}", rule.id)
        };
        Self {
            status: outcome.interruption.map_or(status, |end| end.status),
            ids: outcome.rules.iter().map(|rule| rule.id).collect(),
            log: outcome.rules.iter().map(line).collect(),
        }
    }
}

/// What is not as it had to be; empty for a test that passes.
pub fn deviations(expected: &Output, seen: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    if expected.expect_error && seen.status != 0 {
        found.push("the connection was to be broken off".to_owned());
    }
    if let Some(status) = expected.status.filter(|status| *status != seen.status) {
        found.push(format!("status {} instead of {status}", seen.status));
    }
    let log = &expected.log;
    let missing = log.expect_ids.iter().filter(|id| !seen.ids.contains(id));
    found.extend(missing.map(|id| format!("{id} did not match")));
    let unwanted = log.no_expect_ids.iter().filter(|id| seen.ids.contains(id));
    found.extend(unwanted.map(|id| format!("{id} matched")));
    for (pattern, wanted) in [(&log.match_regex, true), (&log.no_match_regex, false)] {
        let Some(pattern) = pattern else { continue };
        match Regex::new(pattern) {
            Ok(regex) if seen.log.iter().any(|line| regex.is_match(line)) == wanted => {}
            Ok(_) if wanted => found.push(format!("no line of the log matches {pattern}")),
            Ok(_) => found.push(format!("a line of the log matches {pattern}")),
            Err(error) => found.push(format!("{pattern}: {error}")),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Seen, deviations};
    use crate::suite::Output;

    fn found(yaml: &str) -> Vec<String> {
        let expected: Output = serde_saphyr::from_str(yaml).unwrap();
        deviations(&expected, &Seen { status: 200, ids: vec![1, 2], log: vec!["[id \"1\"] a".into()] })
    }

    #[test]
    fn everything_expected_is_looked_at() {
        for good in [
            "{status: 200}",
            "{log: {expect_ids: [1, 2]}}",
            "{log: {no_expect_ids: [3]}}",
            "{log: {match_regex: 'id .1'}}",
            "{log: {no_match_regex: b}}",
        ] {
            assert_eq!(found(good), Vec::<String>::new(), "{good}");
        }
        for bad in [
            "{status: 400}",
            "{expect_error: true}",
            "{log: {expect_ids: [1, 3]}}",
            "{log: {no_expect_ids: [3, 2]}}",
            "{log: {match_regex: b}}",
            "{log: {match_regex: '('}}",
            "{log: {no_match_regex: a}}",
        ] {
            assert_eq!(found(bad).len(), 1, "{bad}");
        }
    }
}
