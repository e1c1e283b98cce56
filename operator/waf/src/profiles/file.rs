//! Profiles as text, and how they become profiles.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Holding, Tenant};
use crate::exclusion::{Exclusion, InvalidExclusion, Parameter, PathPrefix, RuleId};
use crate::profile::{Mode, Paranoia, Profile};

/// Why a file of profiles is none.
#[derive(Debug, thiserror::Error)]
pub enum ProfilesError {
    /// Not such a file.
    #[error("the profiles cannot be read: {0}")]
    Syntax(String),
    /// A level that the Core Rule Set does not have.
    #[error("tenant {tenant}: paranoiaLevel {level} is none of 1 to 4")]
    Paranoia {
        /// The tenant.
        tenant: String,
        /// What it says.
        level: u8,
    },
    /// An exclusion that is none.
    #[error("tenant {tenant}: {source}")]
    Exclusion {
        /// The tenant.
        tenant: String,
        /// Why.
        source: InvalidExclusion,
    },
    /// An exclusion for a day that is none, or for more than one parameter.
    #[error("tenant {tenant}: the exclusion of rule {rule}: {problem}")]
    Field {
        /// The tenant.
        tenant: String,
        /// Which exclusion.
        rule: u32,
        /// What is wrong.
        problem: &'static str,
    },
    /// Two tenants hold one namespace.
    #[error("two tenants hold the namespace {0}")]
    SharedNamespace(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tenants: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    namespaces: Vec<String>,
    #[serde(default)]
    waf: Settings,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    mode: Option<ModeName>,
    paranoia_level: Option<u8>,
    anomaly_threshold: Option<NonZeroU16>,
    /// In bytes.
    request_body_limit: Option<u32>,
    inspect_answers: Option<bool>,
    #[serde(default)]
    exclusions: Vec<ExclusionEntry>,
}

#[derive(Clone, Copy, Deserialize)]
enum ModeName {
    Block,
    Detect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ExclusionEntry {
    rule_id: u32,
    path_prefix: String,
    /// At most one of the three; none of them leaves the rule out under the path.
    parameter: Option<String>,
    cookie: Option<String>,
    header: Option<String>,
    reason: String,
    /// The last day it holds on, in UTC: `2027-06-30`.
    expires: Date,
}

pub(super) fn all(text: &str) -> Result<Vec<Holding>, ProfilesError> {
    let file: File = read(text)?;
    file.tenants.iter().map(|(name, entry)| holding(name, entry)).collect()
}

pub(super) fn one(tenant: &str, text: &str) -> Result<Holding, ProfilesError> {
    holding(tenant, &read(text)?)
}

fn read<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, ProfilesError> {
    serde_saphyr::from_str(text).map_err(|error| ProfilesError::Syntax(error.to_string()))
}

fn holding(name: &str, entry: &Entry) -> Result<Holding, ProfilesError> {
    let tenant = Arc::new(Tenant { name: name.to_owned(), profile: profile(name, &entry.waf)? });
    Ok(Holding { tenant, namespaces: entry.namespaces.clone() })
}

fn profile(tenant: &str, waf: &Settings) -> Result<Profile, ProfilesError> {
    let exclusions = waf.exclusions.iter().map(|entry| exclusion(tenant, entry));
    Ok(Profile {
        mode: waf.mode.map_or(Mode::default(), |mode| match mode {
            ModeName::Block => Mode::Block,
            ModeName::Detect => Mode::Detect,
        }),
        paranoia: paranoia(tenant, waf.paranoia_level)?,
        threshold: waf.anomaly_threshold.unwrap_or(Profile::DEFAULT_THRESHOLD),
        max_body: waf.request_body_limit.unwrap_or(Profile::DEFAULT_MAX_BODY),
        inspect_answers: waf.inspect_answers.unwrap_or_default(),
        exclusions: exclusions.collect::<Result<_, _>>()?,
    })
}

fn paranoia(tenant: &str, level: Option<u8>) -> Result<Paranoia, ProfilesError> {
    match level {
        None => Ok(Paranoia::default()),
        Some(1) => Ok(Paranoia::One),
        Some(2) => Ok(Paranoia::Two),
        Some(3) => Ok(Paranoia::Three),
        Some(4) => Ok(Paranoia::Four),
        Some(level) => Err(ProfilesError::Paranoia { tenant: tenant.to_owned(), level }),
    }
}

fn exclusion(tenant: &str, entry: &ExclusionEntry) -> Result<Exclusion, ProfilesError> {
    let wrong = |problem| ProfilesError::Field { tenant: tenant.to_owned(), rule: entry.rule_id, problem };
    let parameter = match (&entry.parameter, &entry.cookie, &entry.header) {
        (None, None, None) => Parameter::Any,
        (Some(name), None, None) => Parameter::Argument(name.clone()),
        (None, Some(name), None) => Parameter::Cookie(name.clone()),
        (None, None, Some(name)) => Parameter::Header(name.clone()),
        _ => return Err(wrong("it names more than one of parameter, cookie and header")),
    };
    let over = entry.expires.tomorrow().and_then(|day| day.to_zoned(TimeZone::UTC));
    let over = SystemTime::from(over.map_err(|_| wrong("its last day is too far away"))?);
    let made = RuleId::new(entry.rule_id).and_then(|rule| {
        Exclusion::new(rule, PathPrefix::new(&entry.path_prefix)?, parameter, entry.reason.clone(), over)
    });
    made.map_err(|source| ProfilesError::Exclusion { tenant: tenant.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::ProfilesError;
    use crate::profile::{Mode, Paranoia};
    use crate::profiles::{Holding, Profiles};

    const FILE: &str = "
tenants:
  acme:
    namespaces: [acme, acme-prod]
    waf:
      mode: Detect
      paranoiaLevel: 2
      requestBodyLimit: 4096
      exclusions:
        - {ruleId: 942100, pathPrefix: /search, parameter: q, reason: a course, expires: 1970-01-02}
  plain: {namespaces: [plain]}
";

    #[test]
    fn a_tenant_has_its_own_and_the_default_settings() {
        let profiles = Profiles::parse(FILE).unwrap();
        let acme = &profiles.tenant("acme").unwrap().profile;
        assert_eq!((acme.mode, acme.paranoia, acme.max_body), (Mode::Detect, Paranoia::Two, 4096));
        let plain = &profiles.tenant("plain").unwrap().profile;
        assert_eq!((plain.mode, plain.paranoia, plain.threshold.get()), (Mode::Block, Paranoia::One, 5));
    }

    #[test]
    fn an_exclusion_holds_on_its_last_day() {
        let profiles = Profiles::parse(FILE).unwrap();
        let [exclusion] = profiles.tenant("acme").unwrap().profile.exclusions.as_slice() else { panic!() };
        let end = SystemTime::UNIX_EPOCH + Duration::from_hours(48);
        assert!(!exclusion.has_expired(end - Duration::from_secs(1)) && exclusion.has_expired(end));
    }

    #[test]
    fn a_namespace_is_its_tenants_and_so_is_that_of_its_entry() {
        let profiles = Profiles::parse(FILE).unwrap();
        let of = |namespace| profiles.of_namespace(namespace).map(|tenant| tenant.name.as_str());
        assert_eq!([of("acme"), of("acme-prod"), of("gw-acme")], [Some("acme"); 3]);
        assert_eq!([of("gw-acme-prod"), of("gw-"), of("other"), of("")], [None; 4]);
    }

    #[test]
    fn a_file_that_is_wrong_somewhere_is_refused_as_a_whole() {
        let tenant = |rest: &str| format!("tenants: {{ok: {{namespaces: [ok]}}, a: {{namespaces: [a], {rest}}}}}");
        let exclusion = |fields: &str| tenant(&format!("waf: {{exclusions: [{{reason: r, {fields}}}]}}"));
        for wrong in [
            String::new(),
            "tenants: [".to_owned(),
            tenant("unknown: 1"),
            tenant("waf: {paranoiaLevel: 5}"),
            tenant("waf: {anomalyThreshold: 0}"),
            tenant("waf: {mode: Off}"),
            exclusion("ruleId: 942100, pathPrefix: /, expires: never"),
            exclusion("ruleId: 949110, pathPrefix: /, expires: 2027-01-01"),
            exclusion("ruleId: 942100, pathPrefix: '', expires: 2027-01-01"),
            exclusion("ruleId: 942100, pathPrefix: /, expires: 2027-01-01, parameter: a, cookie: b"),
        ] {
            assert!(Profiles::parse(&wrong).is_err(), "{wrong}");
        }
        let shared = "tenants: {a: {namespaces: [x]}, b: {namespaces: [x]}}";
        assert!(matches!(Profiles::parse(shared), Err(ProfilesError::SharedNamespace(name)) if name == "x"));
    }
    #[test]
    fn what_two_tenants_hold_is_nobodys_and_the_rest_is_served() {
        let holding = |name, namespaces: &str| Holding::parse(name, &format!("namespaces: {namespaces}")).unwrap();
        let (profiles, contested) = Profiles::of(&[holding("a", "[a, x]"), holding("b", "[x, b]")]);
        assert_eq!(contested, ["x"]);
        let of = |namespace| profiles.of_namespace(namespace).map(|tenant| tenant.name.as_str());
        assert_eq!([of("a"), of("b"), of("gw-b"), of("x")], [Some("a"), Some("b"), Some("b"), None]);
    }
}
