//! What a tenant's developer writes: two versions of a small web server, and routes that name no gateway.

use serde_json::{Value, json};

/// The sample backend, imported into the lab beforehand.
const IMAGE: &str = "octroi.test/echo:dev";
/// Both versions, the stable one first.
pub const VERSIONS: [&str; 2] = ["v1", "v2"];
/// How the canary route shares its requests between them, in percent.
const WEIGHTS: [u32; 2] = [90, 10];
/// What the canary route serves.
pub const CANARY_PATH: &str = "/canary";
/// The header that the canary route sets; the backend shows what it got.
pub const HEADER: &str = "X-Demo-Tenant";

/// Everything of one tenant, in the order of applying.
pub fn objects(namespace: &str, host: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for version in VERSIONS {
        all.push(deployment(namespace, version));
        all.push(service(namespace, version));
    }
    all.push(route(namespace, host));
    all
}

/// The workload of one version, fit for the strictest Pod Security profile, since the class decides which one it is.
pub fn deployment(namespace: &str, version: &str) -> Value {
    let name = format!("web-{version}");
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": false,
                    "securityContext": {
                        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [{
                        "name": "echo", "image": IMAGE, "imagePullPolicy": "IfNotPresent",
                        "env": [{"name": "VERSION", "value": version}],
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
                        "resources": {
                            "requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "64Mi"},
                        },
                        "securityContext": {
                            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }],
                },
            },
        },
    })
}

/// The Service of one version.
pub fn service(namespace: &str, version: &str) -> Value {
    let name = format!("web-{version}");
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    })
}

/// The seven-line route of the README: no parentRefs, the platform's admission policy adds them.
pub fn route(namespace: &str, host: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "www", "namespace": namespace},
        "spec": {"hostnames": [host], "rules": [{"backendRefs": [{"name": "web-v1", "port": 80}]}]},
    })
}

/// A second route below the same host: a split by weight, and a request header set to the tenant's name.
pub fn canary(namespace: &str, host: &str, tenant: &str) -> Value {
    let backends: Vec<_> = VERSIONS
        .iter()
        .zip(WEIGHTS)
        .map(|(version, weight)| json!({"name": format!("web-{version}"), "port": 80, "weight": weight}))
        .collect();
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "canary", "namespace": namespace},
        "spec": {
            "hostnames": [host],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": CANARY_PATH}}],
                "filters": [{
                    "type": "RequestHeaderModifier",
                    "requestHeaderModifier": {"set": [{"name": HEADER, "value": tenant}]},
                }],
                "backendRefs": backends,
            }],
        },
    })
}
