//! [OWASP Coraza](https://coraza.io), an engine for ModSecurity's rules, as a library: rules in, one request in, what matched out.
//!
//! The engine is Go: this crate links it in (ADR 8 says why, and why not by the crate `coraza`). It knows nothing of tenants,
//! profiles or of what a verdict means; that is `octroi-waf`. It reads no file and no clock.

mod expression;
mod ffi;
mod packed;

use serde::Deserialize;

use crate::packed::Packed;

/// Why there is no rule set, or no outcome. Neither is ever to be taken for "nothing matched".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine does not take the rules; its own words.
    #[error("the rules are refused: {0}")]
    Rules(String),
    /// The engine did not get to an outcome; its own words.
    #[error("the engine failed: {0}")]
    Engine(String),
}

/// What a rule set is made of.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// SecLang; `Include` and `@pmFromFile` find `files`, and nothing else.
    pub directives: &'a str,
    /// The longest body that is inspected, in bytes. A longer one interrupts with 413.
    pub max_body: u32,
    /// Name, with `/` between folders, and content.
    pub files: &'a [(&'a str, &'a [u8])],
}

/// What is left out for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exclusion<'a> {
    /// The rule's id.
    pub rule: u32,
    /// The collection and the key in it that the rule does not look at, such as `ARGS` and `comment`; keys are compared without
    /// regard to case. `None`: the rule is left out altogether.
    pub target: Option<(&'a str, &'a str)>,
}

/// A request, and what answers it. Bytes are as they came: nothing is decoded, and nothing needs to be UTF-8.
#[derive(Clone, Debug, Default)]
pub struct Transaction<'a> {
    /// Variables of the collection `TX` that the rules read as their settings: name and value.
    pub settings: &'a [(&'a str, String)],
    /// What is left out.
    pub exclusions: &'a [Exclusion<'a>],
    /// The client's address.
    pub client: &'a str,
    /// `GET`.
    pub method: &'a [u8],
    /// Path and query as the client sent them.
    pub target: &'a [u8],
    /// `HTTP/1.1`.
    pub protocol: &'a [u8],
    /// In their order, names in any case.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// All of it.
    pub body: &'a [u8],
    /// What the upstream answered, when that is to be inspected too.
    pub response: Option<Response<'a>>,
}

/// What an upstream answered.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// The code.
    pub status: u16,
    /// In their order.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// All of it; the rules say how much of it is inspected.
    pub body: &'a [u8],
}

/// What the rules made of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Outcome {
    /// The rule that ended it.
    #[serde(default)]
    pub interruption: Option<Interruption>,
    /// `TX:blocking_inbound_anomaly_score`, which the Core Rule Set adds up.
    pub score: u32,
    /// The logged rules that matched, in their order.
    pub rules: Vec<MatchedRule>,
}

/// The end of a transaction by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Interruption {
    /// The HTTP status that the rule asks for.
    pub status: u16,
    /// The rule's id; 0 is the engine itself, for a body above the limit.
    pub rule: u32,
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MatchedRule {
    /// Its id.
    pub id: u32,
    /// Its message, variables filled in.
    pub message: String,
    /// Its log data, variables filled in: text of the client's, cut to 256 bytes.
    pub data: String,
    /// 0 (emergency) to 7 (debug), -1 for none.
    pub severity: i8,
    /// Its tags.
    pub tags: Vec<String>,
    /// What it matched.
    pub matches: Vec<Match>,
}

/// A variable that matched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Match {
    /// The collection, such as `ARGS`.
    pub variable: String,
    /// The key in it, if it has keys; cut to 256 bytes.
    pub key: String,
    /// The value after the rule's transformations, cut to 256 bytes. The client's own bytes: mask it before it is shown.
    pub value: String,
}

/// A compiled rule set. It never changes; share it between threads.
#[derive(Debug)]
pub struct Waf {
    handle: ffi::Handle,
}

impl Waf {
    /// Compiles rules.
    ///
    /// # Errors
    /// [`Error::Rules`] with the engine's words when it does not take them.
    pub fn new(config: &Config<'_>) -> Result<Self, Error> {
        let mut message = Packed::default();
        message.bytes(config.directives.as_bytes()).number(config.max_body);
        message.pairs(config.files.iter().map(|(name, content)| (name.as_bytes(), *content)));
        Ok(Self { handle: ffi::Handle::new(&message.done()?)? })
    }

    /// Runs a transaction through the rules, on the calling thread: it computes for milliseconds and never waits.
    ///
    /// # Errors
    /// [`Error::Engine`]; the caller then knows nothing of the request.
    pub fn inspect(&self, transaction: &Transaction<'_>) -> Result<Outcome, Error> {
        let reply = self.handle.inspect(&written(transaction)?)?;
        serde_json::from_slice(&reply).map_err(|error| Error::Engine(format!("its reply cannot be read: {error}")))
    }
}

/// The files of the OWASP Core Rule Set that this crate was built with, as the Go module `coraza-coreruleset` has them: name, with
/// `/` between folders, and content.
///
/// # Errors
/// [`Error::Rules`] when the module cannot be read.
pub fn core_rule_set() -> Result<Vec<(String, Vec<u8>)>, Error> {
    let files = packed::read_pairs(&ffi::core_rule_set()?)?;
    Ok(files.into_iter().map(|(name, content)| (String::from_utf8_lossy(&name).into_owned(), content)).collect())
}

fn written(transaction: &Transaction<'_>) -> Result<Vec<u8>, Error> {
    let mut message = Packed::default();
    message.pairs(transaction.settings.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    message.length(transaction.exclusions.len());
    for exclusion in transaction.exclusions {
        let (variable, key) = exclusion.target.unwrap_or_default();
        message.number(exclusion.rule).bytes(variable.as_bytes()).bytes(key.as_bytes());
    }
    message.bytes(transaction.client.as_bytes()).bytes(transaction.method);
    message.bytes(transaction.target).bytes(transaction.protocol);
    message.pairs(transaction.headers.iter().copied()).bytes(transaction.body);
    match &transaction.response {
        None => message.number(0),
        Some(response) => {
            message.number(1).number(response.status.into());
            message.pairs(response.headers.iter().copied()).bytes(response.body)
        }
    };
    message.done()
}

#[cfg(test)]
mod tests;
