//! The full lab: the one-node cluster of `lab/lab.sh`, or any cluster that `OCTROI_E2E_KUBECONFIG` names.
//!
//! Tests see one handle and must not ask which of the two it is.

mod target;

use std::path::{Path, PathBuf};
use std::process::Command;

use kube::Client;
use tokio::sync::OnceCell;

use self::target::Target;
use crate::light::{client_of, config_of};
use crate::{Error, Result, script};

/// Names the cluster to use instead of the lab's own.
pub const KUBECONFIG_SETTING: &str = "OCTROI_E2E_KUBECONFIG";
/// Names the GatewayClass under test.
pub const GATEWAY_CLASS_SETTING: &str = "OCTROI_E2E_GATEWAY_CLASS";
/// Says, with any value, that another cluster can pull the test images already.
pub const IMAGES_SETTING: &str = "OCTROI_E2E_IMAGES_PRESENT";
const DEFAULT_GATEWAY_CLASS: &str = "octroi-envoy-gateway";

/// The cluster that end-to-end tests and the demo run on.
pub struct Lab {
    target: Target,
}

static LAB: OnceCell<Lab> = OnceCell::const_new();

impl Lab {
    /// The running lab; starts it when it is not there. One for all tests of a binary.
    ///
    /// # Errors
    /// When the lab has to be started and this user may not, when it does not start, or when the named cluster does not
    /// answer. The message names the next step.
    pub async fn get() -> Result<&'static Self> {
        LAB.get_or_try_init(async || Ok(Self { target: Target::find().await? })).await
    }

    /// A client of the administrator, new at each call: a client belongs to the runtime that made it.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn client(&self) -> Result<Client> {
        client_of(&config_of(self.kubeconfig()).await?)
    }

    /// A client of that user: by a certificate in the lab, by impersonation on another cluster.
    ///
    /// # Errors
    /// When the user's kubeconfig cannot be made or used.
    pub async fn client_as(&self, user: &str, groups: &[&str]) -> Result<Client> {
        client_of(&config_of(&self.kubeconfig_as(user, groups).await?).await?)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        self.target.kubeconfig()
    }

    /// A kubeconfig of that user.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn kubeconfig_as(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        self.target.kubeconfig_as(user, groups).await
    }

    /// Makes an image of one binary and gives it to the cluster.
    ///
    /// # Errors
    /// When the binary is not there, or the cluster is not the lab's and has to pull its images.
    pub async fn import_image(&self, name: &str, binary: &Path) -> Result<()> {
        match &self.target {
            Target::Own(_) => script::lab(&["image".as_ref(), name.as_ref(), binary.as_os_str()]).await.map(drop),
            Target::Other { .. } if std::env::var_os(IMAGES_SETTING).is_some() => Ok(()),
            Target::Other { .. } => Err(Error::Missing {
                what: format!("{name} cannot be imported into a cluster that is not the lab's"),
                next: format!("push it to a registry that the cluster pulls from, then set {IMAGES_SETTING}=1"),
            }),
        }
    }

    /// `kubectl ARGS…` as the administrator; returns what it printed.
    ///
    /// # Errors
    /// When it ends with anything but success; the message carries what it said.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.run(self.target.kubectl(), self.kubeconfig(), args).await
    }

    /// `kubectl ARGS…` as that user.
    ///
    /// # Errors
    /// As [`Lab::kubectl`].
    pub async fn kubectl_as(&self, user: &str, groups: &[&str], args: &[&str]) -> Result<String> {
        self.run(self.target.kubectl(), &self.kubeconfig_as(user, groups).await?, args).await
    }

    /// `helm ARGS…` as the administrator.
    ///
    /// # Errors
    /// As [`Lab::kubectl`].
    pub async fn helm(&self, args: &[&str]) -> Result<String> {
        self.run(self.target.helm(), self.kubeconfig(), args).await
    }

    /// The GatewayClass under test.
    pub fn gateway_class(&self) -> String {
        std::env::var(GATEWAY_CLASS_SETTING).unwrap_or_else(|_| DEFAULT_GATEWAY_CLASS.into())
    }

    /// The line that points a shell at this cluster.
    pub fn shell_line(&self) -> String {
        match &self.target {
            Target::Own(_) => r#"eval "$(make -s lab-env)""#.into(),
            Target::Other { kubeconfig, .. } => format!("export KUBECONFIG={}", kubeconfig.display()),
        }
    }

    async fn run(&self, program: &Path, kubeconfig: &Path, args: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        command.args(args).env("KUBECONFIG", kubeconfig);
        script::output(command).await
    }
}
