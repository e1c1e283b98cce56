//! The firewall of a tenant: what its class says, with every default filled in, and what the tenant makes stricter.

use k8s_openapi::jiff::civil::Date;
use octroi_api::conditions::Reason;
use octroi_api::{ClassWaf, TenantWaf, WafExclusion, WafMode};

use crate::rejection::Rejection;

/// The firewall of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedWaf {
    /// What happens to an attack.
    pub mode: WafMode,
    /// Whether a tenant may have attacks only reported.
    pub allow_detect: bool,
    /// The rule set's paranoia level.
    pub paranoia_level: i32,
    /// The anomaly score from which a request is an attack.
    pub anomaly_threshold: i32,
    /// How much of a body is inspected, in KiB.
    pub body_kib: u32,
    /// Whether requests pass while there is no verdict.
    pub fail_open: bool,
}

/// What of it is a tenant's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantsWaf {
    /// What happens to an attack.
    pub mode: WafMode,
    /// The rule set's paranoia level.
    pub paranoia_level: i32,
    /// The anomaly score from which a request is an attack.
    pub anomaly_threshold: i32,
    /// What rules do not look at.
    pub exclusions: Vec<WafExclusion>,
}

const DEFAULT_PARANOIA: i32 = 1;
/// One critical match.
const DEFAULT_THRESHOLD: i32 = 5;
/// ModSecurity's recommended limit for bodies without files. A proxy holds as much for every request under way.
const DEFAULT_BODY_KIB: u32 = 128;

/// Fills in the defaults.
pub fn of_class(waf: Option<&ClassWaf>) -> ResolvedWaf {
    let waf = waf.cloned().unwrap_or_default();
    ResolvedWaf {
        mode: waf.mode.unwrap_or_default(),
        allow_detect: waf.allow_detect.unwrap_or(false),
        paranoia_level: waf.paranoia_level.unwrap_or(DEFAULT_PARANOIA),
        anomaly_threshold: waf.anomaly_threshold.unwrap_or(DEFAULT_THRESHOLD),
        body_kib: waf.body_kib.and_then(|said| u32::try_from(said).ok()).unwrap_or(DEFAULT_BODY_KIB),
        fail_open: waf.fail_open.unwrap_or(false),
    }
}

/// The class's, made stricter where the tenant asks for it; what it asks for and does not get is said in `clamped`.
pub fn of_tenant(
    tenant: Option<&TenantWaf>,
    class: &ResolvedWaf,
    clamped: &mut Vec<String>,
    rejections: &mut Vec<Rejection>,
) -> TenantsWaf {
    let tenant = tenant.cloned().unwrap_or_default();
    rejections.extend(tenant.exclusions.iter().enumerate().filter_map(refuse));
    let detects = tenant.mode == Some(WafMode::Detect);
    let mode = if detects && class.mode == WafMode::Block && !class.allow_detect {
        clamped.push("spec.waf.mode is Block, since the class does not allow Detect: remove it".into());
        WafMode::Block
    } else {
        tenant.mode.unwrap_or(class.mode)
    };
    let paranoia_level = tenant.paranoia_level.unwrap_or(class.paranoia_level).max(class.paranoia_level);
    let anomaly_threshold = tenant.anomaly_threshold.unwrap_or(class.anomaly_threshold).min(class.anomaly_threshold);
    let mut tell = |field: &str, wanted: Option<i32>, held: i32| {
        if wanted.is_some_and(|wanted| wanted != held) {
            clamped.push(format!("spec.waf.{field} is {held}, as the class demands: remove it"));
        }
    };
    tell("paranoiaLevel", tenant.paranoia_level, paranoia_level);
    tell("anomalyThreshold", tenant.anomaly_threshold, anomaly_threshold);
    TenantsWaf { mode, paranoia_level, anomaly_threshold, exclusions: tenant.exclusions }
}

/// The schema takes the 30th of February; the firewall would refuse the whole profile.
fn refuse((index, exclusion): (usize, &WafExclusion)) -> Option<Rejection> {
    let error = exclusion.expires.parse::<Date>().err()?;
    let message = format!("'{}' is not a day ({error}): write one, such as 2027-06-30", exclusion.expires);
    Some(Rejection::new(Reason::Invalid, format!("spec.waf.exclusions[{index}].expires"), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(class: &ClassWaf, tenant: &TenantWaf) -> (TenantsWaf, Vec<String>, Vec<Rejection>) {
        let (mut clamped, mut rejections) = (Vec::new(), Vec::new());
        let waf = of_tenant(Some(tenant), &of_class(Some(class)), &mut clamped, &mut rejections);
        (waf, clamped, rejections)
    }

    #[test]
    fn nobody_asked_for_anything() {
        let class = of_class(None);
        assert_eq!((class.fail_open, class.allow_detect, class.body_kib), (false, false, 128));
        let (waf, clamped, rejections) = resolve(&ClassWaf::default(), &TenantWaf::default());
        assert_eq!((waf.mode, waf.paranoia_level, waf.anomaly_threshold), (WafMode::Block, 1, 5));
        assert!(clamped.is_empty() && rejections.is_empty());
    }

    #[test]
    fn a_tenant_makes_it_stricter_and_never_laxer() {
        let class = ClassWaf { paranoia_level: Some(2), anomaly_threshold: Some(8), ..ClassWaf::default() };
        let asks = |level, threshold| TenantWaf {
            paranoia_level: Some(level),
            anomaly_threshold: Some(threshold),
            ..TenantWaf::default()
        };
        let (stricter, clamped, _) = resolve(&class, &asks(3, 5));
        assert_eq!((stricter.paranoia_level, stricter.anomaly_threshold, clamped.len()), (3, 5, 0));
        let (laxer, clamped, _) = resolve(&class, &asks(1, 20));
        assert_eq!((laxer.paranoia_level, laxer.anomaly_threshold, clamped.len()), (2, 8, 2));
        assert!(
            clamped.iter().all(|text| text.starts_with("spec.waf.") && text.ends_with(": remove it")),
            "{clamped:?}"
        );
    }

    #[test]
    fn detection_alone_is_for_classes_that_allow_it() {
        let detect = TenantWaf { mode: Some(WafMode::Detect), ..TenantWaf::default() };
        let allowing = |allow_detect| ClassWaf { allow_detect, ..ClassWaf::default() };
        for (allow, mode, clamps) in
            [(None, WafMode::Block, 1), (Some(false), WafMode::Block, 1), (Some(true), WafMode::Detect, 0)]
        {
            let (waf, clamped, _) = resolve(&allowing(allow), &detect);
            assert_eq!((waf.mode, clamped.len()), (mode, clamps), "{allow:?}");
        }
    }

    #[test]
    fn a_tenant_may_have_what_its_class_does_without() {
        let off = ClassWaf { mode: Some(WafMode::Disabled), ..ClassWaf::default() };
        for mode in [WafMode::Block, WafMode::Detect] {
            let asks = TenantWaf { mode: Some(mode), ..TenantWaf::default() };
            let (waf, clamped, _) = resolve(&off, &asks);
            assert_eq!((waf.mode, clamped.len()), (mode, 0));
        }
        assert_eq!(resolve(&off, &TenantWaf::default()).0.mode, WafMode::Disabled);
    }

    #[test]
    fn a_day_that_is_none_is_refused() {
        let exclusion = |expires: &str| WafExclusion {
            rule_id: 942_100,
            path_prefix: "/search".into(),
            parameter: "q".into(),
            cookie: String::new(),
            header: String::new(),
            reason: "a course on SQL".into(),
            expires: expires.into(),
        };
        let asks = |expires| TenantWaf { exclusions: vec![exclusion(expires)], ..TenantWaf::default() };
        assert!(resolve(&ClassWaf::default(), &asks("2028-02-29")).2.is_empty());
        let [rejection] = &resolve(&ClassWaf::default(), &asks("2027-02-29")).2[..] else { panic!("not refused") };
        assert!(rejection.message.contains("such as 2027-06-30"), "{rejection:?}");
    }
}
