//! The real CRDs, for a control plane that has none: our own, and those of the projects that Octroi writes objects for.

mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PatchParams;
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};
use serde_json::Value;

pub use self::source::KGATEWAY_SETTING;
use crate::{Error, Result, manifest, strict};

/// At once; more only makes the API server's schema work pile up.
const CONCURRENCY: usize = 4;
const LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// A project whose CRDs can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Project {
    /// Our own, from `crds/`.
    Octroi,
    /// The Gateway API's standard channel.
    GatewayApi,
    /// cert-manager.
    CertManager,
    /// Envoy Gateway's own kinds.
    EnvoyGateway,
    /// kgateway's own kinds, from the folder that a setting names.
    Kgateway,
}

impl Project {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Octroi, Self::GatewayApi, Self::CertManager, Self::EnvoyGateway, Self::Kgateway];

    /// The files that hold its CRDs, or why there are none on this machine.
    ///
    /// # Errors
    /// When the Go module that holds them cannot be found, or a named folder is not there.
    pub async fn find(self) -> Result<Found> {
        source::find(self).await
    }
}

/// Where a project's CRDs are.
#[derive(Debug)]
pub enum Found {
    /// In these files.
    Files(Vec<PathBuf>),
    /// Not here, and that is no mistake: a test that needs them says that it was skipped, and why.
    Absent(Absent),
}

/// Why a project's CRDs are not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// Which project.
    pub project: Project,
    /// What to set to have them.
    pub next: String,
}

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the CRDs of {:?} are absent; {}", self.project, self.next)
    }
}

/// What an installation did.
#[derive(Debug, Default)]
pub struct Installed {
    /// How many CRDs each project brought.
    pub crds: BTreeMap<Project, usize>,
    /// The projects that are not here.
    pub absent: Vec<Absent>,
}

impl Installed {
    /// Why that project is not there; a test prints it and returns.
    pub fn absent(&self, project: Project) -> Option<&Absent> {
        self.absent.iter().find(|absent| absent.project == project)
    }
}

/// Applies the CRDs of these projects and waits until each is established and its kind is served.
///
/// # Errors
/// When files cannot be found or read, the API server refuses one, or one is not served in time.
pub async fn install(client: &Client, projects: &[Project]) -> Result<Installed> {
    let mut installed = Installed::default();
    let mut objects = Vec::new();
    for &project in projects {
        match project.find().await? {
            Found::Absent(absent) => installed.absent.push(absent),
            Found::Files(files) => {
                let mut count = 0;
                for file in files {
                    for document in manifest::read(&file)? {
                        count += usize::from(is_crd(&document.object));
                        objects.push(document.object);
                    }
                }
                installed.crds.insert(project, count);
            }
        }
    }
    // The Gateway API's own admission policies come with its CRDs: they watch over CRDs, so they go last.
    let (crds, others): (Vec<_>, Vec<_>) = objects.into_iter().partition(is_crd);
    apply_all(client, &crds).await?;
    apply_all(client, &others).await?;
    let served = crds.iter().map(|crd| wait_until_served(client, crd));
    futures::stream::iter(served).buffer_unordered(crds.len().max(1)).try_collect::<()>().await?;
    Ok(installed)
}

fn is_crd(object: &Value) -> bool {
    manifest::kind(object) == "CustomResourceDefinition"
}

async fn apply_all(client: &Client, objects: &[Value]) -> Result<()> {
    let params = PatchParams::apply("octroi-lab").force();
    let applies = objects.iter().map(|object| strict::apply(client, object, &params));
    futures::stream::iter(applies).buffer_unordered(CONCURRENCY).try_for_each(async |_| Ok(())).await
}

/// Established means that the API server has accepted it; its kind appears in discovery a little later.
async fn wait_until_served(client: &Client, crd: &Value) -> Result<()> {
    let name = manifest::name(crd).to_owned();
    let since = Instant::now();
    let late = |state: String| Error::NotInTime { what: format!("{name} is served"), waited: since.elapsed(), state };
    let crds = Api::<CustomResourceDefinition>::all(client.clone());
    tokio::time::timeout(LIMIT, await_condition(crds, &name, conditions::is_crd_established()))
        .await
        .map_err(|_| late("it is not established: kubectl describe crd says why".into()))?
        .map_err(Error::failed(format!("waiting for {name}")))?;
    for kind in served_kinds(crd) {
        while let Err(error) = pinned_kind(client, &kind).await {
            if since.elapsed() > LIMIT {
                return Err(late(error.to_string()));
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

fn served_kinds(crd: &Value) -> Vec<GroupVersionKind> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, kind) = (text(&crd["spec"]["group"]), text(&crd["spec"]["names"]["kind"]));
    crd["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true)
        .map(|version| GroupVersionKind::gvk(&group, &text(&version["name"]), &kind))
        .collect()
}
