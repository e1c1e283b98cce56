//! A stage for an end-to-end test: classes and Tenants of its own, on any cluster and data plane, taken away at the end
//! whatever happened.
//!
//! Nothing in here may name a kind of a data plane: the suites that stand on it run unchanged on all of them.

mod guest;

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use futures::future::join_all;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use octroi_api::{Tenant, TenantClass};
use serde_json::{Value, json};

pub use self::guest::{Guest, resolve};
use crate::demo::trust;
use crate::lab::Lab;
use crate::probe::Probe;
use crate::tenant_user::TenantUser;
use crate::{Error, Result, strict};

/// Names the ClusterIssuer of the classes that are made.
pub const ISSUER_SETTING: &str = "OCTROI_E2E_ISSUER";
/// Names the domain below which the tenants answer. No DNS is asked for it.
pub const BASE_DOMAIN_SETTING: &str = "OCTROI_E2E_BASE_DOMAIN";
/// The type of the proxies' Services, where this machine cannot reach a ClusterIP.
pub const SERVICE_TYPE_SETTING: &str = "OCTROI_E2E_SERVICE_TYPE";

/// For anything on the way to a served request; a busy machine that starts a proxy needs some of it.
pub const LIMIT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(25);
const MANAGER: &str = "run-team";

/// Which data plane serves the GatewayClass under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPlane {
    /// Envoy Gateway.
    EnvoyGateway,
    /// kgateway.
    Kgateway,
}

/// A test's own part of a cluster.
pub struct Stage {
    /// The cluster.
    pub lab: &'static Lab,
    /// Its administrator.
    pub client: Client,
    /// What serves.
    pub plane: DataPlane,
    /// Trusts the issuer's authority and nothing else.
    pub probe: Probe,
    /// The same authority, as PEM.
    pub authority: String,
    /// Tenants answer below it.
    pub base: String,
    prefix: String,
    classes: Mutex<Vec<String>>,
    tenants: Mutex<Vec<String>>,
}

/// Runs a test on a stage of its own, and clears the stage, also when the test fails or panics.
///
/// # Errors
/// What the test failed with; what clearing failed with, when nothing did before.
pub async fn run(theme: &str, test: impl AsyncFnOnce(&Stage) -> Result<()>) -> Result<()> {
    let stage = Stage::set(theme).await?;
    let outcome = AssertUnwindSafe(test(&stage)).catch_unwind().await;
    let cleared = stage.clear().await;
    match outcome {
        Err(panic) => {
            if let Err(error) = cleared {
                eprintln!("{theme}: the stage was not cleared: {error}");
            }
            std::panic::resume_unwind(panic)
        }
        Ok(result) => result.and(cleared),
    }
}

impl Stage {
    /// Somebody of the platform who passes the guards, to show that what is behind them holds alone.
    ///
    /// # Errors
    /// When the release names no break-glass group.
    pub async fn past_the_guards(&self) -> Result<TenantUser> {
        let group = crate::attack::lab::break_glass(self.lab).await?;
        Ok(TenantUser::with(self.lab.client_as("night-shift", &["system:masters", &group]).await?))
    }

    /// `kubectl ARGS…` as the same.
    ///
    /// # Errors
    /// As [`Stage::past_the_guards`], and when it ends with anything but success.
    pub async fn kubectl_past_the_guards(&self, args: &[&str]) -> Result<String> {
        let group = crate::attack::lab::break_glass(self.lab).await?;
        self.lab.kubectl_as("night-shift", &["system:masters", &group], args).await
    }

    async fn set(theme: &str) -> Result<Self> {
        let lab = Lab::get().await?;
        let client = lab.client().await?;
        let authority = trust::of_issuer(&client, &issuer()).await?;
        Ok(Self {
            plane: data_plane(&client, &lab.gateway_class()).await?,
            probe: Probe::trusting(&authority)?,
            base: setting(BASE_DOMAIN_SETTING, "e2e.test"),
            prefix: format!("e2e-{theme}-{:04x}", unique()),
            classes: Mutex::default(),
            tenants: Mutex::default(),
            lab,
            client,
            authority,
        })
    }

    /// Applies a class of small proxies, changed as the test wants it; returns its name.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn class(&self, suffix: &str, change: impl FnOnce(&mut Value)) -> Result<String> {
        let name = format!("{}-{suffix}", self.prefix);
        let mut spec = json!({
            "baseDomain": self.base,
            "gateway": {
                "gatewayClassName": self.lab.gateway_class(),
                "proxy": {
                    "replicas": {"min": 1, "max": 1},
                    "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
                    "service": {"type": setting(SERVICE_TYPE_SETTING, "ClusterIP")},
                },
            },
            "tls": {"issuerRef": {"name": issuer()}},
        });
        change(&mut spec);
        noted(&self.classes, &name);
        let class = json!({
            "apiVersion": "octroi.dev/v1alpha1", "kind": "TenantClass", "metadata": {"name": name}, "spec": spec,
        });
        self.apply(&class).await?;
        Ok(name)
    }

    /// The name of its Tenant with that suffix.
    pub fn name(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.prefix)
    }

    /// Applies a Tenant of a class, with one group as its member, changed as the test wants it.
    ///
    /// # Errors
    /// When the API server refuses, or its developer cannot be made.
    pub async fn tenant(&self, class: &str, suffix: &str, change: impl FnOnce(&mut Value)) -> Result<Guest<'_>> {
        let name = self.name(suffix);
        noted(&self.tenants, &name);
        let mut spec = json!({"className": class, "members": [{"kind": "Group", "name": format!("{name}-devs")}]});
        change(&mut spec);
        Guest::arrive(self, name, spec).await
    }

    /// Applies as the run team.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn apply(&self, object: &Value) -> Result<DynamicObject> {
        strict::apply(&self.client, object, &PatchParams::apply(MANAGER).force().validation_strict()).await
    }

    /// One object as it is now, with the kind, namespace and name of this one.
    ///
    /// # Errors
    /// When it cannot be read; that it is not there is `None`.
    pub async fn get(&self, like: &Value) -> Result<Option<DynamicObject>> {
        let api = strict::endpoint(&self.client, like).await?;
        api.get_opt(crate::manifest::name(like)).await.map_err(Error::kube(strict::describe(like)))
    }

    async fn clear(&self) -> Result<()> {
        let tenants = taken(&self.tenants);
        let cleared = join_all(tenants.iter().map(|name| self.clear_tenant(name))).await;
        let classes: Api<TenantClass> = Api::all(self.client.clone());
        for name in taken(&self.classes) {
            // Its status counts its Tenants: the last one may just have gone.
            until(&format!("TenantClass {name} may be deleted"), LIMIT, async || {
                match classes.delete(&name, &DeleteParams::default()).await {
                    Ok(_) => Ok(Ok(())),
                    Err(kube::Error::Api(status)) if status.code == 404 => Ok(Ok(())),
                    Err(error) => Ok(Err(error)),
                }
            })
            .await?;
        }
        cleared.into_iter().collect()
    }

    async fn clear_tenant(&self, name: &str) -> Result<()> {
        let tenants: Api<Tenant> = Api::all(self.client.clone());
        let open = json!({"spec": {"deletion": {"protect": false, "namespaces": "Delete"}}});
        let what = || Error::kube(format!("removing Tenant {name}"));
        match tenants.patch(name, &PatchParams::default(), &Patch::Merge(open)).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => return Err(what()(error)),
        }
        tenants.delete(name, &DeleteParams::default()).await.map_err(what())?;
        until(&format!("Tenant {name} is gone"), LIMIT, async || {
            let found = tenants.get_opt(name).await.map_err(what())?;
            Ok(found.map_or(Ok(()), |left| Err(guest::conditions(left.status.as_ref()))))
        })
        .await
    }
}

/// Asks again and again until there is an answer (`Ok(Ok(…))`); `Ok(Err(…))` is what is seen meanwhile.
///
/// # Errors
/// When the deadline passes, with what was seen last; an error of the question itself at once.
pub async fn until<T, S: Display>(
    what: &str,
    limit: Duration,
    ask: impl AsyncFn() -> Result<std::result::Result<T, S>>,
) -> Result<T> {
    let since = Instant::now();
    loop {
        match ask().await? {
            Ok(found) => return Ok(found),
            Err(seen) if since.elapsed() > limit => {
                let state = format!("seen last: {seen}");
                return Err(Error::NotInTime { what: what.into(), waited: since.elapsed(), state });
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

async fn data_plane(client: &Client, class: &str) -> Result<DataPlane> {
    let like = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass"});
    let found = strict::endpoint(client, &like).await?.get_opt(class).await;
    let found = found.map_err(Error::kube(format!("GatewayClass {class}")))?;
    let controller = found.as_ref().and_then(|class| class.data["spec"]["controllerName"].as_str());
    match controller.and_then(|name| name.split('/').next()) {
        Some("gateway.envoyproxy.io") => Ok(DataPlane::EnvoyGateway),
        Some("kgateway.dev") => Ok(DataPlane::Kgateway),
        _ => Err(Error::Missing {
            what: format!("GatewayClass {class} is not there, or of no data plane that Octroi knows ({controller:?})"),
            next: format!("name one by {} (kubectl get gatewayclasses)", crate::lab::GATEWAY_CLASS_SETTING),
        }),
    }
}

fn issuer() -> String {
    setting(ISSUER_SETTING, "lab-ca")
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.into())
}

/// Two runs beside each other must not meet.
fn unique() -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_millis() ^ u128::from(std::process::id())) & 0xffff
}

fn noted(list: &Mutex<Vec<String>>, name: &str) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
}

fn taken(list: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
}
