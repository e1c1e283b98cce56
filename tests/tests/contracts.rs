//! What Octroi relies on in other projects' APIs, checked against the real CRDs on a real API server.

#![cfg(test)]

use octroi_tests::crds::{self, Project};
use octroi_tests::light::LightLab;
use octroi_tests::strict::apply_strict;
use serde_json::json;
use tokio::sync::OnceCell;

/// The shared lab with the CRDs of every project that this machine has.
async fn lab_with_crds() -> (&'static LightLab, &'static crds::Installed) {
    static INSTALLED: OnceCell<crds::Installed> = OnceCell::const_new();
    let lab = LightLab::shared().await.unwrap_or_else(|error| panic!("{error}"));
    let install = async || crds::install(&lab.client()?, &others()).await;
    (lab, INSTALLED.get_or_try_init(install).await.unwrap_or_else(|error: octroi_tests::Error| panic!("{error}")))
}

/// All but our own, which have a test of their own.
fn others() -> Vec<Project> {
    Project::ALL.into_iter().filter(|project| *project != Project::Octroi).collect()
}

#[tokio::test]
async fn the_crds_of_the_pinned_versions_install() {
    let (_, installed) = lab_with_crds().await;
    println!("installed: {:?}", installed.crds);
    for project in others() {
        match installed.absent(project) {
            Some(absent) => println!("skipped: {absent}"),
            None => assert!(installed.crds[&project] > 0, "{project:?} brought no CRD"),
        }
    }
}

#[tokio::test]
async fn a_listener_set_is_accepted_and_a_misspelt_field_of_it_is_refused() {
    let (lab, _) = lab_with_crds().await;
    let client = lab.client().unwrap();
    let mut entry = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ListenerSet",
        "metadata": {"name": "acme", "namespace": "default"},
        "spec": {
            "parentRef": {"name": "shared", "namespace": "octroi-gateways"},
            "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.acme.apps.test",
                "tls": {"certificateRefs": [{"name": "acme-tls"}]}}],
        },
    });
    let stored = apply_strict(&client, &entry).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(stored.metadata.name.as_deref(), Some("acme"));

    entry["spec"]["listener"] = json!([]);
    let refused = apply_strict(&client, &entry).await.unwrap_err();
    assert!(refused.to_string().contains("listener"), "{refused}");
}
