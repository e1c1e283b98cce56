//! Namespaces that were there before their Tenant: judged first, taken over with all that is in them, and let go.

use std::path::Path;
use std::process::Command;

use kube::Client;
use octroi_tests::light::LightLab;
use serde_json::{Value, json};

use crate::world::{GRANT, NAMESPACE, ROLE_BINDING, TENANT, World, apply, class, delete, tenant};

const SERVICE: &str = "legacy-db";

async fn legacy(client: &Client, namespace: &str) {
    let metadata = |name: &str| json!({"name": name, "namespace": namespace});
    apply(
        client,
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace,
        "labels": {"team": "web"}, "annotations": {"example.test/owner": "ops"}}}),
    )
    .await;
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"});
    apply(
        client,
        &json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": metadata("auditors"), "roleRef": role,
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "auditors"}]}),
    )
    .await;
    apply(
        client,
        &json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(SERVICE),
        "spec": {"type": "ExternalName", "externalName": "db.example"}}),
    )
    .await;
    let from = json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "elsewhere"});
    apply(
        client,
        &json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant",
        "metadata": metadata("open"), "spec": {"from": [from], "to": [{"group": "", "kind": "Service"}]}}),
    )
    .await;
}

async fn put_right(client: &Client, namespace: &str) {
    delete(&GRANT.within(client, namespace), "open").await;
    let services: kube::Api<k8s_openapi::api::core::v1::Service> = kube::Api::namespaced(client.clone(), namespace);
    services.delete(SERVICE, &kube::api::DeleteParams::default()).await.unwrap();
}

/// `octroi diff` of one Tenant: what it prints.
async fn octroi_diff(lab: &LightLab, tenant: &Value) -> String {
    let file = lab.dir().join(format!("{}.json", tenant["metadata"]["name"].as_str().unwrap()));
    std::fs::write(&file, tenant.to_string()).unwrap();
    let binary = octroi_tests::operator::binary().await.unwrap();
    let output = run(&binary, lab.kubeconfig(), &file);
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

fn run(binary: &Path, kubeconfig: &Path, file: &Path) -> std::process::Output {
    Command::new(binary).arg("diff").arg("-f").arg(file).env("KUBECONFIG", kubeconfig).output().unwrap()
}

#[tokio::test]
async fn a_namespace_is_judged_then_adopted_then_released_and_keeps_what_it_had() {
    let (world, client) = World::shared().await;
    apply(&client, &class("adopt", "adopt.test", &json!({}))).await;
    legacy(&client, "adopt-legacy").await;
    let wanted =
        tenant("adopt", "adopt", &json!({"namespaces": [{"name": "adopt"}, {"name": "adopt-legacy", "adopt": true}]}));

    let shown = octroi_diff(&world.lab, &wanted).await;
    assert!(shown.contains("! namespaces adopt-legacy (not adopted)"), "{shown}");
    assert!(shown.contains("services legacy-db: it is of type ExternalName; make it ClusterIP"), "{shown}");

    put_right(&client, "adopt-legacy").await;
    let shown = octroi_diff(&world.lab, &wanted).await;
    assert!(shown.contains("~ namespaces adopt-legacy (adopted: its labels, rights and objects stay)"), "{shown}");

    legacy(&client, "adopt-legacy").await;
    apply(&client, &wanted).await;
    let objection = "referencegrants open: only the platform writes this kind";
    world.mentions(&client, TENANT, "adopt", ["NamespacesReady", "False", "AdoptionRefused"], objection).await;
    let before = NAMESPACE.all(&client).get("adopt-legacy").await.unwrap();
    assert!(
        !before.metadata.labels.unwrap().keys().any(|label| label.starts_with("octroi.dev/")),
        "nothing is touched"
    );

    put_right(&client, "adopt-legacy").await;
    world.ready(&client, &["adopt"]).await;
    let adopted = NAMESPACE.all(&client).get("adopt-legacy").await.unwrap().metadata;
    let (labels, annotations) = (adopted.labels.unwrap(), adopted.annotations.unwrap());
    assert_eq!((labels["team"].as_str(), labels["octroi.dev/tenant"].as_str()), ("web", "adopt"));
    assert_eq!(
        (annotations["example.test/owner"].as_str(), annotations["octroi.dev/adopted"].as_str()),
        ("ops", "true")
    );
    assert!(ROLE_BINDING.within(&client, "adopt-legacy").get_opt("auditors").await.unwrap().is_some());

    let without = tenant("adopt", "adopt", &json!({"namespaces": [{"name": "adopt"}]}));
    let shown = octroi_diff(&world.lab, &without).await;
    assert!(shown.starts_with("- namespaces adopt-legacy (released:"), "releases come first: {shown}");
    apply(&client, &without).await;
    world.ready(&client, &["adopt"]).await;
    let left = NAMESPACE.all(&client).get("adopt-legacy").await.unwrap().metadata;
    let ours = |all: Option<std::collections::BTreeMap<String, String>>| {
        all.unwrap_or_default().into_keys().filter(|k| k.starts_with("octroi.dev/")).count()
    };
    assert_eq!((ours(left.labels), ours(left.annotations)), (0, 0));
    let bindings = ROLE_BINDING.within(&client, "adopt-legacy").list(&kube::api::ListParams::default()).await.unwrap();
    assert_eq!(bindings.items.len(), 1, "the members are out, the auditors stay");
}

#[tokio::test]
async fn what_belongs_to_somebody_or_to_the_platform_is_not_adopted() {
    let (world, client) = World::shared().await;
    apply(&client, &class("mine", "mine.test", &json!({}))).await;
    apply(&client, &tenant("mine-a", "mine", &json!({}))).await;
    world.ready(&client, &["mine-a"]).await;
    apply(&client, &tenant("mine-b", "mine", &json!({"namespaces": [{"name": "mine-a", "adopt": true}]}))).await;
    let said = world.says(&client, TENANT, "mine-b", "Accepted", "False", "NamespaceTaken").await;
    assert_eq!(
        said,
        "spec.namespaces[0].name: namespace 'mine-a' belongs to somebody else and cannot be adopted: choose another name"
    );
}
