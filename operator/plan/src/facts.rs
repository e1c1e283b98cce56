//! What is kept of an observed object beside its digest: the few facts that a plan or a status depends on.

use octroi_api::labels;
use serde_json::Value;

use crate::certificate::CertificateView;

/// Facts of an observed object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Facts {
    /// Nothing but its presence counts.
    #[default]
    Presence,
    /// A Namespace.
    Namespace {
        /// Whether it was there before its Tenant.
        adopted: bool,
    },
    /// A DomainClaim.
    Claim {
        /// The host.
        host: String,
        /// Who owns it.
        tenant: String,
    },
    /// A PortClaim.
    PortClaim {
        /// Who has the port.
        tenant: String,
    },
    /// A ResourceQuota.
    Quota {
        /// The first limit that Kubernetes has not taken note of yet.
        pending: Option<String>,
    },
    /// A Gateway.
    Gateway {
        /// Whether the data plane serves this generation.
        programmed: Progress,
        /// Its first address.
        address: Option<String>,
    },
    /// A ListenerSet.
    Entry {
        /// The Gateway it is attached to: namespace and name.
        parent: (String, String),
        /// Whether the data plane serves this generation.
        programmed: Progress,
        /// Listeners that are not served: name, and what the data plane says.
        failing: Vec<(String, String)>,
    },
    /// Something outside the cluster that routes name.
    Upstream {
        /// Why the data plane takes none of this generation of it.
        refused: Option<String>,
    },
    /// A policy of an entry or of an upstream.
    Policy {
        /// Why the data plane takes none of this generation of it.
        refused: Option<String>,
    },
    /// A Certificate.
    Certificate(CertificateView),
}

/// Whether something was done for the current generation of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not done yet: what the other controller says it waits for, if it has looked at this generation.
    Pending(Option<String>),
    /// It is done.
    Done,
    /// It was refused or failed: reason and message of the other controller.
    Failed(String),
}

impl Progress {
    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        *self == Self::Done
    }

    /// Whether the other controller has looked at this generation.
    pub fn is_settled(&self) -> bool {
        *self != Self::Pending(None)
    }
}

/// The facts of an observed object of this kind.
pub fn of(kind: crate::ChildKind, object: &Value) -> Facts {
    use crate::ChildKind as K;
    match kind {
        K::Namespace => Facts::Namespace {
            adopted: object["metadata"]["annotations"].get(labels::ADOPTED).is_some_and(|v| v == "true"),
        },
        K::DomainClaim => Facts::Claim { host: text(object, "/spec/host"), tenant: text(object, "/spec/tenant") },
        K::PortClaim => Facts::PortClaim { tenant: text(object, "/spec/tenant") },
        K::ResourceQuota => Facts::Quota { pending: pending_limit(object) },
        K::Gateway => Facts::Gateway {
            programmed: progress(object, "/status/conditions", "Programmed"),
            address: object.pointer("/status/addresses/0/value").and_then(Value::as_str).map(Into::into),
        },
        K::ListenerSet => Facts::Entry {
            parent: (text(object, "/spec/parentRef/namespace"), text(object, "/spec/parentRef/name")),
            programmed: progress(object, "/status/conditions", "Programmed"),
            failing: failing_listeners(object),
        },
        K::EnvoyBackend | K::KgatewayBackend => {
            let judged = progress(object, "/status/conditions", "Accepted");
            let refused = if let Progress::Failed(why) = judged { Some(why) } else { None };
            Facts::Upstream { refused }
        }
        K::BackendTlsPolicy
        | K::BackendTrafficPolicy
        | K::ClientTrafficPolicy
        | K::EnvoyExtensionPolicy
        | K::SecurityPolicy
        | K::TrafficPolicy => Facts::Policy { refused: refused_policy(object) },
        K::Certificate => Facts::Certificate(CertificateView::of(object)),
        _ => Facts::Presence,
    }
}

/// Until a limit is in `status.hard`, nothing is counted against it.
fn pending_limit(object: &Value) -> Option<String> {
    let wanted = object.pointer("/spec/hard")?.as_object()?;
    let noted = object.pointer("/status/hard");
    wanted.iter().find(|(name, limit)| noted.and_then(|n| n.get(*name)) != Some(limit)).map(|(name, _)| name.clone())
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(crate) fn progress(object: &Value, pointer: &str, condition_type: &str) -> Progress {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let conditions = object.pointer(pointer).and_then(Value::as_array);
    let condition = conditions.and_then(|all| all.iter().find(|c| c["type"] == condition_type));
    match condition {
        Some(c) if c["observedGeneration"].as_i64() == generation => judge(c),
        _ => Progress::Pending(None),
    }
}

/// Reasons that pass by themselves: of Gateway API's `Programmed` (a proxy that starts, an address that is assigned) and of
/// cert-manager's `Ready` while a certificate is issued for the first time.
const PASSING: [&str; 5] = ["Pending", "NoResources", "AddressNotAssigned", "DoesNotExist", "Issuing"];

pub(crate) fn judge(condition: &Value) -> Progress {
    if condition["status"] == "True" {
        return Progress::Done;
    }
    let part = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    let said = format!("{}: {}", part("reason"), part("message"));
    if PASSING.contains(&part("reason").as_str()) { Progress::Pending(Some(said)) } else { Progress::Failed(said) }
}

/// A policy has conditions for each thing that it is attached to (GEP-713).
fn refused_policy(object: &Value) -> Option<String> {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let ancestors = object.pointer("/status/ancestors")?.as_array()?;
    let conditions = ancestors.iter().filter_map(|ancestor| ancestor["conditions"].as_array()).flatten();
    let accepted = conditions.filter(|c| c["type"] == "Accepted" && c["observedGeneration"].as_i64() == generation);
    accepted.map(judge).find_map(|judged| match judged {
        Progress::Failed(why) => Some(why),
        _ => None,
    })
}

fn failing_listeners(object: &Value) -> Vec<(String, String)> {
    let Some(listeners) = object.pointer("/status/listeners").and_then(Value::as_array) else { return Vec::new() };
    let refused = |listener: &Value| {
        let conditions = listener["conditions"].as_array()?;
        let waits = waits_for_a_route(object, listener);
        let bad = conditions.iter().find(|c| match c["type"].as_str() {
            Some("Programmed") => c["status"] == "False" && !waits,
            Some("Accepted" | "ResolvedRefs") => c["status"] == "False",
            Some("Conflicted") => c["status"] == "True",
            _ => false,
        })?;
        let reason = bad["reason"].as_str()?.to_owned();
        // What a data plane says of a conflict may name the other tenant.
        let message = if bad["type"] == "Conflicted" {
            reason
        } else {
            format!("{reason}: {}", bad["message"].as_str().unwrap_or_default())
        };
        Some((listener["name"].as_str()?.to_owned(), message))
    };
    listeners.iter().filter_map(refused).collect()
}

/// kgateway (seen on main, August 2026) calls a port beside 443 `Programmed` once it has a route. Until then there is nothing to
/// serve, which is the tenant's affair.
fn waits_for_a_route(object: &Value, listener: &Value) -> bool {
    let specs = object.pointer("/spec/listeners").and_then(Value::as_array).into_iter().flatten();
    let mut beside_443 = specs.filter(|spec| matches!(spec["protocol"].as_str(), Some("TCP" | "TLS" | "UDP")));
    listener["attachedRoutes"] == 0 && beside_443.any(|spec| spec["name"] == listener["name"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_port_without_a_route_is_no_failure_and_one_with_a_route_or_another_fault_is() {
        let failing = |protocol: &str, routes: u32, bad: &str| {
            let condition =
                json!({"type": bad, "status": "False", "reason": "Invalid", "message": "no valid backends or routes"});
            let listener = json!({"name": "pg", "attachedRoutes": routes, "conditions": [condition]});
            let spec = json!({"listeners": [{"name": "pg", "protocol": protocol, "port": 5432}]});
            failing_listeners(&json!({"spec": spec, "status": {"listeners": [listener]}})).len()
        };
        for protocol in ["TCP", "TLS", "UDP"] {
            assert_eq!(failing(protocol, 0, "Programmed"), 0, "{protocol}");
            assert_eq!(failing(protocol, 1, "Programmed"), 1, "{protocol}");
            assert_eq!(failing(protocol, 0, "Accepted"), 1, "{protocol}");
            assert_eq!(failing(protocol, 0, "ResolvedRefs"), 1, "{protocol}");
        }
        assert_eq!(failing("HTTPS", 0, "Programmed"), 1);
    }

    #[test]
    fn a_quota_counts_from_when_its_status_says_so() {
        let quota = |hard: &Value| json!({"spec": {"hard": {"pods": "5", "services": "2"}}, "status": {"hard": hard}});
        let pending = |hard: &Value| match of(crate::ChildKind::ResourceQuota, &quota(hard)) {
            Facts::Quota { pending } => pending,
            other => panic!("{other:?}"),
        };
        assert_eq!(pending(&Value::Null).as_deref(), Some("pods"));
        assert_eq!(pending(&json!({"pods": "5"})).as_deref(), Some("services"));
        assert_eq!(pending(&json!({"pods": "4", "services": "2"})).as_deref(), Some("pods"));
        assert_eq!(pending(&json!({"pods": "5", "services": "2", "secrets": "1"})), None);
    }

    #[test]
    fn a_policy_is_refused_where_it_is_attached() {
        let accepted = |status: &str, generation: i64, reason: &str| {
            json!({"conditions": [{"type": "Overridden", "status": "False", "reason": "No", "observedGeneration": generation},
                {"type": "Accepted", "status": status, "reason": reason, "message": "m", "observedGeneration": generation}]})
        };
        let refused = |ancestors: Value| {
            let policy = json!({"metadata": {"generation": 2}, "status": {"ancestors": ancestors}});
            match of(crate::ChildKind::BackendTrafficPolicy, &policy) {
                Facts::Policy { refused } => refused,
                other => panic!("{other:?}"),
            }
        };
        let (good, bad) = (accepted("True", 2, "Accepted"), accepted("False", 2, "Invalid"));
        assert_eq!(refused(json!([good, bad])).as_deref(), Some("Invalid: m"));
        assert_eq!(refused(json!([good])), None);
        assert_eq!(refused(json!([])), None);
        assert_eq!(refused(Value::Null), None);
        assert_eq!(refused(json!([accepted("False", 1, "Invalid")])), None, "of an older generation");
        assert_eq!(refused(json!([accepted("False", 2, "Pending")])), None, "passes by itself");
    }

    #[test]
    fn a_verdict_on_an_older_generation_is_no_verdict() {
        let certificate = |generation: i64| {
            json!({"metadata": {"generation": generation}, "status": {"conditions": [
                {"type": "Ready", "status": "True", "observedGeneration": 1, "reason": "Ready", "message": ""}]}})
        };
        assert_eq!(CertificateView::of(&certificate(1)).issued, Progress::Done);
        assert_eq!(CertificateView::of(&certificate(2)).issued, Progress::Pending(None));
    }
}
