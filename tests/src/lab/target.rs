//! Which cluster it is, and how each of the two makes a user.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::config::Kubeconfig;
use serde::Deserialize;
use tempfile::TempDir;

use super::KUBECONFIG_SETTING;
use crate::light::{client_of, config_of};
use crate::{Error, Result, script};

const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const DEFAULT_STATE: &str = "/var/lib/octroi-lab";

/// What `lab/lab.sh up` writes down.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct State {
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    helm: PathBuf,
}

pub(super) enum Target {
    /// The lab's own cluster.
    Own(State),
    /// A cluster that was there before; made kubeconfigs go into a temporary folder.
    Other { kubeconfig: PathBuf, made: TempDir, count: AtomicUsize },
}

impl Target {
    pub(super) async fn find() -> Result<Self> {
        let Some(kubeconfig) = std::env::var_os(KUBECONFIG_SETTING) else {
            return own().await.map(Self::Own);
        };
        let kubeconfig = PathBuf::from(kubeconfig);
        if !answers(&kubeconfig).await {
            return Err(Error::Missing {
                what: format!("the cluster of {} does not answer", kubeconfig.display()),
                next: format!("check {KUBECONFIG_SETTING} with: kubectl --kubeconfig FILE get --raw /readyz"),
            });
        }
        let made = tempfile::tempdir().map_err(Error::io("a temporary folder"))?;
        Ok(Self::Other { kubeconfig, made, count: AtomicUsize::new(0) })
    }

    pub(super) fn kubeconfig(&self) -> &Path {
        match self {
            Self::Own(state) => &state.kubeconfig,
            Self::Other { kubeconfig, .. } => kubeconfig,
        }
    }

    pub(super) fn kubectl(&self) -> &Path {
        match self {
            Self::Own(state) => &state.kubectl,
            Self::Other { .. } => Path::new("kubectl"),
        }
    }

    pub(super) fn helm(&self) -> &Path {
        match self {
            Self::Own(state) => &state.helm,
            Self::Other { .. } => Path::new("helm"),
        }
    }

    pub(super) async fn kubeconfig_as(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        match self {
            Self::Own(_) => {
                let args = [&["kubeconfig", user], groups].concat();
                script::lab(&args).await.map(PathBuf::from)
            }
            Self::Other { kubeconfig, made, count } => {
                let number = count.fetch_add(1, Ordering::Relaxed);
                impersonating(kubeconfig, user, groups, &made.path().join(format!("{number}.kubeconfig")))
            }
        }
    }
}

/// A cluster of somebody else's has no authority that we could sign with; its administrator may impersonate.
fn impersonating(admin: &Path, user: &str, groups: &[&str], file: &Path) -> Result<PathBuf> {
    let mut config = Kubeconfig::read_from(admin).map_err(Error::failed("the cluster's kubeconfig"))?;
    for named in &mut config.auth_infos {
        let info = named.auth_info.get_or_insert_default();
        info.impersonate = Some(user.to_owned());
        info.impersonate_groups = Some(groups.iter().map(ToString::to_string).collect());
    }
    let text = serde_saphyr::to_string(&config).map_err(Error::failed("a user's kubeconfig"))?;
    std::fs::write(file, text).map_err(Error::io("a user's kubeconfig"))?;
    Ok(file.to_path_buf())
}

async fn own() -> Result<State> {
    if let Some(state) = running().await {
        return Ok(state);
    }
    if !is_root() {
        return Err(Error::Missing {
            what: "the lab does not run, and starting it needs root (containers, a bridge, iptables)".into(),
            next: format!("sudo lab/lab.sh up, or name a cluster of yours by {KUBECONFIG_SETTING}"),
        });
    }
    script::lab_shown(&["up"]).await?;
    running().await.ok_or_else(|| Error::Missing {
        what: "lab/lab.sh up succeeded, but its cluster does not answer".into(),
        next: "lab/lab.sh status; then 'lab/lab.sh down' for a fresh start".into(),
    })
}

async fn running() -> Option<State> {
    let dir = std::env::var("OCTROI_LAB_STATE").unwrap_or_else(|_| DEFAULT_STATE.into());
    let text = std::fs::read(Path::new(&dir).join("lab.json")).ok()?;
    let state: State = serde_json::from_slice(&text).ok()?;
    answers(&state.kubeconfig).await.then_some(state)
}

async fn answers(kubeconfig: &Path) -> bool {
    let asked = async {
        let client = client_of(&config_of(kubeconfig).await?)?;
        client.apiserver_version().await.map_err(Error::kube("the API server's version"))
    };
    matches!(tokio::time::timeout(ANSWER_LIMIT, asked).await, Ok(Ok(_)))
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
