//! Who may come in: what a Tenant asks for under each path, added up along the paths, so that a longer prefix never opens what a
//! shorter one closes.

mod jwks;
mod sources;

use std::collections::BTreeSet;

use octroi_api::conditions::Reason;
use octroi_api::{ApiKeyAuth, BasicAuth, JwtAuth, TenantAuth};

use crate::rejection::Rejection;
use crate::resolve::class::DataPlane;

/// Who may come in. Nothing in it: everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantsAuth {
    /// Who issues tokens that are believed; the keys are those that serve.
    pub issuers: Vec<Issuer>,
    /// Keys, asked for on every path.
    pub api_keys: Option<ApiKeyAuth>,
    /// Passwords, asked for on every path. Where they are, no token is.
    pub basic: Option<BasicAuth>,
    /// What is asked for by path, the longer prefixes first.
    pub guards: Vec<Guard>,
}

/// Who issues tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The name of the entry.
    pub name: String,
    /// What of a token must be so.
    pub jwt: JwtAuth,
}

/// All that is asked for under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// `/`, or a path without a slash at its end.
    pub prefix: String,
    /// The issuer of the token.
    pub issuer: Option<Issuer>,
    /// Ranges of addresses; `None` for all.
    pub sources: Option<Vec<String>>,
}

/// The prefix of everything.
pub const EVERYTHING: &str = "/";

/// Envoy Gateway removes at most 64 names from requests, of which 11 are the platform's; the rest is room for it.
const MAX_CLAIM_HEADERS: usize = 32;

impl TenantsAuth {
    /// Whether everybody may come in.
    pub fn is_open(&self) -> bool {
        self.api_keys.is_none() && self.basic.is_none() && self.guards.is_empty()
    }

    /// What is asked for on every path.
    pub fn everywhere(&self) -> Option<&Guard> {
        self.guards.iter().find(|guard| guard.prefix == EVERYTHING)
    }

    /// What is asked for under a path, the longer prefixes first.
    pub fn narrower(&self) -> impl Iterator<Item = &Guard> {
        self.guards.iter().filter(|guard| guard.prefix != EVERYTHING)
    }

    /// The headers in which backends read claims. No client may send them.
    pub fn claim_headers(&self) -> BTreeSet<&str> {
        let claims = self.issuers.iter().flat_map(|issuer| &issuer.jwt.claims_to_headers);
        claims.map(|claim| claim.header.as_str()).collect()
    }
}

/// Adds up what is asked for. What cannot be asked for as it is written is refused whole: nothing is asked for in part.
pub fn of_tenant(entries: &[TenantAuth], data_plane: DataPlane, rejections: &mut Vec<Rejection>) -> TenantsAuth {
    let before = rejections.len();
    let entries: Vec<Entry> = entries
        .iter()
        .enumerate()
        .filter_map(|(index, auth)| Entry::read(index, auth, data_plane, rejections))
        .collect();
    rejections.extend(repeated_keys(&entries));
    rejections.extend(repeated_passwords(&entries));
    rejections.extend(password_beside_token(&entries));
    let mut prefixes: Vec<&str> = entries.iter().map(|entry| entry.prefix.as_str()).collect();
    prefixes.sort_by_key(|prefix| (std::cmp::Reverse(prefix.len()), *prefix));
    prefixes.dedup();
    let guards: Vec<Guard> = prefixes.iter().filter_map(|prefix| guard(prefix, &entries, rejections)).collect();
    let auth = TenantsAuth {
        issuers: entries.iter().filter_map(|entry| entry.issuer.clone()).collect(),
        api_keys: entries.iter().find_map(|entry| entry.api_keys.clone()),
        basic: entries.iter().find_map(|entry| entry.basic.clone()),
        guards,
    };
    rejections.extend(headers(&auth));
    if rejections.len() > before { TenantsAuth::default() } else { auth }
}

/// An entry by itself.
struct Entry {
    index: usize,
    prefix: String,
    issuer: Option<Issuer>,
    api_keys: Option<ApiKeyAuth>,
    basic: Option<BasicAuth>,
    sources: Option<Vec<ipnet::IpNet>>,
}

impl Entry {
    fn read(index: usize, auth: &TenantAuth, data_plane: DataPlane, rejections: &mut Vec<Rejection>) -> Option<Self> {
        let before = rejections.len();
        let mut refuse = |reason, field: &str, message: String| {
            rejections.push(Rejection::new(reason, format!("spec.auth[{index}].{field}"), message));
        };
        let trimmed = auth.path_prefix.trim_end_matches('/');
        let prefix = if trimmed.is_empty() { EVERYTHING } else { trimmed };
        if data_plane == DataPlane::Kgateway && prefix != EVERYTHING {
            let message = "kgateway cannot tell paths apart exactly before it asks: set pathPrefix to /, or name a class of Envoy Gateway";
            refuse(Reason::Unsupported, "pathPrefix", message.into());
        }
        let issuer = auth.jwt.clone().map(|mut jwt| {
            match jwks::usable(&jwt.jwks) {
                Ok(keys) => jwt.jwks = keys,
                Err(why) => refuse(Reason::Invalid, "jwt.jwks", why),
            }
            Issuer { name: auth.name.clone(), jwt }
        });
        let sources = match sources::read(&auth.allowed_sources) {
            Ok(sources) => sources,
            Err(why) => {
                refuse(Reason::Invalid, "allowedSources", why);
                None
            }
        };
        let (api_keys, basic) = (auth.api_keys.clone(), auth.basic.clone());
        let entry = Self { index, prefix: prefix.into(), issuer, api_keys, basic, sources };
        (rejections.len() == before).then_some(entry)
    }

    /// Whether what it asks for is asked for under this prefix.
    fn covers(&self, prefix: &str) -> bool {
        // As the proxy is told: `/a.json` counts as below `/a`.
        let below = |rest: &str| rest.is_empty() || rest.starts_with(['/', '.']);
        let (own, other) = (self.prefix.to_ascii_lowercase(), prefix.to_ascii_lowercase());
        own == EVERYTHING || other.strip_prefix(&own).is_some_and(below)
    }

    fn refuse(&self, field: &str, message: impl Into<String>) -> Rejection {
        Rejection::new(Reason::Invalid, format!("spec.auth[{}].{field}", self.index), message)
    }
}

/// All that the entries ask for under a prefix; nothing when that is only a key or a password, which are asked for elsewhere.
fn guard(prefix: &str, entries: &[Entry], rejections: &mut Vec<Rejection>) -> Option<Guard> {
    let covering: Vec<&Entry> = entries.iter().filter(|entry| entry.covers(prefix)).collect();
    let issuers: Vec<&Entry> = covering.iter().copied().filter(|entry| entry.issuer.is_some()).collect();
    if let [first, second, ..] = issuers[..] {
        let message = format!(
            "a request under {prefix} would need two tokens, and it can hold one (spec.auth[{}] asks too): ask in one entry, or under paths that do not hold each other",
            first.index
        );
        push_once(rejections, second.refuse("jwt", message));
    }
    let lists: Vec<&Entry> = covering.iter().copied().filter(|entry| entry.sources.is_some()).collect();
    let sources = lists.iter().filter_map(|entry| entry.sources.clone()).reduce(|a, b| sources::both(&a, &b));
    if let (Some([]), Some(last)) = (sources.as_deref(), lists.last()) {
        let message = format!("no address is in all lists that hold under {prefix}: widen one, or remove one");
        push_once(rejections, last.refuse("allowedSources", message));
    }
    let issuer = issuers.first().and_then(|entry| entry.issuer.clone());
    if issuer.is_none() && sources.is_none() {
        return None;
    }
    let sources = sources.map(|ranges| ranges.iter().map(sources::written).collect());
    Some(Guard { prefix: prefix.into(), issuer, sources })
}

fn push_once(rejections: &mut Vec<Rejection>, rejection: Rejection) {
    if !rejections.iter().any(|known| known.field == rejection.field) {
        rejections.push(rejection);
    }
}

fn repeated_keys(entries: &[Entry]) -> Option<Rejection> {
    let second = entries.iter().filter(|entry| entry.api_keys.is_some()).nth(1)?;
    Some(second.refuse("apiKeys", "keys are asked for in another entry already: put all keys into one Secret"))
}

fn repeated_passwords(entries: &[Entry]) -> Option<Rejection> {
    let second = entries.iter().filter(|entry| entry.basic.is_some()).nth(1)?;
    Some(second.refuse("basic", "passwords are asked for in another entry already: put all users into one Secret"))
}

/// Both are in `Authorization`. The password is asked for on every path, so that a path with a token would be closed to all.
fn password_beside_token(entries: &[Entry]) -> Option<Rejection> {
    let basic = entries.iter().find(|entry| entry.basic.is_some())?;
    let token = entries.iter().find(|entry| entry.issuer.is_some())?;
    let message = format!(
        "a password and a token (spec.auth[{}].jwt) are both in the header Authorization, and a request has one: remove one of the two",
        token.index
    );
    Some(basic.refuse("basic", message))
}

fn headers(auth: &TenantsAuth) -> Option<Rejection> {
    let refuse = |message: String| Some(Rejection::new(Reason::Invalid, "spec.auth", message));
    let headers = auth.claim_headers();
    if headers.len() > MAX_CLAIM_HEADERS {
        return refuse(format!(
            "claims are written to {} headers, and {MAX_CLAIM_HEADERS} can be kept from clients: remove some of claimsToHeaders",
            headers.len()
        ));
    }
    let key = auth.api_keys.as_ref().and_then(|keys| keys.header.as_deref())?;
    let clash = headers.contains(key);
    clash.then(|| refuse(format!("{key} holds a key and a claim: choose another header for one of them"))).flatten()
}

#[cfg(test)]
mod tests;
