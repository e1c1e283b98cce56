//! Who is on an arena beside the tenants: people with more rights than they should have.

use serde_json::{Value, json};

use super::arena::{User, Vars};

const RBAC: &str = "rbac.authorization.k8s.io";

/// The names of an arena, from those of its three tenants.
pub fn vars([tenant, victim, cordoned]: [&str; 3], base: &str) -> Vars {
    let mut vars = Vars::new();
    let mut set = |name: &str, value: String| drop(vars.insert(name.to_owned(), value));
    set("tenant", tenant.into());
    set("namespace", tenant.into());
    set("gatewayNamespace", format!("gw-{tenant}"));
    set("apex", format!("{tenant}.{base}"));
    set("host", format!("www.{tenant}.{base}"));
    set("base", base.into());
    set("victim", victim.into());
    set("victimNamespace", victim.into());
    set("victimGatewayNamespace", format!("gw-{victim}"));
    set("victimApex", format!("{victim}.{base}"));
    set("victimHost", format!("www.{victim}.{base}"));
    set("cordoned", cordoned.into());
    set("cordonedNamespace", cordoned.into());
    set("cordonedHost", format!("www.{cordoned}.{base}"));
    set("gatewaysNamespace", "octroi-gateways".into());
    set("operatorNamespace", crate::operator::NAMESPACE.into());
    set("n", "1".into());
    vars
}

/// The group that a user's rights hang on.
pub fn group(tenant: &str, user: User) -> String {
    let suffix = match user {
        User::Developer => "devs",
        User::Admin => "admins",
        User::Viewer => "viewers",
        User::Powerful => "powerful",
        User::GatewayPowerful => "gateway-powerful",
        User::ClusterPowerful => "cluster-powerful",
        User::Operator => return "system:serviceaccounts".into(),
        User::Visitor => return "system:unauthenticated".into(),
    };
    format!("{tenant}-{suffix}")
}

/// Who that is to the API server.
pub fn name(tenant: &str, user: User) -> String {
    match user {
        User::Operator => crate::operator::USER.into(),
        other => format!("{}-one", group(tenant, other)),
    }
}

/// The members of the attacker, and of the cordoned tenant, too.
pub fn members(tenant: &str) -> Value {
    let member = |user: User, role: &str| json!({"kind": "Group", "name": group(tenant, user), "role": role});
    json!([member(User::Developer, "Edit"), member(User::Admin, "Admin"), member(User::Viewer, "View")])
}

/// The run team's mistakes: roles that nobody should have.
pub fn mistakes(vars: &Vars) -> Vec<Value> {
    let var = |name: &str| vars.get(name).map_or("", String::as_str);
    let tenant = var("tenant");
    let everything = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    let mut objects = Vec::new();
    for (namespace, user) in [
        (var("namespace"), User::Powerful),
        (var("cordonedNamespace"), User::Powerful),
        (var("gatewayNamespace"), User::GatewayPowerful),
    ] {
        let name = group(tenant, user);
        objects.push(json!({
            "apiVersion": format!("{RBAC}/v1"), "kind": "Role",
            "metadata": {"name": name, "namespace": namespace}, "rules": everything,
        }));
        objects.push(binding("RoleBinding", "Role", &name, Some(namespace)));
    }
    let name = group(tenant, User::ClusterPowerful);
    objects.push(json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": {"name": name},
        "rules": [
            {"apiGroups": ["octroi.dev"], "resources": ["*"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["namespaces", "namespaces/status", "namespaces/finalize"], "verbs": ["*"]},
        ],
    }));
    objects.push(binding("ClusterRoleBinding", "ClusterRole", &name, None));
    objects
}

/// A binding of the group of that name to the role of that name.
fn binding(kind: &str, role: &str, name: &str, namespace: Option<&str>) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": RBAC, "kind": role, "name": name},
        "subjects": [{"kind": "Group", "name": name, "apiGroup": RBAC}],
    })
}
