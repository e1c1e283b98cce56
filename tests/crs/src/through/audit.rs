//! The firewall's audit log, read back: what the rules said of each request.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde::Deserialize;

use super::client::Answer;
use crate::error::{Result, invalid};
use crate::expect::Seen;

/// What refuses a request in mode Block, whatever it scores.
const PROTOCOL: RangeInclusive<u32> = 200_000..=200_999;

/// A line of the firewall's audit log, as far as tests ask for it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Line {
    request_id: String,
    action: String,
    /// Whether it is about what the server answered.
    #[serde(default)]
    pub answer: bool,
    score: u32,
    rules: Vec<Matched>,
}

#[derive(Clone, Debug, Deserialize)]
struct Matched {
    id: u32,
    message: String,
    places: Vec<Place>,
}

#[derive(Clone, Debug, Deserialize)]
struct Place {
    variable: String,
    name: String,
    masked: String,
}

/// The audit log, by Envoy's id of the request.
#[derive(Debug, Default)]
pub struct Audit(HashMap<String, Vec<Line>>);

/// Takes the audit log's lines; there are no more when it was dropped.
#[derive(Debug)]
pub struct Lines(Sender<Vec<u8>>);

impl Lines {
    /// Where the log is written to, and where its lines come out.
    pub fn new() -> (Self, Receiver<Vec<u8>>) {
        let (sender, lines) = channel();
        (Self(sender), lines)
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Audit {
    /// All lines, by the request: one about it, one about its answer. Waits for the last.
    ///
    /// # Errors
    /// When a line is none of this log.
    pub fn read(lines: &Receiver<Vec<u8>>) -> Result<Self> {
        let bytes: Vec<u8> = lines.iter().flatten().collect();
        let mut all = Self::default();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Line = serde_json::from_slice(line).map_err(|error| invalid(Path::new("audit log"), &error))?;
            all.0.entry(line.request_id.clone()).or_default().push(line);
        }
        Ok(all)
    }

    /// The lines about an answered request.
    pub fn of(&self, answer: Option<&Answer>) -> &[Line] {
        let id = answer.and_then(|answer| answer.request_id.as_ref());
        id.and_then(|id| self.0.get(id)).map_or(&[], Vec::as_slice)
    }
}

impl Line {
    /// Whether the rules take it for one.
    pub fn is_attack(&self) -> bool {
        self.action == "detected"
    }
}

/// What the tests ask for, in the words that they ask in. The audit log leaves the rules out that only add up, and has the score.
pub fn seen(answer: Option<&Answer>, lines: &[Line]) -> Seen {
    let status = answer.map_or(0, |answer| answer.status);
    let rules = || lines.iter().flat_map(|line| &line.rules);
    let mut seen = Seen { status, ids: rules().map(|rule| rule.id).collect(), log: rules().map(told).collect() };
    for line in lines.iter().filter(|line| line.is_attack()) {
        let (id, way) = if line.answer { (959_100, "Outbound") } else { (949_110, "Inbound") };
        // What cannot be parsed is refused whatever it scores.
        if line.answer || !line.rules.iter().any(|rule| PROTOCOL.contains(&rule.id)) {
            seen.ids.push(id);
            seen.log.push(format!("[id \"{id}\"] {way} Anomaly Score Exceeded (Total Score: {})", line.score));
        }
    }
    seen
}

fn told(rule: &Matched) -> String {
    let place = |at: &Place| format!("Matched Data: {} found within {}:{}:", at.masked, at.variable, at.name);
    let places: Vec<_> = rule.places.iter().map(place).collect();
    format!("[id \"{}\"] [msg \"{}\"] {}", rule.id, rule.message, places.join(" "))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Answer, Audit, Lines, seen};

    const LOG: &str = r#"{"request_id":"1","action":"detected","score":10,"rules":[{"id":942100,"message":"m","places":[{"variable":"ARGS","name":"q","masked":"x"}]}]}
{"request_id":"1","action":"detected","answer":true,"score":0,"rules":[]}
{"request_id":"2","action":"detected","score":0,"rules":[{"id":200002,"message":"m","places":[]}]}
{"request_id":"3","action":"passed","score":3,"rules":[{"id":920100,"message":"m","places":[]}]}
"#;

    #[test]
    fn what_the_rules_said_is_found_by_the_request() {
        let (mut to, lines) = Lines::new();
        to.write_all(LOG.as_bytes()).unwrap();
        drop(to);
        let audit = Audit::read(&lines).unwrap();
        let ids = |id: &str| {
            let answer = Answer { status: 200, request_id: Some(id.to_owned()), body: Vec::new() };
            seen(Some(&answer), audit.of(Some(&answer))).ids
        };
        assert_eq!(ids("1"), [942_100, 949_110, 959_100]);
        assert_eq!(ids("2"), [200_002], "the score is not what refuses it");
        assert_eq!((ids("3"), ids("4")), (vec![920_100], Vec::new()));
        assert_eq!(audit.of(None).len(), 0);
    }

    #[test]
    fn a_line_that_is_none_is_an_error() {
        let (mut to, lines) = Lines::new();
        to.write_all(b"panic\n").unwrap();
        drop(to);
        assert!(Audit::read(&lines).is_err());
    }
}
