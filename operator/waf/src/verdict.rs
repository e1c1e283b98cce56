//! What came out.

use octroi_coraza::{Match, MatchedRule, Outcome};

use crate::mask::masked;

/// What is to happen to the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass(Findings),
    /// It is refused.
    Block {
        /// The HTTP status: 403 for an attack, 400 for a body that cannot be parsed, 413 for one above the cap.
        status: u16,
        /// Why.
        findings: Findings,
    },
}

impl Verdict {
    /// Whether it is refused.
    pub fn is_block(&self) -> bool {
        matches!(self, Self::Block { .. })
    }

    /// Why, or what was seen though it passes.
    pub fn findings(&self) -> &Findings {
        match self {
            Self::Pass(findings) | Self::Block { findings, .. } => findings,
        }
    }
}

/// What was seen in a request. Safe to log: of the client's own text it holds names and masked values only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The inbound anomaly score.
    pub score: u32,
    /// Whether the request is an attack by the profile's threshold, or breaks the protocol, whatever the mode does about it.
    pub is_attack: bool,
    /// Whether the body is above the cap and nobody looked at it.
    pub body_too_long: bool,
    /// The rules that matched, in their order.
    pub rules: Vec<Matched>,
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Its id, such as 942100.
    pub id: u32,
    /// Its message, such as "SQL Injection Attack Detected via libinjection".
    pub message: String,
    /// Its tags, such as `attack-sqli`.
    pub tags: Vec<String>,
    /// What it matched.
    pub places: Vec<Place>,
}

/// A part of the request that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The collection, such as `ARGS`.
    pub variable: String,
    /// The name in it: of a parameter, header or cookie. Empty when there is none.
    pub name: String,
    /// Its shape: letters are `x`, digits `9`, and the signs between them are left.
    pub masked: String,
}

/// The ids of our own rules that refuse what cannot be parsed; `directives.conf`.
const PROTOCOL: std::ops::RangeInclusive<u32> = 200_000..=200_999;

/// The ids of the Core Rule Set's rules on answers, and of those that say that there were too many of them.
const ANSWERS: std::ops::RangeInclusive<u32> = 950_000..=979_999;
const TOO_MUCH: std::ops::RangeInclusive<u32> = 959_100..=959_101;

impl Findings {
    pub(crate) fn of(outcome: &Outcome, threshold: u16) -> Self {
        let broken = outcome.rules.iter().any(|rule| PROTOCOL.contains(&rule.id));
        let is_attack = outcome.interruption.is_some() || broken || outcome.score >= u32::from(threshold);
        let rules = outcome.rules.iter().filter(|rule| !adds_up(rule)).map(Matched::of).collect();
        Self { score: outcome.score, is_attack, body_too_long: false, rules }
    }
}

impl Findings {
    /// Of what answered a request: only rules on answers. The sum is not told; whether it is too high is.
    pub(crate) fn of_answer(outcome: &Outcome) -> Self {
        let is_attack = outcome.interruption.is_some() || outcome.rules.iter().any(|rule| TOO_MUCH.contains(&rule.id));
        let rules = outcome.rules.iter().filter(|rule| ANSWERS.contains(&rule.id) && !adds_up(rule));
        Self { is_attack, rules: rules.map(Matched::of).collect(), ..Self::default() }
    }
}

/// The Core Rule Set's own sums match too, and found nothing in the request.
fn adds_up(rule: &MatchedRule) -> bool {
    rule.tags.iter().any(|tag| tag == "anomaly-evaluation" || tag == "reporting")
}

impl Matched {
    fn of(rule: &MatchedRule) -> Self {
        let places = rule.matches.iter().map(Place::of).collect();
        Self { id: rule.id, message: visible(&rule.message, 256), tags: rule.tags.clone(), places }
    }
}

/// Few rules quote the client in their message, and then a name: of a header or a parameter.
fn visible(text: &str, length: usize) -> String {
    text.chars().map(|letter| if letter.is_control() { '.' } else { letter }).take(length).collect()
}

impl Place {
    fn of(found: &Match) -> Self {
        Self { variable: found.variable.clone(), name: visible(&found.key, 128), masked: masked(&found.value) }
    }
}
