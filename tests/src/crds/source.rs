//! Where each project keeps its CRDs: in our tree, in the pinned Go module of its lab part, or in a folder by setting.

use std::path::PathBuf;
use std::process::Command;

use super::{Absent, Found, Project};
use crate::{Error, Result, manifest, script};

/// The environment variable that names the folder of kgateway's CRDs: they cannot be had as a Go module.
pub const KGATEWAY_SETTING: &str = "OCTROI_KGATEWAY_CRDS";

pub(super) async fn find(project: Project) -> Result<Found> {
    let dir = match project {
        Project::Octroi => script::repository().join("crds"),
        Project::GatewayApi => module("gateway-api", "sigs.k8s.io/gateway-api").await?.join("config/crd/standard"),
        Project::CertManager => {
            module("cert-manager", "github.com/cert-manager/cert-manager").await?.join("deploy/crds")
        }
        Project::EnvoyGateway => module("envoy-gateway", "github.com/envoyproxy/gateway")
            .await?
            .join("charts/gateway-helm/charts/crds/crds/generated"),
        Project::Kgateway => {
            let Some(dir) = std::env::var_os(KGATEWAY_SETTING).filter(|dir| !dir.is_empty()) else {
                let next = format!("set {KGATEWAY_SETTING} to the folder that holds them");
                return Ok(Found::Absent(Absent { project, next }));
            };
            PathBuf::from(dir)
        }
    };
    let files = manifest::files(&dir)?;
    if files.is_empty() {
        return Err(Error::Missing {
            what: format!("no CRD of {project:?} in {}", dir.display()),
            next: next_step(project),
        });
    }
    Ok(Found::Files(files))
}

fn next_step(project: Project) -> String {
    match project {
        Project::Octroi => "run 'octroi crds' to generate them".into(),
        Project::Kgateway => format!("{KGATEWAY_SETTING} must name the folder that holds them"),
        _ => "the pinned module keeps them elsewhere now: see tests/src/crds/source.rs".into(),
    }
}

/// The folder of a Go module at the version that a part of the lab pins, downloaded when it is not there.
async fn module(part: &str, path: &str) -> Result<PathBuf> {
    let pins = script::repository().join("lab/go").join(part);
    let go = |args: &[&str]| {
        let mut command = Command::new("go");
        command.args(args).arg(path).current_dir(&pins);
        command
    };
    let list = ["list", "-m", "-f", "{{.Dir}}"];
    let mut dir = script::output(go(&list)).await?;
    if dir.is_empty() {
        script::output(go(&["mod", "download"])).await?;
        dir = script::output(go(&list)).await?;
    }
    if dir.is_empty() {
        return Err(Error::Missing {
            what: format!("the Go module {path} is not in the module cache"),
            next: format!("cd {} && go mod download {path}", pins.display()),
        });
    }
    Ok(PathBuf::from(dir))
}
