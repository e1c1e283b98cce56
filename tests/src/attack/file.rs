//! What a file of `tests/attacks/` says. A field that is not here is refused, so a typo cannot disarm an attack.
//!
//! Strings of a file may hold `${name}`; [`super::arena::VARS`] lists the names.

use serde::Deserialize;
use serde_json::Value;

use super::arena::User;
use super::guard::Guard;

/// One attack.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Attack {
    /// The file's name without its ending: `<row>-<short-name>`.
    #[serde(skip)]
    pub name: String,
    /// What the attacker wants, in one line.
    pub title: String,
    /// The escape it belongs to: 1 to 26 as the design numbers them, from 27 on those that the suite found itself.
    pub row: u8,
    /// Who tries.
    pub user: User,
    /// What is tried.
    pub verb: Verb,
    /// Of that subresource.
    #[serde(default)]
    pub subresource: Option<String>,
    /// What is sent in place of the manifest, where a subresource has a kind of its own.
    #[serde(default)]
    pub body: Value,
    /// The body of a patch, and its type.
    #[serde(default)]
    pub patch: Option<Patch>,
    /// How the request differs from the usual one.
    #[serde(default)]
    pub options: Options,
    /// What must stop it. With several, each does so alone.
    pub guards: Vec<Guard>,
    /// What is there before.
    #[serde(default)]
    pub setup: Vec<Setup>,
    /// The object that is sent, or that is meant. Absent for traffic.
    #[serde(default)]
    pub manifest: Value,
    /// What must become of it.
    pub expect: Expect,
    /// What is waited for before effects are judged: the controllers must have had their turn.
    #[serde(default)]
    pub settled: Vec<Fact>,
    /// What would prove success. Must be said where the request itself is not refused.
    #[serde(default)]
    pub effect: Vec<Fact>,
    /// What the victim's visitors must still see afterwards.
    #[serde(default)]
    pub probe: Probe,
}

/// What is tried.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Verb {
    Create,
    /// The object as it is, with the manifest laid over it.
    Update,
    Patch,
    /// Server-side apply, with force.
    Apply,
    Delete,
    DeleteCollection,
    Get,
    List,
    Watch,
    /// A subresource that opens a connection, such as `exec`.
    Connect,
    /// Requests to the gateway only: the effects are the attack.
    Traffic,
}

/// A patch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: PatchKind,
    /// Its body.
    pub body: Value,
}

/// The type of a patch.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum PatchKind {
    Json,
    Merge,
    Strategic,
}

/// How the request differs from the usual one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Options {
    /// Only a dry run is asked for.
    #[serde(default)]
    pub dry_run: bool,
    /// The field manager it claims to be.
    #[serde(default)]
    pub manager: Option<String>,
    /// More of the query, such as `command=id&stdout=true`.
    #[serde(default)]
    pub query: Option<String>,
    /// The user that it claims to act as.
    #[serde(default)]
    pub impersonate: Option<String>,
    /// So many times, each with its own `${n}`; one refusal is what is wanted.
    #[serde(default)]
    pub times: Option<u32>,
}

/// An object that is there before.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Setup {
    /// Who makes it.
    #[serde(default)]
    pub by: Maker,
    /// The object.
    pub apply: Value,
}

/// Who prepares an attack.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Maker {
    /// The run team, in its break-glass group.
    #[default]
    Platform,
    /// The attacker: it is allowed.
    Attacker,
}

/// What must become of the request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expect {
    /// It is refused by a named guard, in words that hold this text.
    Refused(String),
    /// There is nothing there for this user.
    NotFound,
    /// It is accepted, and nothing comes of it.
    NoEffect,
}

/// Something that can be seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fact {
    /// An answer of the gateway.
    Https(Https),
    /// The object is there.
    Exists(Value),
    /// The object is not there.
    Gone(Value),
    /// A field of an object has this value.
    Holds(Holds),
}

/// A field and its value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holds {
    /// The object.
    pub object: Value,
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// The value.
    pub value: Value,
}

/// A request and what its answer would be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Https {
    /// The host asked for.
    pub host: String,
    /// The path.
    #[serde(default = "root")]
    pub path: String,
    /// The name in the handshake, when it is another.
    #[serde(default)]
    pub sni: Option<String>,
    /// More headers.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Plain HTTP on port 80 instead.
    #[serde(default)]
    pub plain: bool,
    /// What is seen if the attack works; all of it.
    pub is: Seen,
}

/// What is seen of an answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Seen {
    /// This code.
    #[serde(default)]
    pub code: Option<u16>,
    /// The answer of that tenant's backend.
    #[serde(default)]
    pub backend: Option<Side>,
    /// The backend saw this request header with a value that holds the text.
    #[serde(default)]
    pub request_header: Option<(String, String)>,
    /// The answer has this header with a value that holds the text.
    #[serde(default)]
    pub header: Option<(String, String)>,
}

/// Whose.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Side {
    Attacker,
    Victim,
}

impl Side {
    /// What that tenant's backend calls itself.
    pub fn backend(self) -> &'static str {
        match self {
            Self::Attacker => "attacker",
            Self::Victim => "victim",
        }
    }
}

/// What the victim's visitors see as long as nothing happens. The certificate must stay the one it was, too.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The host.
    pub host: String,
    /// The code.
    pub code: u16,
    /// Whose backend answers.
    pub backend: Side,
}

impl Default for Probe {
    fn default() -> Self {
        Self { host: "${victimHost}".into(), code: 200, backend: Side::Victim }
    }
}

fn root() -> String {
    "/".into()
}
