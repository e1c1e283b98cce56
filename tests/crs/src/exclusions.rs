//! The exclusions that a tenant would write for what the rules refuse: with them the requests pass, and attacks on the same paths are
//! refused all the same.

use std::collections::BTreeMap;
use std::fmt;

use octroi_waf::{Profile, Profiles, RuleSet};
use serde::Deserialize;
use serde_json::Value;

use crate::error::Result;
use crate::ledger;
use crate::traffic::{read, refusing};

/// What needs exclusions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    /// Whether its requests are ordinary, so that they count as refused for nothing; otherwise it is an application of its own kind.
    #[serde(default)]
    ordinary: bool,
    /// What is no longer found, for those who copy it.
    #[allow(dead_code, reason = "for those who read the file, which must say it")]
    gives_up: String,
    /// As a tenant writes them.
    exclusions: Value,
    /// Of `benign`: refused without the exclusions, and not with them.
    requests: Vec<String>,
    /// Of `twins`: refused with the exclusions.
    attacks: Vec<String>,
}

/// What came of them.
#[derive(Default)]
pub struct Report {
    cases: usize,
    attacks: usize,
    /// The requests of applications of their own kind, which are no ordinary ones.
    pub special: Vec<String>,
    /// The ordinary requests that exclusions are there for.
    pub ordinary: Vec<String>,
    /// What is not as the file says.
    pub problems: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = self.special.len() + self.ordinary.len();
        write!(
            out,
            "exclusions: {} cases, with which {requests} requests pass, {} of them of applications of their own kind, and {} attacks do not",
            self.cases,
            self.special.len(),
            self.attacks
        )
    }
}

/// Tries all of them.
///
/// # Errors
/// When something cannot be read, or the engine fails.
pub fn run(rules: &RuleSet, benign: &BTreeMap<String, Vec<u8>>) -> Result<Report> {
    let cases: BTreeMap<String, Case> = ledger::read("exclusions.yaml")?;
    let twins = read(&ledger::folder().join("twins"))?;
    let mut report = Report { cases: cases.len(), attacks: twins.len(), ..Report::default() };
    let used: Vec<&String> = cases.values().flat_map(|case| &case.attacks).collect();
    let unused = twins.keys().filter(|name| !used.contains(name));
    report.problems.extend(unused.map(|name| format!("{name}: no case of exclusions.yaml names it")));
    for (name, case) in &cases {
        let found = problems(rules, case, benign, &twins)?;
        report.problems.extend(found.into_iter().map(|problem| format!("exclusions for {name}: {problem}")));
        let requests = if case.ordinary { &mut report.ordinary } else { &mut report.special };
        requests.extend(case.requests.iter().cloned());
    }
    Ok(report)
}

fn problems(
    rules: &RuleSet,
    case: &Case,
    benign: &BTreeMap<String, Vec<u8>>,
    twins: &BTreeMap<String, Vec<u8>>,
) -> Result<Vec<String>> {
    let profile = profile(&case.exclusions)?;
    let mut found = Vec::new();
    if case.attacks.is_empty() {
        found.push("it names no attack".to_owned());
    }
    for name in &case.requests {
        let Some(bytes) = benign.get(name) else {
            found.push(format!("{name}: there is no such request"));
            continue;
        };
        if refusing(rules, name, bytes, &Profile::default())?.is_none() {
            found.push(format!("{name} passes without them"));
        }
        if let Some(ids) = refusing(rules, name, bytes, &profile)? {
            found.push(format!("{name} is refused with them, by {ids:?}"));
        }
    }
    for name in &case.attacks {
        let Some(bytes) = twins.get(name) else {
            found.push(format!("{name}: there is no such attack"));
            continue;
        };
        if refusing(rules, name, bytes, &profile)?.is_none() {
            found.push(format!("{name} passes with them"));
        }
    }
    Ok(found)
}

/// By the file that the operator writes, so that what stands here can be copied.
fn profile(exclusions: &Value) -> Result<Profile> {
    let file = format!("tenants: {{a: {{namespaces: [a], waf: {{exclusions: {exclusions}}}}}}}");
    let profiles = Profiles::parse(&file)?;
    Ok(profiles.tenant("a").map_or_else(Profile::default, |tenant| tenant.profile.clone()))
}
