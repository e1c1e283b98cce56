//! Nothing in a policy is there for nothing: without any one peer, port, exception or requirement, it lets another
//! connection pass or stops one. Each policy is judged alone, so that no other hides what it does.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::evaluator::{Blocks, Connection, End, Labels, Network};
use super::flows::{PASSES, STOPPED, wrong};
use super::stage::{ENVOY_GATEWAY, KGATEWAY, PLANES, Plane, Stage, ends};

/// Every port that anybody listens on, and some that nobody does.
const PORTS: [(u16, &str); 30] = [
    (22, "TCP"),
    (53, "TCP"),
    (53, "UDP"),
    (80, "TCP"),
    (80, "UDP"),
    (443, "TCP"),
    (443, "UDP"),
    (6443, "TCP"),
    (6443, "UDP"),
    (8080, "TCP"),
    (8080, "UDP"),
    (8081, "TCP"),
    (8082, "TCP"),
    (8089, "TCP"),
    (8234, "TCP"),
    (8443, "TCP"),
    (9002, "TCP"),
    (9090, "TCP"),
    (9091, "TCP"),
    (9095, "TCP"),
    (9153, "TCP"),
    (9977, "TCP"),
    (10080, "TCP"),
    (10250, "TCP"),
    (10443, "TCP"),
    (18000, "TCP"),
    (18001, "TCP"),
    (19000, "TCP"),
    (19001, "TCP"),
    (19003, "TCP"),
];
/// Without these the API server takes no policy.
const REQUIRED: [&str; 4] = ["/cidr", "/ipBlock", "/key", "/operator"];

/// What becomes of every connection that has an end where the policy is, with this policy alone.
fn verdicts(namespaces: &BTreeMap<String, Labels>, policy: &NetworkPolicy, ends: &BTreeMap<&str, End>) -> Vec<bool> {
    let network = Network { policies: vec![policy.clone()], namespaces: namespaces.clone() };
    let is_there =
        |end: &End| matches!(end, End::Pod(pod) if Some(&pod.namespace) == policy.metadata.namespace.as_ref());
    let mut verdicts = Vec::new();
    for (from, to) in ends.values().flat_map(|from| ends.values().map(move |to| (from, to))) {
        if !is_there(from) && !is_there(to) {
            continue;
        }
        for (port, protocol) in PORTS {
            let connection = Connection { from: from.clone(), to: to.clone(), port, protocol };
            verdicts.push(network.allows(&connection, Blocks::CountForOthersOnly));
        }
    }
    verdicts
}

/// Every place in a value that can be taken away, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |key: &str, inner: &Value| {
        let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        found.push(pointer.clone());
        places(inner, &pointer, found);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| below(key, inner)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, inner)| below(&index.to_string(), inner)),
        _ => {}
    }
}

fn without(policy: &Value, pointer: &str) -> Option<NetworkPolicy> {
    let mut policy = policy.clone();
    let (parent, last) = pointer.rsplit_once('/')?;
    match policy.pointer_mut(parent)? {
        Value::Object(fields) => drop(fields.remove(&last.replace("~1", "/").replace("~0", "~"))?),
        Value::Array(items) => drop(items.remove(last.parse().ok()?)),
        _ => return None,
    }
    serde_json::from_value(policy).ok()
}

/// Whether the API server would take no policy without it: a peer must say something.
fn is_required(body: &Value, pointer: &str) -> bool {
    let (parent, last) = pointer.rsplit_once('/').unwrap_or_default();
    let is_all_there_is = body.pointer(parent).and_then(Value::as_object).is_some_and(|fields| fields.len() == 1);
    REQUIRED.iter().any(|end| pointer.ends_with(end)) || last == "namespaceSelector" && is_all_there_is
}

/// What only says what holds anyway: a selector of everything, directions that the rules imply, TCP; and that a tenant's
/// namespace is one of the platform, and that the firewall is beside the shared proxies.
fn is_idle_on_purpose(pointer: &str, gone: &Value) -> bool {
    [json!("acme"), json!("globex")].contains(gone) && pointer.contains("/values/")
        || pointer == "/spec/podSelector" && *gone == json!({})
        || pointer == "/spec/policyTypes"
        || pointer.ends_with("/protocol") && gone == "TCP"
        || pointer.ends_with("/namespaceSelector")
            && *gone == json!({"matchLabels": {"kubernetes.io/metadata.name": "octroi-gateways"}})
}

/// A class that says everything, and names tenants' namespaces among the platform's.
fn said() -> Value {
    let mut said = super::flows::said();
    said["ingressNamespaces"] = json!(["monitoring", "acme", "globex"]);
    said
}

fn idle_parts(
    plane: Plane,
    policy: &NetworkPolicy,
    namespaces: &BTreeMap<String, Labels>,
    ends: &BTreeMap<&str, End>,
) -> Vec<String> {
    let body = serde_json::to_value(policy).unwrap();
    let before = verdicts(namespaces, policy, ends);
    let mut pointers = Vec::new();
    places(&body["spec"], "/spec", &mut pointers);
    pointers.retain(|pointer| !is_required(&body, pointer));
    println!("{}: {} without {} parts", plane.name, title(policy), pointers.len());
    let is_idle = |pointer: &String| {
        let gone = body.pointer(pointer).unwrap();
        let mutant = without(&body, pointer);
        !is_idle_on_purpose(pointer, gone) && mutant.is_some_and(|mutant| verdicts(namespaces, &mutant, ends) == before)
    };
    let idle = pointers.iter().filter(|pointer| is_idle(pointer));
    idle.map(|pointer| format!("{}: {}: {pointer}", plane.name, title(policy))).collect()
}

fn title(policy: &NetworkPolicy) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}/{}", part(&policy.metadata.namespace), part(&policy.metadata.name))
}

#[test]
fn nothing_in_a_policy_is_there_for_nothing() {
    let mut idle = Vec::new();
    for plane in PLANES {
        let network = Stage::with_upstreams(plane, &said()).network();
        let ends = ends(plane);
        let mut judged = Vec::new();
        for policy in &network.policies {
            // acme's second namespace has the same as its first.
            if !judged.contains(&&policy.spec) {
                judged.push(&policy.spec);
                idle.extend(idle_parts(plane, policy, &network.namespaces, &ends));
            }
        }
    }
    assert!(idle.is_empty(), "{}", idle.join("\n"));
}

/// Without any one of the policies, something passes that must not.
#[test]
fn each_policy_stops_something() {
    for plane in [ENVOY_GATEWAY, KGATEWAY] {
        let network = Stage::at_rest(plane, &json!({})).network();
        for (index, policy) in network.policies.iter().enumerate() {
            let mut fewer = network.clone();
            fewer.policies.remove(index);
            // The other class's proxies and acme's second namespace: what stops the first of each is what stops these.
            let is_like_another = ["octroi-gateways/other", "acme-jobs/octroi"].contains(&title(policy).as_str());
            let passes = wrong(&fewer, plane, &STOPPED, false);
            assert!(is_like_another || !passes.is_empty(), "{}: {}", plane.name, title(policy));
        }
    }
}

/// Policies add up: one more undoes them. So nobody else may write one.
#[test]
fn one_more_policy_undoes_them() {
    for plane in PLANES {
        let mut network = Stage::at_rest(plane, &json!({})).network();
        let everything: NetworkPolicy = serde_json::from_value(json!({
            "metadata": {"name": "mine", "namespace": "acme"},
            "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
        }))
        .unwrap();
        network.policies.push(everything);
        assert!(wrong(&network, plane, &PASSES, true).is_empty());
        assert!(!wrong(&network, plane, &STOPPED, false).is_empty());
    }
}
