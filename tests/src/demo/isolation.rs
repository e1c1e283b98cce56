//! What a tenant's developer is refused, with the operator running and with it stopped; and what a mistake of theirs does
//! to the neighbour.

use std::time::Duration;

use kube::Api;
use octroi_api::Tenant;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::tenant::Served;
use crate::attack::operator::Deployed;
use crate::lab::Lab;
use crate::operator::NAMESPACE;
use crate::probe::Ask;
use crate::probe::rate::{self, Connections};
use crate::stage::until;
use crate::{Error, Result, manifest};

/// 100 requests, and fewer in a second than the neighbour is sold.
const PER_SECOND: u32 = 40;
const WATCHED: Duration = Duration::from_millis(2500);
/// For a route's problem to be in the Tenant's status.
const LIMIT: Duration = Duration::from_mins(1);

/// What came of it.
pub struct Isolation {
    /// Who tried.
    pub tenant: String,
    /// Whose traffic was watched.
    pub neighbour: String,
    /// What was tried, and what the API server said.
    pub refused: Vec<(&'static str, String)>,
    /// How many of them were refused with the operator stopped.
    pub refused_without_operator: usize,
    /// How many of 100 requests the neighbour answered with 200 meanwhile.
    pub answered_without_operator: usize,
    /// What the Tenant's status says of the mistake.
    pub mistake: String,
    /// How many of 100 requests the neighbour answered with 200 beside it.
    pub answered_beside_mistake: usize,
}

/// Tries, stops the operator, tries again, starts it, and makes a mistake.
///
/// # Errors
/// When something that had to be refused was not, or the operator does not stop or start.
pub(super) async fn show(lab: &Lab, tenant: &Served, neighbour: &Served) -> Result<Isolation> {
    let refused = trespass(tenant, neighbour).await?;
    let operator = Deployed::within(lab.client().await?, NAMESPACE);
    let replicas = operator.stop().await?;
    let stopped = async { Ok::<_, Error>((trespass(tenant, neighbour).await?, answered(neighbour).await?)) }.await;
    operator.start(replicas).await?;
    let (without, answered_without_operator) = stopped?;
    let (mistake, answered_beside_mistake) = mistake(lab, tenant, neighbour).await?;
    Ok(Isolation {
        tenant: tenant.name.clone(),
        neighbour: neighbour.name.clone(),
        refused,
        refused_without_operator: without.len(),
        answered_without_operator,
        mistake,
        answered_beside_mistake,
    })
}

/// Each of them as the developer; what the API server said.
async fn trespass(tenant: &Served, neighbour: &Served) -> Result<Vec<(&'static str, String)>> {
    let mut refused = Vec::new();
    for (what, object) in trespasses(tenant, neighbour) {
        match tenant.developer.apply(&object).await {
            Err(error) if matches!(error.code(), Some(403 | 422)) => {
                refused.push((what, reason(error.api_message()).to_owned()));
            }
            Err(error) => return Err(error),
            Ok(_) => {
                let detail = format!("the API server took it: is Octroi's chart of this version installed? {object}");
                return Err(Error::Failed { what: format!("refusing {what}"), detail });
            }
        }
    }
    Ok(refused)
}

/// What a policy says, without the API server's words on which one it is.
fn reason(message: &str) -> &str {
    message.split_once("denied request: ").map_or(message, |(_, reason)| reason)
}

fn trespasses(tenant: &Served, neighbour: &Served) -> [(&'static str, Value); 3] {
    let metadata = |name: &str| json!({"name": name, "namespace": tenant.namespace});
    let backend = json!([{"backendRefs": [{"name": "web-v1", "port": 80}]}]);
    [
        (
            "a route with a neighbour's host",
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata("theft"),
                "spec": {"hostnames": [neighbour.host], "rules": backend}}),
        ),
        (
            "a route past the platform's entry",
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata("detour"),
                "spec": {"hostnames": [tenant.host], "rules": backend,
                    "parentRefs": [{"kind": "ListenerSet", "namespace": format!("gw-{}", neighbour.name), "name": neighbour.name}]}}),
        ),
        (
            "a load balancer of one's own",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("door"),
                "spec": {"type": "LoadBalancer", "selector": {"app": "web-v1"}, "ports": [{"port": 80}]}}),
        ),
    ]
}

/// How many of 100 requests a tenant answers with 200.
async fn answered(served: &Served) -> Result<usize> {
    let ask = Ask::get(&served.url, served.address)?;
    let stop = CancellationToken::new();
    let run = rate::run(&served.probe, &ask, PER_SECOND, Connections::Fresh, WATCHED, &stop).await;
    Ok(run.samples.len() - run.failed(200))
}

/// A route to a Service that is not there: what its author's Tenant says, and what the neighbour notices.
async fn mistake(lab: &Lab, tenant: &Served, neighbour: &Served) -> Result<(String, usize)> {
    let route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "typo", "namespace": tenant.namespace},
        "spec": {"hostnames": [tenant.host], "rules": [
            {"matches": [{"path": {"type": "PathPrefix", "value": "/typo"}}], "backendRefs": [{"name": "wbe-v1", "port": 80}]}]}});
    tenant.developer.apply(&route).await?;
    let tenants = Api::<Tenant>::all(lab.client().await?);
    let said = until("the Tenant says what is wrong with its route", LIMIT, async || {
        let found = tenants.get(&tenant.name).await.map_err(Error::kube("reading the Tenant"))?;
        let routes = found.status.and_then(|status| status.routes).unwrap_or_default();
        let name = manifest::name(&route).to_owned();
        let failing = routes.failing.into_iter().find(|item| item.name.ends_with(&name));
        Ok(failing.map(|item| format!("{}: {}: {}", item.name, item.reason, item.message)).ok_or("nothing yet"))
    })
    .await?;
    let answered = answered(neighbour).await?;
    tenant.developer.delete(&route).await?;
    Ok((said, answered))
}
