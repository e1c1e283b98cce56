//! The cluster that a command speaks to, and Tenants in it.

use anyhow::{Context, Error, Result, anyhow};
use kube::api::Api;
use kube::config::KubeConfigOptions;
use kube::{Client, Config};
use octroi_api::Tenant;

/// Which cluster.
#[derive(clap::Args)]
pub struct Cluster {
    /// A context of the kubeconfig. Default: its current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

impl Cluster {
    /// A client of it.
    ///
    /// # Errors
    /// When there is no kubeconfig, or no such context in it.
    pub async fn client(&self) -> Result<Client> {
        const NONE: &str = "no cluster: set KUBECONFIG";
        let Some(context) = &self.context else { return Client::try_default().await.context(NONE) };
        let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
        let config = Config::from_kubeconfig(&options).await.with_context(|| {
            format!("no context '{context}' in the kubeconfig: kubectl config get-contexts lists them")
        })?;
        Client::try_from(config).context(NONE)
    }
}

/// Reads one Tenant: a member may read its own.
///
/// # Errors
/// When there is none, or it may not be read.
pub async fn tenant(api: &Api<Tenant>, name: &str) -> Result<Tenant> {
    let found = api.get_opt(name).await.map_err(|error| explain(error, "read", name))?;
    found.with_context(|| format!("there is no Tenant '{name}': kubectl get tenants lists them"))
}

/// What the API server said about a Tenant, and what to do.
pub fn explain(error: kube::Error, verb: &str, name: &str) -> Error {
    match error {
        kube::Error::Api(status) if status.code == 403 => anyhow!(
            "you may not {verb} Tenant '{name}': {}; members read their own Tenant, the run team writes all",
            status.message
        ),
        kube::Error::Api(status) => anyhow!("cannot {verb} Tenant '{name}': {}", status.message),
        error => Error::new(error).context(format!("cannot {verb} Tenant '{name}'")),
    }
}
