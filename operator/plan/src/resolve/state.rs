//! The state that a Tenant is in: what its spec says, or what it is held in, whichever is stricter.

use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::Reason;
use octroi_api::{Tenant, TenantState, labels};

use crate::rejection::Rejection;

/// The state in force, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedState {
    /// What holds now.
    pub state: TenantState,
    /// What the annotations say, while they are in force.
    pub hold: Option<Hold>,
}

/// A hold that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What it asks for.
    pub state: TenantState,
    /// Why, in the words of whoever set it.
    pub reason: Option<String>,
    /// When it ends; `None` for when it is taken off.
    pub until: Option<Timestamp>,
}

/// Judges `spec.state` and the annotations [`labels::HOLD`], [`labels::HOLD_REASON`] and [`labels::HOLD_UNTIL`].
///
/// # Errors
/// When an annotation cannot be read: nothing is changed until it can.
pub fn resolve(tenant: &Tenant, now: Timestamp) -> Result<ResolvedState, Rejection> {
    let asked = tenant.spec.state.unwrap_or_default();
    let hold = hold(tenant)?.filter(|hold| hold.until.is_none_or(|until| now < until));
    let state = hold.as_ref().map_or(asked, |hold| asked.max(hold.state));
    Ok(ResolvedState { state, hold })
}

fn hold(tenant: &Tenant) -> Result<Option<Hold>, Rejection> {
    let annotation = |name: &str| tenant.metadata.annotations.as_ref().and_then(|all| all.get(name));
    let Some(word) = annotation(labels::HOLD) else { return Ok(None) };
    let state = TenantState::parse(word).filter(|state| *state != TenantState::Active).ok_or_else(|| {
        unreadable(labels::HOLD, format!("'{word}' is no state to hold a tenant in: use Cordoned or Suspended"))
    })?;
    let until = annotation(labels::HOLD_UNTIL).map(|text| text.parse::<Timestamp>()).transpose().map_err(|_| {
        unreadable(labels::HOLD_UNTIL, "it is no time as in RFC 3339: write it as 2026-12-31T18:00:00Z".into())
    })?;
    Ok(Some(Hold { state, reason: annotation(labels::HOLD_REASON).cloned(), until }))
}

fn unreadable(annotation: &str, message: String) -> Rejection {
    Rejection::new(Reason::Invalid, format!("metadata.annotations[{annotation}]"), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use TenantState::{Active, Cordoned, Suspended};

    fn tenant(state: Option<TenantState>, annotations: &[(&str, &str)]) -> Tenant {
        let mut tenant = Tenant::default();
        tenant.spec.state = state;
        tenant.metadata.annotations = Some(annotations.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect());
        tenant
    }

    #[test]
    fn the_stricter_of_spec_and_hold_wins() {
        let now = Timestamp::UNIX_EPOCH;
        let cases = [
            (None, None, Active),
            (None, Some("Cordoned"), Cordoned),
            (Some(Suspended), Some("Cordoned"), Suspended),
            (Some(Cordoned), Some("Suspended"), Suspended),
            (Some(Active), Some("Suspended"), Suspended),
        ];
        for (spec, hold, wanted) in cases {
            let annotations: Vec<_> = hold.map(|h| (labels::HOLD, h)).into_iter().collect();
            assert_eq!(resolve(&tenant(spec, &annotations), now).unwrap().state, wanted, "{spec:?} {hold:?}");
        }
    }

    #[test]
    fn a_hold_ends_at_its_time() {
        let held = tenant(None, &[(labels::HOLD, "Suspended"), (labels::HOLD_UNTIL, "2026-01-01T00:00:00+01:00")]);
        let at = |text: &str| resolve(&held, text.parse().unwrap()).unwrap().state;
        assert_eq!(at("2025-12-31T22:59:59Z"), Suspended);
        assert_eq!(at("2025-12-31T23:00:00Z"), Active);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_next_step() {
        let now = Timestamp::UNIX_EPOCH;
        for word in ["suspended", "Active", ""] {
            let refused = resolve(&tenant(None, &[(labels::HOLD, word)]), now).unwrap_err();
            assert_eq!(refused.field, "metadata.annotations[octroi.dev/hold]");
            assert!(refused.message.ends_with("use Cordoned or Suspended"), "{refused:?}");
        }
        let late = tenant(None, &[(labels::HOLD, "Cordoned"), (labels::HOLD_UNTIL, "tomorrow")]);
        assert!(resolve(&late, now).unwrap_err().message.ends_with("2026-12-31T18:00:00Z"));
    }
}
