//! The policies as objects: that none of them is open where it must be shut, and that their expressions fit the kinds.

use kube::api::{DynamicObject, PostParams};
use kube::{Client, ResourceExt as _};
use octroi_tests::{manifest, strict};
use serde_json::{Value, json};

use crate::case::created;
use crate::helm::{eventually, render};
use crate::world::{World, versions};

/// Those that match cluster-scoped objects or say their namespaces in their bindings.
const ELSEWHERE: [&str; 5] =
    ["octroi-claims", "octroi-gateways", "octroi-hold", "octroi-namespaces", "octroi-operator"];

fn guards(set: &str) -> Vec<Value> {
    let others = ["octroi-tenant-deletion", "octroi-tenantclass-deletion"];
    let is_guard = |o: &Value| manifest::kind(o) == "ValidatingAdmissionPolicy" && !others.contains(&manifest::name(o));
    render(set).into_iter().filter(is_guard).collect()
}

#[test]
fn each_fails_closed_for_every_version_and_denies() {
    for guard in guards("") {
        let name = manifest::name(&guard);
        assert_eq!(guard["spec"]["failurePolicy"], "Fail", "{name}");
        let constraints = &guard["spec"]["matchConstraints"];
        assert_eq!(constraints["matchPolicy"], "Equivalent", "{name}");
        for rule in constraints["resourceRules"].as_array().unwrap() {
            assert_eq!(rule["apiVersions"], json!(["*"]), "{name}");
        }
        let selector = constraints["namespaceSelector"].to_string();
        assert_eq!(selector.contains("octroi.dev/tenant"), !ELSEWHERE.contains(&name), "{name}: {selector}");
        for validation in guard["spec"]["validations"].as_array().unwrap() {
            assert!(validation["message"].is_string() || validation["messageExpression"].is_string(), "{name}");
            assert!(["Forbidden", "Invalid"].contains(&validation["reason"].as_str().unwrap()), "{name}");
        }
    }
    let bindings = render("").into_iter().filter(|o| manifest::kind(o) == "ValidatingAdmissionPolicyBinding");
    for binding in bindings {
        assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]), "{}", manifest::name(&binding));
    }
}

/// A rule for all resources of a group holds for cluster-scoped ones as well, whatever the selector of namespaces says.
#[test]
fn a_guard_of_namespaces_that_names_no_resource_says_namespaced() {
    for guard in guards("") {
        let constraints = &guard["spec"]["matchConstraints"];
        for rule in constraints["resourceRules"].as_array().unwrap() {
            let is_open = rule["resources"].as_array().unwrap().contains(&json!("*"));
            assert!(!is_open || rule["scope"] == "Namespaced", "{}: {rule}", manifest::name(&guard));
        }
    }
}

#[test]
fn the_break_glass_group_passes_all_but_the_operators_bounds_and_without_one_nobody_does() {
    for (set, is_there) in [("", false), ("admission.breakGlassGroup=platform-emergency", true)] {
        for guard in guards(set) {
            let text = guard["spec"]["matchConditions"].to_string();
            let passes = text.contains("'platform-emergency' in request.userInfo.groups");
            let expected = is_there && manifest::name(&guard) != "octroi-operator";
            assert_eq!(passes, expected, "{}: {text}", manifest::name(&guard));
        }
    }
}

/// The API server checks types only where group, version and resource are said in full: so each policy is stored again,
/// unbound, with the versions that are served.
#[tokio::test]
async fn expressions_fit_the_schemas_of_what_they_judge() {
    let world = World::shared().await;
    let mut checked = 0;
    for mut guard in guards("") {
        let Some(rules) = spelled_out(&world.rescue, &guard).await else { continue };
        let name = format!("{}-typed", manifest::name(&guard));
        guard["metadata"]["name"] = json!(name);
        guard["spec"]["matchConstraints"]["resourceRules"] = rules;
        created(&world.rescue, &guard).await;
        let policies = strict::endpoint(&world.rescue, &guard).await.unwrap();
        let judged = async || policies.get(&name).await.is_ok_and(|policy| judged(&policy));
        eventually(&format!("the types of {name} are checked"), judged).await;
        let policy = policies.get(&name).await.unwrap();
        let warnings = &policy.data["status"]["typeChecking"]["expressionWarnings"];
        assert!(warnings.is_null(), "{name}: {warnings:#}");
        checked += 1;
    }
    assert!(checked >= 15, "only {checked} policies were checked");
}

fn judged(policy: &DynamicObject) -> bool {
    policy.data["status"]["observedGeneration"].as_i64() == policy.metadata.generation
}

/// The rules with versions in place of `*`; nothing for a policy that names no resources.
async fn spelled_out(client: &Client, guard: &Value) -> Option<Value> {
    let mut rules = Vec::new();
    for rule in guard["spec"]["matchConstraints"]["resourceRules"].as_array().unwrap() {
        for group in rule["apiGroups"].as_array().unwrap() {
            let text = group.as_str().unwrap();
            let is_open = text == "*" || rule["resources"].as_array().unwrap().contains(&json!("*"));
            let served = match text {
                "octroi.dev" => vec!["v1alpha1".to_owned()],
                "gateway.networking.k8s.io" => versions(client, "HTTPRoute").await,
                _ => vec!["v1".to_owned()],
            };
            if !is_open {
                let mut rule = rule.clone();
                rule["apiGroups"] = json!([group]);
                rule["apiVersions"] = json!(served);
                rules.push(rule);
            }
        }
    }
    (!rules.is_empty()).then(|| json!(rules))
}

/// What the API server itself says of the policies as they are.
#[tokio::test]
async fn the_api_server_warns_of_no_policy() {
    let world = World::shared().await;
    for guard in guards("") {
        let policies = strict::endpoint(&world.rescue, &guard).await.unwrap();
        let name = manifest::name(&guard);
        eventually(name, async || policies.get(name).await.is_ok_and(|policy| judged(&policy))).await;
        let policy = policies.get(name).await.unwrap();
        let warnings = &policy.data["status"]["typeChecking"]["expressionWarnings"];
        assert!(warnings.is_null(), "{}: {warnings:#}", policy.name_any());
        let again: DynamicObject = serde_json::from_value(guard.clone()).unwrap();
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let refused = policies.create(&params, &again).await.unwrap_err();
        assert!(refused.to_string().contains("already exists"), "{refused}");
    }
}
