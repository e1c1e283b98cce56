//! What is wrong with what was read. Pure: objects in, findings out.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;
use octroi_api::TenantClass;
use octroi_plan::GUARDS;
use octroi_plan::hardening::{Finding, Grade, good_if_empty, title};

/// Every object by itself; what could not be read is a finding too.
pub fn each<K>(read: Result<Vec<K>, Finding>, judge: impl Fn(&K) -> Vec<Finding>) -> Vec<Finding> {
    read.map_or_else(|finding| vec![finding], |objects| objects.iter().flat_map(judge).collect())
}

/// Something could not be read. Who asks is told that it was not found good.
pub fn unread(what: &str, error: &kube::Error) -> Finding {
    let why = match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    };
    Finding::new(Grade::Bad, what, format!("cannot be read: {why}: ask somebody who may list it in all namespaces"))
}

/// The firewall: whether it has the pods that it asks for.
pub fn firewall(deployment: Option<&Deployment>) -> Vec<Finding> {
    const SUBJECT: &str = "firewall";
    let Some(deployment) = deployment else {
        let message = "is not there, and requests of classes that fail closed are answered with 500: install Octroi's chart of this version again (helm upgrade)";
        return vec![Finding::new(Grade::Bad, SUBJECT, message)];
    };
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
    let title = title(deployment.namespace(), &deployment.name_any());
    let next = format!(
        "see kubectl describe pods -n {} -l app.kubernetes.io/name=octroi-waf",
        deployment.namespace().unwrap_or_default()
    );
    let finding = match ready {
        0 => Finding::new(
            Grade::Bad,
            SUBJECT,
            format!(
                "no pod of {title} is ready, and requests of classes that fail closed are answered with 500: {next}"
            ),
        ),
        ready if ready < wanted => {
            Finding::new(Grade::Unsure, SUBJECT, format!("{ready} of {wanted} pods of {title} are ready: {next}"))
        }
        ready => Finding::new(Grade::Good, SUBJECT, format!("{ready} pods of {title} are ready")),
    };
    vec![finding]
}

/// The admission policies and what puts them in force.
pub fn guards(policies: &[ValidatingAdmissionPolicy], bindings: &[ValidatingAdmissionPolicyBinding]) -> Vec<Finding> {
    let denies = |binding: &ValidatingAdmissionPolicyBinding, guard: &str| {
        let spec = &binding.spec;
        spec.policy_name == guard && spec.validation_actions.iter().any(|action| action == "Deny")
    };
    let fails_closed = |policy: &ValidatingAdmissionPolicy| {
        policy.spec.as_ref().and_then(|spec| spec.failure_policy.as_deref()).unwrap_or("Fail") == "Fail"
    };
    let next = "install Octroi's chart of this version again (helm upgrade)";
    let findings = GUARDS.iter().filter_map(|guard| {
        let problem = match policies.iter().find(|policy| policy.name_any() == **guard) {
            None => "is not there",
            Some(policy) if !fails_closed(policy) => "lets everything pass when it fails",
            Some(_) if !bindings.iter().any(|binding| denies(binding, guard)) => "is bound by nothing that denies",
            Some(_) => return None,
        };
        Some(Finding::new(Grade::Bad, format!("guard {guard}"), format!("{problem}: {next}")))
    });
    good_if_empty(findings.collect(), "guards", &format!("all {} stand and deny", GUARDS.len()))
}

/// A class: what its own status says.
pub fn class(class: &TenantClass) -> Vec<Finding> {
    let subject = format!("TenantClass {}", class.name_any());
    let Some(status) = &class.status else {
        return vec![Finding::new(
            Grade::Unsure,
            subject,
            "the operator has not looked at it yet: does it run? kubectl get leases -A",
        )];
    };
    let failing = status.conditions.iter().filter(|condition| condition.status != "True");
    let findings =
        failing.map(|c| Finding::new(Grade::Unsure, &subject, format!("{} is {}: {}", c.type_, c.status, c.message)));
    good_if_empty(findings.collect(), &subject, "is accepted and ready")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn grades(findings: &[Finding]) -> Vec<Grade> {
        for finding in findings.iter().filter(|finding| finding.grade != Grade::Good) {
            assert!(finding.message.contains(": "), "no next step: {finding:?}");
        }
        findings.iter().map(|finding| finding.grade).collect()
    }

    #[test]
    fn the_firewall_has_to_have_its_pods() {
        let deployment = |wanted: i32, ready: Option<i32>| -> Deployment {
            serde_json::from_value(json!({
                "metadata": {"name": "octroi-waf", "namespace": "octroi-gateways"},
                "spec": {"replicas": wanted, "selector": {}, "template": {}}, "status": {"readyReplicas": ready},
            }))
            .unwrap()
        };
        assert_eq!(grades(&firewall(None)), [Grade::Bad]);
        for (wanted, ready, grade) in
            [(2, None, Grade::Bad), (0, None, Grade::Bad), (2, Some(1), Grade::Unsure), (2, Some(2), Grade::Good)]
        {
            assert_eq!(grades(&firewall(Some(&deployment(wanted, ready)))), [grade], "{ready:?} of {wanted}");
        }
    }

    #[test]
    fn a_guard_that_is_gone_open_or_unbound_is_found() {
        let policy = |name: &str, failure: &str| -> ValidatingAdmissionPolicy {
            serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"failurePolicy": failure}})).unwrap()
        };
        let binding = |name: &str, action: &str| -> ValidatingAdmissionPolicyBinding {
            serde_json::from_value(
                json!({"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": [action]}}),
            )
            .unwrap()
        };
        let mut policies = GUARDS.map(|guard| policy(guard, "Fail"));
        let mut bindings = GUARDS.map(|guard| binding(guard, "Deny"));
        assert_eq!(grades(&guards(&policies, &bindings)), [Grade::Good]);
        assert_eq!(grades(&guards(&policies[1..], &bindings)), [Grade::Bad]);
        policies[0] = policy(GUARDS[0], "Ignore");
        bindings[1] = binding(GUARDS[1], "Warn");
        assert_eq!(grades(&guards(&policies, &bindings)), [Grade::Bad, Grade::Bad]);
    }

    #[test]
    fn a_class_says_itself_what_it_lacks() {
        let class_with = |status: Value| -> TenantClass {
            serde_json::from_value(json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "TenantClass", "metadata": {"name": "gold"},
                "spec": {"baseDomain": "a.test", "gateway": {"gatewayClassName": "g"}, "tls": {"issuerRef": {"name": "i"}}}, "status": status}))
            .unwrap()
        };
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "R", "message": "do this: now", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        assert_eq!(grades(&class(&class_with(Value::Null))), [Grade::Unsure]);
        assert_eq!(grades(&class(&class_with(json!({"conditions": [condition("Ready", "True")]})))), [Grade::Good]);
        let lacks = json!({"conditions": [condition("Ready", "True"), condition("CapabilitiesSupported", "False")]});
        let findings = class(&class_with(lacks));
        assert_eq!(
            (grades(&findings), findings[0].message.as_str()),
            (vec![Grade::Unsure], "CapabilitiesSupported is False: do this: now")
        );
    }
}
