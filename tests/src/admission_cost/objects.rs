//! Tenants as the operator labels them, and the routes that are written.

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::stage::{LIMIT, until};
use crate::{Error, Result, strict};

/// Who writes the routes: everything is allowed to them in their namespaces, so that only admission decides.
pub(super) const USER: &str = "developer";
/// The label of routes that are measured, for their removal.
pub(super) const MEASURED: &str = "admission-cost";

const BASE: &str = "apps.test";
const WORST: &str = "worst";
/// As many hosts as a tenant may own, as long as they may be with one label more in front.
const WORST_HOSTS: usize = 34;
const WORST_LENGTH: usize = 200;
/// The Gateway API's own bounds.
const ROUTE_HOSTS: usize = 16;
const ROUTE_RULES: usize = 16;
const CONCURRENCY: usize = 8;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Typical,
    Worst,
}

impl Route {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Typical => "typical",
            Self::Worst => "worst",
        }
    }

    /// The namespace, and the tenant, that it belongs to.
    pub(super) fn namespace(self) -> String {
        match self {
            Self::Typical => tenant_name(0),
            Self::Worst => WORST.into(),
        }
    }

    /// A route as its developer writes it: without parents.
    pub(super) fn object(self, name: &str) -> Value {
        let (hosts, rules) = match self {
            Self::Typical => {
                let apex = format!("{}.{BASE}", self.namespace());
                (vec![apex.clone(), format!("www.{apex}"), format!("api.{apex}")], 3)
            }
            Self::Worst => {
                let own = worst_hosts();
                // The last ones: whoever searches the list finds them late.
                let last = own.iter().rev().take(ROUTE_HOSTS).map(|host| host.replace('*', "www"));
                (last.collect(), ROUTE_RULES)
            }
        };
        let rules: Vec<_> = (0..rules).map(|number| rule(number, self == Self::Worst)).collect();
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name, "namespace": self.namespace(), "labels": {MEASURED: "yes"}},
            "spec": {"hostnames": hosts, "rules": rules},
        })
    }
}

fn rule(number: usize, rewrites: bool) -> Value {
    let mut rule = json!({
        "matches": [{"path": {"type": "PathPrefix", "value": format!("/part-{number}")}}],
        "backendRefs": [{"name": "web", "port": 80, "weight": 90}, {"name": "web-next", "port": 80, "weight": 10}],
    });
    if rewrites {
        let headers = json!({"set": [{"name": "x-part", "value": format!("{number}")}], "remove": ["x-debug"]});
        rule["filters"] = json!([{"type": "RequestHeaderModifier", "requestHeaderModifier": headers}]);
    }
    rule
}

fn tenant_name(number: usize) -> String {
    format!("tenant-{number:04}")
}

/// Hosts and wildcards in turn, each as long as it may be.
fn worst_hosts() -> Vec<String> {
    let host = |number: usize| {
        let first = if number.is_multiple_of(2) { "h" } else { "*" };
        let host = format!("{first}.{number:02}{}.{}.{BASE}", "a".repeat(61), "b".repeat(63));
        let missing = WORST_LENGTH.saturating_sub(host.len() + 1);
        host.replace(BASE, &format!("{}.{BASE}", "c".repeat(missing)))
    };
    (0..WORST_HOSTS).map(host).collect()
}

/// The tenants of the lab.
pub(super) struct Tenants {
    platform: Client,
    count: usize,
}

impl Tenants {
    /// The one whose hosts are the worst case.
    pub(super) async fn new(platform: &Client) -> Result<Self> {
        let tenants = Self { platform: platform.clone(), count: 0 };
        tenants.create(&namespace(WORST, &worst_hosts())).await?;
        tenants.create(&rights(WORST)).await?;
        Ok(tenants)
    }

    /// More of them, until there are so many, and until the cluster's own controllers are done with them.
    pub(super) async fn grow(&mut self, count: usize) -> Result<()> {
        let new = (self.count..count).map(|number| self.tenant(number));
        futures::stream::iter(new).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        self.count = count;
        let accounts = Api::<ServiceAccount>::all(self.platform.clone());
        let authorities = Api::<ConfigMap>::all(self.platform.clone());
        let named = |name: &str| ListParams::default().fields(&format!("metadata.name={name}"));
        until("every namespace has its account and its authority", LIMIT, async || {
            let what = || Error::kube("counting what namespaces are given");
            let accounts = accounts.list_metadata(&named("default")).await.map_err(what())?.items.len();
            let authorities = authorities.list_metadata(&named("kube-root-ca.crt")).await.map_err(what())?.items.len();
            let seen = format!("{accounts} accounts and {authorities} authorities of {count} tenants");
            Ok(if accounts.min(authorities) > count { Ok(()) } else { Err(seen) })
        })
        .await
    }

    async fn tenant(&self, number: usize) -> Result<()> {
        let name = tenant_name(number);
        let apex = format!("{name}.{BASE}");
        self.create(&namespace(&name, &[apex.clone(), format!("*.{apex}")])).await?;
        if number == 0 {
            self.create(&rights(&name)).await?;
        }
        let mut route = Route::Typical.object("there");
        route["metadata"] = json!({"name": "there", "namespace": name});
        route["spec"]["hostnames"] = json!([apex]);
        self.create(&route).await
    }

    async fn create(&self, object: &Value) -> Result<()> {
        let what = || Error::kube(format!("creating {}", strict::describe(object)));
        let api = strict::endpoint(&self.platform, object).await?;
        let object = serde_json::from_value(object.clone()).map_err(Error::failed(strict::describe(object)))?;
        api.create(&PostParams::default(), &object).await.map(drop).map_err(what())
    }
}

/// A tenant's namespace as the operator writes it.
fn namespace(tenant: &str, hosts: &[String]) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": tenant,
            "labels": {"octroi.dev/tenant": tenant, "octroi.dev/role": "tenant", "octroi.dev/state": "Active"},
            "annotations": {"octroi.dev/tenant": tenant, "octroi.dev/hosts": hosts.join(",")},
        },
    })
}

fn rights(namespace: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "everything", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_hosts_are_different_and_as_long_as_said() {
        let mut hosts = worst_hosts();
        assert!(hosts.iter().all(|host| host.len() == WORST_LENGTH), "{hosts:?}");
        assert!(hosts.iter().flat_map(|host| host.split('.')).all(|label| label.len() <= 63));
        hosts.sort();
        hosts.dedup();
        assert_eq!(hosts.len(), WORST_HOSTS);
    }
}
