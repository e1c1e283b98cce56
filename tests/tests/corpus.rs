//! Every route of the Gateway API's examples and of its conformance suite, adapted to a tenant, against all guards of the
//! chart on a real API server, by a user who may do everything in their namespace. What is admitted may be written by
//! any tenant; what is not stands in a table with its reason, and an entry that is not needed any more fails the test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

#[path = "corpus/adapt.rs"]
mod adapt;
#[path = "corpus/exclusions.rs"]
mod exclusions;
mod helm;
#[path = "corpus/manifests.rs"]
mod manifests;

use std::collections::BTreeMap;

use octroi_tests::crds::{self, Project};
use octroi_tests::guards::{BREAK_GLASS, Guards};
use octroi_tests::light::LightLab;
use octroi_tests::tenant_user::TenantUser;
use serde_json::{Value, json};

use adapt::{NAMESPACE, TENANT, Tenant};
use exclusions::EXCLUSIONS;
use manifests::Manifest;

#[tokio::test]
async fn every_route_of_the_gateway_api_is_admitted_or_says_why_not() {
    let all = manifests::read();
    let mut tenant = Tenant::default();
    let adapted: Vec<_> = all.iter().map(|manifest| (manifest, tenant.adapt(&manifest.object))).collect();
    let lab = LightLab::start().await.unwrap_or_else(|error| panic!("{error}"));
    let developer = set_up(&lab, &tenant).await;
    the_guards_are_on(&developer, &adapted[0].1).await;

    let mut wrong = Vec::new();
    let mut admitted = 0;
    let mut reasons = BTreeMap::<&str, usize>::new();
    for (manifest, object) in &adapted {
        let excluded = EXCLUSIONS.iter().find(|excluded| excluded.manifest == manifest.id);
        match (write(&developer, object).await, excluded) {
            (Ok(()), None) => admitted += 1,
            (Err(said), Some(excluded)) if said.contains(excluded.says) => {
                *reasons.entry(excluded.reason).or_default() += 1;
            }
            (Ok(()), Some(_)) => wrong.push(format!("{}: is admitted, so its exclusion has to go", manifest.id)),
            (Err(said), _) => wrong.push(format!("{}: {said}", manifest.id)),
        }
    }
    for excluded in EXCLUSIONS {
        if !all.iter().any(|manifest| manifest.id == excluded.manifest) {
            wrong.push(format!("{}: there is no such manifest, so its exclusion has to go", excluded.manifest));
        }
    }
    println!("{}", totals(&all, admitted, &reasons, &tenant));
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

fn totals(all: &[Manifest], admitted: usize, reasons: &BTreeMap<&str, usize>, tenant: &Tenant) -> String {
    let excluded: usize = reasons.values().sum();
    let mut kinds = BTreeMap::<&str, usize>::new();
    for manifest in all {
        *kinds.entry(octroi_tests::manifest::kind(&manifest.object)).or_default() += 1;
    }
    let kinds: Vec<_> = kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let mut lines = vec![
        format!("corpus: {} route manifests, {admitted} admitted, {excluded} excluded", all.len()),
        format!("corpus: {}; {} named no host and were given one", kinds.join(", "), tenant.without_host),
    ];
    lines.extend(reasons.iter().map(|(reason, count)| format!("corpus: excluded {count:>2}: {reason}")));
    lines.join("\n")
}

/// A tenant as the operator would have made it, its one developer with every right, and the guards on.
async fn set_up(lab: &LightLab, tenant: &Tenant) -> TenantUser {
    let client = lab.client().unwrap();
    crds::install(&client, &[Project::GatewayApi, Project::Octroi]).await.unwrap_or_else(|error| panic!("{error}"));
    let platform = lab.client_as("platform", &["system:masters", BREAK_GLASS]).await.unwrap();
    for (name, role) in [(NAMESPACE, "tenant"), (adapt::GATEWAY_NAMESPACE, "gateway")] {
        let mut annotations = json!({"octroi.dev/tenant": TENANT});
        if role == "tenant" {
            annotations["octroi.dev/hosts"] = json!(tenant.hosts().join(","));
        }
        let labels = json!({"octroi.dev/tenant": TENANT, "octroi.dev/role": role, "octroi.dev/state": "Active"});
        let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
        helm::apply(&platform, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
    }
    let rights = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "everything", "namespace": NAMESPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "dev"}],
    });
    helm::apply(&platform, &rights).await;
    let guards = Guards::install(&client).await.unwrap_or_else(|error| panic!("{error}"));
    guards.switch(true).await.unwrap_or_else(|error| panic!("{error}"));
    TenantUser::with(lab.client_as("dev", &[]).await.unwrap())
}

/// Without them everything is admitted, and this test would show nothing.
async fn the_guards_are_on(developer: &TenantUser, admitted: &Value) {
    let foreign = json!({"name": "web", "namespace": "kube-system", "port": 80});
    for (field, value, says) in [
        ("hostnames", json!(["www.globex.example"]), "is not a host of Tenant"),
        ("parentRefs", json!([{"name": "shared", "namespace": "octroi-gateways"}]), "is not the entry of Tenant"),
        ("rules", json!([{"backendRefs": [foreign]}]), "is not for routes of namespace"),
    ] {
        let mut object = admitted.clone();
        object["spec"][field] = value;
        let said = write(developer, &object).await.unwrap_err();
        assert!(said.contains(says), "{field}: {said}");
    }
}

/// Applies, applies again as a controller does on every sync, and takes it away: names come more than once.
async fn write(developer: &TenantUser, object: &Value) -> Result<(), String> {
    let first = developer.apply(object).await.map_err(|error| error.to_string())?;
    let again = developer.apply(object).await.map_err(|error| format!("the second time: {error}"))?;
    developer.delete(object).await.map_err(|error| error.to_string())?;
    let versions = (first.metadata.resource_version, again.metadata.resource_version);
    if versions.0 == versions.1 { Ok(()) } else { Err(format!("applied again it changed: {versions:?}")) }
}
