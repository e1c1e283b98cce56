//! The rule set, and the one in use.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use octroi_coraza::{Config, Outcome, Response, Transaction, Waf};

use crate::profile::{Mode, Profile};
use crate::reading;
use crate::request::Request;
use crate::self_test;
use crate::sources::Sources;
use crate::verdict::{Findings, Verdict};

/// The longest body that any profile may have inspected, in bytes: 8 MiB.
pub const MAX_BODY: u32 = 8 << 20;

const DIRECTIVES: &str = include_str!("directives.conf");
const FORBIDDEN: u16 = 403;
const TOO_LARGE: u16 = 413;

/// Why there is no new rule set.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The engine does not take the rules, or failed on a test request.
    #[error(transparent)]
    Engine(#[from] octroi_coraza::Error),
    /// A test request found no verdict.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The rules parse, and protect from nothing.
    #[error("the rules let an attack pass: {0}")]
    MissesAttack(&'static str),
    /// The rules parse, and nobody would get through.
    #[error("the rules refuse an ordinary request: {0}")]
    RefusesOrdinary(&'static str),
}

/// The firewall does not know what to say. Whether the request then goes on is for the class to say, and by default it does not.
#[derive(Debug, thiserror::Error)]
#[error("no verdict: {0}")]
pub struct InspectError(#[from] octroi_coraza::Error);

/// A rule set that was proved to work. Immutable; all tenants share it.
#[derive(Debug)]
pub struct RuleSet {
    waf: Waf,
}

impl RuleSet {
    /// Compiles and proves a rule set. Takes about a second; not for a thread that others wait for.
    ///
    /// # Errors
    /// When the rules do not parse, let a known attack pass or refuse an ordinary request.
    pub fn new(sources: &Sources) -> Result<Self, RulesError> {
        let waf = Waf::new(&Config { directives: DIRECTIVES, max_body: MAX_BODY, files: &sources.files() })?;
        let rules = Self { waf };
        self_test::prove(&rules)?;
        Ok(rules)
    }

    /// Judges a request, on the calling thread: it computes for milliseconds and never waits. `now` is what exclusions expire by.
    ///
    /// # Errors
    /// When the engine fails; then nothing is known of the request.
    pub fn inspect(&self, request: &Request<'_>, profile: &Profile, now: SystemTime) -> Result<Verdict, InspectError> {
        let cap = usize::try_from(profile.max_body.min(MAX_BODY)).unwrap_or(usize::MAX);
        let too_long = request.body.len() > cap;
        if too_long && profile.mode == Mode::Block {
            let findings = Findings { is_attack: true, body_too_long: true, ..Findings::default() };
            return Ok(Verdict::Block { status: TOO_LARGE, findings });
        }
        let body = if too_long { &[][..] } else { request.body };
        let outcome = self.trace(&Request { body, ..*request }, None, profile, now)?;
        let mut findings = Findings::of(&outcome, profile.threshold.get());
        findings.body_too_long = too_long;
        Ok(match outcome.interruption {
            Some(end) => Verdict::Block { status: status_of(end.status), findings },
            None => Verdict::Pass(findings),
        })
    }

    /// Judges what answered a request that passed: its rules run again, since those on answers read what they left.
    ///
    /// # Errors
    /// As [`RuleSet::inspect`].
    pub fn inspect_answer(
        &self,
        request: &Request<'_>,
        answer: Response<'_>,
        profile: &Profile,
        now: SystemTime,
    ) -> Result<Verdict, InspectError> {
        let cap = usize::try_from(profile.max_body.min(MAX_BODY)).unwrap_or(usize::MAX);
        // In mode Detect a body above the cap passed, and nobody looked at it.
        let body = if request.body.len() > cap { &[][..] } else { request.body };
        let outcome = self.trace(&Request { body, ..*request }, Some(answer), profile, now)?;
        let findings = Findings::of_answer(&outcome);
        Ok(match outcome.interruption {
            Some(_) => Verdict::Block { status: FORBIDDEN, findings },
            None => Verdict::Pass(findings),
        })
    }

    /// All that the engine has to say of a request and what answered it: the client's own text, unmasked. For tests of rules; what
    /// is logged comes from [`RuleSet::inspect`].
    ///
    /// # Errors
    /// As [`RuleSet::inspect`].
    pub fn trace(
        &self,
        request: &Request<'_>,
        response: Option<Response<'_>>,
        profile: &Profile,
        now: SystemTime,
    ) -> Result<Outcome, InspectError> {
        let exclusions: Vec<_> =
            profile.exclusions.iter().flat_map(|exclusion| exclusion.for_request(request.target, now)).collect();
        let reading = reading::read(request);
        let outcome = self.waf.inspect(&Transaction {
            settings: &settings(profile),
            exclusions: &exclusions,
            client: &request.client.to_string(),
            method: request.method,
            target: &reading.target,
            protocol: request.protocol,
            headers: request.headers,
            body: &reading.body,
            response,
        })?;
        Ok(outcome)
    }
}

/// The Core Rule Set's own variables; `directives.conf` reads the last.
fn settings(profile: &Profile) -> [(&'static str, String); 4] {
    let paranoia = (profile.paranoia as u8).to_string();
    [
        ("detection_paranoia_level", paranoia.clone()),
        ("blocking_paranoia_level", paranoia),
        ("inbound_anomaly_score_threshold", profile.threshold.to_string()),
        ("octroi_detect", u8::from(profile.mode == Mode::Detect).to_string()),
    ]
}

/// A rule without a status of its own, or with one that is no refusal, refuses by 403.
fn status_of(asked: u16) -> u16 {
    if (400..600).contains(&asked) { asked } else { FORBIDDEN }
}

/// The rule set in use. Those who inspect take it once per request, so that a reload drops none.
#[derive(Debug)]
pub struct Rules {
    current: RwLock<Arc<RuleSet>>,
}

impl Rules {
    /// Starts with one.
    pub fn new(rules: RuleSet) -> Self {
        Self { current: RwLock::new(Arc::new(rules)) }
    }

    /// The one in use now.
    pub fn current(&self) -> Arc<RuleSet> {
        // The lock guards one assignment, which cannot be left half-done.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes new rules into use. Requests under way end with those they began with.
    ///
    /// # Errors
    /// As [`RuleSet::new`]; then the old ones stay in use.
    pub fn reload(&self, sources: &Sources) -> Result<(), RulesError> {
        let fresh = Arc::new(RuleSet::new(sources)?);
        let old = std::mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), fresh);
        // Out of the lock: closing a rule set takes longer than a request may wait.
        drop(old);
        Ok(())
    }
}
