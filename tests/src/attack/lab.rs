//! An arena on the lab, or on any cluster with Octroi on it: three tenants of its own behind one shared Gateway.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::DeleteParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::arena::{Arena, Clients, User};
use super::cast;
use super::observe::Traffic;
use crate::demo::backend;
use crate::lab::Lab;
use crate::probe::Answer;
use crate::stage::{Guest, LIMIT, Stage, until};
use crate::{Error, Result, operator, strict};

const RELEASE: &str = "octroi";
const RUN_TEAM: &str = "attack-suite";

/// Sets the arena up. What is not below a Tenant, [`clear`] takes away.
///
/// # Errors
/// When Octroi is not there, has no break-glass group, or a tenant does not serve.
pub async fn set(stage: &Stage) -> Result<Arena> {
    let platform = stage.lab.client_as(RUN_TEAM, &["system:masters", &break_glass(stage.lab).await?]).await?;
    let class = stage.class("c", |_| {}).await?;
    let members = cast::members(&stage.name("red"));
    let attacker = stage.tenant(&class, "red", |spec| spec["members"] = members.clone()).await?;
    let victim = stage.tenant(&class, "blue", |_| {}).await?;
    let cordoned = stage
        .tenant(&class, "green", |spec| {
            spec["members"] = members;
            spec["state"] = json!("Cordoned");
        })
        .await?;
    for guest in [&attacker, &victim, &cordoned] {
        labelled(&platform, guest).await?;
    }
    let mut vars = cast::vars([&attacker.name, &victim.name, &cordoned.name], &stage.base);
    vars.insert("class".into(), class);
    vars.insert("gatewayClass".into(), stage.lab.gateway_class());
    let gateway = attacker.until("its Gateway is known", |status| status.gateway.clone()).await?;
    vars.insert("gateway".into(), gateway.name);
    for object in cast::mistakes(&vars) {
        apply(&platform, &object).await?;
    }
    for (guest, version) in [(&attacker, "attacker"), (&victim, "victim"), (&cordoned, "attacker")] {
        serve(&platform, guest, version).await?;
    }
    for (guest, version) in [(&attacker, "attacker"), (&victim, "victim")] {
        answers(stage, guest, version).await?;
    }
    let (from, to) = (attacker.address().await?, victim.address().await?);
    let traffic = Traffic::at(stage.probe.clone(), from, to, &victim.www()).await?;
    let mut arena = Arena::new(vars, platform, clients(stage.lab, &attacker.name).await?, Some(traffic));
    arena.note_uids().await?;
    Ok(arena)
}

/// Takes away what no Tenant owns.
///
/// # Errors
/// When the API server refuses.
pub async fn clear(arena: &Arena) -> Result<()> {
    let name = cast::group(arena.var("tenant"), User::ClusterPowerful);
    let what = || Error::kube(format!("removing {name}"));
    let bindings = Api::<ClusterRoleBinding>::all(arena.platform.clone());
    bindings.delete(&name, &DeleteParams::default()).await.map_err(what())?;
    let roles = Api::<ClusterRole>::all(arena.platform.clone());
    roles.delete(&name, &DeleteParams::default()).await.map(drop).map_err(what())
}

/// The group that passes the guards, by the values of the release.
///
/// # Errors
/// When the release names none.
pub async fn break_glass(lab: &Lab) -> Result<String> {
    let text = lab.helm(&["get", "values", RELEASE, "-n", operator::NAMESPACE, "--all", "-o", "json"]).await?;
    let values: Value = serde_json::from_str(&text).map_err(Error::failed("the values of the release"))?;
    let group = values["admission"]["breakGlassGroup"].as_str().filter(|group| !group.is_empty());
    group.map(str::to_owned).ok_or_else(|| Error::Missing {
        what: "Octroi is installed without a break-glass group, and this suite must prepare and clear past its guards"
            .into(),
        next: "helm upgrade --reuse-values … --set admission.breakGlassGroup=platform-emergency".into(),
    })
}

/// Until the operator has written what the guards read.
async fn labelled(platform: &Client, guest: &Guest<'_>) -> Result<()> {
    let namespaces = Api::<Namespace>::all(platform.clone());
    until(&format!("namespace {} says its hosts and state", guest.name), LIMIT, async || {
        let found = namespaces.get_opt(&guest.name).await.map_err(Error::kube("a tenant's namespace"))?;
        let metadata = found.map(|found| found.metadata).unwrap_or_default();
        let hosts = metadata.annotations.is_some_and(|all| all.contains_key("octroi.dev/hosts"));
        let state = metadata.labels.is_some_and(|all| all.contains_key("octroi.dev/state"));
        Ok(if hosts && state { Ok(()) } else { Err(format!("hosts: {hosts}, state: {state}")) })
    })
    .await
}

/// A backend that says whose it is, and a route to it: before anything is cordoned, as far as the guards can tell.
async fn serve(platform: &Client, guest: &Guest<'_>, version: &str) -> Result<()> {
    let mut route = backend::route(&guest.name, &guest.www());
    route["spec"]["rules"][0]["backendRefs"][0]["name"] = json!(format!("web-{version}"));
    for object in [backend::deployment(&guest.name, version), backend::service(&guest.name, version), route] {
        apply(platform, &object).await?;
    }
    Ok(())
}

async fn answers(stage: &Stage, guest: &Guest<'_>, version: &str) -> Result<()> {
    let ask = guest.ask(&guest.www(), "/").await?;
    let its_own = |answer: &Answer| answer.code == 200 && answer.json().is_ok_and(|body| body["version"] == version);
    stage.probe.until(&ask, Duration::from_mins(2), &format!("the backend {version}"), its_own).await.map(drop)
}

async fn clients(lab: &Lab, tenant: &str) -> Result<Clients> {
    let mut clients = Clients::new();
    for user in User::OF_THE_API {
        let client = lab.client_as(&cast::name(tenant, user), &[&cast::group(tenant, user)]).await?;
        clients.insert(user, client);
    }
    Ok(clients)
}

async fn apply(client: &Client, object: &Value) -> Result<()> {
    let params = kube::api::PatchParams::apply(RUN_TEAM).force();
    strict::apply(client, object, &params).await.map(drop)
}
