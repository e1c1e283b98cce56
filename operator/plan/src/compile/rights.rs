//! Rights of the members: RoleBindings to ClusterRoles that come with the chart, and a ClusterRole for their own Tenant.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleBinding, RoleRef, Subject};
use octroi_api::names::TenantName;
use octroi_api::{Member, MemberKind, MemberRole};

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;

const RBAC: &str = "rbac.authorization.k8s.io";
/// The ClusterRole that all members have in `gw-<tenant>`.
pub const GATEWAY_VIEW_ROLE: &str = "octroi-gateway-view";

/// The ClusterRole of a member's role.
pub const fn cluster_role(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Admin => "octroi-tenant-admin",
        MemberRole::Edit => "octroi-tenant-edit",
        MemberRole::View => "octroi-tenant-view",
    }
}

/// The RoleBindings of a Tenant.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let mut by_role = BTreeMap::<MemberRole, Vec<Subject>>::new();
    for member in &tenant.members {
        by_role.entry(member.role.unwrap_or_default()).or_default().push(subject(member));
    }
    let mut children = Vec::new();
    for namespace in &tenant.namespaces {
        for (role, subjects) in &by_role {
            children.push(binding(namespace, cluster_role(*role), subjects.clone(), metadata));
        }
    }
    let everybody: Vec<Subject> = tenant.members.iter().map(subject).collect();
    children.push(binding(&tenant.name.gateway_namespace(), GATEWAY_VIEW_ROLE, everybody.clone(), metadata));
    children.extend(own_tenant(tenant, everybody, metadata));
    children
}

/// The name of the ClusterRole by which members see their own Tenant, and of its binding. No tenant can be named so that
/// it is the name of another role.
pub fn own_tenant_role(tenant: &TenantName) -> String {
    format!("octroi:tenant:{tenant}")
}

/// Members read and watch their own Tenant, and find no other: `list` would show all of them.
fn own_tenant(tenant: &ResolvedTenant, everybody: Vec<Subject>, metadata: &Metadata) -> [Child; 2] {
    let name = own_tenant_role(&tenant.name);
    let role_key = ChildKey::new(ChildKind::ClusterRole, "", &name);
    let reading = PolicyRule {
        api_groups: Some(vec![octroi_api::GROUP.into()]),
        resources: Some(vec!["tenants".into()]),
        resource_names: Some(vec![tenant.name.to_string()]),
        verbs: vec!["get".into(), "watch".into()],
        ..PolicyRule::default()
    };
    let role =
        ClusterRole { metadata: metadata.of_child(&role_key), rules: Some(vec![reading]), aggregation_rule: None };
    let binding_key = ChildKey::new(ChildKind::ClusterRoleBinding, "", &name);
    let role_ref = RoleRef { api_group: Some(RBAC.into()), kind: "ClusterRole".into(), name };
    let binding = ClusterRoleBinding { metadata: metadata.of_child(&binding_key), role_ref, subjects: Some(everybody) };
    [Child::new(role_key, &role), Child::new(binding_key, &binding)]
}

fn binding(namespace: &str, role: &str, subjects: Vec<Subject>, metadata: &Metadata) -> Child {
    // A binding's role cannot change, so each role has a binding of its own.
    let key = ChildKey::new(ChildKind::RoleBinding, namespace, role);
    let role_ref = RoleRef { api_group: Some(RBAC.into()), kind: "ClusterRole".into(), name: role.into() };
    let binding = RoleBinding { metadata: metadata.of_child(&key), role_ref, subjects: Some(subjects) };
    Child::new(key, &binding)
}

fn subject(member: &Member) -> Subject {
    let (api_group, kind, namespace) = match member.kind {
        MemberKind::User => (Some(RBAC.to_owned()), "User", None),
        MemberKind::Group => (Some(RBAC.to_owned()), "Group", None),
        MemberKind::ServiceAccount => (None, "ServiceAccount", Some(member.namespace.clone())),
    };
    Subject { api_group, kind: kind.into(), name: member.name.clone(), namespace }
}
