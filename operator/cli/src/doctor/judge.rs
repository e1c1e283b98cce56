//! What is wrong with what was read. Pure: objects in, findings out.

use std::fmt::Display;

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, EnvVar};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use octroi_api::TenantClass;
use octroi_plan::GUARDS;
use serde_json::Value;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub grade: Grade,
    /// What was looked at.
    pub subject: String,
    /// What is so, and what to do about it.
    pub message: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// As it must be.
    Good,
    /// Somebody has to look at it.
    Unsure,
    /// A promise of Octroi does not hold.
    Bad,
}

impl Grade {
    /// The word on the screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Unsure => "look",
            Self::Bad => "FAIL",
        }
    }
}

impl Finding {
    fn new(grade: Grade, subject: impl Display, message: impl Into<String>) -> Self {
        Self { grade, subject: subject.to_string(), message: message.into() }
    }

    /// Whether a promise of Octroi does not hold.
    pub fn must_be_put_right(&self) -> bool {
        self.grade == Grade::Bad
    }
}

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

/// A control plane of kgateway.
pub fn kgateway(deployment: &Deployment) -> Vec<Finding> {
    let subject = format!("kgateway {}", title(deployment.namespace(), &deployment.name_any()));
    let containers =
        deployment.spec.iter().filter_map(|spec| spec.template.spec.as_ref()).flat_map(|pod| &pod.containers);
    let variables: Vec<&EnvVar> = containers.filter_map(|container| container.env.as_ref()).flatten().collect();
    let is = |name: &str, wanted: &str| {
        let said = variables.iter().find(|variable| variable.name == name)?;
        said.value.as_ref().map(|value| value.eq_ignore_ascii_case(wanted))
    };
    let mut findings = Vec::new();
    if is("KGW_REFERENCE_GRANT_MODE", "STRICT") != Some(true) {
        let message = "a route or policy may name what lies in another namespace without a ReferenceGrant: set controller.extraEnv.KGW_REFERENCE_GRANT_MODE to STRICT in its chart's values";
        findings.push(Finding::new(Grade::Bad, &subject, message));
    }
    if is("KGW_VALIDATION_MODE", "strict") != Some(true) {
        let message = "a route with a fault that only Envoy sees is not marked in its status: set validation.level to strict in its chart's values";
        findings.push(Finding::new(Grade::Unsure, &subject, message));
    }
    good_if_empty(findings, &subject, "asks for grants across namespaces, and validates strictly")
}

/// The configuration of Envoy Gateway.
pub fn envoy_gateway(config: &ConfigMap) -> Vec<Finding> {
    const KEY: &str = "envoy-gateway.yaml";
    let Some(text) = config.data.as_ref().and_then(|data| data.get(KEY)) else { return Vec::new() };
    let subject = format!("Envoy Gateway {}", title(config.namespace(), &config.name_any()));
    let Ok(config) = serde_saphyr::from_str::<Value>(text) else {
        return vec![Finding::new(Grade::Unsure, subject, format!("{KEY} is no YAML: look at it yourself"))];
    };
    let bad = |message: &str| Finding::new(Grade::Bad, &subject, message);
    let is_on = |field: &str| config["extensionApis"][field] == true;
    let mut findings = Vec::new();
    if is_on("enableEnvoyPatchPolicy") {
        findings.push(bad("an EnvoyPatchPolicy changes anything in every tenant's proxy: set config.envoyGateway.extensionApis.enableEnvoyPatchPolicy to false in its chart's values"));
    }
    if is_on("enableLua") {
        findings.push(bad("Lua in an EnvoyExtensionPolicy runs in the proxy that tenants share: set config.envoyGateway.extensionApis.enableLua to false in its chart's values"));
    }
    if config["provider"]["kubernetes"]["deploy"]["type"] != "GatewayNamespace" {
        findings.push(bad("proxies run beside the control plane, where Octroi's network policies do not find them: set config.envoyGateway.provider.kubernetes.deploy.type to GatewayNamespace in its chart's values"));
    }
    let limits = &config["rateLimit"];
    let lacks = [
        (limits.is_null(), "has no Redis, so leave spec.rateLimit out everywhere"),
        (!is_on("enableBackend"), "takes no Backends, so leave spec.upstreams out everywhere"),
    ];
    let lacks = lacks.into_iter().filter(|(lacks, _)| *lacks);
    let well = lacks.fold(WELL.to_owned(), |text, (_, what)| text + "; " + what);
    if limits.is_null() {
        return good_if_empty(findings, &subject, &well);
    }
    if limits["failClosed"] != true {
        findings.push(bad("while its rate limit service is away, every tenant has no limit: set config.envoyGateway.rateLimit.failClosed to true in its chart's values"));
    }
    if !spares_tenants(&config) {
        let message = format!(
            "one client that is refused uses up its tenant's limit for all others: add the variable {SPARING} with value \"true\" to config.envoyGateway.provider.kubernetes.rateLimitDeployment.container.env in its chart's values"
        );
        findings.push(Finding::new(Grade::Unsure, &subject, message));
    }
    good_if_empty(findings, &subject, &well)
}

const WELL: &str = "has neither EnvoyPatchPolicy nor Lua, and proxies in their Gateways' namespaces";
/// Of Envoy's rate limit service: one count that is full keeps a request out of the others.
const SPARING: &str = "STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT";

fn spares_tenants(config: &Value) -> bool {
    let variables = &config["provider"]["kubernetes"]["rateLimitDeployment"]["container"]["env"];
    variables.as_array().into_iter().flatten().any(|said| said["name"] == SPARING && said["value"] == "true")
}

/// How a proxy of Envoy Gateway runs; silent about those that are as they should be.
pub fn envoy_proxy(proxy: &DynamicObject) -> Vec<Finding> {
    let merges = proxy.data["spec"]["mergeGateways"] == true;
    let message = "mergeGateways puts all Gateways of its class on one proxy, a tenant's own among them: remove it";
    let subject = format!("EnvoyProxy {}", title(proxy.namespace(), &proxy.name_any()));
    merges.then(|| Finding::new(Grade::Bad, subject, message)).into_iter().collect()
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

fn good_if_empty(findings: Vec<Finding>, subject: &str, message: &str) -> Vec<Finding> {
    if findings.is_empty() { vec![Finding::new(Grade::Good, subject, message)] } else { findings }
}

fn title(namespace: Option<String>, name: &str) -> String {
    format!("{}/{name}", namespace.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grades(findings: &[Finding]) -> Vec<Grade> {
        for finding in findings.iter().filter(|finding| finding.grade != Grade::Good) {
            assert!(finding.message.contains(": "), "no next step: {finding:?}");
        }
        findings.iter().map(|finding| finding.grade).collect()
    }

    fn controller(variables: &Value) -> Deployment {
        let pod = json!({"metadata": {}, "spec": {"containers": [{"name": "controller", "env": variables}]}});
        let spec = json!({"selector": {}, "template": pod});
        serde_json::from_value(json!({"metadata": {"name": "kgateway", "namespace": "kgateway-system"}, "spec": spec}))
            .unwrap()
    }

    fn config(text: &str) -> ConfigMap {
        let data = json!({"envoy-gateway.yaml": text});
        serde_json::from_value(json!({"metadata": {"name": "c", "namespace": "n"}, "data": data})).unwrap()
    }

    #[test]
    fn kgateway_has_to_ask_for_grants() {
        let grants = |value: Value| json!([{"name": "KGW_REFERENCE_GRANT_MODE", "value": value}, {"name": "KGW_VALIDATION_MODE", "value": "strict"}]);
        assert_eq!(grades(&kgateway(&controller(&grants(json!("STRICT"))))), [Grade::Good]);
        for wrong in [json!("PERMISSIVE"), json!(""), Value::Null] {
            assert_eq!(grades(&kgateway(&controller(&grants(wrong)))), [Grade::Bad]);
        }
        assert_eq!(grades(&kgateway(&controller(&json!([])))), [Grade::Bad, Grade::Unsure], "both have laxer defaults");
    }

    #[test]
    fn envoy_gateway_has_to_keep_its_dangerous_parts_off() {
        const GOOD: &str = "provider: {kubernetes: {deploy: {type: GatewayNamespace}}}";
        assert_eq!(grades(&envoy_gateway(&config(GOOD))), [Grade::Good]);
        for part in ["enableEnvoyPatchPolicy", "enableLua"] {
            let text = format!("{GOOD}\nextensionApis: {{{part}: true}}");
            assert_eq!(grades(&envoy_gateway(&config(&text))), [Grade::Bad], "{part}");
        }
        assert_eq!(grades(&envoy_gateway(&config("{}"))), [Grade::Bad], "proxies run elsewhere by default");
        assert!(envoy_gateway(&config(GOOD))[0].message.contains("no Redis"), "who sets limits has to know");
        assert!(envoy_gateway(&config(GOOD))[0].message.contains("no Backends"), "who offers upstreams has to know");
        let takes = envoy_gateway(&config(&format!("{GOOD}\nextensionApis: {{enableBackend: true}}")));
        assert_eq!((grades(&takes), takes[0].message.contains("Backends")), (vec![Grade::Good], false));
        assert_eq!(grades(&envoy_gateway(&config("a: [b"))), [Grade::Unsure]);
        assert!(envoy_gateway(&ConfigMap::default()).is_empty(), "another ConfigMap of the chart");
    }

    #[test]
    fn rate_limits_have_to_fail_closed_and_to_spare_a_tenants_other_clients() {
        let with = |variable: &str, fails_closed: bool| {
            let env = format!("env: [{{name: {variable}, value: \"true\"}}]");
            let kubernetes =
                format!("deploy: {{type: GatewayNamespace}}, rateLimitDeployment: {{container: {{{env}}}}}");
            let redis = "backend: {type: Redis, redis: {url: redis:6379}}";
            let limits = format!("rateLimit: {{{redis}, failClosed: {fails_closed}}}");
            envoy_gateway(&config(&format!("provider: {{kubernetes: {{{kubernetes}}}}}\n{limits}")))
        };
        assert_eq!(grades(&with(SPARING, true)), [Grade::Good]);
        assert_eq!(grades(&with(SPARING, false)), [Grade::Bad]);
        assert_eq!(grades(&with("LOG_LEVEL", true)), [Grade::Unsure]);
        assert_eq!(grades(&with("LOG_LEVEL", false)), [Grade::Bad, Grade::Unsure]);
    }

    #[test]
    fn a_proxy_that_merges_gateways_is_found() {
        let proxy = |spec: Value| -> DynamicObject {
            serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "n"}, "spec": spec})).unwrap()
        };
        assert_eq!(grades(&envoy_proxy(&proxy(json!({"mergeGateways": true})))), [Grade::Bad]);
        assert!(
            envoy_proxy(&proxy(json!({"mergeGateways": false}))).is_empty()
                && envoy_proxy(&proxy(json!({}))).is_empty()
        );
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
