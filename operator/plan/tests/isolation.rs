//! States, adoption and what a namespace says for admission to judge by.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use octroi_api::conditions::Reason;
use octroi_api::labels;
use octroi_plan::adoption::{Found, INSPECTED};
use octroi_plan::diff::Action;
use octroi_plan::resolve::ResolvedTenant;
use octroi_plan::tenant::TenantPlan;
use octroi_plan::{ChildKey, ChildKind, compile};
use serde_json::{Value, json};
use support::{Cluster, classes, tenant};

fn namespace(name: &str) -> ChildKey {
    ChildKey::new(ChildKind::Namespace, "", name)
}

fn with(spec: &Value) -> Cluster {
    let mut cluster = Cluster::with(classes());
    cluster.apply(tenant("acme", spec));
    cluster.settle();
    cluster
}

fn resolved(cluster: &mut Cluster, name: &str) -> ResolvedTenant {
    match cluster.plan(name) {
        TenantPlan::Keep { resolved, .. } => *resolved,
        other => panic!("{other:?}"),
    }
}

fn allowed(cluster: &Cluster) -> Value {
    let listeners = &cluster.entry("acme").unwrap().body["spec"]["listeners"];
    listeners[0]["allowedRoutes"]["namespaces"].clone()
}

/// The keys that were written since, in order.
fn written(cluster: &Cluster, since: usize) -> Vec<String> {
    cluster.log[since..].iter().map(|change| change.key.to_string()).collect()
}

fn position(keys: &[String], wanted: &str) -> usize {
    keys.iter().position(|key| key == wanted).unwrap_or_else(|| panic!("no {wanted} in {keys:?}"))
}

#[test]
fn a_namespace_says_what_admission_judges_by() {
    let spec = json!({"namespaces": [{"name": "shop"}, {"name": "crm"}], "domains": [{"host": "acme.example"}]});
    let mut cluster = with(&spec);
    let metadata = |cluster: &Cluster, name: &str| cluster.objects[&namespace(name)].body["metadata"].clone();
    let shop = metadata(&cluster, "shop");
    assert_eq!(shop["annotations"][labels::HOSTS], "acme.apps.test,*.acme.apps.test,acme.example");
    assert_eq!(shop["labels"][labels::STATE], "Active");
    assert!(shop["annotations"].get(labels::BACKEND_NAMESPACES).is_none());
    assert!(metadata(&cluster, "gw-acme")["annotations"].get(labels::HOSTS).is_none());

    let mut spec = spec;
    spec["crossNamespace"] = json!(true);
    spec["domains"] = json!([]);
    cluster.apply(tenant("acme", &spec));
    cluster.settle();
    let shop = metadata(&cluster, "shop");
    assert_eq!(shop["annotations"][labels::HOSTS], "acme.apps.test,*.acme.apps.test", "a withdrawn domain");
    assert_eq!(shop["annotations"][labels::BACKEND_NAMESPACES], "crm");
}

#[test]
fn a_host_that_somebody_else_has_is_in_no_annotation() {
    let mut cluster = with(&json!({"domains": [{"host": "shop.example"}]}));
    cluster.apply(tenant("globex", &json!({"domains": [{"host": "shop.example"}]})));
    cluster.settle();
    let annotations = &cluster.objects[&namespace("globex")].body["metadata"]["annotations"];
    assert_eq!(annotations[labels::HOSTS], "globex.apps.test,*.globex.apps.test");
}

#[test]
fn grants_join_two_namespaces_only_when_asked_and_no_more_than_services() {
    let grants = |cluster: &Cluster| -> Vec<(String, Value)> {
        let all = cluster.objects.iter().filter(|(key, _)| key.kind == ChildKind::ReferenceGrant);
        // The one to ask the firewall is beside the firewall.
        let all = all.filter(|(key, _)| key.namespace != labels::GATEWAYS_NAMESPACE);
        all.map(|(key, object)| (key.to_string(), object.body["spec"].clone())).collect()
    };
    let mut spec = json!({"namespaces": [{"name": "shop"}, {"name": "crm"}]});
    let mut cluster = with(&spec);
    assert_eq!(grants(&cluster), []);
    spec["crossNamespace"] = json!(true);
    cluster.apply(tenant("acme", &spec));
    cluster.settle();
    let from = |namespace: &str| {
        let route = |kind: &str| json!({"group": "gateway.networking.k8s.io", "kind": kind, "namespace": namespace});
        json!({"from": [route("HTTPRoute"), route("GRPCRoute")], "to": [{"group": "", "kind": "Service"}]})
    };
    let wanted = [("crm", "shop"), ("shop", "crm")];
    let wanted = wanted.map(|(to, other)| (format!("referencegrants {to}/octroi-from-{other}"), from(other)));
    assert_eq!(grants(&cluster), wanted);
    spec["crossNamespace"] = json!(false);
    cluster.apply(tenant("acme", &spec));
    cluster.settle();
    assert_eq!(grants(&cluster), []);
}

#[test]
fn a_suspension_has_its_page_before_the_routes_go_and_the_routes_before_its_page_goes() {
    for (class, answer) in [("standard", "httproutefilters"), ("gold", "directresponses")] {
        let mut cluster = with(&json!({"className": class}));
        let active = allowed(&cluster);
        let start = cluster.log.len();
        cluster.apply(tenant("acme", &json!({"className": class, "state": "Suspended"})));
        cluster.settle();
        let keys = written(&cluster, start);
        let entry = position(&keys, "listenersets gw-acme/acme");
        assert!(position(&keys, "httproutes gw-acme/octroi-suspended") < entry, "{keys:?}");
        assert!(position(&keys, &format!("{answer} gw-acme/octroi-suspended")) < entry, "{keys:?}");
        assert_eq!(allowed(&cluster), json!({"from": "Same"}));
        assert!(cluster.log[start..].iter().all(|c| !matches!(c.action, Action::Delete(_))), "nothing is deleted");

        let start = cluster.log.len();
        cluster.apply(tenant("acme", &json!({"className": class})));
        cluster.reconcile("acme");
        assert_eq!(allowed(&cluster), active);
        let route = compile::suspension::route_key("gw-acme");
        assert!(cluster.objects.contains_key(&route), "the data plane has not taken the routes back in yet");
        cluster.settle();
        let keys = written(&cluster, start);
        assert!(position(&keys, "listenersets gw-acme/acme") < position(&keys, &route.to_string()), "{keys:?}");
        assert!(!cluster.objects.contains_key(&route));
    }
}

#[test]
fn a_cordon_changes_nothing_but_the_labels_of_namespaces() {
    let mut cluster = with(&json!({}));
    let start = cluster.log.len();
    cluster.apply(tenant("acme", &json!({"state": "Cordoned"})));
    cluster.settle();
    assert_eq!(written(&cluster, start), ["namespaces acme", "namespaces gw-acme"]);
}

fn legacy(found: Vec<Found>) -> Cluster {
    let mut cluster = Cluster::with(classes());
    cluster.create(&namespace("legacy"), json!({"metadata": {"labels": {"team": "web"}}}), None);
    cluster.world.inventories.insert("legacy".into(), found);
    cluster.apply(tenant("acme", &json!({"namespaces": [{"name": "shop"}, {"name": "legacy", "adopt": true}]})));
    cluster.settle();
    cluster
}

#[test]
fn a_namespace_with_something_that_breaks_a_rule_is_not_touched_and_the_rest_is_done() {
    let kind = *INSPECTED.iter().find(|kind| kind.api.kind == "ReferenceGrant").unwrap();
    let mut cluster = legacy(vec![Found { kind, name: "open".into(), object: json!({}) }]);
    assert!(cluster.log.iter().all(|c| c.key.name != "legacy" && c.key.namespace != "legacy"));
    assert!(cluster.entry("acme").is_some() && cluster.objects.contains_key(&namespace("shop")));
    let resolved = resolved(&mut cluster, "acme");
    assert_eq!(resolved.namespaces, ["shop"]);
    let objections = resolved.unadopted[0].objections.clone().unwrap();
    assert!(objections[0].starts_with("referencegrants open: only the platform writes this kind"), "{objections:?}");
}

#[test]
fn an_adopted_namespace_is_taken_over_only_as_it_was_judged_and_never_deleted() {
    let mut cluster = legacy(Vec::new());
    let adopted = cluster.log.iter().find(|c| c.key == namespace("legacy")).unwrap();
    assert!(matches!(&adopted.action, Action::Adopt(_, p) if !p.resource_version.is_empty()), "{adopted:?}");
    assert_eq!(cluster.objects[&namespace("legacy")].body["metadata"]["annotations"][labels::ADOPTED], "true");
    assert_eq!(resolved(&mut cluster, "acme").namespaces, ["shop", "legacy"]);

    let mut going = tenant("acme", &json!({"namespaces": [{"name": "shop"}, {"name": "legacy"}]}));
    going.spec.deletion = serde_json::from_value(json!({"namespaces": "Delete"})).unwrap();
    cluster.apply(going);
    cluster.settle();
    cluster.delete("acme");
    cluster.settle();
    assert!(!cluster.objects.contains_key(&namespace("shop")));
    let left = &cluster.objects[&namespace("legacy")].body["metadata"];
    assert_eq!((left["labels"].get(labels::TENANT), left["annotations"].get(labels::ADOPTED)), (None, None));
}

#[test]
fn of_two_that_adopt_one_namespace_one_gets_it() {
    let mut cluster = Cluster::with(classes());
    cluster.create(&namespace("legacy"), json!({"metadata": {}}), None);
    for name in ["acme", "globex"] {
        cluster.apply(tenant(name, &json!({"namespaces": [{"name": "legacy", "adopt": true}]})));
        cluster.round(name);
    }
    let plans = ["acme", "globex"].map(|name| cluster.plan(name));
    for plan in plans.iter().filter_map(TenantPlan::changes) {
        cluster.carry_out(&plan.writes);
    }
    cluster.settle();
    assert_eq!(cluster.objects[&namespace("legacy")].body["metadata"]["labels"][labels::TENANT], "acme");
    let TenantPlan::Reject(rejections) = cluster.plan("globex") else { panic!("globex has it too") };
    assert_eq!(rejections[0].reason, Reason::NamespaceTaken);
    assert!(!rejections[0].message.contains("acme"), "{rejections:?}");
}

#[test]
fn what_a_tenant_leaves_is_released_with_all_that_let_it_in() {
    let mut cluster = with(&json!({"namespaces": [{"name": "shop"}, {"name": "crm"}]}));
    cluster.apply(tenant("acme", &json!({"namespaces": [{"name": "shop"}]})));
    cluster.settle();
    assert!(cluster.objects.keys().all(|key| key.namespace != "crm"), "rights and objects of ours go");
    let left = &cluster.objects[&namespace("crm")].body["metadata"];
    let ours = |texts: &Value| texts.as_object().unwrap().keys().filter(|k| k.starts_with("octroi.dev/")).count();
    assert_eq!((ours(&left["labels"]), ours(&left["annotations"])), (0, 0), "{left}");
}
