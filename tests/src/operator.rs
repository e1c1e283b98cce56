//! The real operator, as a child process beside a light lab, with exactly the rights that the chart gives it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::Client;
use kube::api::PatchParams;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::light::LightLab;
use crate::light::process::Component;
use crate::{Error, Result, manifest, script, strict};

/// The environment variable that names an operator that is built already.
pub const BINARY_SETTING: &str = "OCTROI_BIN";
/// Where its lease is, and its ServiceAccount.
pub const NAMESPACE: &str = "octroi-system";
/// Who it is to the API server.
pub const USER: &str = "system:serviceaccount:octroi-system:octroi";
/// The FlowSchema that counts its requests.
const FLOW_SCHEMA: &str = "octroi-under-test";

const READY_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A write of the operator, as it counts them itself: resource, verb, result.
pub type Write = (String, String, String);

/// What the operator needs before it may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Its lease only.
    Lease,
    /// Everything that the chart gives it.
    All,
}

/// A running operator. Dropping it kills it; it never outlives the test process.
pub struct Operator {
    process: Mutex<Component>,
    address: SocketAddr,
    log: PathBuf,
}

impl Operator {
    /// Starts it and waits until `/readyz` says so.
    ///
    /// # Errors
    /// When it cannot be built, ends, or is not ready in time; the message holds its log.
    pub async fn start(lab: &LightLab, identity: &str) -> Result<Self> {
        let operator = Self::spawn(lab, identity).await?;
        operator.wait_until_ready().await?;
        Ok(operator)
    }

    /// Starts it, and waits for nothing.
    ///
    /// # Errors
    /// When it cannot be built or started.
    pub async fn spawn(lab: &LightLab, identity: &str) -> Result<Self> {
        let binary = BINARY.get_or_try_init(binary).await?;
        let kubeconfig = lab.kubeconfig_as(USER, &["system:serviceaccounts"])?;
        let address = free_address()?;
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let dir = lab.dir().join(format!("operator-{number}-{identity}"));
        std::fs::create_dir_all(&dir).map_err(Error::io("the operator's folder"))?;
        let args = [
            format!("KUBECONFIG={}", kubeconfig.display()),
            "OCTROI_LOG=info,octroi_controller=debug".to_owned(),
            "NO_COLOR=1".to_owned(),
            binary.display().to_string(),
            "operator".to_owned(),
            format!("--listen={address}"),
            format!("--namespace={NAMESPACE}"),
            format!("--identity={identity}"),
        ];
        let process = Component::start("octroi", &PathBuf::from("/usr/bin/env"), &args, &dir)?;
        Ok(Self { process: Mutex::new(process), address, log: dir.join("octroi.log") })
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn wait_until_ready(&self) -> Result<()> {
        let since = Instant::now();
        loop {
            if matches!(self.get("/readyz").await, Ok((200, _))) {
                return Ok(());
            }
            self.lock().check()?;
            if since.elapsed() > READY_LIMIT {
                let what = "the operator's /readyz answers 200".into();
                return Err(Error::NotInTime { what, waited: since.elapsed(), state: self.log() });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What it answers: code and body.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        let what = || Error::io(format!("GET {path} of the operator"));
        let mut stream = TcpStream::connect(self.address).await.map_err(what())?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: octroi\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.map_err(what())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map_err(what())?;
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        code.zip(body).ok_or_else(|| Error::Failed { what: format!("GET {path} of the operator"), detail: answer })
    }

    /// Every write that it has counted.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn writes(&self) -> Result<BTreeMap<Write, u64>> {
        let (_, text) = self.get("/metrics").await?;
        let of = |sample: &Sample| {
            let label = |name: &str| sample.labels.get(name).cloned().unwrap_or_default();
            ((label("resource"), label("verb"), label("result")), sample.value)
        };
        Ok(samples(&text, "octroi_writes_total").iter().map(of).collect())
    }

    /// How many reconciles of a resource it has counted.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn reconciles(&self, resource: &str) -> Result<u64> {
        let (_, text) = self.get("/metrics").await?;
        let ours = |s: &&Sample| s.labels.get("resource").is_some_and(|r| r == resource);
        Ok(samples(&text, "octroi_reconciles_total").iter().filter(ours).map(|s| s.value).sum())
    }

    /// Sends a signal by its name, such as `TERM` or `STOP`.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn signal(&self, name: &str) -> Result<()> {
        let pid = self.lock().pid().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().map_err(Error::io("kill"))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Failed { what: format!("kill -s {name} {pid}"), detail: status.to_string() })
    }

    /// How it ended; nothing while it runs.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn ended(&self) -> Result<Option<ExitStatus>> {
        self.lock().ended()
    }

    /// Its whole log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_else(|error| format!("{}: {error}", self.log.display()))
    }

    fn lock(&self) -> MutexGuard<'_, Component> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the operator\n{}", self.log());
        }
    }
}

fn free_address() -> Result<SocketAddr> {
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("a free port"))?;
    held.local_addr().map_err(Error::io("a free port"))
}

/// Runs the binary as a command, with a kubeconfig: whether it went well, and what it printed, errors last.
///
/// # Errors
/// When it cannot be built or started.
pub async fn command(kubeconfig: &Path, args: &[&str]) -> Result<(bool, String)> {
    let binary = BINARY.get_or_try_init(binary).await?;
    let mut command = Command::new(binary);
    command.args(args).env("KUBECONFIG", kubeconfig).env("COLUMNS", "120");
    let ran = tokio::task::spawn_blocking(move || command.output()).await.map_err(Error::failed("octroi"))?;
    let ran = ran.map_err(Error::io("octroi"))?;
    let text = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    Ok((ran.status.success(), text))
}

/// The operator named by [`BINARY_SETTING`], else the one that cargo builds now.
///
/// # Errors
/// When it does not build.
pub async fn binary() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(BINARY_SETTING) {
        return Ok(PathBuf::from(named));
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "-p", "octroi", "--message-format=json"]).current_dir(script::repository());
    // What cargo told this process of its own package would be news to build scripts, which then run again, each time.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
        cargo.env_remove(name);
    }
    cargo.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
    let messages = script::output(cargo).await?;
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_ours = message["target"]["name"] == "octroi" && message["target"]["kind"] == json!(["bin"]);
        message["executable"].as_str().filter(|_| is_ours).map(PathBuf::from)
    };
    messages.lines().find_map(executable).ok_or_else(|| Error::Missing {
        what: "cargo build -p octroi named no executable".into(),
        next: format!("build it, and set {BINARY_SETTING} to its path"),
    })
}

/// Gives the operator its rights, as the chart does, and has the API server count its requests.
///
/// # Errors
/// When the chart does not render, or the API server refuses.
pub async fn install_rights(lab: &LightLab, rights: Rights) -> Result<()> {
    let client = lab.client()?;
    apply(&client, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})).await?;
    apply(&client, &flow_schema()).await?;
    for object in rendered(lab).await? {
        let wanted = match manifest::kind(&object) {
            // The firewall has its own, elsewhere.
            "Role" | "RoleBinding" | "ServiceAccount" => object["metadata"]["namespace"] == NAMESPACE,
            "Namespace" | "ClusterRole" | "ClusterRoleBinding" => rights == Rights::All,
            _ => false,
        };
        if wanted {
            apply(&client, &object).await?;
        }
    }
    Ok(())
}

async fn apply(client: &Client, object: &Value) -> Result<()> {
    strict::apply(client, object, &PatchParams::apply("octroi-chart").force()).await.map(drop)
}

async fn rendered(lab: &LightLab) -> Result<Vec<Value>> {
    let mut helm = Command::new(script::lab(&["bin", "helm"]).await?);
    helm.args(["template", "octroi", ".", "--namespace", NAMESPACE])
        .current_dir(script::repository().join("charts/octroi"))
        .env("KUBECONFIG", "/nowhere");
    for part in ["CACHE", "CONFIG", "DATA"] {
        helm.env(format!("HELM_{part}_HOME"), lab.dir().join("helm").join(part));
    }
    let text = script::output(helm).await?;
    Ok(manifest::parse(&text)?.into_iter().map(|document| document.object).collect())
}

fn flow_schema() -> Value {
    json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": {"name": FLOW_SCHEMA},
        "spec": {
            "matchingPrecedence": 50,
            "priorityLevelConfiguration": {"name": "workload-high"},
            "rules": [{
                "subjects": [{"kind": "User", "user": {"name": USER}}],
                "resourceRules": [{
                    "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": true, "namespaces": ["*"],
                }],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            }],
        },
    })
}

/// What the API server has counted, by its own metrics.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Requests of the operator's user, whatever they were.
    pub of_operator: u64,
    requests: Vec<Sample>,
}

impl Counted {
    /// Reads the counters.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn read(lab: &LightLab) -> Result<Self> {
        let text = lab.metrics().await?;
        let ours = |s: &&Sample| s.labels.get("flow_schema").is_some_and(|f| f == FLOW_SCHEMA);
        let dispatched = samples(&text, "apiserver_flowcontrol_dispatched_requests_total");
        let of_operator = dispatched.iter().filter(ours).map(|s| s.value).sum();
        Ok(Self { of_operator, requests: samples(&text, "apiserver_request_total") })
    }

    /// Requests of everybody with one of these verbs, for resources that pass.
    pub fn requests(&self, verbs: &[&str], resource: impl Fn(&str) -> bool) -> u64 {
        let passes = |s: &&Sample| {
            let label = |name: &str| s.labels.get(name).map(String::as_str).unwrap_or_default();
            verbs.contains(&label("verb")) && resource(label("resource"))
        };
        self.requests.iter().filter(passes).map(|s| s.value).sum()
    }
}

#[derive(Clone, Debug)]
struct Sample {
    labels: BTreeMap<String, String>,
    value: u64,
}

/// The samples of a counter in Prometheus' text format. No label that is read here holds a comma or a quote.
fn samples(text: &str, name: &str) -> Vec<Sample> {
    let parse = |line: &str| {
        let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} ")?;
        let label = |part: &str| {
            let (key, value) = part.split_once('=')?;
            Some((key.to_owned(), value.trim_matches('"').to_owned()))
        };
        let labels = labels.split(',').filter_map(label).collect();
        Some(Sample { labels, value: whole(value) })
    };
    text.lines().filter_map(parse).collect()
}

/// Counters are printed as floats; Go writes large ones as `1.5e+06`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter is a whole number above 0")]
fn whole(value: &str) -> u64 {
    value.trim().parse::<f64>().map_or(0, |value| value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_with_their_labels() {
        let text =
            "# TYPE a counter\na_total{verb=\"PUT\",resource=\"leases\"} 1.5e+06\na_total_more{verb=\"PUT\"} 2\n";
        let found = samples(text, "a_total");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].labels["resource"].as_str(), found[0].value), ("leases", 1_500_000));
    }
}
