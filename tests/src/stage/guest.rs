//! A Tenant on a stage, with its own developer.

use std::net::SocketAddr;

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use octroi_api::{Tenant, TenantStatus};
use serde_json::{Value, json};

use super::{LIMIT, Stage, until};
use crate::probe::Ask;
use crate::tenant_user::TenantUser;
use crate::{Error, Result};

const HTTPS: u16 = 443;
const HTTP: u16 = 80;

/// A Tenant that a test made, and its developer.
pub struct Guest<'a> {
    /// Its name, also of its one namespace.
    pub name: String,
    /// A member of its group `<name>-devs`.
    pub developer: TenantUser,
    spec: Value,
    stage: &'a Stage,
}

impl<'a> Guest<'a> {
    pub(super) async fn arrive(stage: &'a Stage, name: String, spec: Value) -> Result<Self> {
        let client = stage.lab.client_as(&format!("{name}-dev"), &[&format!("{name}-devs")]).await?;
        let guest = Self { developer: TenantUser::with(client), name, spec, stage };
        guest.apply().await?;
        Ok(guest)
    }

    /// `<tenant>.<baseDomain>`.
    pub fn apex(&self) -> String {
        format!("{}.{}", self.name, self.stage.base)
    }

    /// A host below the tenant's wildcard.
    pub fn www(&self) -> String {
        format!("www.{}", self.apex())
    }

    /// `gw-<tenant>`.
    pub fn gateway_namespace(&self) -> String {
        format!("gw-{}", self.name)
    }

    /// Its entry, as an object to get or to point at.
    pub fn entry(&self) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ListenerSet",
            "metadata": {"name": self.name, "namespace": self.gateway_namespace()},
        })
    }

    /// The run team changes its spec, and applies the whole Tenant.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn change(&mut self, change: impl FnOnce(&mut Value)) -> Result<()> {
        change(&mut self.spec);
        self.apply().await
    }

    /// The run team annotates it, as by `kubectl annotate --overwrite`, and changes its spec in the same write.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn annotate(&mut self, name: &str, value: &str, spec: Value) -> Result<()> {
        let patch = json!({"metadata": {"annotations": {name: value}}, "spec": spec});
        let merged = self.tenants().patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        merged.map_err(Error::kube(format!("annotating Tenant {}", self.name)))?;
        if let (Some(all), Value::Object(fields)) = (self.spec.as_object_mut(), spec) {
            all.extend(fields);
        }
        Ok(())
    }

    async fn apply(&self) -> Result<()> {
        let tenant = json!({
            "apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": self.name}, "spec": self.spec,
        });
        self.stage.apply(&tenant).await.map(drop)
    }

    /// The developer applies, and tries again while the tenant's namespace and rights are still on their way.
    ///
    /// # Errors
    /// When the API server refuses for another reason, or still does at the end.
    pub async fn deploy(&self, object: &Value) -> Result<DynamicObject> {
        until(&format!("the developer of {} may apply", self.name), LIMIT, async || {
            match self.developer.apply(object).await {
                Ok(stored) => Ok(Ok(stored)),
                Err(error) if matches!(error.code(), Some(403 | 404)) => Ok(Err(error)),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// [`Guest::deploy`] for each, in order.
    ///
    /// # Errors
    /// As [`Guest::deploy`], at the first that is refused.
    pub async fn deploy_all(&self, objects: &[Value]) -> Result<()> {
        for object in objects {
            self.deploy(object).await?;
        }
        Ok(())
    }

    /// The Tenant as it is now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn get(&self) -> Result<Tenant> {
        self.tenants().get(&self.name).await.map_err(Error::kube(format!("reading Tenant {}", self.name)))
    }

    /// Waits until its status, of its newest generation, has what is read from it.
    ///
    /// # Errors
    /// When the deadline passes; the message shows the conditions.
    pub async fn until<T>(&self, what: &str, read: impl Fn(&TenantStatus) -> Option<T>) -> Result<T> {
        until(&format!("Tenant {}: {what}", self.name), LIMIT, async || {
            let tenant = self.get().await?;
            let current = tenant.status.as_ref().filter(|s| s.observed_generation == tenant.metadata.generation);
            Ok(current.and_then(&read).ok_or_else(|| conditions(tenant.status.as_ref())))
        })
        .await
    }

    /// Waits until it is Ready.
    ///
    /// # Errors
    /// As [`Guest::until`].
    pub async fn ready(&self) -> Result<()> {
        self.until("it is Ready", |status| holds(status, "Ready").then_some(())).await
    }

    /// The address its status names.
    ///
    /// # Errors
    /// As [`Guest::until`], or when the address resolves to nothing.
    pub async fn address(&self) -> Result<SocketAddr> {
        resolve(&self.until("it has an address", |status| status.gateway.as_ref()?.address.clone()).await?).await
    }

    /// GET `https://<host><path>` at its own address.
    ///
    /// # Errors
    /// As [`Guest::address`].
    pub async fn ask(&self, host: &str, path: &str) -> Result<Ask> {
        Ask::get(&format!("https://{host}{path}"), self.address().await?)
    }

    /// GET `http://<host><path>` at port 80 of its own address.
    ///
    /// # Errors
    /// As [`Guest::address`].
    pub async fn ask_plain(&self, host: &str, path: &str) -> Result<Ask> {
        let mut address = self.address().await?;
        address.set_port(HTTP);
        Ask::get(&format!("http://{host}{path}"), address)
    }

    fn tenants(&self) -> Api<Tenant> {
        Api::all(self.stage.client.clone())
    }
}

/// The HTTPS port of an address, by DNS where it is a name.
///
/// # Errors
/// When it resolves to nothing.
pub async fn resolve(address: &str) -> Result<SocketAddr> {
    let what = || format!("the address {address}");
    let mut found = tokio::net::lookup_host((address, HTTPS)).await.map_err(Error::io(what()))?;
    found.next().ok_or_else(|| Error::Failed { what: what(), detail: "it resolves to nothing".into() })
}

fn holds(status: &TenantStatus, condition: &str) -> bool {
    status.conditions.iter().any(|c| c.type_ == condition && c.status == "True")
}

/// For messages: what the Tenant itself says.
pub(super) fn conditions(status: Option<&TenantStatus>) -> String {
    let lines: Vec<_> = status
        .into_iter()
        .flat_map(|status| &status.conditions)
        .map(|c| format!("  {}={} ({}): {}", c.type_, c.status, c.reason, c.message))
        .collect();
    if lines.is_empty() { "no conditions: does the operator run?".into() } else { format!("\n{}", lines.join("\n")) }
}
