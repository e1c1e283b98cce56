//! Stops the operator of the lab, starts it again, and has it fail over: as a run team would see it happen.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::stage::until;
use crate::{Error, Result};

/// Also of its Lease.
const NAME: &str = "octroi";
const PODS: &str = "app.kubernetes.io/name=octroi";
const LIMIT: Duration = Duration::from_mins(2);

/// The operator's Deployment.
pub struct Deployed {
    client: Client,
    namespace: String,
}

impl Deployed {
    /// In that namespace.
    pub fn within(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.into() }
    }

    /// Stops it, and returns how many replicas there were once the last pod is gone.
    ///
    /// # Errors
    /// When they do not go.
    pub async fn stop(&self) -> Result<i32> {
        let found = self.deployments().get(NAME).await.map_err(Error::kube("the operator's Deployment"))?;
        let replicas = found.spec.and_then(|spec| spec.replicas).unwrap_or(1);
        self.scale(0).await?;
        let pods = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        until("no pod of the operator is left", LIMIT, async || {
            let left = pods.list(&ListParams::default().labels(PODS)).await.map_err(Error::kube("its pods"))?;
            Ok(if left.items.is_empty() { Ok(()) } else { Err(format!("{} pods", left.items.len())) })
        })
        .await?;
        Ok(replicas)
    }

    /// Starts it again, and returns once all replicas are available and one leads.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn start(&self, replicas: i32) -> Result<()> {
        self.scale(replicas).await?;
        until("the operator runs again", LIMIT, async || {
            let found = self.deployments().get(NAME).await.map_err(Error::kube("the operator's Deployment"))?;
            let available = found.status.and_then(|status| status.available_replicas).unwrap_or_default();
            let leads = self.leader().await?.is_some();
            Ok(if available == replicas && leads { Ok(()) } else { Err(format!("{available} available")) })
        })
        .await
    }

    /// Deletes the leader's pod, waits until another one leads, and again, until told to stop; how often it succeeded.
    ///
    /// # Errors
    /// When nobody takes over.
    pub async fn fail_over(&self, stop: &CancellationToken) -> Result<usize> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let mut count = 0;
        while !stop.is_cancelled() {
            let Some(leader) = self.leader().await? else { continue };
            pods.delete(&leader, &DeleteParams::default()).await.map_err(Error::kube("deleting the leader"))?;
            until("another replica leads", LIMIT, async || {
                let now = self.leader().await?;
                Ok(if now.as_ref().is_some_and(|now| *now != leader) { Ok(()) } else { Err(format!("{now:?}")) })
            })
            .await?;
            count += 1;
        }
        Ok(count)
    }

    /// The pod that leads, if it is there.
    async fn leader(&self) -> Result<Option<String>> {
        let leases = Api::<Lease>::namespaced(self.client.clone(), &self.namespace);
        let lease = leases.get_opt(NAME).await.map_err(Error::kube("the operator's Lease"))?;
        let holder = lease.and_then(|lease| lease.spec?.holder_identity).filter(|holder| !holder.is_empty());
        let Some(holder) = holder else { return Ok(None) };
        let pods = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let pod = pods.get_opt(&holder).await.map_err(Error::kube("the leader's pod"))?;
        Ok(pod.filter(|pod| pod.metadata.deletion_timestamp.is_none()).map(|_| holder))
    }

    async fn scale(&self, replicas: i32) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let scaled = self.deployments().patch_scale(NAME, &PatchParams::default(), &patch).await;
        scaled.map(drop).map_err(Error::kube("scaling the operator"))
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}
