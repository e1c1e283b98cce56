//! The real operator, with the rights of the chart and every guard on: a Tenant comes, changes and goes.

use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams};
use octroi_tests::crds::{self, Project};
use octroi_tests::light::LightLab;
use octroi_tests::operator::{self, Operator, Rights};
use octroi_tests::player::Player;
use octroi_tests::strict;
use serde_json::{Value, json};

use crate::helm;
use crate::world::{install_guards, rescue};

const LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

#[tokio::test]
async fn the_operator_does_its_work_within_its_bounds() {
    let lab = LightLab::start().await.unwrap();
    let client = rescue(&lab).await;
    crds::install(&client, &Project::ALL).await.unwrap_or_else(|error| panic!("{error}"));
    lab.discover_kinds().unwrap();
    operator::install_rights(&lab, Rights::All).await.unwrap();
    install_guards(&client).await;
    let by_hand = helm_namespace("mine");
    let admin = lab.client().unwrap();
    let dry = PatchParams::apply("test").dry_run();
    let guarded = async || strict::apply(&admin, &by_hand, &dry).await.is_err();
    helm::eventually("the guards are at work", guarded).await;
    let gateway_class = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": "envoy"}, "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}});
    helm::apply(&admin, &gateway_class).await;
    let _player = Player::start(&lab).unwrap();
    let operator = Operator::start(&lab, "guarded").await.unwrap_or_else(|error| panic!("{error}"));

    helm::apply(&admin, &class()).await;
    helm::apply(&admin, &tenant(&json!([{"kind": "Group", "name": "acme-devs"}]))).await;
    ready(&admin, &operator).await;
    let others = json!([{"kind": "User", "name": "jane", "role": "Admin"}, {"kind": "ServiceAccount", "name": "deployer", "namespace": "acme-prod"}]);
    helm::apply(&admin, &tenant(&others)).await;
    ready(&admin, &operator).await;

    // Somebody changes what is Octroi's, with break-glass, since nobody else can; it is put back.
    let namespaces = strict::endpoint(&client, &helm_namespace("acme-prod")).await.unwrap();
    let label = Patch::Merge(
        json!({"metadata": {"labels": {"octroi.dev/tenant": null, "pod-security.kubernetes.io/enforce": "privileged"}}}),
    );
    namespaces.patch("acme-prod", &PatchParams::default(), &label).await.unwrap();
    let repaired = async || {
        let labels = namespaces.get("acme-prod").await.unwrap().metadata.labels.unwrap_or_default();
        labels.get("octroi.dev/tenant").is_some_and(|tenant| tenant == "acme")
            && labels.get("pod-security.kubernetes.io/enforce").is_some_and(|level| level != "privileged")
    };
    helm::eventually("the labels are back", repaired).await;

    let tenants = strict::endpoint(&admin, &tenant(&json!([]))).await.unwrap();
    tenants.delete("acme", &DeleteParams::default()).await.unwrap();
    let since = Instant::now();
    while let Some(there) = tenants.get_opt("acme").await.unwrap() {
        assert!(since.elapsed() < LIMIT, "the Tenant is there still: {:?}", there.data["status"]);
        tokio::time::sleep(POLL).await;
    }
    let refused: Vec<_> =
        operator.writes().await.unwrap().into_iter().filter(|((_, _, result), _)| result == "Forbidden").collect();
    assert!(refused.is_empty() && !operator.log().contains("ValidatingAdmissionPolicy"), "{refused:?}");
}

fn helm_namespace(name: &str) -> Value {
    crate::world::namespace(name, &json!({"octroi.dev/tenant": "acme"}))
}

fn class() -> Value {
    json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "TenantClass", "metadata": {"name": "standard"},
        "spec": {"baseDomain": "apps.test", "gateway": {"gatewayClassName": "envoy"}, "tls": {"issuerRef": {"name": "lab-ca"}}}})
}

fn tenant(members: &Value) -> Value {
    json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": "acme"},
    "spec": {
        "className": "standard", "members": members, "namespaces": [{"name": "acme-prod"}, {"name": "acme-two"}],
        "domains": [{"host": "shop.acme.example"}], "gateway": {"mode": "Dedicated"},
        "deletion": {"protect": false, "namespaces": "Delete"},
    }})
}

/// Waits until the Tenant is Ready in its present generation.
async fn ready(client: &Client, operator: &Operator) {
    let tenants = strict::endpoint(client, &tenant(&json!([]))).await.unwrap();
    let since = Instant::now();
    loop {
        let found = tenants.get("acme").await.unwrap();
        let conditions = found.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let is_ready = |c: &Value| {
            c["type"] == "Ready"
                && c["status"] == "True"
                && c["observedGeneration"].as_i64() == found.metadata.generation
        };
        if conditions.iter().any(is_ready) {
            return;
        }
        assert!(since.elapsed() < LIMIT, "not Ready: {conditions:?}\n{}", operator.log());
        tokio::time::sleep(POLL).await;
    }
}
