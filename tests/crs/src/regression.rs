//! The regression tests of the Core Rule Set.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use octroi_waf::{Mode, Outcome, Paranoia, Profile, Request, Response, RuleSet, Sources};

use crate::error::{Error, Result, invalid};
use crate::expect::{Seen, deviations};
use crate::ledger::{self, Class, Deviation};
use crate::suite::{self, Stage, Test};
use crate::{upstream, wire};

/// What the rule set's own test setup changes (the README of its regression tests): optional limits are on, answers are inspected,
/// and methods are its own, which `octroi-waf` widens.
const SETUP: &str = r#"
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecDefaultAction "phase:3,log,auditlog,pass"
SecDefaultAction "phase:4,log,auditlog,pass"
SecDefaultAction "phase:5,log,auditlog,pass"
SecAction "id:900005,phase:1,nolog,pass,\
    setvar:'tx.allowed_methods=GET HEAD POST OPTIONS',\
    setvar:'tx.allowed_request_content_type=|application/x-www-form-urlencoded| |multipart/form-data| |text/xml| |application/xml| |application/soap+xml| |application/json|',\
    setvar:tx.crs_validate_utf8_encoding=1,\
    setvar:tx.arg_name_length=100,\
    setvar:tx.arg_length=400,\
    setvar:tx.total_arg_length=64000,\
    setvar:tx.max_num_args=255,\
    setvar:tx.max_file_size=64100,\
    setvar:tx.combined_file_sizes=65535"
"#;

/// What came of the tests.
pub struct Report {
    total: usize,
    passed: usize,
    classes: BTreeMap<Class, usize>,
    problems: Vec<String>,
    loading: Duration,
    running: Duration,
}

impl Report {
    /// Whether all is as the ledger says.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(out, "  {problem}")?;
        }
        let classes: Vec<_> = self.classes.iter().map(|(class, count)| format!("{class} {count}")).collect();
        writeln!(
            out,
            "core rule set: loaded in {:.1} s, {} tests in {:.1} s; deviations in the ledger: {}",
            self.loading.as_secs_f64(),
            self.total,
            self.running.as_secs_f64(),
            if classes.is_empty() { "none".to_owned() } else { classes.join(", ") }
        )?;
        let by_envoy = [Class::EnvoyRefuses, Class::EnvoyNormalises].map(|class| self.classes.get(&class).copied());
        let arriving = self.total - by_envoy.into_iter().flatten().sum::<usize>();
        writeln!(
            out,
            "core rule set: {} of {} tests pass with their bytes as they are: {}",
            self.passed,
            self.total,
            percent(self.passed, self.total)
        )?;
        let rate = percent(self.passed, arriving);
        write!(out, "core rule set: {} of {arriving} that Envoy neither refuses nor changes pass: {rate}", self.passed)
    }
}

/// Cut and not rounded: 99.999 % is not all of them.
pub fn percent(part: usize, whole: usize) -> String {
    let hundredths = part * 10_000 / whole.max(1);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// Runs all tests against the ledger.
///
/// # Errors
/// When the rules or the tests cannot be read, or the engine fails.
pub fn run(coreruleset: &Path) -> Result<Report> {
    let started = Instant::now();
    let rules = rules(coreruleset)?;
    let tests = suite::read(&coreruleset.join("tests"))?;
    let loading = started.elapsed();
    let known: BTreeMap<String, Deviation> = ledger::read("ledger.yaml")?;
    let mut problems: Vec<String> =
        known.keys().filter(|id| !tests.contains_key(*id)).map(|id| format!("{id}: there is no such test")).collect();
    let (mut passed, mut classes) = (0, BTreeMap::new());
    for (id, test) in &tests {
        let found = deviations_of(&rules, id, test)?;
        passed += usize::from(found.is_empty());
        match (known.get(id), found.is_empty()) {
            (None, true) => {}
            (Some(deviation), false) => *classes.entry(deviation.class).or_default() += 1,
            (None, false) => problems.push(format!("{id} left the pass set: {}", found.join("; "))),
            (Some(_), true) => problems.push(format!("{id} passes: take it off the ledger")),
        }
    }
    let running = started.elapsed().saturating_sub(loading);
    Ok(Report { total: tests.len(), passed, classes, problems, loading, running })
}

/// Prints what the engine says of the tests whose ids begin so.
///
/// # Errors
/// As [`run`].
pub fn show(coreruleset: &Path, start: &str) -> Result<()> {
    let rules = rules(coreruleset)?;
    for (id, test) in suite::read(&coreruleset.join("tests"))?.iter().filter(|(id, _)| id.starts_with(start)) {
        println!("{id}: {}", test.desc.trim());
        for stage in &test.stages {
            let (sent, seen) = stage_of(&rules, id, stage)?;
            println!("{}\n-- status {}", String::from_utf8_lossy(&sent), seen.status);
            let deviations = deviations(&stage.output, &seen);
            for line in seen.log.iter().chain(&deviations) {
                println!("-- {line}");
            }
        }
    }
    Ok(())
}

/// The rule set, set up as its tests want it.
///
/// # Errors
/// When it cannot be read, or does not work.
pub fn rules(coreruleset: &Path) -> Result<RuleSet> {
    let mut files = Sources::read(&coreruleset.join("rules"))?.into_files();
    for (_, content) in files.iter_mut().filter(|(name, _)| name.starts_with("@crs-setup")) {
        content.extend_from_slice(SETUP.as_bytes());
    }
    Ok(RuleSet::new(&Sources::new(files)?)?)
}

fn deviations_of(rules: &RuleSet, id: &str, test: &Test) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for stage in &test.stages {
        found.extend(deviations(&stage.output, &stage_of(rules, id, stage)?.1));
    }
    Ok(found)
}

/// What was sent, and what came of it.
fn stage_of(rules: &RuleSet, id: &str, stage: &Stage) -> Result<(Vec<u8>, Seen)> {
    let sent = wire::written(&stage.input).map_err(|error| invalid(Path::new(id), &error))?;
    let request = wire::received(&sent);
    let answer = upstream::answer(&request);
    let outcome = judged(rules, &request, &answer).map_err(|source| Error::Inspect { test: id.to_owned(), source })?;
    Ok((sent, Seen::new(&outcome, answer.status)))
}

fn judged(
    rules: &RuleSet,
    request: &wire::Received,
    answer: &upstream::Answer,
) -> std::result::Result<Outcome, octroi_waf::InspectError> {
    // As the tests want it: every rule runs, and nothing is refused before the last.
    let profile = Profile { mode: Mode::Detect, paranoia: Paranoia::Four, ..Profile::default() };
    let headers = borrowed(&request.headers);
    let request = Request {
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        method: &request.method,
        target: &request.target,
        protocol: &request.protocol,
        headers: &headers,
        body: &request.body,
    };
    let headers = borrowed(&answer.headers);
    let response = Response { status: answer.status, headers: &headers, body: &answer.body };
    rules.trace(&request, Some(response), &profile, SystemTime::UNIX_EPOCH)
}

/// Headers as the engine takes them.
pub fn borrowed(headers: &[(Vec<u8>, Vec<u8>)]) -> Vec<(&[u8], &[u8])> {
    headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect()
}
