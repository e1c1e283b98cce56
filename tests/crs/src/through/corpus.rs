//! Ordinary requests and attacks as clients send them: Envoy and the service have to say what the engine says.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use octroi_waf::extproc::{AuditLog, Limits, Shared};
use octroi_waf::{Profile, Profiles, RuleSet, Sources};

use super::LANES;
use super::client;
use super::envoy::{Entry, FIREWALL};
use super::stack::{Stack, failed};
use crate::error::Result;
use crate::ledger::{self, Deviation};
use crate::traffic::{read, refusing};

const PROFILES: &str = "tenants: {default: {namespaces: [default]}}";

/// What came of them.
pub struct Report {
    passed: usize,
    refused: usize,
    /// What Envoy and the service answer otherwise than the engine says.
    pub problems: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(out, "  {problem}")?;
        }
        write!(
            out,
            "through Envoy: of the ordinary requests and the attacks, {} pass and {} are refused",
            self.passed, self.refused
        )
    }
}

/// Sends all of them to a tenant with the profile that one has by default.
///
/// # Errors
/// When something cannot be read, or Envoy or the firewall cannot be started.
pub fn run(coreruleset: &Path, envoy: &Path) -> Result<Report> {
    let sources = Sources::read(&coreruleset.join("rules"))?;
    let rules = RuleSet::new(&sources)?;
    let mut requests = BTreeMap::new();
    for folder in ["benign", "attacks", "twins"] {
        let read = read(&ledger::folder().join(folder))?;
        requests.extend(read);
    }
    let runtime = tokio::runtime::Runtime::new().map_err(failed("the runtime"))?;
    let passed = runtime.block_on(passing(RuleSet::new(&sources)?, envoy, &requests))?;
    let mut known: BTreeMap<String, Deviation> = ledger::read("envoy-corpus-ledger.yaml")?;
    let mut report = Report { passed: 0, refused: 0, problems: Vec::new() };
    for ((name, bytes), (passes, status)) in requests.iter().zip(passed) {
        let refused = refusing(&rules, name, bytes, &Profile::default())?.is_some();
        report.passed += usize::from(passes);
        report.refused += usize::from((400..500).contains(&status));
        let differs = passes == refused || passes == (400..500).contains(&status);
        match (differs, known.remove(name)) {
            (false, None) | (true, Some(_)) => {}
            (false, Some(_)) => report.problems.push(format!("{name}: no other answer: take it off the ledger")),
            (true, None) => {
                let word = if refused { "refuses" } else { "passes" };
                report.problems.push(format!("{name}: the engine {word} it, and the answer is {status}"));
            }
        }
    }
    report.problems.extend(known.keys().map(|name| format!("{name}: there is no such request")));
    Ok(report)
}

/// Whether each arrived behind the firewall, and what the client was told.
async fn passing(rules: RuleSet, envoy: &Path, requests: &BTreeMap<String, Vec<u8>>) -> Result<Vec<(bool, u16)>> {
    let audit = AuditLog::new(io::sink()).map_err(failed("the audit log"))?;
    let limits = Limits { workers: 2, in_flight: 4 * LANES };
    let shared = Arc::new(Shared::new(rules, Profiles::parse(PROFILES)?, audit, limits));
    let stack = Stack::start(shared, envoy, &[Entry { name: "default", asks: Some(FIREWALL), answers: false }]).await?;
    let Some(&port) = stack.ports.first() else { return Err(failed("envoy")(io::Error::other("no listener"))) };
    let arrived = stack.arrived();
    let sent = requests.iter().map(|(name, bytes)| async move {
        let answer = client::exchange(port, bytes, false).await.map_err(failed(name))?.unwrap_or_default();
        let came = answer.request_id.as_ref().and_then(|id| arrived.of(id)).is_some();
        Ok::<_, crate::error::Error>((came, answer.status))
    });
    let seen = futures::stream::iter(sent).buffered(LANES).try_collect().await?;
    stack.end().await?;
    Ok(seen)
}
