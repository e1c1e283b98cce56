//! What a tenant changes in somebody else's example: namespace, hosts, parents, and the namespaces of backends. No more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub const TENANT: &str = "acme";
pub const NAMESPACE: &str = "acme-web";
pub const GATEWAY_NAMESPACE: &str = "gw-acme";
const APEX: &str = "acme.apps.test";
/// The name of a port of the entry, for routes that must name one.
const PORT_NAME: &str = "port";

/// The hosts that were met so far, and the tenant's own that stand for them.
#[derive(Default)]
pub struct Tenant {
    exact: BTreeMap<String, String>,
    wildcards: BTreeMap<String, String>,
    /// How many routes named no host.
    pub without_host: usize,
}

impl Tenant {
    /// The route as this tenant would write it.
    pub fn adapt(&mut self, route: &Value) -> Value {
        let mut route = route.clone();
        route["metadata"]["namespace"] = NAMESPACE.into();
        let kind = octroi_tests::manifest::kind(&route).to_owned();
        let layer4 = matches!(kind.as_str(), "TCPRoute" | "UDPRoute");
        if !layer4 {
            route["spec"]["hostnames"] = self.hostnames(&route["spec"]["hostnames"]);
        }
        match parents(&route["spec"]["parentRefs"], layer4) {
            Some(own) => route["spec"]["parentRefs"] = own,
            None => drop(route["spec"].as_object_mut().and_then(|spec| spec.remove("parentRefs"))),
        }
        own_backends(&mut route["spec"]["rules"]);
        route
    }

    /// What the tenant owns: apex, one label below it, and a domain for each wildcard that was met.
    pub fn hosts(&self) -> Vec<String> {
        let wildcards = self.wildcards.values().cloned();
        [APEX.to_owned(), format!("*.{APEX}")].into_iter().chain(wildcards).collect()
    }

    fn hostnames(&mut self, hosts: &Value) -> Value {
        let hosts: Vec<_> = hosts.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if hosts.is_empty() {
            self.without_host += 1;
            return json!([APEX]);
        }
        hosts.into_iter().map(|host| self.own(host)).collect()
    }

    /// The same host is always the same, and different ones are different.
    fn own(&mut self, host: &str) -> String {
        let (known, wild) = if host.starts_with("*.") { (&mut self.wildcards, true) } else { (&mut self.exact, false) };
        let number = known.len();
        let own = if wild { format!("*.w{number}.acme.example") } else { format!("h{number}.{APEX}") };
        known.entry(host.to_owned()).or_insert(own).clone()
    }
}

/// The tenant's entry, once for each listener that the route names; nothing where the entry is the default.
fn parents(parents: &Value, layer4: bool) -> Option<Value> {
    let sections: BTreeSet<_> =
        parents.as_array().into_iter().flatten().filter_map(|parent| parent["sectionName"].as_str()).collect();
    let entry = |section: &str| {
        json!({
            "group": "gateway.networking.k8s.io", "kind": "ListenerSet",
            "namespace": GATEWAY_NAMESPACE, "name": TENANT, "sectionName": section,
        })
    };
    match (sections.is_empty(), layer4) {
        (false, _) => Some(sections.into_iter().map(entry).collect()),
        (true, true) => Some(json!([entry(PORT_NAME)])),
        (true, false) => None,
    }
}

/// A reference to a backend is wherever a `backendRef` or `backendRefs` is, in filters too.
fn own_backends(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(own_backends),
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), &mut *field) {
                    ("backendRef", Value::Object(_)) => own_namespace(field),
                    ("backendRefs", Value::Array(backends)) => backends.iter_mut().for_each(own_namespace),
                    _ => {}
                }
                own_backends(field);
            }
        }
        _ => {}
    }
}

fn own_namespace(backend: &mut Value) {
    if let Some(namespace) = backend.get_mut("namespace") {
        *namespace = NAMESPACE.into();
    }
}
