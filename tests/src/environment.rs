//! What the figures of a benchmark on the lab were measured on.

use std::path::Path;
use std::process::Command;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use octroi_api::labels;
use serde::Serialize;

use crate::stage::Stage;
use crate::{Error, Result, script};

/// Machine, versions, and how busy it was.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Environment {
    started: String,
    processors: usize,
    model: String,
    memory: String,
    kernel: String,
    load_before: String,
    load_after: String,
    pub(crate) kubernetes: String,
    pub(crate) gateway_class: String,
    images: Vec<String>,
    /// Whether the operator in the cluster is the binary that rendered; absent where none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator_is_this_binary: Option<bool>,
    /// Whether this program was optimised.
    pub(crate) release_build: bool,
}

impl Environment {
    pub(crate) fn end(&mut self) {
        self.load_after = load();
    }

    /// One line for the table.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} x {}, load {} before and {} after; Kubernetes {}, GatewayClass {}",
            self.processors, self.model, self.load_before, self.load_after, self.kubernetes, self.gateway_class
        )
    }
}

pub(crate) async fn read(stage: &Stage, octroi: Option<&Path>) -> Result<Environment> {
    let version = stage.client.apiserver_version().await.map_err(Error::kube("the API server's version"))?;
    let images = images(stage).await?;
    let operator_is_this_binary = match octroi {
        Some(octroi) => Some(is_among(&images, &digest(octroi).await?)),
        None => None,
    };
    Ok(Environment {
        started: Timestamp::now().to_string(),
        processors: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        model: line("/proc/cpuinfo", "model name"),
        memory: line("/proc/meminfo", "MemTotal"),
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        load_before: load(),
        load_after: String::new(),
        kubernetes: version.git_version,
        gateway_class: stage.lab.gateway_class(),
        operator_is_this_binary,
        release_build: !cfg!(debug_assertions),
        images,
    })
}

/// The images of everything that is no tenant's.
async fn images(stage: &Stage) -> Result<Vec<String>> {
    let none = ListParams::default().labels(&format!("!{}", labels::TENANT));
    let found = Api::<Deployment>::all(stage.client.clone()).list(&none).await.map_err(Error::kube("Deployments"))?;
    let platform = found.into_iter().filter(|deployment| {
        let namespace = deployment.metadata.namespace.as_deref().unwrap_or_default();
        namespace.ends_with("-system") || namespace == "cert-manager"
    });
    let pods = platform.filter_map(|deployment| deployment.spec?.template.spec);
    let containers = pods.flat_map(|pod| pod.containers);
    let mut images: Vec<_> = containers.filter_map(|container| container.image).collect();
    images.sort_unstable();
    images.dedup();
    Ok(images)
}

fn is_among(images: &[String], digest: &str) -> bool {
    images.iter().any(|image| image.ends_with(&format!(":{digest}")))
}

/// As lab/octroi.sh tags the image of a binary.
async fn digest(binary: &Path) -> Result<String> {
    let mut command = Command::new("sha256sum");
    command.arg(binary);
    Ok(script::output(command).await?.chars().take(12).collect())
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

fn line(file: &str, key: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.split_once(':').map(|(_, value)| value.trim()));
    value.unwrap_or("unknown").to_owned()
}
