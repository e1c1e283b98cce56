//! Octroi itself goes and comes back: uninstalled, its Tenant CRD deleted, installed again, the Tenants applied again. No
//! request is lost and no namespace deleted. It concerns every Tenant of the cluster, so it is a program of its own and
//! runs alone: no other suite may use the cluster meanwhile.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use octroi_api::{Tenant, labels};
use octroi_tests::demo::backend;
use octroi_tests::probe::rate::{self, Connections, counted};
use octroi_tests::stage::{self, Guest, LIMIT, Stage, until};
use octroi_tests::{Error, Result};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const RELEASE: &str = "octroi";
const NAMESPACE: &str = "octroi-system";
const TENANTS_CRD: &str = "tenants.octroi.dev";
const PER_SECOND: u32 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uninstalling_deleting_the_crd_and_reinstalling_cut_no_traffic() {
    let done = stage::run("lifecycle", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let shared = stage.tenant(&class, "a", |_| {}).await?;
        let dedicated = stage.tenant(&class, "b", |spec| spec["gateway"] = json!({"mode": "Dedicated"})).await?;
        for guest in [&shared, &dedicated] {
            serve(stage, guest).await?;
        }
        crds_apply_as_a_no_op(stage).await?;

        let values = values(stage).await?;
        let tenants = written(stage).await?;
        let namespaces = namespaces(stage).await?;
        let stop = CancellationToken::new();
        let asks = [shared.ask(&shared.www(), "/").await?, dedicated.ask(&dedicated.www(), "/").await?];
        let runs = asks.map(|ask| {
            let (probe, stop) = (stage.probe.clone(), stop.clone());
            let run = async move { rate::run(&probe, &ask, PER_SECOND, Connections::Fresh, LIMIT * 4, &stop).await };
            tokio::spawn(run)
        });
        let outcome = async {
            go_and_come_back(stage, &values, &tenants).await?;
            ready_again(&[&shared, &dedicated]).await
        };
        let outcome = outcome.await;
        stop.cancel();
        let mut failed = 0;
        for run in runs {
            let run = run.await.map_err(Error::failed("the prober"))?;
            let disturbed = run.disturbed(200);
            println!("{PER_SECOND} requests a second: {}; disturbed: {disturbed:?}", counted(&run.histogram()));
            failed += run.failed(200);
        }
        outcome?;
        assert_eq!(failed, 0, "requests failed: see above");
        assert_eq!(self::namespaces(stage).await?, namespaces, "a namespace was deleted or made anew");
        crds_apply_as_a_no_op(stage).await
    })
    .await;
    if let Err(error) = done {
        panic!("{error}");
    }
}

async fn serve(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    guest.deploy_all(&[backend::deployment(&guest.name, "v1"), backend::service(&guest.name, "v1")]).await?;
    guest.deploy(&backend::route(&guest.name, &guest.www())).await?;
    stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
    guest.ready().await
}

async fn go_and_come_back(stage: &Stage, values: &str, tenants: &[Value]) -> Result<()> {
    let since = Instant::now();
    let say = |what: &str| println!("{:6.1} s  {what}", since.elapsed().as_secs_f64());
    stage.lab.helm(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait", "--timeout", "2m"]).await?;
    say("the release is uninstalled");
    let crds = Api::<CustomResourceDefinition>::all(stage.client.clone());
    let installed = crds.get(TENANTS_CRD).await.map_err(Error::kube(TENANTS_CRD))?;
    crds.delete(TENANTS_CRD, &DeleteParams::default()).await.map_err(Error::kube(TENANTS_CRD))?;
    say("the deletion of the Tenant CRD is asked for: it waits for the finalizers, past admission");

    let folder = folder("charts/octroi");
    // Helm would wait for the CRD, which waits for the operator.
    let install =
        ["install", RELEASE, &folder, "-n", NAMESPACE, "--skip-crds", "-f", values, "--wait", "--timeout", "3m"];
    stage.lab.helm(&install).await?;
    say("the release is installed again");
    until("the CRD is gone: the operator lets its Tenants go", LIMIT, async || {
        let found = crds.get_opt(TENANTS_CRD).await.map_err(Error::kube(TENANTS_CRD))?;
        let left = found.is_some_and(|crd| crd.metadata.uid == installed.metadata.uid);
        Ok(if left { Err("it is terminating") } else { Ok(()) })
    })
    .await?;
    say("the CRD and all Tenants are gone");
    stage.lab.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &self::folder("crds")]).await?;
    stage.lab.kubectl(&["wait", "--for=condition=Established", "crd", TENANTS_CRD, "--timeout=60s"]).await?;
    say("the CRDs are applied");
    for tenant in tenants {
        until("a Tenant is taken", Duration::from_mins(1), async || {
            // Discovery and the CRD's handler follow a moment after it is established.
            Ok(stage.apply(tenant).await)
        })
        .await?;
    }
    say("all Tenants are applied");
    Ok(())
}

/// By a status that is newer than the Tenant itself: nothing of the old one is left.
async fn ready_again(guests: &[&Guest<'_>]) -> Result<()> {
    let since = Instant::now();
    for guest in guests {
        guest.ready().await?;
    }
    println!("Ready again {:.1} s after that", since.elapsed().as_secs_f64());
    Ok(())
}

/// Upgrading the CRDs to what they are writes nothing.
async fn crds_apply_as_a_no_op(stage: &Stage) -> Result<()> {
    let apply =
        || async { stage.lab.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &folder("crds")]).await };
    // The first brings them to this tree, if a release brought older ones.
    apply().await?;
    let before = crd_versions(stage).await?;
    apply().await?;
    assert_eq!(crd_versions(stage).await?, before, "applying the same CRDs again wrote something");
    Ok(())
}

async fn crd_versions(stage: &Stage) -> Result<BTreeMap<String, Option<String>>> {
    let crds = Api::<CustomResourceDefinition>::all(stage.client.clone());
    let found = crds.list(&ListParams::default()).await.map_err(Error::kube("CRDs"))?;
    let ours = found.into_iter().filter(|crd| crd.spec.group == octroi_api::GROUP);
    Ok(ours.map(|crd| (crd.metadata.name.unwrap_or_default(), crd.metadata.resource_version)).collect())
}

/// The values of the release as it is, in a file.
async fn values(stage: &Stage) -> Result<String> {
    let text = stage.lab.helm(&["get", "values", RELEASE, "-n", NAMESPACE, "-o", "yaml"]).await?;
    let file = std::env::temp_dir().join(format!("octroi-lifecycle-{}.yaml", std::process::id()));
    std::fs::write(&file, text).map_err(Error::io("the release's values"))?;
    Ok(file.display().to_string())
}

/// Every Tenant of the cluster as its author wrote it: what a repository would apply again. A copy stays on disk.
async fn written(stage: &Stage) -> Result<Vec<Value>> {
    let tenants = Api::<Tenant>::all(stage.client.clone());
    let found = tenants.list(&ListParams::default()).await.map_err(Error::kube("Tenants"))?;
    let as_written = |tenant: Tenant| {
        let mut annotations = tenant.metadata.annotations.unwrap_or_default();
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        json!({
            "apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant",
            "metadata": {"name": tenant.metadata.name, "annotations": annotations, "labels": tenant.metadata.labels},
            "spec": tenant.spec,
        })
    };
    let tenants: Vec<_> = found.into_iter().map(as_written).collect();
    let file = std::env::temp_dir().join(format!("octroi-lifecycle-tenants-{}.yaml", std::process::id()));
    let text: Vec<_> = tenants.iter().map(Value::to_string).collect();
    // Without the first line kubectl would take it for JSON alone.
    std::fs::write(&file, format!("---\n{}\n", text.join("\n---\n"))).map_err(Error::io("a copy of all Tenants"))?;
    println!("a copy of all Tenants, should this test be interrupted: {}", file.display());
    Ok(tenants)
}

/// Every namespace of a tenant, by uid.
async fn namespaces(stage: &Stage) -> Result<BTreeMap<String, Option<String>>> {
    let api = Api::<Namespace>::all(stage.client.clone());
    let found = api.list(&ListParams::default().labels(labels::TENANT)).await.map_err(Error::kube("namespaces"))?;
    Ok(found.into_iter().map(|n| (n.metadata.name.unwrap_or_default(), n.metadata.uid)).collect())
}

fn folder(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name).display().to_string()
}
