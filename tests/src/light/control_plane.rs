//! The three programs of a light lab, with the flags that make them small, quick and like the real ones.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use super::pki::Pki;
use super::process::Component;
use crate::{Error, Result, script};

/// What a cluster needs for namespaces, garbage collection, accounts, roles, quotas, Services and Deployments; nothing
/// that runs pods.
const CONTROLLERS: [&str; 12] = [
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "validatingadmissionpolicy-status-controller",
];

/// Where the binaries are.
pub(super) struct Binaries {
    etcd: PathBuf,
    api_server: PathBuf,
    controller_manager: PathBuf,
}

impl Binaries {
    /// Asks the lab for what it built.
    pub(super) async fn find() -> Result<Self> {
        Ok(Self {
            etcd: binary("etcd").await?,
            api_server: binary("kube-apiserver").await?,
            controller_manager: binary("kube-controller-manager").await?,
        })
    }
}

async fn binary(name: &str) -> Result<PathBuf> {
    script::lab(&["bin", name]).await.map(PathBuf::from)
}

/// Free ports of one lab, all on loopback.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    etcd: u16,
    etcd_peer: u16,
    pub(super) api_server: u16,
}

impl Ports {
    /// Held together until all are known, so that they differ; another process may still take one before it is used,
    /// which is why a start is tried again.
    pub(super) fn free() -> Result<Self> {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("a free port"));
        let held = [bind()?, bind()?, bind()?];
        let port = |listener: &TcpListener| listener.local_addr().map(|a| a.port()).map_err(Error::io("a free port"));
        Ok(Self { etcd: port(&held[0])?, etcd_peer: port(&held[1])?, api_server: port(&held[2])? })
    }

    pub(super) fn etcd_answers(self) -> bool {
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.etcd)).is_ok()
    }
}

/// Everything a program of one lab is started with.
pub(super) struct Plan {
    pub(super) binaries: Binaries,
    pub(super) ports: Ports,
    pub(super) dir: PathBuf,
}

impl Plan {
    pub(super) fn etcd(&self) -> Result<Component> {
        let client = format!("http://127.0.0.1:{}", self.ports.etcd);
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        let args = [
            "--name=light".to_owned(),
            format!("--data-dir={}", self.dir.join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=light={peer}"),
            // Nothing of a light lab has to survive a power cut, and this is most of etcd's latency.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        Component::start("etcd", &self.binaries.etcd, &args, &self.dir)
    }

    pub(super) fn api_server(&self, pki: &Pki, serving: &super::pki::Identity) -> Result<Component> {
        let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
        let args = [
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.ports.api_server),
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd),
            file("tls-cert-file", &serving.certificate),
            file("tls-private-key-file", &serving.key),
            file("client-ca-file", &pki.ca()),
            file("service-account-signing-key-file", &pki.account_key()),
            file("service-account-key-file", &pki.account_public_key()),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-cluster-ip-range=10.255.0.0/24".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--profiling=false".to_owned(),
            // Nobody reaches this API server by its Service, and a loopback address is not allowed there.
            "--endpoint-reconciler-type=none".to_owned(),
        ];
        Component::start("kube-apiserver", &self.binaries.api_server, &args, &self.dir)
    }

    pub(super) fn controller_manager(&self, kubeconfig: &Path, ca: &Path) -> Result<Component> {
        let args = [
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--root-ca-file={}", ca.display()),
            format!("--controllers={}", CONTROLLERS.join(",")),
            // As in a real cluster: each under its own name, which admission policies tell apart.
            "--use-service-account-credentials=true".to_owned(),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=500".to_owned(),
        ];
        Component::start("kube-controller-manager", &self.binaries.controller_manager, &args, &self.dir)
    }
}
