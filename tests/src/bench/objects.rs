//! What both legs write: the Tenant, what `octroi render` makes of it, and the developer's part.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use octroi_api::labels;
use serde_json::{Value, json};

use crate::{Error, Result, manifest, script};

/// The Tenant of a leg.
pub(super) fn tenant(name: &str, class: &str, mode: &str) -> Value {
    json!({
        "apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": name},
        "spec": {
            "className": class,
            "members": [{"kind": "Group", "name": format!("{name}-devs")}],
            "gateway": {"mode": mode},
            "deletion": {"protect": false, "namespaces": "Delete"},
        },
    })
}

/// Writes a file for kubectl. JSON is YAML, where a first line keeps kubectl from taking all of it for JSON.
pub(super) fn write(file: &Path, objects: &[Value]) -> Result<()> {
    let documents: Vec<_> = objects.iter().map(Value::to_string).collect();
    std::fs::write(file, format!("---\n{}\n", documents.join("\n---\n"))).map_err(Error::io(file.display().to_string()))
}

/// What Octroi would apply for this Tenant, in its order; the class's own objects are there already.
pub(super) async fn rendered(octroi: &Path, dir: &Path, class: &[Value], tenant: &Value) -> Result<Vec<Value>> {
    let file = dir.join("to-render.yaml");
    write(&file, &[class, std::slice::from_ref(tenant)].concat())?;
    let mut command = Command::new(octroi);
    command.arg("render").arg("--file").arg(&file);
    let text = script::output(command).await?;
    let owner = manifest::name(tenant);
    let own = |object: &Value| object["metadata"]["labels"][labels::TENANT] == owner;
    let objects: Vec<_> = manifest::parse(&text)?.into_iter().map(|document| document.object).filter(own).collect();
    if objects.is_empty() {
        return Err(Error::Failed { what: format!("rendering Tenant {owner}"), detail: "nothing came of it".into() });
    }
    Ok(objects)
}

/// A Service without a selector: its one endpoint is a pod elsewhere that runs already.
pub(super) fn service(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    })
}

/// The endpoint of [`service`].
pub(super) fn endpoints(namespace: &str, pod: IpAddr) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "web-bench", "namespace": namespace, "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": if pod.is_ipv6() { "IPv6" } else { "IPv4" },
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [pod.to_string()], "conditions": {"ready": true}}],
    })
}

/// The developer's route, with its parent: that admission writes it is not what is measured.
pub(super) fn route(namespace: &str, host: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "www", "namespace": namespace},
        "spec": {
            "parentRefs": [{
                "group": "gateway.networking.k8s.io", "kind": "ListenerSet",
                "name": namespace, "namespace": format!("gw-{namespace}"),
            }],
            "hostnames": [host],
            "rules": [{"backendRefs": [{"name": "web", "port": 80}]}],
        },
    })
}
