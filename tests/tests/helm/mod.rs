//! Helm and kubectl as a run engineer types them, and the chart as they see it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kube::Client;
use kube::api::PatchParams;
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;
use octroi_tests::{manifest, strict};
use serde_json::Value;

/// Where the tests install a release.
pub const NAMESPACE: &str = "octroi-system";
/// Every switch of the chart on.
pub const ALL_ON: &str = "gatewayClasses.envoyGateway.create=true,gatewayClasses.kgateway.create=true,\
    serviceMonitor.enabled=true,monitoring.podMonitor.enabled=true,monitoring.rules.enabled=true,\
    monitoring.dashboard.enabled=true,waf.replicas.max=4,podDisruptionBudget.enabled=true,networkPolicy.enabled=true,\
    admission.breakGlassGroup=platform-emergency";

const LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// What a program said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// What it printed; its complaint, if it failed.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

pub fn chart() -> PathBuf {
    repository().join("charts/octroi")
}

/// A binary of the lab.
pub fn binary(name: &str) -> PathBuf {
    let mut lab = Command::new(repository().join("lab/lab.sh"));
    PathBuf::from(run(lab.args(["bin", name])).ok().trim_end())
}

pub fn run(command: &mut Command) -> Ran {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: done.status.code(), out: text(&done.stdout), err: text(&done.stderr) }
}

/// `helm ARGS… charts/octroi`, without any cluster, or on one.
pub fn helm(kubeconfig: Option<&Path>, args: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary("helm"));
    for part in ["CACHE", "CONFIG", "DATA"] {
        command.env(format!("HELM_{part}_HOME"), home.path().join(part));
    }
    command.env("KUBECONFIG", kubeconfig.unwrap_or(Path::new("/nowhere"))).env_remove("KUBERNETES_SERVICE_HOST");
    run(command.args(args).current_dir(chart()))
}

/// What `helm template` prints, with these `--set` assignments.
pub fn render(set: &str) -> Vec<Value> {
    let text = helm(None, &["template", "octroi", ".", "--namespace", NAMESPACE, "--set", set]).ok();
    let documents = manifest::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    documents.into_iter().map(|document| document.object).collect()
}

pub fn kubectl(kubeconfig: &Path, args: &[&str]) -> Ran {
    run(Command::new(binary("kubectl")).args(args).env("KUBECONFIG", kubeconfig))
}

/// `Kind/name`.
pub fn title(object: &Value) -> String {
    format!("{}/{}", manifest::kind(object), manifest::name(object))
}

pub async fn apply(client: &Client, object: &Value) {
    let params = PatchParams::apply("test").force().validation_strict();
    strict::apply(client, object, &params).await.unwrap_or_else(|error| panic!("{}: {error}", title(object)));
}

/// Our own CRDs, straight from the code.
pub async fn install_crds(client: &Client) {
    for file in octroi_api::crds::all() {
        apply(client, &serde_json::to_value(&file.crd).unwrap()).await;
        let version = &file.crd.spec.versions[0].name;
        let kind = GroupVersionKind::gvk(&file.crd.spec.group, version, &file.crd.spec.names.kind);
        eventually(&format!("{} is served", kind.kind), async || pinned_kind(client, &kind).await.is_ok()).await;
    }
}

pub async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !so().await {
        assert!(since.elapsed() < LIMIT, "{what}: not so after {:?}", since.elapsed());
        tokio::time::sleep(POLL).await;
    }
}
