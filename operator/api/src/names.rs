//! Names that arrive as text and are parsed once: whoever holds a [`TenantName`] or a [`Hostname`] need not check it.

use std::fmt;

use thiserror::Error;

use crate::labels::GATEWAY_NAMESPACE_PREFIX;

/// Longest name of a tenant or of its namespaces: `gw-` and the name must fit a DNS label of 63.
pub const MAX_NAME: usize = 59;
/// Longest host: the name of its claim replaces `*` by a longer label and must fit an object name of 253.
pub const MAX_HOST: usize = 240;

const RESERVED_PREFIXES: [&str; 3] = ["gw-", "kube-", "octroi-"];
/// Names that neither a tenant nor its namespaces may have. The CEL rules of the Tenant repeat them; a test compares.
pub const RESERVED: [&str; 9] = [
    "argocd",
    "cert-manager",
    "default",
    "edge",
    "envoy-gateway-system",
    "istio-system",
    "kgateway-system",
    "monitoring",
    "octroi",
];

/// Why a name is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Not a DNS label that starts with a letter.
    #[error(
        "'{0}' is not a DNS label of at most {MAX_NAME} characters that starts with a letter: use lower-case letters, digits and '-'"
    )]
    Label(String),
    /// Kept for the platform.
    #[error("'{0}' is reserved for the platform: choose another name")]
    Reserved(String),
    /// Not a host.
    #[error(
        "'{0}' is not a lower-case DNS name such as shop.acme.example or *.acme.example: no scheme, port, path, upper case or trailing dot, and an internationalised name in its xn-- form"
    )]
    Host(String),
}

/// The name of a tenant, fit to name its namespaces too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantName(String);

impl TenantName {
    /// Parses a name.
    ///
    /// # Errors
    /// When it is not a DNS label of at most [`MAX_NAME`] characters that starts with a letter, or is reserved.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_NAME || !is_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(NameError::Label(text.into()));
        }
        if RESERVED.contains(&text) || RESERVED_PREFIXES.iter().any(|p| text.starts_with(p)) {
            return Err(NameError::Reserved(text.into()));
        }
        Ok(Self(text.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The namespace of the tenant's entry and certificates.
    pub fn gateway_namespace(&self) -> String {
        format!("{GATEWAY_NAMESPACE_PREFIX}{}", self.0)
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host: exact, or a wildcard for one label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(String);

/// The label that stands for `*` in object names. RFC 5890 reserves labels with `--` in the third and fourth place, so
/// no host can have it.
const WILDCARD_LABEL: &str = "wc--any";

impl Hostname {
    /// Parses a host.
    ///
    /// # Errors
    /// When it is not a lower-case DNS name of two labels or more, with at most a leading `*.`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Host(text.into());
        if text.len() > MAX_HOST {
            return Err(refused());
        }
        let suffix = text.strip_prefix("*.").unwrap_or(text);
        let labels: Vec<&str> = suffix.split('.').collect();
        let top_is_alphabetic = labels.last().is_some_and(|l| l.starts_with(|c: char| c.is_ascii_lowercase()));
        let well_formed = labels.iter().all(|l| is_label(l) && !is_reserved_ldh(l));
        if labels.len() < 2 || !top_is_alphabetic || !well_formed {
            return Err(refused());
        }
        Ok(Self(text.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The wildcard for one label below this exact host. A wildcard has none.
    pub fn wildcard_below(&self) -> Option<Self> {
        (!self.is_wildcard()).then(|| Self(format!("*.{}", self.0)))
    }

    /// Whether it starts with `*.`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether this host is `domain` or below it.
    pub fn is_within(&self, domain: &str) -> bool {
        let suffix = self.0.strip_prefix("*.").unwrap_or(&self.0);
        suffix == domain || suffix.strip_suffix(domain).is_some_and(|head| head.ends_with('.'))
    }

    /// Whether some request could match both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self == other || self.covers(other) || other.covers(self)
    }

    /// Whether whoever owns this host may serve that one: it is the same, or exactly one label below a wildcard, which is
    /// what a certificate for the wildcard covers. Text that is no host is served by nobody.
    pub fn serves(&self, host: &str) -> bool {
        let below = |suffix: &str| host.strip_suffix(suffix).is_some_and(is_label);
        host == self.0 || self.0.strip_prefix('*').is_some_and(below)
    }

    /// A Gateway API wildcard matches any number of labels below its suffix.
    fn covers(&self, other: &Self) -> bool {
        self.0
            .strip_prefix('*')
            .is_some_and(|suffix| other.0.trim_start_matches('*').ends_with(suffix) && other != self)
    }

    /// A name for objects made for this host: distinct for distinct hosts, and a valid object and listener name.
    pub fn object_name(&self) -> String {
        self.0.strip_prefix('*').map_or_else(|| self.0.clone(), |suffix| format!("{WILDCARD_LABEL}{suffix}"))
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(text: &str) -> bool {
    let edge = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => {
            bytes.len() <= 63 && edge(first) && edge(last) && bytes.iter().all(|&c| edge(c) || c == b'-')
        }
        _ => false,
    }
}

/// A label with `--` in its third and fourth place that is not an A-label (RFC 5890, section 2.3.1).
fn is_reserved_ldh(label: &str) -> bool {
    label.get(2..4) == Some("--") && !label.starts_with("xn--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_names_that_are_refused() {
        for text in ["", "-a", "a-", "A", "1a", "a.b", "a_b", "é", &"a".repeat(60)] {
            assert_eq!(TenantName::parse(text), Err(NameError::Label(text.into())), "{text}");
        }
        for text in ["gw-a", "kube-x", "octroi-system", "edge", "default"] {
            assert_eq!(TenantName::parse(text), Err(NameError::Reserved(text.into())), "{text}");
        }
    }

    #[test]
    fn hosts_that_are_refused() {
        let long = format!("{}.example", "a.".repeat(130));
        for text in [
            "",
            "com",
            "*.com",
            "*",
            "*.",
            "a..b",
            "A.example",
            "a.example.",
            "http://a.example",
            "a.example:443",
            "a.example/x",
            "10.0.0.1",
            "*.*.example.org",
            "a.*.example",
            "-a.example",
            "a-.example",
            "a_b.example",
            "é.example",
            "ab--c.example",
            "wc--any.acme.example",
            " a.example",
            &long,
        ] {
            assert_eq!(Hostname::parse(text), Err(NameError::Host(text.into())), "{text}");
        }
    }

    #[test]
    fn hosts_that_are_accepted() {
        for text in ["a.example", "*.a.example", "xn--caf-dma.example", "a-b.c-d.example", "1.example"] {
            assert_eq!(Hostname::parse(text).map(|h| h.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn within_needs_a_dot() {
        let within = |host: &str, domain: &str| Hostname::parse(host).expect("a host").is_within(domain);
        assert!(within("acme.x.example", "x.example"));
        assert!(within("*.x.example", "x.example"));
        assert!(within("x.example", "x.example"));
        assert!(!within("evil-x.example", "x.example"));
        assert!(!within("x.example.org", "x.example"));
    }

    #[test]
    fn wildcards_overlap_what_they_match() {
        let overlaps =
            |a: &str, b: &str| Hostname::parse(a).expect("a host").overlaps(&Hostname::parse(b).expect("a host"));
        assert!(overlaps("*.a.example", "b.a.example"));
        assert!(overlaps("c.b.a.example", "*.a.example"));
        assert!(overlaps("*.b.a.example", "*.a.example"));
        assert!(!overlaps("*.a.example", "a.example"));
        assert!(!overlaps("*.a.example", "b.ba.example"));
        assert!(!overlaps("b.a.example", "c.a.example"));
    }

    #[test]
    fn object_names_are_distinct() {
        let name = |host: &str| Hostname::parse(host).expect("a host").object_name();
        assert_eq!(name("*.a.example"), "wc--any.a.example");
        assert_eq!(name("a.example"), "a.example");
    }
}
