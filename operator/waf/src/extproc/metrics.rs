//! Metrics for Prometheus. Tenants are a label only where somebody has to act, and only while they are in the profiles: nothing
//! that a client sends becomes a label.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::audit::Action;
use crate::profiles::Profiles;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AttackLabels {
    tenant: String,
    action: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReloadLabels {
    what: &'static str,
    result: &'static str,
}

const ACTIONS: [&str; 2] = ["blocked", "detected"];

/// What alerts wait for is there from the start: of a counter that begins with 1, Prometheus sees no increase.
const NO_VERDICT: [&str; 4] = ["failed", "misconfigured", "overloaded", "unattributed"];
const RELOADS: [(&str, &str); 4] = [("profiles", "ok"), ("profiles", "refused"), ("rules", "ok"), ("rules", "refused")];

/// From a GET on an idle core to a body of megabytes on a busy one.
const BUCKETS: [f64; 10] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5];

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<ResultLabels, Counter>,
    attacks: Family<AttackLabels, Counter>,
    reloads: Family<ReloadLabels, Counter>,
    tenants: Mutex<HashSet<String>>,
    known: Gauge,
    lost: Counter,
    seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("octroi_waf");
        let (requests, attacks, reloads) =
            (Family::<ResultLabels, Counter>::default(), Family::default(), Family::<ReloadLabels, Counter>::default());
        for result in NO_VERDICT {
            drop(requests.get_or_create(&ResultLabels { result }));
        }
        for (what, result) in RELOADS {
            drop(reloads.get_or_create(&ReloadLabels { what, result }));
        }
        let (known, lost, seconds) = (Gauge::default(), Counter::default(), Histogram::new(BUCKETS));
        registry.register("requests", "Requests by what became of them", Clone::clone(&requests));
        registry.register("attacks", "Attacks by tenant, blocked or only detected", Clone::clone(&attacks));
        registry.register("reloads", "Reloads of rules and profiles", Clone::clone(&reloads));
        registry.register("tenants", "Tenants that are served", Clone::clone(&known));
        registry.register("audit_lines_lost", "Lines of the audit log that nobody took", Clone::clone(&lost));
        registry.register_with_unit(
            "inspection_duration",
            "How long a request waited for a core and was inspected",
            Unit::Seconds,
            Clone::clone(&seconds),
        );
        Self { registry, requests, attacks, reloads, tenants: Mutex::default(), known, lost, seconds }
    }
}

impl Metrics {
    /// A request that got no verdict, or an answer of the service's own.
    pub(super) fn ended(&self, result: &'static str) {
        self.requests.get_or_create(&ResultLabels { result }).inc();
    }

    /// A request that got a verdict.
    pub(super) fn judged(&self, tenant: &str, action: Action, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
        let action = match action {
            Action::Blocked => ACTIONS[0],
            Action::Detected => ACTIONS[1],
            Action::Passed => return self.ended("passed"),
        };
        self.ended(action);
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        // One that left while its last request was inspected must not come back as a label.
        if tenants.contains(tenant) {
            self.attacks.get_or_create(&AttackLabels { tenant: tenant.to_owned(), action }).inc();
        }
    }

    /// An answer that got a verdict.
    pub(super) fn answered(&self, action: Action, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
        self.ended(match action {
            Action::Blocked => "answer_blocked",
            Action::Detected => "answer_detected",
            Action::Passed => "answer_passed",
        });
    }

    /// A line of the audit log that was lost.
    pub(super) fn lost_line(&self) {
        self.lost.inc();
    }

    /// A reload of `rules` or `profiles`.
    pub(super) fn reloaded(&self, what: &'static str, is_ok: bool) {
        let result = if is_ok { "ok" } else { "refused" };
        self.reloads.get_or_create(&ReloadLabels { what, result }).inc();
    }

    /// These are served now; the labels of others go.
    pub(super) fn serve(&self, profiles: &Profiles) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let now: HashSet<String> = profiles.names().map(str::to_owned).collect();
        for tenant in tenants.difference(&now) {
            for action in ACTIONS {
                self.attacks.remove(&AttackLabels { tenant: tenant.clone(), action });
            }
        }
        self.known.set(i64::try_from(now.len()).unwrap_or(i64::MAX));
        *tenants = now;
    }

    /// In the text format of OpenMetrics.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Action, Metrics};
    use crate::profiles::Profiles;

    #[test]
    fn what_alerts_wait_for_is_there_from_the_start() {
        let text = Metrics::default().encode();
        for line in [
            r#"octroi_waf_requests_total{result="overloaded"} 0"#,
            r#"octroi_waf_reloads_total{what="profiles",result="refused"} 0"#,
            r#"octroi_waf_reloads_total{what="rules",result="refused"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }

    /// Rules and dashboard of the chart name none but those of the page; see `tests/tests/observability.rs`.
    #[test]
    fn the_page_describes_what_is_registered_and_nothing_else() {
        let page = include_str!("../../../../docs/observability.md");
        let metrics = Metrics::default();
        // What has labels is not encoded before there is one of it.
        metrics.serve(&Profiles::parse("tenants: {a: {namespaces: [a]}}").unwrap());
        metrics.judged("a", Action::Blocked, Duration::ZERO);
        let text = metrics.encode();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let mut registered: Vec<String> = types.map(|(name, kind)| format!("{name}{}", suffix(kind))).collect();
        registered.sort();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let mut described: Vec<&str> = rows.filter(|name| name.starts_with("octroi_waf_")).collect();
        described.sort_unstable();
        assert_eq!(described, registered);
    }

    /// What a series is called beside the metric's name.
    fn suffix(kind: &str) -> &'static str {
        match kind {
            "counter" => "_total",
            "histogram" => "_bucket",
            _ => "",
        }
    }
}
