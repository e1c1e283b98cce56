//! Metrics for Prometheus: by kind and reason. The names of objects are in one of them alone, which says whose each namespace is, so
//! that what proxies count by namespace can be told by tenant.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use octroi_plan::ChildKind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WriteLabels {
    resource: String,
    verb: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReconcileLabels {
    resource: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    resource: String,
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HoldingLabels {
    tenant: String,
    /// Not `namespace`: Prometheus puts that of the scraped pod there.
    tenant_namespace: String,
}

/// Everything that is counted.
pub struct Metrics {
    /// The namespaces last told for each tenant, so that those that it gave up can be taken away.
    held: Mutex<HashMap<String, BTreeSet<String>>>,
    holdings: Family<HoldingLabels, Gauge>,
    /// The reason last counted for each object, so that it can be taken off the count.
    judged: Mutex<HashMap<(&'static str, String), String>>,
    reasons: Family<ReasonLabels, Gauge>,
    registry: Registry,
    /// 1 while this replica leads.
    pub leader: Gauge,
    writes: Family<WriteLabels, Counter>,
    reconciles: Family<ReconcileLabels, Counter>,
    seconds: Histogram,
}

/// From a plan without a write to one that waits for a slow API server.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("octroi");
        let (leader, writes, reconciles) = (Gauge::default(), Family::default(), Family::default());
        let reasons = Family::default();
        registry.register(
            "ready_reasons",
            "Tenants and TenantClasses by the reason of their Ready condition",
            reasons.clone(),
        );
        let holdings = Family::default();
        registry.register("tenant_namespaces", "1 for each namespace of each tenant", holdings.clone());
        let seconds = Histogram::new(BUCKETS);
        registry.register("leader", "1 while this replica leads", leader.clone());
        registry.register("writes", "Writes to the API server, Events and the lease apart", writes.clone());
        registry.register("reconciles", "Reconciles by result", reconciles.clone());
        registry.register_with_unit("reconcile_duration", "How long a reconcile took", Unit::Seconds, seconds.clone());
        let (held, judged) = (Mutex::default(), Mutex::default());
        Self { held, holdings, judged, reasons, registry, leader, writes, reconciles, seconds }
    }
}

impl Metrics {
    /// A write of a child.
    pub fn wrote(&self, kind: ChildKind, verb: &'static str, is_ok: bool) {
        self.wrote_resource(kind.api().plural, verb, is_ok);
    }

    /// A write of any resource.
    pub fn wrote_resource(&self, resource: &str, verb: &'static str, is_ok: bool) {
        let result = if is_ok { "ok" } else { "error" };
        self.writes.get_or_create(&WriteLabels { resource: resource.into(), verb, result }).inc();
    }

    /// The reason of an object's Ready condition; `None` when the object is gone.
    pub fn judged(&self, resource: &'static str, name: &str, reason: Option<&str>) {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (resource, name.to_owned());
        let before = match reason {
            Some(reason) => judged.insert(key, reason.to_owned()),
            None => judged.remove(&key),
        };
        let gauge = |reason: &str| {
            self.reasons.get_or_create(&ReasonLabels { resource: resource.into(), reason: reason.into() }).clone()
        };
        if let Some(before) = before {
            gauge(&before).dec();
        }
        if let Some(reason) = reason {
            gauge(reason).inc();
        }
    }

    /// The namespaces of a tenant; none when it is gone.
    pub fn holds(&self, tenant: &str, namespaces: BTreeSet<String>) {
        let labels = |namespace: &String| HoldingLabels { tenant: tenant.into(), tenant_namespace: namespace.clone() };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = held.remove(tenant).unwrap_or_default();
        for given_up in before.difference(&namespaces) {
            self.holdings.remove(&labels(given_up));
        }
        for namespace in &namespaces {
            self.holdings.get_or_create(&labels(namespace)).set(1);
        }
        if !namespaces.is_empty() {
            held.insert(tenant.to_owned(), namespaces);
        }
    }

    /// A reconcile of a Tenant or TenantClass.
    pub fn reconciled(&self, resource: &'static str, result: &'static str, seconds: f64) {
        self.reconciles.get_or_create(&ReconcileLabels { resource, result }).inc();
        self.seconds.observe(seconds);
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
    use super::Metrics;

    fn told(metrics: &Metrics) -> Vec<String> {
        let text = metrics.encode();
        let mut lines: Vec<_> =
            text.lines().filter(|line| line.starts_with("octroi_tenant_namespaces{")).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Rules and dashboard of the chart name none but those of the page; see `tests/tests/observability.rs`.
    #[test]
    fn the_page_describes_what_is_registered_and_nothing_else() {
        let page = include_str!("../../../docs/observability.md");
        let metrics = Metrics::default();
        // What has labels is not encoded before there is one of it.
        metrics.holds("acme", ["acme".to_owned()].into());
        metrics.judged("tenants", "acme", Some("Ready"));
        metrics.reconciled("tenants", "ok", 0.0);
        metrics.wrote_resource("tenants", "patch", true);
        let text = metrics.encode();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let mut registered: Vec<String> = types.map(|(name, kind)| format!("{name}{}", suffix(kind))).collect();
        registered.sort();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let mut described: Vec<&str> =
            rows.filter(|name| name.starts_with("octroi_") && !name.starts_with("octroi_waf_")).collect();
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

    #[test]
    fn a_namespace_is_told_while_it_is_the_tenants_and_no_longer() {
        let metrics = Metrics::default();
        let hold = |names: &[&str]| metrics.holds("acme", names.iter().map(|&name| name.to_owned()).collect());
        hold(&["acme", "gw-acme"]);
        metrics.holds("globex", ["globex".to_owned()].into());
        hold(&["acme-prod", "gw-acme"]);
        let line = |tenant, namespace| {
            format!("octroi_tenant_namespaces{{tenant=\"{tenant}\",tenant_namespace=\"{namespace}\"}} 1")
        };
        assert_eq!(told(&metrics), [line("acme", "acme-prod"), line("acme", "gw-acme"), line("globex", "globex")]);
        hold(&[]);
        assert_eq!(told(&metrics), [line("globex", "globex")]);
    }
}
