//! The light lab: a real API server, its etcd and the controllers that need no nodes, as children of the test.
//!
//! No root, no fixed port, no file outside a temporary folder; several run beside each other. It never runs a pod.

mod control_plane;
mod pki;
pub(crate) mod process;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use self::control_plane::{Binaries, Plan, Ports};
use self::pki::{Identity, Pki};
use self::process::{Component, Sweeper};
use crate::{Error, Result};

const START_LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(25);
const ATTEMPTS: usize = 3;

/// A running light lab; dropping it ends its processes and removes its files.
pub struct LightLab {
    admin: Config,
    admin_kubeconfig: PathBuf,
    pki: Pki,
    serving: Identity,
    plan: Plan,
    // Dropped in this order: the folder goes after those that write into it.
    controller_manager: Mutex<Component>,
    api_server: Mutex<Option<Component>>,
    etcd: Mutex<Component>,
    dir: TempDir,
    _sweeper: Sweeper,
}

static SHARED: OnceCell<LightLab> = OnceCell::const_new();

impl LightLab {
    /// Starts a lab and waits until it serves, with its own controllers at work.
    ///
    /// # Errors
    /// When the binaries are not built (the message names the command), or a program ends or is not ready in time (the
    /// message holds the end of its log).
    pub async fn start() -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::start_once().await {
                Err(error) if attempt < ATTEMPTS && error.to_string().contains("address already in use") => {
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    /// One lab for all tests of a binary; it ends with the test process.
    ///
    /// # Errors
    /// As [`LightLab::start`].
    pub async fn shared() -> Result<&'static Self> {
        SHARED.get_or_try_init(Self::start).await
    }

    async fn start_once() -> Result<Self> {
        let dir =
            tempfile::Builder::new().prefix("octroi-light-").tempdir().map_err(Error::io("a temporary folder"))?;
        let sweeper = Sweeper::of(dir.path())?;
        let pki = Pki::create(&dir.path().join("pki"))?;
        let serving = pki.serving()?;
        let plan = Plan { binaries: Binaries::find().await?, ports: Ports::free()?, dir: dir.path().to_path_buf() };
        let mut etcd = plan.etcd()?;
        wait_for("etcd", &mut etcd, async || plan.ports.etcd_answers()).await?;

        let url = url_of(plan.ports);
        let admin_kubeconfig = write_kubeconfig(dir.path(), &url, &pki, "admin", &["system:masters"])?;
        let admin = config_of(&admin_kubeconfig).await?;
        let client = client_of(&admin)?;
        let mut api_server = plan.api_server(&pki, &serving)?;
        wait_for("kube-apiserver", &mut api_server, async || ready(&client).await).await?;

        let mut controller_manager = plan.controller_manager(&admin_kubeconfig, &pki.ca())?;
        let accounts = Api::<ServiceAccount>::namespaced(client, "default");
        // The first thing that only a working controller manager makes.
        let served = async || accounts.get_opt("default").await.is_ok_and(|found| found.is_some());
        wait_for("kube-controller-manager", &mut controller_manager, served).await?;
        Ok(Self {
            admin,
            admin_kubeconfig,
            pki,
            serving,
            plan,
            controller_manager: Mutex::new(controller_manager),
            api_server: Mutex::new(Some(api_server)),
            etcd: Mutex::new(etcd),
            dir,
            _sweeper: sweeper,
        })
    }

    /// A client of the administrator, new at each call: a client belongs to the runtime that made it, and each test has
    /// its own.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub fn client(&self) -> Result<Client> {
        client_of(&self.admin)
    }

    /// A client with a certificate of that user and at most two groups.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub async fn client_as(&self, user: &str, groups: &[&str]) -> Result<Client> {
        client_of(&config_of(&self.kubeconfig_as(user, groups)?).await?)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.admin_kubeconfig
    }

    /// A kubeconfig with a certificate of that user and at most two groups.
    ///
    /// # Errors
    /// When the certificate or the file cannot be made.
    pub fn kubeconfig_as(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        write_kubeconfig(self.dir.path(), &self.api_server_url(), &self.pki, user, groups)
    }

    /// Where the API server listens.
    pub fn api_server_url(&self) -> String {
        url_of(self.plan.ports)
    }

    /// The API server's metrics, in Prometheus' text format.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn metrics(&self) -> Result<String> {
        text(&self.client()?, "/metrics").await.map_err(Error::kube("the API server's metrics"))
    }

    /// The programs' process ids: etcd, API server (absent while stopped), controller manager.
    pub fn pids(&self) -> Vec<u32> {
        let api_server = lock(&self.api_server).as_ref().map(Component::pid);
        [Some(lock(&self.etcd).pid()), api_server, Some(lock(&self.controller_manager).pid())]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Where the lab keeps its files, its logs among them.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Has the controller manager see every CustomResourceDefinition now, as it does when it starts. Left alone it looks each
    /// 30 seconds, and a quota that it met before then counts nothing of the new kinds until it is met again, which may take
    /// five minutes (its flag `resource-quota-sync-period`).
    ///
    /// # Errors
    /// When it does not start.
    pub fn discover_kinds(&self) -> Result<()> {
        let started = self.plan.controller_manager(&self.admin_kubeconfig, &self.pki.ca())?;
        *lock(&self.controller_manager) = started;
        Ok(())
    }

    /// Kills the API server, as a crash would.
    pub fn stop_api_server(&self) {
        drop(lock(&self.api_server).take());
    }

    /// Starts the API server again, on the same port, and waits until it serves. Does nothing while one runs.
    ///
    /// # Errors
    /// When it is not ready in time.
    pub async fn start_api_server(&self) -> Result<()> {
        if lock(&self.api_server).is_some() {
            return Ok(());
        }
        let client = self.client()?;
        let mut started = self.plan.api_server(&self.pki, &self.serving)?;
        wait_for("kube-apiserver", &mut started, async || ready(&client).await).await?;
        *lock(&self.api_server) = Some(started);
        Ok(())
    }
}

/// A poisoned lock only means that another test panicked; the process behind it is as it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn url_of(ports: Ports) -> String {
    format!("https://127.0.0.1:{}", ports.api_server)
}

async fn wait_for(what: &str, component: &mut Component, mut so: impl AsyncFnMut() -> bool) -> Result<()> {
    let since = Instant::now();
    while !so().await {
        component.check()?;
        if since.elapsed() > START_LIMIT {
            let state = component.tail();
            return Err(Error::NotInTime { what: format!("{what} is ready"), waited: since.elapsed(), state });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn ready(client: &Client) -> bool {
    text(client, "/readyz").await.is_ok_and(|answer| answer == "ok")
}

async fn text(client: &Client, path: &str) -> kube::Result<String> {
    let request = hyper::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await
}

fn write_kubeconfig(dir: &Path, url: &str, pki: &Pki, user: &str, groups: &[&str]) -> Result<PathBuf> {
    let identity = pki.user(user, groups)?;
    let content = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "light",
        "clusters": [{"name": "light", "cluster": {"server": url, "certificate-authority": pki.ca()}}],
        "users": [{
            "name": user,
            "user": {"client-certificate": identity.certificate, "client-key": identity.key},
        }],
        "contexts": [{"name": "light", "context": {"cluster": "light", "user": user, "namespace": "default"}}],
    });
    let number = identity.key.file_stem().unwrap_or_default().to_string_lossy();
    let file = dir.join(format!("{number}.kubeconfig"));
    std::fs::write(&file, content.to_string()).map_err(Error::io("a kubeconfig"))?;
    Ok(file)
}

/// Reads a kubeconfig.
///
/// # Errors
/// When the file is not one.
pub(crate) async fn config_of(kubeconfig: &Path) -> Result<Config> {
    let what = format!("kubeconfig {}", kubeconfig.display());
    let read = Kubeconfig::read_from(kubeconfig).map_err(Error::failed(what.clone()))?;
    Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.map_err(Error::failed(what))
}

/// A client for a configuration.
///
/// # Errors
/// When its certificates cannot be used.
pub(crate) fn client_of(config: &Config) -> Result<Client> {
    Client::try_from(config.clone()).map_err(Error::kube("a client of the cluster"))
}
