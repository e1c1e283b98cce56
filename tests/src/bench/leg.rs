//! One leg: from the start of kubectl to the first 200.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Leg, objects};
use crate::demo::backend;
use crate::probe::{Ask, Probe};
use crate::stage::{LIMIT, Stage, resolve, until};
use crate::{Error, Result, strict};

/// The poll of everything here, the probe's own included.
const POLL: Duration = Duration::from_millis(10);
/// A lost SYN is sent again after a second: giving up early keeps such seconds out of the figures of both legs.
const PATIENCE: Duration = Duration::from_millis(250);
const MANAGER: &str = "tenant-developer";

/// What all legs share.
pub(super) struct Bench<'a> {
    stage: &'a Stage,
    octroi: &'a Path,
    class: String,
    /// The class and its GatewayClass, for rendering.
    class_objects: Vec<Value>,
    /// Of the class's shared Gateway.
    shared: SocketAddr,
    backend: IpAddr,
    probe: Probe,
    dir: TempDir,
}

impl<'a> Bench<'a> {
    /// A class, a tenant that keeps its shared Gateway and runs the backend.
    pub(super) async fn set(stage: &'a Stage, octroi: &'a Path) -> Result<Self> {
        let class = stage.class("c", |_| {}).await?;
        let warm = stage.tenant(&class, "warm", |_| {}).await?;
        warm.ready().await?;
        warm.deploy(&backend::deployment(&warm.name, "v1")).await?;
        Ok(Self {
            class_objects: class_objects(stage, &class).await?,
            shared: warm.address().await?,
            backend: pod_address(stage, &warm.name).await?,
            probe: stage.probe.clone().timeout(PATIENCE),
            dir: tempfile::tempdir().map_err(Error::io("a temporary folder"))?,
            class,
            octroi,
            stage,
        })
    }

    /// Measures one, and takes it away again.
    pub(super) async fn measure(&self, leg: Leg, mode: &str, round: usize) -> Result<Duration> {
        let name = format!("{}-{}-{}-{round}", self.class, leg.as_str(), mode.to_lowercase());
        let tenant = objects::tenant(&name, &self.class, mode);
        let wanted = match leg {
            Leg::Octroi => vec![tenant],
            Leg::Kubectl => objects::rendered(self.octroi, self.dir.path(), &self.class_objects, &tenant).await?,
        };
        let file = self.dir.path().join(format!("{name}.yaml"));
        objects::write(&file, &wanted)?;
        let measured = self.until_served(&name, mode, &file).await;
        self.take_away(&name, &file).await?;
        measured
    }

    async fn until_served(&self, name: &str, mode: &str, file: &Path) -> Result<Duration> {
        let path = file.display().to_string();
        let apply = ["apply", "--server-side", "-f", &path];
        let host = format!("www.{name}.{}", self.stage.base);
        let since = Instant::now();
        let served = async {
            let address = if mode == "Shared" { self.shared } else { self.own_address(name).await? };
            let ask = Ask::get(&format!("https://{host}/"), address)?;
            self.probe.until_status(&ask, 200, LIMIT).await?;
            Ok(since.elapsed())
        };
        let (took, _, ()) = tokio::try_join!(served, self.stage.lab.kubectl(&apply), self.developer(name, &host))?;
        Ok(took)
    }

    /// What the developer writes, as soon as the namespace is there.
    async fn developer(&self, name: &str, host: &str) -> Result<()> {
        let namespaces = Api::<Namespace>::all(self.stage.client.clone());
        polled(&format!("namespace {name}"), async || {
            namespaces.get_opt(name).await.map_err(Error::kube(format!("namespace {name}")))
        })
        .await?;
        for object in [objects::service(name), objects::endpoints(name, self.backend), objects::route(name, host)] {
            self.write(&object).await?;
        }
        Ok(())
    }

    /// Without the discovery that [`strict::apply`] does first.
    async fn write(&self, object: &Value) -> Result<()> {
        let api = self.api(object)?;
        let params = PatchParams::apply(MANAGER).force();
        let written = api.patch(crate::manifest::name(object), &params, &Patch::Apply(object)).await;
        written.map(drop).map_err(Error::kube(strict::describe(object)))
    }

    fn api(&self, object: &Value) -> Result<Api<DynamicObject>> {
        let types: kube::core::TypeMeta =
            serde_json::from_value(object.clone()).map_err(Error::failed(strict::describe(object)))?;
        let kind = kube::core::GroupVersionKind::try_from(types).map_err(Error::failed(strict::describe(object)))?;
        let resource = kube::core::ApiResource::from_gvk(&kind);
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        Ok(Api::namespaced_with(self.stage.client.clone(), namespace, &resource))
    }

    async fn own_address(&self, name: &str) -> Result<SocketAddr> {
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": name, "namespace": format!("gw-{name}")},
        });
        let gateways = self.api(&gateway)?;
        let address = polled(&format!("the address of Gateway {name}"), async || {
            let found = gateways.get_opt(name).await.map_err(Error::kube(format!("Gateway {name}")))?;
            Ok(found.and_then(|g| g.data["status"]["addresses"][0]["value"].as_str().map(str::to_owned)))
        })
        .await?;
        resolve(&address).await
    }

    /// Waits until namespaces and proxies are gone: their end must not run beside the next leg.
    async fn take_away(&self, name: &str, file: &Path) -> Result<()> {
        let path = file.display().to_string();
        self.stage.lab.kubectl(&["delete", "--ignore-not-found", "--wait", "-f", &path]).await?;
        let namespaces = Api::<Namespace>::all(self.stage.client.clone());
        for namespace in [name.to_owned(), format!("gw-{name}")] {
            until(&format!("namespace {namespace} is gone"), LIMIT, async || {
                let found = namespaces.get_opt(&namespace).await.map_err(Error::kube(namespace.clone()))?;
                Ok(found.map_or(Ok(()), |_| Err("it is there")))
            })
            .await?;
        }
        Ok(())
    }
}

async fn polled<T>(what: &str, ask: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    let since = Instant::now();
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        if since.elapsed() > LIMIT {
            let state = "see kubectl get tenants".into();
            return Err(Error::NotInTime { what: what.into(), waited: since.elapsed(), state });
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn pod_address(stage: &Stage, namespace: &str) -> Result<IpAddr> {
    let pods = Api::<Pod>::namespaced(stage.client.clone(), namespace);
    polled("the backend's pod is ready", async || {
        let found = pods.list(&ListParams::default()).await.map_err(Error::kube("pods"))?;
        let ready = |pod: &Pod| {
            let status = pod.status.as_ref()?;
            let conditions = status.conditions.iter().flatten();
            conditions.into_iter().find(|c| c.type_ == "Ready" && c.status == "True")?;
            status.pod_ip.as_ref()?.parse().ok()
        };
        Ok(found.iter().find_map(ready))
    })
    .await
}

/// What `octroi render` must read to know the class.
async fn class_objects(stage: &Stage, class: &str) -> Result<Vec<Value>> {
    let like = |api: &str, kind: &str, name: &str| json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}});
    let mut objects = Vec::new();
    for mut object in [
        like("octroi.dev/v1alpha1", "TenantClass", class),
        like("gateway.networking.k8s.io/v1", "GatewayClass", &stage.lab.gateway_class()),
    ] {
        let found = stage
            .get(&object)
            .await?
            .ok_or_else(|| Error::Failed { what: strict::describe(&object), detail: "it is gone".into() })?;
        object["spec"] = found.data["spec"].clone();
        objects.push(object);
    }
    Ok(objects)
}
