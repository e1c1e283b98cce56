//! What is kept of an observed object beside its digest: the few facts that a plan or a status depends on.

use serde_json::Value;

/// Facts of an observed object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Facts {
    /// Nothing but its presence counts.
    #[default]
    Presence,
    /// A DomainClaim.
    Claim {
        /// The host.
        host: String,
        /// Who owns it.
        tenant: String,
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
    /// A Certificate.
    Certificate {
        /// Whether it was issued for this generation.
        issued: Progress,
    },
}

/// Whether something was done for the current generation of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nobody has judged this generation yet.
    Pending,
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

    /// Whether somebody judged this generation, for good or ill.
    pub fn is_settled(&self) -> bool {
        *self != Self::Pending
    }
}

/// The facts of an observed object of this kind.
pub fn of(kind: crate::ChildKind, object: &Value) -> Facts {
    use crate::ChildKind as K;
    match kind {
        K::DomainClaim => Facts::Claim { host: text(object, "/spec/host"), tenant: text(object, "/spec/tenant") },
        K::Gateway => Facts::Gateway {
            programmed: progress(object, "/status/conditions", "Programmed"),
            address: object.pointer("/status/addresses/0/value").and_then(Value::as_str).map(Into::into),
        },
        K::ListenerSet => Facts::Entry {
            parent: (text(object, "/spec/parentRef/namespace"), text(object, "/spec/parentRef/name")),
            programmed: progress(object, "/status/conditions", "Programmed"),
            failing: failing_listeners(object),
        },
        K::Certificate => Facts::Certificate { issued: progress(object, "/status/conditions", "Ready") },
        _ => Facts::Presence,
    }
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn progress(object: &Value, pointer: &str, condition_type: &str) -> Progress {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let conditions = object.pointer(pointer).and_then(Value::as_array);
    let condition = conditions.and_then(|all| all.iter().find(|c| c["type"] == condition_type));
    match condition {
        Some(c) if c["observedGeneration"].as_i64() == generation => judge(c),
        _ => Progress::Pending,
    }
}

fn judge(condition: &Value) -> Progress {
    if condition["status"] == "True" {
        return Progress::Done;
    }
    let part = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    Progress::Failed(format!("{}: {}", part("reason"), part("message")))
}

fn failing_listeners(object: &Value) -> Vec<(String, String)> {
    let Some(listeners) = object.pointer("/status/listeners").and_then(Value::as_array) else { return Vec::new() };
    let refused = |listener: &Value| {
        let conditions = listener["conditions"].as_array()?;
        let bad = conditions.iter().find(|c| match c["type"].as_str() {
            Some("Accepted" | "Programmed" | "ResolvedRefs") => c["status"] == "False",
            Some("Conflicted") => c["status"] == "True",
            _ => false,
        })?;
        let message = format!("{}: {}", bad["reason"].as_str()?, bad["message"].as_str().unwrap_or_default());
        Some((listener["name"].as_str()?.to_owned(), message))
    };
    listeners.iter().filter_map(refused).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_verdict_on_an_older_generation_is_no_verdict() {
        let certificate = |generation: i64| {
            json!({"metadata": {"generation": generation}, "status": {"conditions": [
                {"type": "Ready", "status": "True", "observedGeneration": 1, "reason": "Ready", "message": ""}]}})
        };
        let issued = |object: &Value| of(crate::ChildKind::Certificate, object);
        assert_eq!(issued(&certificate(1)), Facts::Certificate { issued: Progress::Done });
        assert_eq!(issued(&certificate(2)), Facts::Certificate { issued: Progress::Pending });
    }
}
