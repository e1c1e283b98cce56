//! A light lab with the operator, the player and every CRD in it; and the words that the tests use.

use std::time::{Duration, Instant};

use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, Client, ResourceExt as _};
use octroi_tests::crds::{self, Project};
use octroi_tests::light::LightLab;
use octroi_tests::operator::{self, Operator, Rights};
use octroi_tests::player::Player;
use octroi_tests::strict;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// How long anything may take that is not measured. Two busy cores are slow at times.
pub const LIMIT: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(10);

pub const ENVOY: &str = "octroi-envoy-gateway";
pub const KGATEWAY: &str = "octroi-kgateway";
/// Where shared Gateways are.
pub const GATEWAYS: &str = "octroi-gateways";

/// A kind, by the name that `kubectl` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub name: &'static str,
    pub plural: &'static str,
    group: &'static str,
    version: &'static str,
}

const fn kind(group: &'static str, version: &'static str, name: &'static str, plural: &'static str) -> Kind {
    Kind { name, plural, group, version }
}

pub const TENANT: Kind = kind("octroi.dev", "v1alpha1", "Tenant", "tenants");
pub const CLASS: Kind = kind("octroi.dev", "v1alpha1", "TenantClass", "tenantclasses");
pub const CLAIM: Kind = kind("octroi.dev", "v1alpha1", "DomainClaim", "domainclaims");
pub const PORT_CLAIM: Kind = kind("octroi.dev", "v1alpha1", "PortClaim", "portclaims");
pub const NAMESPACE: Kind = kind("", "v1", "Namespace", "namespaces");
pub const ROLE_BINDING: Kind = kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings");
pub const CLUSTER_ROLE: Kind = kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles");
pub const CLUSTER_ROLE_BINDING: Kind =
    kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings");
pub const ROUTE_FILTER: Kind = kind("gateway.envoyproxy.io", "v1alpha1", "HTTPRouteFilter", "httproutefilters");
pub const DIRECT_RESPONSE: Kind = kind("gateway.kgateway.dev", "v1alpha1", "DirectResponse", "directresponses");
pub const CONFIG_MAP: Kind = kind("", "v1", "ConfigMap", "configmaps");
pub const QUOTA: Kind = kind("", "v1", "ResourceQuota", "resourcequotas");
pub const LIMITS: Kind = kind("", "v1", "LimitRange", "limitranges");
pub const NETWORK_POLICY: Kind = kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies");
pub const CERTIFICATE: Kind = kind("cert-manager.io", "v1", "Certificate", "certificates");
pub const GRANT: Kind = kind("gateway.networking.k8s.io", "v1", "ReferenceGrant", "referencegrants");
pub const ENVOY_PROXY: Kind = kind("gateway.envoyproxy.io", "v1alpha1", "EnvoyProxy", "envoyproxies");
pub const PARAMETERS: Kind = kind("gateway.kgateway.dev", "v1alpha1", "GatewayParameters", "gatewayparameters");
pub const GATEWAY: Kind = kind("gateway.networking.k8s.io", "v1", "Gateway", "gateways");
pub const ROUTE: Kind = kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes");
pub const ADMISSION_BINDING: Kind =
    kind("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings");
pub const TCP_ROUTE: Kind = kind("gateway.networking.k8s.io", "v1", "TCPRoute", "tcproutes");
pub const BACKEND_POLICY: Kind =
    kind("gateway.envoyproxy.io", "v1alpha1", "BackendTrafficPolicy", "backendtrafficpolicies");
pub const LISTENER_POLICY: Kind = kind("gateway.kgateway.dev", "v1alpha1", "ListenerPolicy", "listenerpolicies");
pub const CLIENT_POLICY: Kind =
    kind("gateway.envoyproxy.io", "v1alpha1", "ClientTrafficPolicy", "clienttrafficpolicies");
pub const EXTENSION_POLICY: Kind =
    kind("gateway.envoyproxy.io", "v1alpha1", "EnvoyExtensionPolicy", "envoyextensionpolicies");
pub const GATEWAY_EXTENSION: Kind = kind("gateway.kgateway.dev", "v1alpha1", "GatewayExtension", "gatewayextensions");
pub const SECURITY_POLICY: Kind = kind("gateway.envoyproxy.io", "v1alpha1", "SecurityPolicy", "securitypolicies");
pub const TRAFFIC_POLICY: Kind = kind("gateway.kgateway.dev", "v1alpha1", "TrafficPolicy", "trafficpolicies");
pub const TLS_POLICY: Kind = kind("gateway.networking.k8s.io", "v1", "BackendTLSPolicy", "backendtlspolicies");
pub const ENVOY_BACKEND: Kind = kind("gateway.envoyproxy.io", "v1alpha1", "Backend", "backends");
pub const KGATEWAY_BACKEND: Kind = kind("gateway.kgateway.dev", "v1alpha1", "Backend", "backends");
pub const ENTRY: Kind = kind("gateway.networking.k8s.io", "v1", "ListenerSet", "listenersets");
pub const GATEWAY_CLASS: Kind = kind("gateway.networking.k8s.io", "v1", "GatewayClass", "gatewayclasses");
pub const DEFINITION: Kind =
    kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");

/// Everything that Octroi writes.
pub const CHILDREN: [Kind; 29] = [
    CLAIM,
    PORT_CLAIM,
    NAMESPACE,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE_BINDING,
    CONFIG_MAP,
    QUOTA,
    LIMITS,
    NETWORK_POLICY,
    CERTIFICATE,
    GRANT,
    ENVOY_PROXY,
    PARAMETERS,
    GATEWAY,
    ROUTE_FILTER,
    DIRECT_RESPONSE,
    ROUTE,
    TLS_POLICY,
    ENVOY_BACKEND,
    KGATEWAY_BACKEND,
    BACKEND_POLICY,
    CLIENT_POLICY,
    EXTENSION_POLICY,
    GATEWAY_EXTENSION,
    LISTENER_POLICY,
    SECURITY_POLICY,
    TRAFFIC_POLICY,
    ENTRY,
];

impl Kind {
    /// A kind of Kubernetes' core.
    pub const fn core(name: &'static str, plural: &'static str) -> Self {
        kind("", "v1", name, plural)
    }

    /// A kind of Kubernetes' workloads.
    pub const fn of_apps(name: &'static str, plural: &'static str) -> Self {
        kind("apps", "v1", name, plural)
    }

    pub fn resource(self) -> ApiResource {
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(self.group, self.version, self.name), self.plural)
    }

    pub fn crd(self) -> String {
        format!("{}.{}", self.plural, self.group)
    }

    /// Every object of the kind.
    pub fn all(self, client: &Client) -> Api<DynamicObject> {
        Api::all_with(client.clone(), &self.resource())
    }

    /// In a namespace, or nowhere when that is empty.
    pub fn within(self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        if namespace.is_empty() {
            self.all(client)
        } else {
            Api::namespaced_with(client.clone(), namespace, &self.resource())
        }
    }
}

/// A lab and who plays in it. Fields are dropped in this order.
pub struct World {
    pub operator: Operator,
    pub player: Player,
    pub lab: LightLab,
}

static SHARED: OnceCell<World> = OnceCell::const_new();

impl World {
    /// For tests that do not disturb each other: no test may stop or count anything here.
    pub async fn shared() -> (&'static Self, Client) {
        let world = SHARED.get_or_init(Self::start).await;
        (world, world.lab.client().unwrap())
    }

    /// Of the test's own, with every CRD there is, one GatewayClass of each data plane, and the operator ready.
    pub async fn start() -> Self {
        let lab = LightLab::start().await.unwrap();
        let client = lab.client().unwrap();
        install(&client, &Project::ALL).await;
        lab.discover_kinds().unwrap();
        operator::install_rights(&lab, Rights::All).await.unwrap();
        gateway_class(&client, ENVOY).await;
        gateway_class(&client, KGATEWAY).await;
        let player = Player::start(&lab).unwrap();
        let operator = Operator::start(&lab, "one").await.unwrap_or_else(|error| panic!("{error}"));
        Self { operator, player, lab }
    }

    /// As [`eventually`], with the operator's log when it does not come true.
    pub async fn eventually<T>(&self, what: &str, so: impl AsyncFnMut() -> Result<T, String>) -> T {
        within(LIMIT, what, so).await.unwrap_or_else(|late| panic!("{late}\n--- log of the operator\n{}", self.log()))
    }

    fn log(&self) -> String {
        let log = self.operator.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Waits until these Tenants are Ready in their present generation.
    pub async fn ready(&self, client: &Client, names: &[&str]) {
        for name in names {
            self.says(client, TENANT, name, "Ready", "True", "Ready").await;
        }
    }

    /// Waits until a condition of a Tenant or TenantClass says this of its present generation; returns the message.
    pub async fn says(&self, client: &Client, kind: Kind, name: &str, of: &str, status: &str, reason: &str) -> String {
        self.mentions(client, kind, name, [of, status, reason], "").await
    }

    /// As [`World::says`], with a word that the message must hold.
    pub async fn mentions(
        &self,
        client: &Client,
        kind: Kind,
        name: &str,
        [of, status, reason]: [&str; 3],
        word: &str,
    ) -> String {
        let api = kind.all(client);
        let what = format!("{} {name} says {of}={status} {reason} {word}", kind.name);
        self.eventually(&what, async || {
            let object = api.get_opt(name).await.map_err(|error| error.to_string())?.ok_or("it is not there")?;
            let said = condition(&object, of).ok_or_else(|| object.data["status"].to_string())?;
            let is_so = said["status"] == status
                && said["reason"] == reason
                && said["observedGeneration"].as_i64() == object.metadata.generation;
            let message = said["message"].as_str().unwrap_or_default().to_owned();
            if is_so && message.contains(word) { Ok(message) } else { Err(object.data["status"].to_string()) }
        })
        .await
    }
}

/// Whether kgateway's CRDs are here; says so when they are not.
pub fn has_kgateway() -> bool {
    let is_here = std::env::var_os(crds::KGATEWAY_SETTING).is_some();
    if !is_here {
        println!("skipped for kgateway: set {} to the folder that holds its CRDs", crds::KGATEWAY_SETTING);
    }
    is_here
}

pub async fn install(client: &Client, projects: &[Project]) {
    crds::install(client, projects).await.unwrap_or_else(|error| panic!("{error}"));
}

pub async fn gateway_class(client: &Client, name: &str) {
    let controller = if name.contains("kgateway") {
        "kgateway.dev/kgateway"
    } else {
        "gateway.envoyproxy.io/gatewayclass-controller"
    };
    let class = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": name}, "spec": {"controllerName": controller}});
    apply(client, &class).await;
}

/// A TenantClass; `gateway` is laid over its `spec.gateway`.
pub fn class(name: &str, base_domain: &str, gateway: &Value) -> Value {
    let mut spec = json!({"gatewayClassName": ENVOY});
    overlay(&mut spec, gateway);
    json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "TenantClass", "metadata": {"name": name},
        "spec": {"baseDomain": base_domain, "gateway": spec, "tls": {"issuerRef": {"name": "lab-ca"}}}})
}

/// A Tenant; `spec` is laid over one that has a member only.
pub fn tenant(name: &str, class: &str, spec: &Value) -> Value {
    let mut all = json!({"className": class, "members": [{"kind": "Group", "name": "devs"}]});
    overlay(&mut all, spec);
    json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": name}, "spec": all})
}

fn overlay(onto: &mut Value, with: &Value) {
    for (key, value) in with.as_object().unwrap() {
        onto[key] = value.clone();
    }
}

/// How long Kubernetes may take to count a kind for a quota after its CustomResourceDefinition came: it looks for new kinds
/// every 30 seconds, and not when it is busy.
const COUNTED_WITHIN: Duration = Duration::from_mins(3);

/// Applies as a user does, by server-side apply; again while the kind is too new for a quota to count it.
pub async fn apply(client: &Client, object: &Value) -> DynamicObject {
    let params = PatchParams::apply("run-team").force().validation_strict();
    let applied =
        within(COUNTED_WITHIN, "it is counted", async || match strict::apply(client, object, &params).await {
            Err(error) if error.api_message().contains("status unknown for quota") => Err(error.to_string()),
            other => Ok(other),
        });
    applied.await.unwrap_or_else(|late| panic!("{late}")).unwrap_or_else(|error| panic!("{error}"))
}

/// Lays a merge patch over an object, as somebody with `kubectl` does.
pub async fn patch(api: &Api<DynamicObject>, name: &str, patch: &Value) -> DynamicObject {
    let params = PatchParams { field_manager: Some("saboteur".into()), ..PatchParams::default() };
    api.patch(name, &params, &Patch::Merge(patch)).await.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Deletes, and tells what was there.
pub async fn delete(api: &Api<DynamicObject>, name: &str) {
    api.delete(name, &DeleteParams::default()).await.unwrap_or_else(|error| panic!("deleting {name}: {error}"));
}

pub fn condition<'a>(object: &'a DynamicObject, of: &str) -> Option<&'a Value> {
    object.data["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == of)
}

/// Everything that carries the label of an owner, such as `octroi.dev/tenant=acme`.
pub async fn owned(client: &Client, label: &str) -> Vec<(Kind, DynamicObject)> {
    let mut found = Vec::new();
    for kind in CHILDREN {
        match kind.all(client).list(&ListParams::default().labels(label)).await {
            Ok(list) => found.extend(list.items.into_iter().map(|object| (kind, object))),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => panic!("{}: {error}", kind.plural),
        }
    }
    found
}

/// Kind, namespace, name and uid of each.
pub fn identities(objects: &[(Kind, DynamicObject)]) -> Vec<(&'static str, String, String, String)> {
    let identity = |(kind, object): &(Kind, DynamicObject)| {
        (kind.name, object.namespace().unwrap_or_default(), object.name_any(), object.uid().unwrap_or_default())
    };
    let mut all: Vec<_> = objects.iter().map(identity).collect();
    all.sort();
    all
}

/// Polls until it is so, and fails the test when it is not in time.
pub async fn eventually<T>(what: &str, so: impl AsyncFnMut() -> Result<T, String>) -> T {
    within(LIMIT, what, so).await.unwrap_or_else(|late| panic!("{late}"))
}

/// Polls until it is so; what was seen last when it is not in time.
pub async fn within<T>(
    limit: Duration,
    what: &str,
    mut so: impl AsyncFnMut() -> Result<T, String>,
) -> Result<T, String> {
    let since = Instant::now();
    loop {
        match so().await {
            Ok(value) => return Ok(value),
            Err(state) if since.elapsed() > limit => {
                return Err(format!("{what}: not so after {:.1} s: {state}", since.elapsed().as_secs_f64()));
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}
