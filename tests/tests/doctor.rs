//! `octroi doctor` on the lab, as the run team runs it: what is right, what is not, and what it may not see.

#![cfg(test)]

use std::path::Path;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding as Binding;
use kube::Api;
use kube::api::{Patch, PatchParams};
use octroi_plan::GUARDS;
use octroi_tests::lab::Lab;
use octroi_tests::operator::command;
use serde_json::{Value, json};

const GUARD: &str = "octroi-pods";

async fn doctor(kubeconfig: &Path) -> (bool, String) {
    command(kubeconfig, &["doctor"]).await.unwrap()
}

async fn set_actions(bindings: &Api<Binding>, actions: &Value) {
    let patch = Patch::Merge(json!({"spec": {"validationActions": actions}}));
    bindings.patch(GUARD, &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn a_guard_that_only_warns_is_told_and_nothing_else_is_wrong() {
    let lab = Lab::get().await.unwrap_or_else(|error| panic!("{error}"));
    let (is_well, said) = doctor(lab.kubeconfig()).await;
    assert!(is_well, "{said}");
    for right in
        [format!("all {} stand and deny", GUARDS.len()), "ok    Envoy Gateway".to_owned(), "ok    firewall".to_owned()]
    {
        assert!(said.contains(&right), "lacks {right:?}:\n{said}");
    }

    let bindings = Api::<Binding>::all(lab.client().await.unwrap());
    let before = bindings.get(GUARD).await.unwrap().spec.validation_actions;
    set_actions(&bindings, &json!(["Warn"])).await;
    let (is_well, said) = doctor(lab.kubeconfig()).await;
    set_actions(&bindings, &json!(before)).await;
    assert!(
        !is_well && said.contains(&format!("FAIL  guard {GUARD}\n      is bound by nothing that denies")),
        "{said}"
    );
    assert_eq!(said.matches("FAIL").count(), 1, "{said}");
    assert!(doctor(lab.kubeconfig()).await.0, "it is put right");
}

#[tokio::test]
async fn somebody_who_may_not_look_is_told_so() {
    let lab = Lab::get().await.unwrap_or_else(|error| panic!("{error}"));
    let (is_well, said) = doctor(&lab.kubeconfig_as("jane", &["acme-devs"]).await.unwrap()).await;
    assert!(said.contains("FAIL  Deployments of kgateway") && said.contains("ask somebody who may list it"), "{said}");
    assert!(!is_well && !said.lines().any(|line| line.starts_with("ok")), "{said}");
}
