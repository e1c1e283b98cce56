//! With every guard on, the parts of a cluster do their work: each writes what it must under its own name.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ResourceQuota};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use octroi_tests::strict;
use serde_json::{Value, json};

use crate::case::created;
use crate::helm::eventually;
use crate::world::{DEVELOPER, World};

/// The namespace controller waits between its rounds.
const GONE_LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(200);

fn deployment(namespace: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web"}]}},
        },
    })
}

fn service(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    })
}

#[tokio::test]
async fn a_deployment_is_scaled_and_its_service_gets_endpoints() {
    let world = World::shared().await;
    let dev = world.client(DEVELOPER).await;
    created(&dev, &service("acme-prod")).await;
    created(&dev, &deployment("acme-prod")).await;
    let deployments = Api::<Deployment>::namespaced(dev.clone(), "acme-prod");
    let pods = Api::<Pod>::namespaced(dev.clone(), "acme-prod");
    let ours = ListParams::default().labels("app=web");
    let count = async |wanted: usize| pods.list(&ours).await.is_ok_and(|pods| pods.items.len() == wanted);
    eventually("one pod", async || count(1).await).await;

    let scale = Patch::Merge(json!({"spec": {"replicas": 3}}));
    deployments.patch_scale("web", &PatchParams::default(), &scale).await.unwrap();
    eventually("three pods", async || count(3).await).await;

    let slices = Api::<EndpointSlice>::namespaced(dev.clone(), "acme-prod");
    let of_web = ListParams::default().labels("kubernetes.io/service-name=web");
    eventually("a slice", async || slices.list(&of_web).await.is_ok_and(|found| !found.items.is_empty())).await;
    let endpoints =
        json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web", "namespace": "acme-prod"}});
    let endpoints = strict::endpoint(&dev, &endpoints).await.unwrap();
    eventually("Endpoints", async || endpoints.get_opt("web").await.is_ok_and(|found| found.is_some())).await;

    // The garbage collector takes its ReplicaSet and pods.
    deployments.delete("web", &DeleteParams::background()).await.unwrap();
    let sets = Api::<ReplicaSet>::namespaced(dev.clone(), "acme-prod");
    eventually("no ReplicaSet", async || sets.list(&ours).await.is_ok_and(|sets| sets.items.is_empty())).await;
    let services = strict::endpoint(&dev, &service("acme-prod")).await.unwrap();
    services.delete("web", &DeleteParams::default()).await.unwrap();
    eventually("no slice", async || slices.list(&of_web).await.is_ok_and(|found| found.items.is_empty())).await;
}

#[tokio::test]
async fn a_quota_is_counted_and_holds() {
    let world = World::shared().await;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "maps", "namespace": "acme-new"},
        "spec": {"hard": {"count/configmaps": "4"}}});
    created(&world.rescue, &quota).await;
    let quotas = Api::<ResourceQuota>::namespaced(world.rescue.clone(), "acme-new");
    let status = async || quotas.get("maps").await.unwrap().status.unwrap_or_default();
    eventually("status.hard", async || status().await.hard.is_some_and(|hard| !hard.is_empty())).await;

    let dev = world.client(DEVELOPER).await;
    let maps = Api::<ConfigMap>::namespaced(dev, "acme-new");
    let attempt = async |number: usize| {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("map-{number}")}});
        maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await
    };
    let mut refused = None;
    for number in 0..5 {
        if let Err(error) = attempt(number).await {
            refused = Some(error.to_string());
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(refused.contains("exceeded quota: maps"), "{refused}");
    let used = status().await.used.unwrap();
    assert_eq!(used["count/configmaps"].0, "4");
}

#[tokio::test]
async fn a_certificate_is_issued_and_renewed_beside_the_entry() {
    let world = World::shared().await;
    let manager = world.client("system:serviceaccount:cert-manager:cert-manager").await;
    let issuer = json!({"kind": "ClusterIssuer", "name": "lab-ca"});
    let mut certificate = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": "acme", "namespace": "gw-acme", "labels": {"app.kubernetes.io/managed-by": "octroi"}},
        "spec": {"secretName": "acme-tls", "dnsNames": ["acme.apps.test"], "issuerRef": issuer}});
    created(&world.client("operator").await, &certificate).await;
    for revision in 1..=2 {
        let request = json!({"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
            "metadata": {"name": format!("acme-{revision}"), "namespace": "gw-acme", "annotations": {"cert-manager.io/certificate-revision": revision.to_string()}},
            "spec": {"request": "YQ==", "issuerRef": issuer}});
        created(&manager, &request).await;
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": "acme-tls", "namespace": "gw-acme", "annotations": {"cert-manager.io/certificate-name": "acme"}},
            "data": {"tls.crt": "", "tls.key": ""}});
        crate::helm::apply(&manager, &secret).await;
        certificate["status"] = json!({"revision": revision});
        let certificates = strict::endpoint(&manager, &certificate).await.unwrap();
        let params = PatchParams::apply("cert-manager").force();
        let stored = certificates.patch_status("acme", &params, &Patch::Apply(&certificate)).await.unwrap();
        assert_eq!(stored.data["status"]["revision"], revision);
        let annotation =
            Patch::Merge(json!({"metadata": {"annotations": {"cert-manager.io/issue-temporary-certificate": "true"}}}));
        certificates.patch("acme", &PatchParams::default(), &annotation).await.unwrap();
    }
}

#[tokio::test]
async fn a_tenants_namespace_gets_what_kubernetes_puts_there_and_goes_with_all_that_is_in_it() {
    let world = World::shared().await;
    let operator = world.client("operator").await;
    let labels = json!({"octroi.dev/tenant": "acme", "octroi.dev/role": "tenant", "octroi.dev/state": "Active", "app.kubernetes.io/managed-by": "octroi"});
    let annotations = json!({"octroi.dev/tenant": "acme", "octroi.dev/hosts": "acme.apps.test"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme-going", "labels": labels, "annotations": annotations}});
    created(&operator, &namespace).await;
    let maps = Api::<ConfigMap>::namespaced(operator.clone(), "acme-going");
    eventually("kube-root-ca.crt", async || maps.get_opt("kube-root-ca.crt").await.is_ok_and(|found| found.is_some()))
        .await;

    let entry = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "octroi-entry", "namespace": "acme-going", "labels": {"app.kubernetes.io/managed-by": "octroi"}}});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "octroi-tenant-edit", "namespace": "acme-going", "labels": {"app.kubernetes.io/managed-by": "octroi"}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "octroi-tenant-edit"}});
    let route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "web", "namespace": "acme-going"},
        "spec": {"hostnames": ["acme.apps.test"], "rules": [{"backendRefs": [{"name": "web", "port": 80}]}]}});
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny", "namespace": "acme-going"}, "spec": {"podSelector": {}}});
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota", "namespace": "acme-going"}, "spec": {"hard": {"pods": "10"}}});
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "old", "namespace": "acme-going"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}});
    for object in [&entry, &binding, &route, &policy, &quota] {
        created(&operator, object).await;
    }
    created(&world.rescue, &ingress).await;
    let admin = world.lab.client().unwrap();
    created(&admin, &service("acme-going")).await;
    created(&admin, &deployment("acme-going")).await;
    let slices = Api::<EndpointSlice>::namespaced(admin.clone(), "acme-going");
    eventually("a slice", async || {
        slices.list(&ListParams::default()).await.is_ok_and(|found| !found.items.is_empty())
    })
    .await;

    let namespaces = Api::<Namespace>::all(admin);
    namespaces.delete("acme-going", &DeleteParams::default()).await.unwrap();
    let since = Instant::now();
    while let Some(there) = namespaces.get_opt("acme-going").await.unwrap() {
        assert!(since.elapsed() < GONE_LIMIT, "{} is there still: {:?}", there.name_any(), there.status);
        tokio::time::sleep(POLL).await;
    }
}
