//! What one route may hold: each cap, what lies just above it, and that the largest route stays within the API server's
//! budget for expressions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::api::{DynamicObject, PostParams};
use octroi_tests::strict;
use serde_json::{Value, json};

use crate::world::{DEVELOPER, World};

#[tokio::test]
async fn a_route_has_a_bounded_size() {
    let cases = [
        (expressions(16), None),
        (expressions(17), Some("spec.rules hold 17 regular expressions, and a route holds at most 16.")),
        (backends(64), None),
        (backends(65), Some("spec.rules have 65 backendRefs together, and a route has at most 64.")),
        (conditions(256), None),
        (conditions(257), Some("spec.rules compare 257 headers and query parameters together")),
        (headers(16 * 16), None),
        (long(128), None),
        (long(129), Some("spec.rules[0].matches[0].path.value is too heavy a regular expression")),
    ];
    let world = World::shared().await;
    for (rules, says) in cases {
        match (says, tried(&world, &["www.acme.apps.test".into()], &rules).await) {
            (None, outcome) => assert_eq!(outcome, Ok(()), "{rules:?}"),
            (Some(says), outcome) => assert!(outcome.as_ref().is_err_and(|said| said.contains(says)), "{outcome:?}"),
        }
    }
}

#[tokio::test]
async fn the_largest_route_is_judged_within_the_budget() {
    let world = World::shared().await;
    let hosts: Vec<_> = (10..26).map(|i| format!("{}{i}.acme.apps.test", "h".repeat(60))).collect();
    assert_eq!(tried(&world, &hosts, &largest()).await, Ok(()));
    // All of them foreign, every backend elsewhere: the message is made within the budget too.
    let hosts: Vec<_> = (10..26).map(|i| format!("{}{i}.other.test", "h".repeat(60))).collect();
    let said = tried(&world, &hosts, &largest()).await.unwrap_err();
    assert!(said.contains("and 13 more are not hosts of Tenant acme"), "{said}");
}

#[tokio::test]
async fn the_largest_file_of_passwords_is_judged_within_the_budget() {
    let world = World::shared().await;
    assert_eq!(file_of(&world, &users(138)).await, Ok(()));
    // Above it nothing is read, and its first byte that is wrong is found by none.
    let said = file_of(&world, &users(140)).await.unwrap_err();
    assert!(said.contains("data[.htpasswd] is larger than 6 KiB"), "{said}");
    // Everybody has one name: the message is made within the budget too.
    let said = file_of(&world, &users(1).repeat(138)).await.unwrap_err();
    assert!(said.contains("has a second line for user-1000,"), "{said}");
    let said = file_of(&world, &"a\n".repeat(3000)).await.unwrap_err();
    assert!(said.contains("has a line that is no user"), "{said}");
}

/// Lines of 44 bytes.
fn users(count: usize) -> String {
    let line = |i| format!("user-{i}:{{SHA}}{}=", "A".repeat(27));
    (1000..1000 + count).map(line).collect::<Vec<_>>().join("\n") + "\n"
}

async fn file_of(world: &World, users: &str) -> Result<(), String> {
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "sized", "namespace": "gw-acme"}, "data": {".htpasswd": STANDARD.encode(users)},
    });
    let secrets = strict::endpoint(&world.client("admin").await, &object).await.unwrap();
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let params = PostParams { dry_run: true, ..PostParams::default() };
    secrets.create(&params, &object).await.map(drop).map_err(|error| error.to_string())
}

async fn tried(world: &World, hosts: &[String], rules: &[Value]) -> Result<(), String> {
    let object = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "sized", "namespace": "acme-prod"}, "spec": {"hostnames": hosts, "rules": rules},
    });
    let routes = strict::endpoint(&world.client(DEVELOPER).await, &object).await.unwrap();
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let params = PostParams { dry_run: true, ..PostParams::default() };
    routes.create(&params, &object).await.map(drop).map_err(|error| error.to_string())
}

fn one_rule(matches: &[Value]) -> Vec<Value> {
    vec![json!({"matches": matches, "backendRefs": [{"name": "web", "port": 80}]})]
}

fn expressions(count: usize) -> Vec<Value> {
    let expression = |i| json!({"path": {"type": "RegularExpression", "value": format!("/a{i}.*")}});
    one_rule(&(0..count).map(expression).collect::<Vec<_>>())
}

fn long(length: usize) -> Vec<Value> {
    let value = format!("/{}", "a".repeat(length - 1));
    one_rule(&[json!({"path": {"type": "RegularExpression", "value": value}})])
}

fn headers(count: usize) -> Vec<Value> {
    let header = |i| json!({"name": format!("x-{i}-{}", "n".repeat(240)), "value": "v".repeat(100)});
    let modifier = |from: usize| {
        let set: Vec<_> = (from..count.min(from + 16)).map(header).collect();
        json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": set}})
    };
    let backend = |from| json!({"name": format!("w{from}"), "port": 80, "filters": [modifier(from)]});
    let backends: Vec<_> = (0..count).step_by(16).map(backend).collect();
    vec![json!({"backendRefs": backends})]
}

fn conditions(count: usize) -> Vec<Value> {
    let header = |i| json!({"name": format!("h{i}"), "value": "a"});
    let headers = |count| (0..count).map(header).collect::<Vec<_>>();
    one_rule(&(0..count).step_by(16).map(|from| json!({"headers": headers(16.min(count - from))})).collect::<Vec<_>>())
}

fn backends(count: usize) -> Vec<Value> {
    let backend = |i| json!({"name": format!("w{i}"), "port": 80});
    let rule = |from: usize| {
        let refs: Vec<_> = (from..count.min(from + 16)).map(backend).collect();
        json!({"matches": [{"path": {"value": format!("/{from}")}}], "backendRefs": refs})
    };
    (0..count).step_by(16).map(rule).collect()
}

/// Every list as long as the caps allow, names nearly as long as the Gateway API allows.
fn largest() -> Vec<Value> {
    let header = json!({"name": format!("x-{}", "n".repeat(240)), "value": "v".repeat(4000)});
    let modifier = json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [header]}});
    let backend = |j| json!({"name": format!("w{j}"), "port": 80, "namespace": "acme-prod", "filters": [modifier]});
    let comparison = |i: usize, j: usize| {
        let kind = if j == 0 { "RegularExpression" } else { "Exact" };
        json!({
            "path": {"type": kind, "value": format!("/{i}/{j}/{}", "p".repeat(100))},
            "headers": [{"name": "a", "value": "b"}], "queryParams": [{"name": "c", "value": "d"}],
        })
    };
    let rule = |i| {
        let matches: Vec<_> = (0..8).map(|j| comparison(i, j)).collect();
        let backends: Vec<_> = (0..4).map(backend).collect();
        json!({"matches": matches, "backendRefs": backends, "filters": [modifier]})
    };
    (0..16).map(rule).collect()
}
