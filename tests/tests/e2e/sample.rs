//! What the developers of these tests deploy.

use octroi_tests::demo::backend;
use octroi_tests::probe::Answer;
use serde_json::{Value, json};

/// One version of the echo server with its Service `web-v1`, and no route.
pub fn echo(namespace: &str) -> Vec<Value> {
    vec![backend::deployment(namespace, "v1"), backend::service(namespace, "v1")]
}

/// The developer's seven lines: no parentRefs.
pub fn route(namespace: &str, name: &str, hosts: &[String]) -> Value {
    route_of(namespace, name, hosts, &json!([{"backendRefs": [{"name": "web-v1", "port": 80}]}]))
}

/// A route with rules of its own.
pub fn route_of(namespace: &str, name: &str, hosts: &[String], rules: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hostnames": hosts, "rules": rules},
    })
}

/// A route whose answers carry this code, whatever was asked: the code says whose route answered.
pub fn signed_route(namespace: &str, name: &str, hosts: &[String], code: u16) -> Value {
    let rewrite = json!({
        "type": "URLRewrite",
        "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": format!("/status/{code}")}},
    });
    let rule = json!({"filters": [rewrite], "backendRefs": [{"name": "web-v1", "port": 80}]});
    route_of(namespace, name, hosts, &json!([rule]))
}

/// Which version of the echo server answered.
pub fn version(answer: &Answer) -> Option<String> {
    answer.json().ok()?["version"].as_str().map(str::to_owned)
}
