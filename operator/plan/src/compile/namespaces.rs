//! The tenant's namespaces and `gw-<tenant>`. They have no owner reference: deleting a Tenant must not delete them. What
//! admission policies judge by stands on them, so that a policy needs no lookup and holds while the operator is down.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use octroi_api::{PodSecurity, labels};

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;

const POD_SECURITY_ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// Labels that only tell whose a namespace is: a release takes them off.
pub const RELEASED_LABELS: [&str; 4] = [labels::TENANT, labels::ROLE, labels::STATE, labels::MANAGED_BY];
/// Annotations that a release takes off.
pub const RELEASED_ANNOTATIONS: [&str; 4] =
    [labels::TENANT, labels::HOSTS, labels::BACKEND_NAMESPACES, labels::ADOPTED];

/// The namespaces of a Tenant.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let own = tenant.namespaces.iter().map(|name| {
        let annotations = annotations(tenant, name);
        namespace(tenant, name, (labels::ROLE_TENANT, tenant.class.pod_security), annotations, metadata)
    });
    // Proxies of both data planes hold to `restricted`.
    let role = (labels::ROLE_GATEWAY, PodSecurity::Restricted);
    let gateway = namespace(tenant, &tenant.name.gateway_namespace(), role, BTreeMap::new(), metadata);
    own.chain(std::iter::once(gateway)).collect()
}

fn namespace(
    tenant: &ResolvedTenant,
    name: &str,
    (role, pod_security): (&str, PodSecurity),
    mut annotations: BTreeMap<String, String>,
    metadata: &Metadata,
) -> Child {
    let key = ChildKey::new(ChildKind::Namespace, "", name);
    let labels = [
        (labels::ROLE, role.to_owned()),
        (labels::STATE, tenant.state.state.as_str().to_owned()),
        (POD_SECURITY_ENFORCE, pod_security.as_str().to_owned()),
    ];
    annotations.insert(labels::TENANT.to_owned(), tenant.name.to_string());
    let mut metadata = metadata.with_labels(&key, labels);
    metadata.annotations = Some(annotations);
    Child::new(key, &Namespace { metadata, ..Namespace::default() })
}

fn annotations(tenant: &ResolvedTenant, namespace: &str) -> BTreeMap<String, String> {
    let hosts: Vec<&str> = tenant.owned_hosts().map(|h| h.host.as_str()).collect();
    let mut annotations = BTreeMap::from([(labels::HOSTS.to_owned(), hosts.join(","))]);
    let others: Vec<&str> = tenant.namespaces.iter().map(String::as_str).filter(|n| *n != namespace).collect();
    if tenant.cross_namespace && !others.is_empty() {
        annotations.insert(labels::BACKEND_NAMESPACES.to_owned(), others.join(","));
    }
    if tenant.adopted.contains(namespace) {
        annotations.insert(labels::ADOPTED.to_owned(), "true".to_owned());
    }
    annotations
}
