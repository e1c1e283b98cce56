//! What cert-manager says of a Certificate, and from when on its renewal is overdue.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::facts::{Progress, judge, progress};

/// cert-manager renews ahead of time, and after a failure waits an hour, two, four and up to 32 before it tries again
/// (cert-manager 1.21, pkg/controller/certificates/trigger). One failure is no news; this long without success is.
const MOST_GRACE: SignedDuration = SignedDuration::from_hours(24);
/// Of a certificate that lives only days or hours, this part of the time between renewal and expiry.
const PART_OF_REST: i32 = 4;

/// What cert-manager says of a Certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateView {
    /// Whether it was issued for this generation.
    pub issued: Progress,
    /// When what was issued last expires (`status.notAfter`).
    pub expires: Option<Timestamp>,
    /// When cert-manager renews it (`status.renewalTime`).
    pub renewal: Option<Timestamp>,
    /// How many attempts failed since the last success (`status.failedIssuanceAttempts`).
    pub failed_attempts: i64,
    /// What was said of the last of them, while no other is under way.
    pub failure: Option<String>,
    /// Who issues it: API group, kind and name in one word.
    pub issuer: String,
    /// Since when it is asked for.
    pub created: Option<Timestamp>,
}

impl CertificateView {
    /// Of an observed Certificate.
    pub fn of(object: &Value) -> Self {
        let time = |pointer| object.pointer(pointer).and_then(Value::as_str).and_then(|text| text.parse().ok());
        let failure = failed_attempt(object);
        // `Ready` keeps saying that there is none yet.
        let issued = match (progress(object, "/status/conditions", "Ready"), &failure) {
            (Progress::Pending(_), Some(why)) => Progress::Failed(why.clone()),
            (progress, _) => progress,
        };
        Self {
            issued,
            expires: time("/status/notAfter"),
            renewal: time("/status/renewalTime"),
            failed_attempts: object
                .pointer("/status/failedIssuanceAttempts")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            failure,
            issuer: ["group", "kind", "name"]
                .map(|part| object["spec"]["issuerRef"][part].as_str().unwrap_or_default())
                .join("/"),
            created: time("/metadata/creationTimestamp"),
        }
    }

    /// From when on a renewal that has not happened is a failure: a day after it was due, or sooner where that would be late.
    pub fn overdue_from(&self) -> Option<Timestamp> {
        let (renewal, expires) = (self.renewal?, self.expires?);
        let rest = expires.duration_since(renewal).max(SignedDuration::ZERO);
        renewal.checked_add(MOST_GRACE.min(rest / PART_OF_REST)).ok()
    }

    /// Whether it serves, and its renewal is overdue.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.issued.is_done() && self.overdue_from().is_some_and(|from| from <= now)
    }
}

/// cert-manager tells a failure by `Issuing=False`: when an attempt succeeds, it takes the condition away.
fn failed_attempt(object: &Value) -> Option<String> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array)?;
    let issuing = conditions.iter().find(|c| c["type"] == "Issuing" && c["status"] == "False")?;
    match judge(issuing) {
        Progress::Failed(why) => Some(why),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]
mod tests {
    use super::*;
    use serde_json::json;

    fn serving(not_after: &str, renewal: &str) -> CertificateView {
        CertificateView::of(&json!({"metadata": {"generation": 1}, "status": {
            "notAfter": not_after, "renewalTime": renewal, "failedIssuanceAttempts": 3,
            "conditions": [
                {"type": "Ready", "status": "True", "observedGeneration": 1, "reason": "Ready", "message": ""},
                {"type": "Issuing", "status": "False", "observedGeneration": 1, "reason": "Failed", "message": "no TXT record"}]}}))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_renewal_is_overdue_a_day_after_it_was_due() {
        let view = serving("2026-12-31T00:00:00Z", "2026-12-01T00:00:00Z");
        assert_eq!(view.issued, Progress::Done, "what was issued serves on");
        assert_eq!((view.failed_attempts, view.failure.as_deref()), (3, Some("Failed: no TXT record")));
        assert!(!view.is_overdue(at("2026-12-01T23:59:59Z")));
        assert!(view.is_overdue(at("2026-12-02T00:00:00Z")));
    }

    #[test]
    fn a_short_lived_one_is_overdue_sooner() {
        let view = serving("2026-12-01T08:00:00Z", "2026-12-01T00:00:00Z");
        assert_eq!(view.overdue_from(), Some(at("2026-12-01T02:00:00Z")));
        let turned = serving("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z");
        assert_eq!(turned.overdue_from(), turned.renewal, "a renewal after expiry, as clocks may have it");
    }

    #[test]
    fn without_times_nothing_is_overdue() {
        for status in
            [json!({}), json!({"notAfter": "soon", "renewalTime": 3}), json!({"renewalTime": "2020-01-01T00:00:00Z"})]
        {
            let view = CertificateView::of(&json!({"metadata": {"generation": 1}, "status": status}));
            assert!(!view.is_overdue(at("2999-01-01T00:00:00Z")));
        }
    }

    #[test]
    fn one_that_was_never_issued_is_not_overdue_but_failed() {
        let view = CertificateView::of(&json!({"metadata": {"generation": 1}, "status": {"failedIssuanceAttempts": 1,
            "conditions": [
                {"type": "Ready", "status": "False", "observedGeneration": 1, "reason": "DoesNotExist", "message": "no Secret"},
                {"type": "Issuing", "status": "False", "observedGeneration": 1, "reason": "Failed", "message": "no TXT record"}]}}));
        assert_eq!(view.issued, Progress::Failed("Failed: no TXT record".into()));
        assert!(!view.is_overdue(at("2999-01-01T00:00:00Z")));
    }
}
