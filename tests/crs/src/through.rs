//! The regression tests as clients send them: bytes to a real Envoy, which asks the firewall's own service.
//!
//! What the rules said is read from the audit log, by Envoy's id of the request: a status alone does not tell a rule from another.
//! Each test is sent twice, to a tenant in mode Detect, where every rule has its say, and to one in mode Block, which must refuse
//! exactly what the first reports as an attack.

mod audit;
pub mod client;
pub mod corpus;
pub mod envoy;
pub mod server;
pub mod stack;
mod way;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use octroi_waf::extproc::{AuditLog, Limits, Shared};
use octroi_waf::{Profiles, RuleSet};

use crate::error::{Error, Result, invalid};
use crate::expect::deviations;
use crate::ledger::{self, Class, Deviation};
use crate::regression::{self, percent};
use crate::suite::{self, Output, Test};
use crate::wire::{self, Received};
use audit::{Audit, Line, Lines, seen};
use client::Answer;
use envoy::{Entry, FIREWALL};
use server::Arrived;
use stack::{Stack, failed};
use way::Way;

/// In pairs: mode Detect and mode Block, and the same where answers are inspected.
const ENTRIES: [Entry; 4] = [
    Entry { name: "detect", asks: Some(FIREWALL), answers: false },
    Entry { name: "block", asks: Some(FIREWALL), answers: false },
    Entry { name: "detect-answers", asks: Some(FIREWALL), answers: true },
    Entry { name: "block-answers", asks: Some(FIREWALL), answers: true },
];
/// As the rule set's own test setup has it: all levels.
const PROFILES: &str = "
tenants:
  detect: {namespaces: [detect], waf: {mode: Detect, paranoiaLevel: 4}}
  block: {namespaces: [block], waf: {mode: Block, paranoiaLevel: 4}}
  detect-answers: {namespaces: [detect-answers], waf: {mode: Detect, paranoiaLevel: 4, inspectAnswers: true}}
  block-answers: {namespaces: [block-answers], waf: {mode: Block, paranoiaLevel: 4, inspectAnswers: true}}
";
/// So many deviations may be the engine's.
const MOST_WRONG: usize = 5;
/// Requests under way at once.
const LANES: usize = 8;
/// A stage of a test, and what came of it.
struct Told<'a> {
    test: &'a str,
    expected: &'a Output,
    sent: Received,
    bytes: Vec<u8>,
    detect: Option<Answer>,
    block: Option<Answer>,
}

/// What came of the tests.
#[derive(Default)]
pub struct Report {
    total: usize,
    passed: usize,
    /// Of the others, those that want a rule to match, and Envoy refuses the request itself.
    stopped: usize,
    attacks: usize,
    classes: BTreeMap<Class, usize>,
    problems: Vec<String>,
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
        let classes = if classes.is_empty() { "none".to_owned() } else { classes.join(", ") };
        let seconds = self.running.as_secs_f64();
        writeln!(out, "through Envoy: {} tests in {seconds:.1} s; deviations in the ledger: {classes}", self.total)?;
        writeln!(out, "through Envoy: {} requests are attacks to the rules, and refused in mode Block", self.attacks)?;
        let (rate, held) = (percent(self.passed, self.total), self.passed + self.stopped);
        writeln!(out, "through Envoy: {} of {} tests pass: {rate}", self.passed, self.total)?;
        let rate = percent(held, self.total);
        write!(out, "through Envoy: {held} with the {} that Envoy refuses where a rule should: {rate}", self.stopped)
    }
}

/// Runs all tests whose ids begin so against the ledger.
///
/// # Errors
/// When something cannot be read, or Envoy or the firewall cannot be started.
pub fn run(coreruleset: &Path, envoy: &Path, only: &str) -> Result<Report> {
    let started = Instant::now();
    let tests = suite::read(&coreruleset.join("tests"))?;
    let tests: BTreeMap<_, _> = tests.into_iter().filter(|(id, _)| id.starts_with(only)).collect();
    let rules = regression::rules(coreruleset)?;
    let runtime = tokio::runtime::Runtime::new().map_err(failed("the runtime"))?;
    let (told, arrived, audit) = runtime.block_on(all(rules, envoy, &tests))?;
    let known: BTreeMap<String, Deviation> = ledger::read("envoy-ledger.yaml")?;
    let known = known.into_iter().filter(|(id, _)| id.starts_with(only)).collect();
    let mut report = judged(&told, &arrived, &audit, &known);
    report.total = tests.len();
    report.running = started.elapsed();
    Ok(report)
}

/// Sends everything. The audit log is complete only when the service has ended.
async fn all<'a>(
    rules: RuleSet,
    envoy: &Path,
    tests: &'a BTreeMap<String, Test>,
) -> Result<(Vec<Told<'a>>, Arrived, Audit)> {
    let (to, lines) = Lines::new();
    let audit = AuditLog::new(to).map_err(failed("the audit log"))?.with_all_rules();
    let limits = Limits { workers: 2, in_flight: 4 * LANES };
    let shared = Arc::new(Shared::new(rules, Profiles::parse(PROFILES)?, audit, limits));
    let stack = Stack::start(Arc::clone(&shared), envoy, &ENTRIES).await?;
    let &[detect, block, detect_answers, block_answers] = stack.ports.as_slice() else {
        return Err(failed("envoy")(io::Error::other("a listener is missing")));
    };
    let sent = stages(tests)?.into_iter().map(|mut told| async move {
        // Only there does the server answer with anything.
        let answers = told.sent.target.starts_with(b"/reflect");
        let (detect, block) = if answers { (detect_answers, block_answers) } else { (detect, block) };
        let problem = |error| Error::Io { what: format!("{} through Envoy", told.test), source: error };
        (told.detect, told.block) = (
            client::exchange(detect, &told.bytes, false).await.map_err(problem)?,
            client::exchange(block, &told.bytes, false).await.map_err(problem)?,
        );
        Ok::<_, Error>(told)
    });
    let told = futures::stream::iter(sent).buffered(LANES).try_collect().await?;
    let arrived = stack.end().await?;
    if !shared.metrics.encode().contains("octroi_waf_audit_lines_lost_total 0") {
        return Err(failed("the audit log")(io::Error::other("lines were lost")));
    }
    drop(shared);
    Ok((told, arrived, Audit::read(&lines)?))
}

fn stages(tests: &BTreeMap<String, Test>) -> Result<Vec<Told<'_>>> {
    let mut all = Vec::new();
    for (id, test) in tests {
        for stage in &test.stages {
            let bytes = wire::written(&stage.input).map_err(|error| invalid(Path::new(id), &error))?;
            let sent = wire::received(&bytes);
            all.push(Told { test: id, expected: &stage.output, sent, bytes, detect: None, block: None });
        }
    }
    Ok(all)
}

fn judged(told: &[Told<'_>], arrived: &Arrived, audit: &Audit, known: &BTreeMap<String, Deviation>) -> Report {
    let mut report = Report::default();
    let ids: Vec<&str> = told.iter().map(|told| told.test).collect();
    let missing = known.keys().filter(|id| !ids.contains(&id.as_str()));
    report.problems.extend(missing.map(|id| format!("{id}: there is no such test")));
    for stages in told.chunk_by(|one, other| one.test == other.test) {
        let Some(id) = stages.first().map(|told| told.test) else { continue };
        let mut found = Vec::new();
        for told in stages {
            let lines = audit.of(told.detect.as_ref());
            found.extend(deviations(told.expected, &seen(told.detect.as_ref(), lines)));
            report.problems.extend(told.not_enforced(lines, arrived).map(|problem| format!("{id}: {problem}")));
            report.attacks += usize::from(lines.iter().any(Line::is_attack));
        }
        report.passed += usize::from(found.is_empty());
        report.stopped += usize::from(!found.is_empty() && stages.iter().all(|told| told.is_stopped(arrived)));
        match known.get(id) {
            None if found.is_empty() => {}
            None => {
                let like: Vec<_> = stages.iter().map(|told| told.shown(arrived)).collect();
                let like = like.join("; ");
                report.problems.push(format!("{id} left the pass set ({like}): {}", found.join("; ")));
            }
            Some(_) if found.is_empty() => report.problems.push(format!("{id} passes: take it off the ledger")),
            Some(deviation) => {
                *report.classes.entry(deviation.class).or_default() += 1;
                if !stages.iter().any(|told| told.way(arrived).may_be(deviation.class)) {
                    report.problems.push(format!("{id} is not of the class {}", deviation.class));
                }
            }
        }
    }
    let wrong = report.classes.get(&Class::Engine).copied().unwrap_or_default();
    if wrong > MOST_WRONG {
        report.problems.push(format!("{wrong} deviations are the engine's: more than {MOST_WRONG}"));
    }
    report
}

impl Told<'_> {
    fn way(&self, arrived: &Arrived) -> Way {
        Way::of(&self.sent, self.detect.as_ref(), arrived)
    }

    fn status(&self) -> u16 {
        self.detect.as_ref().map_or(0, |answer| answer.status)
    }

    fn shown(&self, arrived: &Arrived) -> String {
        format!("{}, status {}", self.way(arrived), self.status())
    }

    /// A rule should match, and Envoy refused the request before.
    fn is_stopped(&self, arrived: &Arrived) -> bool {
        let wants_rule = !self.expected.log.expect_ids.is_empty();
        // 0: the connection was closed instead.
        wants_rule && self.way(arrived) == Way::Refused && matches!(self.status(), 0 | 400..500)
    }

    /// Mode Block has to refuse what mode Detect calls an attack, to keep back what it calls one in an answer, and nothing else.
    fn not_enforced(&self, lines: &[Line], arrived: &Arrived) -> Option<String> {
        let status = self.block.as_ref().map_or(0, |answer| answer.status);
        let passed = self.block.as_ref().and_then(|answer| arrived.of(answer.request_id.as_ref()?)).is_some();
        let is_refused = lines.iter().any(|line| line.is_attack() && !line.answer);
        let is_withheld = lines.iter().any(|line| line.is_attack() && line.answer);
        let came = self.way(arrived) >= Way::Changed;
        let is_enforced = match (is_refused, is_withheld) {
            (true, _) => !passed && (400..500).contains(&status),
            (false, true) => passed && status == 403,
            (false, false) if came => passed && status == self.status(),
            (false, false) => !passed,
        };
        (!is_enforced).then(|| format!("in mode Block, the answer is {status}, and in mode Detect {}", self.status()))
    }
}
