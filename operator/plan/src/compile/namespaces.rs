//! The tenant's namespaces and `gw-<tenant>`. They have no owner reference: deleting a Tenant must not delete them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use octroi_api::{PodSecurity, labels};

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;

const POD_SECURITY_ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// The namespaces of a Tenant.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let namespace = |name: &str, role: &str, pod_security: PodSecurity| {
        let key = ChildKey::new(ChildKind::Namespace, "", name);
        let labels = [(labels::ROLE, role.to_owned()), (POD_SECURITY_ENFORCE, pod_security.as_str().to_owned())];
        let mut metadata = metadata.with_labels(&key, labels);
        let owner = (labels::TENANT.to_owned(), tenant.name.to_string());
        metadata.annotations = Some(BTreeMap::from([owner]));
        Child::new(key, &Namespace { metadata, ..Namespace::default() })
    };
    let own = tenant.namespaces.iter().map(|n| namespace(n, labels::ROLE_TENANT, tenant.class.pod_security));
    // Proxies of both data planes hold to `restricted`.
    let gateway = namespace(&tenant.name.gateway_namespace(), labels::ROLE_GATEWAY, PodSecurity::Restricted);
    own.chain(std::iter::once(gateway)).collect()
}
