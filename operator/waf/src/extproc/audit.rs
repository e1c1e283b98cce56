//! The audit log: one line of JSON for each request in which something was found.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::SystemTime;

use serde::Serialize;

use crate::profile::Mode;
use crate::verdict::{Findings, Matched};

/// Lines that wait for a slow reader; more are dropped and counted, since a log must not stop requests.
const WAITING: usize = 4096;
/// Rules of one request that are told unless a test of rules wants all, and places of one rule; an attack can match hundreds.
const MOST: usize = 20;

/// What happened to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Refused.
    Blocked,
    /// Passed, though it is an attack.
    Detected,
    /// Passed: below the threshold.
    Passed,
}

/// One line. It holds nothing of the client's own but names and masked values.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// When, in RFC 3339.
    pub time: String,
    /// Whose.
    pub tenant: &'a str,
    /// The data plane's name of the route.
    pub route: &'a str,
    /// What the client was told.
    pub request_id: &'a str,
    mode: &'static str,
    action: Action,
    /// Whether it is about what the upstream answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    answer: bool,
    /// What the client got; nothing when it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    score: u32,
    body_too_long: bool,
    rules: Vec<Rule<'a>>,
}

#[derive(Debug, Serialize)]
struct Rule<'a> {
    id: u32,
    message: &'a str,
    places: Vec<Place<'a>>,
}

#[derive(Debug, Serialize)]
struct Place<'a> {
    variable: &'a str,
    name: &'a str,
    masked: &'a str,
}

/// Whose request it was.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The data plane's name of the route.
    pub route: &'a str,
    /// The request's id.
    pub request_id: &'a str,
    /// Whether it is about what the upstream answered.
    pub is_answer: bool,
}

impl<'a> Line<'a> {
    /// A line about a request.
    pub fn new(about: About<'a>, mode: Mode, status: Option<u16>, findings: &'a Findings, now: SystemTime) -> Self {
        let action = match (status, findings.is_attack || findings.body_too_long) {
            (Some(_), _) => Action::Blocked,
            (None, true) => Action::Detected,
            (None, false) => Action::Passed,
        };
        Self {
            time: jiff::Timestamp::try_from(now).map(|time| time.to_string()).unwrap_or_default(),
            tenant: about.tenant,
            route: about.route,
            request_id: about.request_id,
            mode: if mode == Mode::Block { "Block" } else { "Detect" },
            action,
            answer: about.is_answer,
            status,
            score: findings.score,
            body_too_long: findings.body_too_long,
            rules: findings.rules.iter().map(rule).collect(),
        }
    }
}

fn rule(matched: &Matched) -> Rule<'_> {
    let places = matched.places.iter().take(MOST);
    let places = places.map(|at| Place { variable: &at.variable, name: &at.name, masked: &at.masked }).collect();
    Rule { id: matched.id, message: &matched.message, places }
}

impl Line<'_> {
    /// What happened to the request.
    pub fn action(&self) -> Action {
        self.action
    }
}

/// Where lines go. Cheap to copy; the thread behind it ends with the last copy.
#[derive(Clone, Debug)]
pub struct AuditLog {
    lines: SyncSender<String>,
    most: usize,
}

impl AuditLog {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(to: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, lines) = sync_channel(WAITING);
        std::thread::Builder::new().name("audit".into()).spawn(move || write(to, &lines))?;
        Ok(Self { lines: sender, most: MOST })
    }

    /// Tells every rule of a request, for those who test rules: lines may then be of any length.
    #[must_use]
    pub fn with_all_rules(self) -> Self {
        Self { most: usize::MAX, ..self }
    }

    /// Hands a line over without waiting; false when it is lost.
    pub fn write(&self, mut line: Line<'_>) -> bool {
        line.rules.truncate(self.most);
        let Ok(text) = serde_json::to_string(&line) else { return false };
        self.lines.try_send(text).is_ok()
    }
}

fn write(mut to: impl Write, lines: &Receiver<String>) {
    while let Ok(line) = lines.recv() {
        // Who reads the log went away: lines are then counted as lost, since nobody receives them any more.
        if writeln!(to, "{line}").and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}
