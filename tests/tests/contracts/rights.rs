//! What the operator may do by the chart, and what its code does.

use std::collections::{BTreeMap, BTreeSet};

use octroi_api::MemberRole;
use octroi_plan::ChildKind;
use octroi_plan::adoption::INSPECTED;
use octroi_plan::compile::rights::{GATEWAY_VIEW_ROLE, cluster_role};
use octroi_plan::kind::Creation;
use octroi_plan::routes::RouteKind;
use octroi_tests::manifest;
use serde_json::Value;

/// Group, resource and, where rights are for these only, names; to verbs.
pub type Rights = BTreeMap<(String, String, BTreeSet<String>), BTreeSet<String>>;

/// Beside the kinds that it writes: group, resource, verbs.
const OTHERS: [(&str, &str, &[&str]); 8] = [
    // Whoever hands a right out must have it: members get and watch their own Tenant.
    ("octroi.dev", "tenants", &["get", "list", "patch", "watch"]),
    ("octroi.dev", "tenantclasses", &["list", "patch", "watch"]),
    ("octroi.dev", "tenants/status", &["patch"]),
    ("octroi.dev", "tenantclasses/status", &["patch"]),
    ("gateway.networking.k8s.io", "gatewayclasses", &["list", "watch"]),
    ("apiextensions.k8s.io", "customresourcedefinitions", &["list", "watch"]),
    // Whether kgateway's proxies run.
    ("apps", "deployments", &["list", "watch"]),
    ("events.k8s.io", "events", &["create", "patch"]),
];

/// What the code needs.
pub fn needed() -> Rights {
    let mut rights = Rights::new();
    for kind in ChildKind::ALL {
        let verbs: &[&str] = match kind.creation() {
            Creation::Lock => &["create", "delete", "list", "watch"],
            Creation::Exclusive | Creation::Apply => &["create", "delete", "list", "patch", "watch"],
        };
        add(&mut rights, kind.api().group, kind.api().plural, &[], verbs);
    }
    for (group, resource, verbs) in OTHERS {
        add(&mut rights, group, resource, &[], verbs);
    }
    for kind in RouteKind::ALL {
        add(&mut rights, kind.api().group, kind.api().plural, &[], &["list", "watch"]);
    }
    for kind in INSPECTED {
        add(&mut rights, kind.api.group, kind.api.plural, &[], &["list"]);
    }
    let roles = [MemberRole::Admin, MemberRole::Edit, MemberRole::View].map(cluster_role);
    let bound: Vec<&str> = roles.into_iter().chain([GATEWAY_VIEW_ROLE]).collect();
    add(&mut rights, "rbac.authorization.k8s.io", "clusterroles", &bound, &["bind"]);
    rights
}

/// What its leader election needs.
pub fn needed_for_the_lease() -> Rights {
    let mut rights = Rights::new();
    add(&mut rights, "coordination.k8s.io", "leases", &[], &["create", "get", "update"]);
    rights
}

/// What a role `octroi-operator` gives.
pub fn of(chart: &[Value], kind: &str) -> Rights {
    let is_it = |object: &&Value| manifest::kind(object) == kind && manifest::name(object) == "octroi-operator";
    let role = chart.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} octroi-operator"));
    let mut rights = Rights::new();
    for rule in role["rules"].as_array().unwrap() {
        assert!(rule["nonResourceURLs"].is_null(), "{rule}");
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                add(&mut rights, group, resource, &texts(&rule["resourceNames"]), &texts(&rule["verbs"]));
            }
        }
    }
    rights
}

/// Fails with what is given too much and what is missing.
pub fn assert_same(given: &Rights, needed: &Rights) {
    let lines = |rights: &Rights| -> BTreeSet<String> {
        let all = rights.iter().flat_map(|(key, verbs)| verbs.iter().map(move |verb| format!("{verb} {key:?}")));
        all.collect()
    };
    let (given, needed) = (lines(given), lines(needed));
    assert_eq!(&given - &needed, BTreeSet::new(), "the chart gives what the code does not use");
    assert_eq!(&needed - &given, BTreeSet::new(), "the code uses what the chart does not give");
}

fn add(rights: &mut Rights, group: &str, resource: &str, names: &[&str], verbs: &[&str]) {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    rights.entry((group.into(), resource.into(), owned(names))).or_default().extend(owned(verbs));
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
