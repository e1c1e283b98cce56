//! The chart's admission policies on a real API server, as a user meets them. No operator runs here: they hold without.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod helm;

use std::path::PathBuf;

use helm::{Ran, apply, eventually, install_crds, kubectl, render};
use kube::Client;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use octroi_tests::crds::{self, Project};
use octroi_tests::light::LightLab;
use octroi_tests::{manifest, strict};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

const GATEWAY: &str = "gateway.networking.k8s.io";

#[tokio::test]
async fn a_tenant_goes_only_when_protect_is_explicitly_false() {
    let lab = lab().await;
    let client = lab.client().unwrap();
    let cases = [
        ("absent", json!({}), false),
        ("empty", json!({"deletion": {}}), false),
        ("other", json!({"deletion": {"namespaces": "Delete"}}), false),
        ("yes", json!({"deletion": {"protect": true}}), false),
        ("no", json!({"deletion": {"protect": false}}), true),
    ];
    for (name, spec, goes) in cases {
        apply(&client, &tenant(name, &spec)).await;
        let ran = kubectl(lab.kubeconfig(), &["delete", "tenant", name]);
        assert_eq!(ran.code == Some(0), goes, "{name}: {ran:?}");
    }
}

#[tokio::test]
async fn the_refusal_ends_with_the_command_that_helps() {
    let lab = lab().await;
    let client = lab.client().unwrap();
    apply(&client, &tenant("helped", &json!({}))).await;
    let refused = kubectl(lab.kubeconfig(), &["delete", "tenant", "helped"]);
    let (_, command) = refused.err.trim().split_once("allow it first: ").unwrap_or_else(|| panic!("{refused:?}"));
    assert_eq!(command, "kubectl patch tenant helped --type=merge -p '{\"spec\":{\"deletion\":{\"protect\":false}}}'");
    assert!(refused.err.contains("Error from server (Forbidden)"), "{refused:?}");
    assert!(refused.err.contains("Tenant helped is protected from deletion"), "{refused:?}");

    let folder = helm::binary("kubectl").parent().map(PathBuf::from).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut typed = std::process::Command::new("sh");
    helm::run(typed.args(["-c", command]).env("KUBECONFIG", lab.kubeconfig()).env("PATH", path)).ok();
    kubectl(lab.kubeconfig(), &["delete", "tenant", "helped"]).ok();
}

#[tokio::test]
async fn a_collection_is_deleted_only_as_far_as_it_is_unprotected() {
    let lab = lab().await;
    let client = lab.client().unwrap();
    for (name, protect) in [("many-a", true), ("many-b", true), ("many-c", true)] {
        let mut object = tenant(name, &json!({"deletion": {"protect": protect}}));
        object["metadata"]["labels"] = json!({"test": "many"});
        apply(&client, &object).await;
    }
    let all = strict::endpoint(&client, &tenant("many-a", &json!({}))).await.unwrap();
    let ours = ListParams::default().labels("test=many");
    let refused = all.delete_collection(&DeleteParams::default(), &ours).await.unwrap_err();
    assert!(refused.to_string().contains("is protected from deletion"), "{refused}");
    assert_eq!(all.list(&ours).await.unwrap().items.len(), 3);

    for name in ["many-a", "many-b", "many-c"] {
        apply(&client, &tenant(name, &json!({"deletion": {"protect": false}}))).await;
    }
    // The label went with that apply: it belonged to the same manager.
    for name in ["many-a", "many-b", "many-c"] {
        kubectl(lab.kubeconfig(), &["label", "tenant", name, "test=many"]).ok();
    }
    all.delete_collection(&DeleteParams::default(), &ours).await.unwrap();
    assert_eq!(all.list(&ours).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn a_class_in_use_stays() {
    let lab = lab().await;
    let client = lab.client().unwrap();
    let cases = [
        ("unused", None, None),
        ("zero", Some(0), None),
        ("one", Some(1), Some("is in use by 1 Tenant (")),
        ("twelve", Some(12), Some("is in use by 12 Tenants (")),
    ];
    for (name, tenants, says) in cases {
        apply(&client, &class(name)).await;
        if let Some(tenants) = tenants {
            let status = json!({"status": {"tenants": tenants}}).to_string();
            kubectl(
                lab.kubeconfig(),
                &["patch", "tenantclass", name, "--subresource=status", "--type=merge", "-p", &status],
            )
            .ok();
        }
        let ran = kubectl(lab.kubeconfig(), &["delete", "tenantclass", name]);
        match says {
            None => drop(ran.ok()),
            Some(says) => {
                assert!(ran.err.contains(&format!("TenantClass {name} {says}")), "{ran:?}");
                assert!(
                    ran.err
                        .contains("kubectl patch tenant NAME --type=merge -p '{\"spec\":{\"className\":\"OTHER\"}}'")
                );
            }
        }
    }
    let all = kubectl(lab.kubeconfig(), &["delete", "tenantclasses", "--all"]);
    assert!(
        all.err.contains("TenantClass one is in use") && all.err.contains("TenantClass twelve is in use"),
        "{all:?}"
    );
}

#[tokio::test]
async fn only_the_break_glass_group_passes_the_deletion_guards() {
    let lab = LightLab::start().await.unwrap_or_else(|error| panic!("{error}"));
    set_up(&lab, "admission.breakGlassGroup=platform-emergency").await;
    let client = lab.client().unwrap();
    apply(&client, &tenant("acme", &json!({}))).await;
    let plain = lab.kubeconfig_as("run", &["system:masters"]).unwrap();
    let emergency = lab.kubeconfig_as("run", &["system:masters", "platform-emergency"]).unwrap();
    assert!(kubectl(&plain, &["delete", "tenant", "acme"]).err.contains("is protected"));
    kubectl(&emergency, &["delete", "tenant", "acme"]).ok();
}

#[tokio::test]
async fn a_route_without_parents_gets_the_tenants_entry() {
    let lab = lab().await;
    let client = lab.client().unwrap();
    for (version, kind) in [("v1", "HTTPRoute"), ("v1beta1", "HTTPRoute"), ("v1", "GRPCRoute"), ("v1", "TLSRoute")] {
        for (case, parents) in [("absent", None), ("empty", Some(json!([]))), ("null", Some(Value::Null))] {
            let name = format!("{}-{version}-{case}", kind.to_lowercase());
            let mut object = route(version, kind, &name, "acme-prod");
            if let Some(parents) = parents {
                object["spec"]["parentRefs"] = parents;
            }
            let stored = create(&client, &object).await;
            assert_eq!(stored.data["spec"]["parentRefs"], json!([entry()]), "{name}");
        }
    }
}

#[tokio::test]
async fn whatever_an_author_says_is_left_as_it_is() {
    let lab = lab().await;
    let client = lab.client().unwrap();
    let mut own = json!([entry()]);
    own[0]["sectionName"] = json!("apex");
    let mut object = route("v1", "HTTPRoute", "explicit", "acme-prod");
    object["spec"]["parentRefs"] = own.clone();
    assert_eq!(create(&client, &object).await.data["spec"]["parentRefs"], own);

    // Only their author knows which port they mean.
    for kind in ["TCPRoute", "UDPRoute"] {
        let object = route("v1", kind, &kind.to_lowercase(), "acme-prod");
        assert_eq!(create(&client, &object).await.data["spec"].get("parentRefs"), None, "{kind}");
    }
    // No namespace of a tenant; the gateway namespace of one; a label by hand without a tenant.
    for namespace in ["plain", "gw-acme", "half"] {
        let object = route("v1", "HTTPRoute", "elsewhere", namespace);
        assert_eq!(create(&client, &object).await.data["spec"].get("parentRefs"), None, "{namespace}");
    }
}

#[tokio::test]
async fn taking_the_parents_away_brings_the_entry_back() {
    let lab = lab().await;
    let client = lab.client().unwrap();
    let mut object = route("v1", "HTTPRoute", "back", "acme-prod");
    object["spec"]["parentRefs"] = json!([{"name": "elsewhere"}]);
    apply(&client, &object).await;
    object["spec"].as_object_mut().unwrap().remove("parentRefs");
    apply(&client, &object).await;
    assert_eq!(get(&client, &object).await.data["spec"]["parentRefs"], json!([entry()]));
    let remove = r#"[{"op": "remove", "path": "/spec/parentRefs"}]"#;
    kubectl(lab.kubeconfig(), &["-n", "acme-prod", "patch", "httproute", "back", "--type=json", "-p", remove]).ok();
    assert_eq!(get(&client, &object).await.data["spec"]["parentRefs"], json!([entry()]));
}

#[tokio::test]
async fn applying_again_changes_nothing_and_the_diff_is_empty() {
    let lab = lab().await;
    let client = lab.client().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, flags) in [("again-client", &[][..]), ("again-server", &["--server-side"][..])] {
        let object = route("v1", "HTTPRoute", name, "acme-prod");
        let file = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&file, object.to_string()).unwrap();
        let kubectl_f = |verb: &str| {
            let file = file.to_str().unwrap();
            kubectl(lab.kubeconfig(), &[&[verb], flags, &["-f", file]].concat())
        };
        kubectl_f("apply").ok();
        let first = get(&client, &object).await;
        assert_eq!(first.data["spec"]["parentRefs"], json!([entry()]));
        for _ in 0..3 {
            kubectl_f("apply").ok();
        }
        let last = get(&client, &object).await;
        assert_eq!(first.metadata.generation, last.metadata.generation, "{name}");
        assert_eq!(first.metadata.resource_version, last.metadata.resource_version, "{name}");
        let diff = kubectl_f("diff");
        assert!(matches!(&diff, Ran { code: Some(0), out, .. } if out.is_empty()), "{name}: {diff:?}");
        let owned = serde_json::to_string(&last.metadata.managed_fields).unwrap();
        assert!(!owned.contains("parentRefs"), "{name}: {owned}");
    }
}

#[tokio::test]
async fn two_managers_of_one_route_do_not_meet_in_its_parents() {
    let lab = lab().await;
    let client = lab.client().unwrap();
    // Spelled out, because the Gateway API's own defaults inside an atomic list make a second manager conflict.
    let mut object = route("v1", "HTTPRoute", "shared", "acme-prod");
    object["spec"]["rules"] = json!([{
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [{"group": "", "kind": "Service", "name": "web", "port": 80, "weight": 1}],
    }]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shared.yaml");
    std::fs::write(&file, object.to_string()).unwrap();
    let file = file.to_str().unwrap();
    for manager in ["kubectl", "argocd-controller", "kubectl", "argocd-controller"] {
        let flag = format!("--field-manager={manager}");
        kubectl(lab.kubeconfig(), &["apply", "--server-side", &flag, "-f", file]).ok();
    }
    let settled = get(&client, &object).await;
    for manager in ["kubectl", "argocd-controller"] {
        let flag = format!("--field-manager={manager}");
        kubectl(lab.kubeconfig(), &["diff", "--server-side", &flag, "-f", file]).ok();
        kubectl(lab.kubeconfig(), &["apply", "--server-side", &flag, "-f", file]).ok();
    }
    let last = get(&client, &object).await;
    assert_eq!(last.metadata.resource_version, settled.metadata.resource_version);
    assert_eq!((last.metadata.generation, &last.data["spec"]["parentRefs"]), (Some(1), &json!([entry()])));
}

/// The shared lab with the chart's policies at work.
async fn lab() -> &'static LightLab {
    static READY: OnceCell<()> = OnceCell::const_new();
    let lab = LightLab::shared().await.unwrap_or_else(|error| panic!("{error}"));
    READY.get_or_init(async || set_up(lab, "").await).await;
    lab
}

async fn set_up(lab: &LightLab, set: &str) {
    let client = lab.client().unwrap();
    crds::install(&client, &[Project::GatewayApi]).await.unwrap_or_else(|error| panic!("{error}"));
    install_crds(&client).await;
    for (name, labels) in [
        ("acme-prod", json!({"octroi.dev/role": "tenant", "octroi.dev/tenant": "acme"})),
        ("gw-acme", json!({"octroi.dev/role": "gateway", "octroi.dev/tenant": "acme"})),
        ("half", json!({"octroi.dev/role": "tenant"})),
        ("plain", json!({})),
    ] {
        let metadata = json!({"name": name, "labels": labels});
        apply(&client, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
    }
    // The other guards would judge what these tests write by hand; they have tests of their own (guards.rs).
    let ours = ["octroi-tenant-deletion", "octroi-tenantclass-deletion", "octroi-default-parent"];
    let guards = render(set);
    let mine = |o: &&Value| manifest::kind(o).contains("AdmissionPolicy") && ours.contains(&manifest::name(o));
    for object in guards.iter().filter(mine) {
        apply(&client, object).await;
    }
    guards_at_work(&client).await;
}

/// The API server reads new policies a moment after they are stored: each is seen at work once, by dry runs.
async fn guards_at_work(client: &Client) {
    let dry = DeleteParams::default().dry_run();
    let watched = tenant("watched", &json!({}));
    apply(client, &watched).await;
    let tenants = strict::endpoint(client, &watched).await.unwrap();
    eventually("the guard on Tenants", async || tenants.delete("watched", &dry).await.is_err()).await;

    let mut used = class("watched");
    apply(client, &used).await;
    let classes = strict::endpoint(client, &used).await.unwrap();
    used["status"] = json!({"tenants": 1});
    let status = kube::api::Patch::Apply(&used);
    classes.patch_status("watched", &kube::api::PatchParams::apply("status"), &status).await.unwrap();
    eventually("the guard on TenantClasses", async || classes.delete("watched", &dry).await.is_err()).await;

    for (version, kind) in [("v1", "HTTPRoute"), ("v1", "GRPCRoute"), ("v1", "TLSRoute")] {
        let probe = route(version, kind, "watched", "acme-prod");
        let routes = strict::endpoint(client, &probe).await.unwrap();
        let params = kube::api::PatchParams::apply("test").dry_run();
        let defaulted = async || {
            let stored = routes.patch("watched", &params, &kube::api::Patch::Apply(&probe)).await;
            stored.is_ok_and(|stored| stored.data["spec"]["parentRefs"].is_array())
        };
        eventually("the default parent", defaulted).await;
    }
}

fn tenant(name: &str, spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["members"] = json!([{"kind": "Group", "name": "devs"}]);
    json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": name}, "spec": spec})
}

fn class(name: &str) -> Value {
    json!({
        "apiVersion": "octroi.dev/v1alpha1", "kind": "TenantClass", "metadata": {"name": name},
        "spec": {
            "baseDomain": "apps.test",
            "gateway": {"gatewayClassName": "octroi-envoy-gateway"},
            "tls": {"issuerRef": {"name": "lab-ca"}},
        },
    })
}

fn route(version: &str, kind: &str, name: &str, namespace: &str) -> Value {
    let mut spec = json!({"rules": [{"backendRefs": [{"name": "web", "port": 80}]}]});
    if !matches!(kind, "TCPRoute" | "UDPRoute") {
        spec["hostnames"] = json!(["www.acme.apps.test"]);
    }
    json!({
        "apiVersion": format!("{GATEWAY}/{version}"), "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    })
}

fn entry() -> Value {
    json!({"group": GATEWAY, "kind": "ListenerSet", "name": "acme", "namespace": "gw-acme"})
}

async fn create(client: &Client, object: &Value) -> DynamicObject {
    apply(client, object).await;
    get(client, object).await
}

async fn get(client: &Client, object: &Value) -> DynamicObject {
    let api = strict::endpoint(client, object).await.unwrap();
    api.get(manifest::name(object)).await.unwrap()
}
