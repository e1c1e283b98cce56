//! A light lab with every CRD, the chart's policies at work, and the namespaces of two tenants, made by hand as the
//! operator would make them.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use octroi_tests::crds::{self, Project};
use octroi_tests::light::LightLab;
use octroi_tests::operator::USER as OPERATOR;
use octroi_tests::{manifest, strict};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::helm;
use crate::tables;

/// The group that passes.
pub const BREAK_GLASS: &str = "platform-emergency";
/// A developer with every right in the namespaces of acme.
pub const DEVELOPER: &str = "dev";
/// The hosts of acme.
pub const HOSTS: &str = "acme.apps.test,*.acme.apps.test,shop.acme.example";
const CONCURRENCY: usize = 4;
const LIMIT: Duration = Duration::from_secs(20);

/// A lab with the guards in it.
pub struct World {
    pub lab: &'static LightLab,
    /// Break-glass.
    pub rescue: Client,
    /// Whether kgateway's CRDs are there.
    pub has_kgateway: bool,
}

/// Or why the guards are not at work.
static HAS_KGATEWAY: OnceCell<Result<bool, String>> = OnceCell::const_new();

impl World {
    /// One for all tests of this binary, with the guards seen at work.
    pub async fn shared() -> Self {
        let lab = LightLab::shared().await.unwrap_or_else(|error| panic!("{error}"));
        let has_kgateway = HAS_KGATEWAY.get_or_init(async || set_up(lab).await).await;
        let has_kgateway = *has_kgateway.as_ref().unwrap_or_else(|why| panic!("{why}"));
        Self { lab, rescue: rescue(lab).await, has_kgateway }
    }

    /// A client of that user. Members of the platform and parts of Kubernetes have every right; the developer has them in
    /// acme's namespaces.
    pub async fn client(&self, user: &str) -> Client {
        let user = if user == "operator" { OPERATOR } else { user };
        let groups: &[&str] = match user {
            DEVELOPER => &["acme-devs"],
            "rescue" => &["system:masters", BREAK_GLASS],
            node if node.starts_with("system:node:") => &["system:masters", "system:nodes"],
            _ => &["system:masters"],
        };
        self.lab.client_as(user, groups).await.unwrap()
    }
}

/// A client of break-glass.
pub async fn rescue(lab: &LightLab) -> Client {
    lab.client_as("rescue", &["system:masters", BREAK_GLASS]).await.unwrap()
}

async fn set_up(lab: &'static LightLab) -> Result<bool, String> {
    let admin = rescue(lab).await;
    let installed = crds::install(&admin, &Project::ALL).await.unwrap_or_else(|error| panic!("{error}"));
    serve_every_version(&admin).await;
    for object in namespaces() {
        helm::apply(&admin, &object).await;
    }
    for namespace in ["acme-prod", "acme-two", "acme-held", "acme-new", "gw-acme", "plain"] {
        helm::apply(&admin, &all_rights(namespace)).await;
    }
    install_guards(&admin).await;
    let has_kgateway = installed.absent(Project::Kgateway).is_none();
    guards_at_work(&World { lab, rescue: rescue(lab).await, has_kgateway }).await?;
    Ok(has_kgateway)
}

/// The chart's policies and bindings.
pub async fn install_guards(client: &Client) {
    let set = format!("admission.breakGlassGroup={BREAK_GLASS}");
    let guards = helm::render(&set).into_iter().filter(|o| manifest::kind(o).contains("AdmissionPolicy"));
    let guards: Vec<_> = guards.collect();
    futures::stream::iter(&guards).for_each_concurrent(CONCURRENCY, |guard| helm::apply(client, guard)).await;
}

/// The API server reads new policies a moment after they are stored: each is seen at work once.
async fn guards_at_work(world: &World) -> Result<(), String> {
    let mut waited_for = BTreeSet::new();
    for case in tables::all() {
        let Some(guard) = case.guard.clone().filter(|guard| waited_for.insert(guard.clone())) else { continue };
        let since = Instant::now();
        let mut said = Ok(());
        while !said.as_ref().is_err_and(|said: &String| said.contains(&format!("'{guard}'"))) {
            if since.elapsed() > LIMIT {
                return Err(format!("{guard} is not at work; the last answer to {:?}: {said:?}", case.about));
            }
            said = case.run(world).await;
        }
    }
    Ok(())
}

/// Versions of the experimental channel are in the CRDs but not served: a cluster may serve them.
async fn serve_every_version(client: &Client) {
    for name in ["httproutes", "grpcroutes", "tlsroutes", "tcproutes", "udproutes"] {
        let wanted = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{name}.gateway.networking.k8s.io")}});
        let crds = strict::endpoint(client, &wanted).await.unwrap();
        let crd = crds.get(manifest::name(&wanted)).await.unwrap();
        let hidden = crd.data["spec"]["versions"].as_array().unwrap().iter().enumerate();
        let hidden = hidden.filter(|(_, version)| version["served"] == false);
        let operations: Vec<_> = hidden
            .map(|(i, _)| json!({"op": "replace", "path": format!("/spec/versions/{i}/served"), "value": true}))
            .collect();
        let patch: Patch<()> = Patch::Json(serde_json::from_value(json!(operations)).unwrap());
        crds.patch(&crd.name_any(), &PatchParams::default(), &patch).await.unwrap();
        for version in crd.data["spec"]["versions"].as_array().unwrap() {
            let kind = kube::core::GroupVersionKind::gvk(
                "gateway.networking.k8s.io",
                version["name"].as_str().unwrap(),
                crd.data["spec"]["names"]["kind"].as_str().unwrap(),
            );
            let served = async || kube::discovery::pinned_kind(client, &kind).await.is_ok();
            helm::eventually(&format!("{kind:?} is served"), served).await;
        }
    }
}

/// Kinds of the Gateway API, each with its served versions.
type Versions = Vec<(String, Vec<String>)>;

/// The versions in which a kind of the Gateway API is served.
pub async fn versions(client: &Client, kind: &str) -> Vec<String> {
    static KNOWN: Mutex<Option<Versions>> = Mutex::new(None);
    let known = KNOWN.lock().unwrap().clone();
    let known = match known {
        Some(known) => known,
        None => served(client).await,
    };
    let found = known.iter().find(|(name, _)| name == kind).map(|(_, versions)| versions.clone());
    *KNOWN.lock().unwrap() = Some(known);
    found.unwrap_or_else(|| panic!("{kind} is not served"))
}

async fn served(client: &Client) -> Versions {
    let any = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"});
    let crds: Api<DynamicObject> = strict::endpoint(client, &any).await.unwrap();
    let crds = crds.list(&ListParams::default()).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_served = |version: &&Value| version["served"] == true;
    crds.iter()
        .filter(|crd| crd.data["spec"]["group"] == "gateway.networking.k8s.io")
        .map(|crd| {
            let versions = crd.data["spec"]["versions"].as_array().unwrap().iter().filter(is_served);
            (text(&crd.data["spec"]["names"]["kind"]), versions.map(|v| text(&v["name"])).collect())
        })
        .collect()
}

/// By the contract between the operator and the guards.
fn namespaces() -> Vec<Value> {
    let hosts = HOSTS;
    let tenants = |name: &str, state: &str, annotations: Value| {
        let labels = json!({"octroi.dev/tenant": "acme", "octroi.dev/role": "tenant", "octroi.dev/state": state,
            "app.kubernetes.io/managed-by": "octroi", "pod-security.kubernetes.io/enforce": "baseline", "team": "web"});
        let mut namespace = namespace(name, &labels);
        namespace["metadata"]["annotations"] = annotations;
        namespace["metadata"]["annotations"]["octroi.dev/tenant"] = json!("acme");
        namespace
    };
    let gateway = json!({"octroi.dev/tenant": "acme", "octroi.dev/role": "gateway", "octroi.dev/state": "Active"});
    vec![
        tenants("acme-prod", "Active", json!({"octroi.dev/hosts": hosts})),
        tenants("acme-two", "Active", json!({"octroi.dev/hosts": hosts, "octroi.dev/backend-namespaces": "acme-prod"})),
        tenants("acme-held", "Cordoned", json!({"octroi.dev/hosts": hosts})),
        tenants("acme-off", "Suspended", json!({"octroi.dev/hosts": hosts})),
        tenants("acme-new", "Active", json!({})),
        namespace("gw-acme", &gateway),
        namespace("octroi-gateways", &json!({})),
        namespace("octroi-system", &json!({})),
        namespace("plain", &json!({})),
    ]
}

pub fn namespace(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

fn all_rights(namespace: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "every-right", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "acme-devs"}],
    })
}
