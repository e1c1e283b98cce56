//! What is wrong with a data plane's own settings. Pure: objects in, findings out. The doctor and the status of classes have this one judge.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, EnvVar};
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde_json::Value;

use super::finding::{Finding, Grade, good_if_empty, title};

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

/// The key in the ConfigMap.
const KEY: &str = "envoy-gateway.yaml";

/// The configuration of Envoy Gateway.
pub fn envoy_gateway(config: &ConfigMap) -> Vec<Finding> {
    let Some(text) = config.data.as_ref().and_then(|data| data.get(KEY)) else { return Vec::new() };
    let subject = format!("Envoy Gateway {}", title(config.namespace(), &config.name_any()));
    let Ok(config) = serde_saphyr::from_str::<Value>(text) else {
        return vec![Finding::new(Grade::Unknown, subject, format!("{KEY} is no YAML: look at it yourself"))];
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
    if config["envoyProxy"]["mergeGateways"] == true {
        findings.push(bad("mergeGateways puts all Gateways of a class on one proxy, a tenant's own among them: remove config.envoyGateway.envoyProxy.mergeGateways from its chart's values"));
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

/// The controller that this configuration is of, which GatewayClasses name; `None` when it cannot be read.
pub fn controller_of(config: &ConfigMap) -> Option<String> {
    let config: Value = serde_saphyr::from_str(config.data.as_ref()?.get(KEY)?).ok()?;
    let said = config["gateway"]["controllerName"].as_str();
    Some(said.unwrap_or("gateway.envoyproxy.io/gatewayclass-controller").to_owned())
}

/// Whether an EnvoyProxy puts all Gateways of its class on one proxy.
pub fn merges(proxy: &DynamicObject) -> bool {
    proxy.data["spec"]["mergeGateways"] == true
}

/// How a proxy of Envoy Gateway runs; silent about those that are as they should be.
pub fn envoy_proxy(proxy: &DynamicObject) -> Vec<Finding> {
    let message = "mergeGateways puts all Gateways of its class on one proxy, a tenant's own among them: remove it";
    let subject = format!("EnvoyProxy {}", title(proxy.namespace(), &proxy.name_any()));
    merges(proxy).then(|| Finding::new(Grade::Bad, subject, message)).into_iter().collect()
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
        assert_eq!(grades(&envoy_gateway(&config("a: [b"))), [Grade::Unknown]);
        let merges = format!("{GOOD}\nenvoyProxy: {{mergeGateways: true}}");
        assert_eq!(grades(&envoy_gateway(&config(&merges))), [Grade::Bad], "the default of all of its classes");
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
}
