//! What developers can count on: the entry they read about, and exactly the rights of their role.

use octroi_tests::demo::backend;
use octroi_tests::stage::{Guest, LIMIT, Stage, until};
use octroi_tests::tenant_user::TenantUser;
use octroi_tests::{Error, Result, manifest, strict};
use serde_json::{Value, json};

use crate::on_stage;
use crate::sample;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_developer_pastes_the_route_and_has_the_rights_of_the_role() {
    on_stage("contract", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let mut a = stage.tenant(&class, "a", |_| {}).await?;
        let viewers = format!("{}-viewers", a.name);
        let viewer = json!({"kind": "Group", "name": viewers, "role": "View"});
        a.change(|spec| {
            if let Some(members) = spec["members"].as_array_mut() {
                members.push(viewer);
            }
        })
        .await?;
        let b = stage.tenant(&class, "b", |_| {}).await?;
        the_pasted_route_works(stage, &a).await?;
        b.ready().await?;
        a_viewer_only_reads(stage, &a, &viewers).await?;
        a_developer_stays_at_home(&a, &b).await?;
        a_removed_member_is_out(&mut a, &viewers).await
    })
    .await;
}

async fn the_pasted_route_works(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    guest.deploy_all(&sample::echo(&guest.name)).await?;
    let mut service = backend::service(&guest.name, "v1");
    service["metadata"]["name"] = json!("web");
    guest.deploy(&service).await?;

    let entry = until("the developer reads octroi-entry", LIMIT, async || {
        match read(&guest.developer, &config_map(&guest.name)).await {
            Ok(entry) => Ok(Ok(entry)),
            Err(error) if matches!(error.code(), Some(403 | 404)) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    })
    .await?;
    assert_eq!(entry["data"]["hosts"], json!(format!("{0}\n*.{0}\n", guest.apex())));
    let parent = entry["data"]["parentRef.yaml"].as_str().unwrap_or_default();
    assert!(parent.contains("kind: ListenerSet") && parent.contains(&guest.gateway_namespace()), "{parent}");
    let route = entry["data"]["route.yaml"].as_str().unwrap_or_default();
    guest.developer.apply_yaml(route).await?;
    let host = manifest::parse(route)?[0].object["spec"]["hostnames"][0].as_str().unwrap_or_default().to_owned();
    stage.probe.until_status(&guest.ask(&host, "/").await?, 200, LIMIT).await?;
    Ok(())
}

async fn a_viewer_only_reads(stage: &Stage, guest: &Guest<'_>, group: &str) -> Result<()> {
    let viewer = TenantUser::with(stage.lab.client_as(&format!("{}-auditor", guest.name), &[group]).await?);
    read(&viewer, &config_map(&guest.name)).await?;
    read(&viewer, &guest.entry()).await?;
    let route = sample::route(&guest.name, "viewer", &[guest.www()]);
    refused("a viewer writes a route", viewer.apply(&route).await);
    refused("a viewer writes a Service", viewer.apply(&backend::service(&guest.name, "v1")).await);
    refused("a viewer deletes a route", viewer.delete(&sample::route(&guest.name, "web", &[])).await);
    refused("a viewer reads Secrets", list(&viewer, &secrets(&guest.name)).await);
    Ok(())
}

async fn a_developer_stays_at_home(a: &Guest<'_>, b: &Guest<'_>) -> Result<()> {
    let developer = &a.developer;
    let entry = read(developer, &a.entry()).await?;
    assert_eq!(entry["metadata"]["name"], json!(a.name));
    refused("reading the keys in gw-A", list(developer, &secrets(&a.gateway_namespace())).await);
    let key = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": a.name, "namespace": a.gateway_namespace()}});
    refused("reading the wildcard's key", read(developer, &key).await);
    refused("changing the own entry", developer.apply(&touched(a.entry())).await);
    refused("deleting the own entry", developer.delete(&a.entry()).await);

    refused("reading B's ConfigMap", read(developer, &config_map(&b.name)).await);
    refused("listing B's Secrets", list(developer, &secrets(&b.name)).await);
    refused("writing a route in B", developer.apply(&sample::route(&b.name, "a", &[a.www()])).await);
    refused("writing a Service in B", developer.apply(&backend::service(&b.name, "v1")).await);
    refused("reading B's entry", read(developer, &b.entry()).await);
    refused("writing in gw-A", developer.apply(&sample::route(&a.gateway_namespace(), "a", &[a.www()])).await);
    Ok(())
}

async fn a_removed_member_is_out(guest: &mut Guest<'_>, kept: &str) -> Result<()> {
    guest.change(|spec| spec["members"] = json!([{"kind": "Group", "name": kept, "role": "View"}])).await?;
    let since = std::time::Instant::now();
    for like in [config_map(&guest.name), guest.entry()] {
        until("the removed member is refused", LIMIT, async || match read(&guest.developer, &like).await {
            Err(error) if error.code() == Some(403) => Ok(Ok(())),
            Ok(_) => Ok(Err("it may still read")),
            Err(error) => Err(error),
        })
        .await?;
    }
    println!("{}: a removed member is out after {:.2} s", guest.name, since.elapsed().as_secs_f64());
    Ok(())
}

fn config_map(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "octroi-entry", "namespace": namespace}})
}

fn secrets(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "", "namespace": namespace}})
}

fn touched(mut object: Value) -> Value {
    object["metadata"]["labels"] = json!({"mine": "now"});
    object
}

async fn read(user: &TenantUser, like: &Value) -> Result<Value> {
    let api = strict::endpoint(user.client(), like).await?;
    let found = api.get(manifest::name(like)).await.map_err(Error::kube("reading"))?;
    serde_json::to_value(found).map_err(Error::failed("reading"))
}

async fn list(user: &TenantUser, like: &Value) -> Result<usize> {
    let api = strict::endpoint(user.client(), like).await?;
    Ok(api.list(&kube::api::ListParams::default()).await.map_err(Error::kube("listing"))?.items.len())
}

fn refused<T: std::fmt::Debug>(what: &str, outcome: Result<T>) {
    match outcome {
        Err(error) => assert_eq!(error.code(), Some(403), "{what}: {error}"),
        Ok(done) => panic!("{what} must be refused, and came to {done:?}"),
    }
}
