//! A tenant's developer: applies what a developer writes, with no more rights than a developer has.

use kube::Client;
use kube::api::{DeleteParams, DynamicObject, PatchParams};
use serde_json::Value;

use crate::{Error, Result, manifest, strict};

/// The field manager of what developers apply.
const MANAGER: &str = "tenant-developer";

/// One developer, by a client that is authenticated as them (`client_as("jane", &["acme-devs"])` of either lab).
#[derive(Clone)]
pub struct TenantUser {
    client: Client,
}

impl TenantUser {
    /// Acts with that client.
    pub fn with(client: Client) -> Self {
        Self { client }
    }

    /// The client, for reads and for what has no method here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Applies one object; unknown fields are refused, as by `kubectl`.
    ///
    /// # Errors
    /// When the API server refuses; [`Error::api_message`] is what the developer would read.
    pub async fn apply(&self, object: &Value) -> Result<DynamicObject> {
        strict::apply(&self.client, object, &PatchParams::apply(MANAGER).force().validation_strict()).await
    }

    /// Applies every document of a text, in order.
    ///
    /// # Errors
    /// As [`TenantUser::apply`], at the first that is refused.
    pub async fn apply_yaml(&self, text: &str) -> Result<Vec<DynamicObject>> {
        let mut stored = Vec::new();
        for document in manifest::parse(text)? {
            stored.push(self.apply(&document.object).await?);
        }
        Ok(stored)
    }

    /// Deletes the object that has this kind and name.
    ///
    /// # Errors
    /// When the API server refuses, or there is none.
    pub async fn delete(&self, object: &Value) -> Result<()> {
        let what = format!("deleting {}", strict::describe(object));
        let api = strict::endpoint(&self.client, object).await?;
        api.delete(manifest::name(object), &DeleteParams::default()).await.map_err(Error::kube(what))?;
        Ok(())
    }
}
