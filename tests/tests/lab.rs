//! The handle of the full lab: one way to reach it, whoever started it.

#![cfg(test)]

use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::Api;
use kube::api::ListParams;
use octroi_tests::lab::Lab;

#[tokio::test]
async fn the_lab_starts_or_is_there_and_its_node_is_ready() {
    let lab = Lab::get().await.unwrap_or_else(|error| panic!("{error}"));
    let nodes = Api::<Node>::all(lab.client().await.unwrap()).list(&ListParams::default()).await.unwrap();
    let ready = |node: &&Node| {
        let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    assert!(nodes.iter().filter(ready).count() > 0);
}

#[tokio::test]
async fn a_user_is_who_they_are_and_may_nothing() {
    let lab = Lab::get().await.unwrap_or_else(|error| panic!("{error}"));
    let groups = ["acme-devs", "staff", "night-shift"];
    let said = lab.kubectl_as("jane", &groups, &["auth", "whoami", "-o", "yaml"]).await.unwrap();
    assert!(said.contains("username: jane"), "{said}");
    assert!(groups.iter().all(|group| said.contains(group)), "{said}");

    let namespaces = Api::<Namespace>::all(lab.client_as("jane", &groups).await.unwrap());
    match namespaces.list(&ListParams::default()).await {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 403),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_failing_kubectl_says_why() {
    let lab = Lab::get().await.unwrap_or_else(|error| panic!("{error}"));
    let error = lab.kubectl(&["get", "namespace", "nowhere"]).await.unwrap_err().to_string();
    assert!(error.contains("get namespace nowhere") && error.contains("not found"), "{error}");
}
