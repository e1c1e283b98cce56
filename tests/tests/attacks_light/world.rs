//! A light lab with the chart's guards and roles, the operator, and three tenants that it made.

use std::time::{Duration, Instant};

use kube::Client;
use kube::api::PatchParams;
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;
use octroi_tests::attack::{Arena, Clients, User, Vars, cast};
use octroi_tests::crds::{self, Project};
use octroi_tests::demo::backend;
use octroi_tests::light::LightLab;
use octroi_tests::operator::{self, Operator, Rights};
use octroi_tests::player::Player;
use octroi_tests::{manifest, strict};
use serde_json::{Value, json};

use crate::helm;

const BREAK_GLASS: &str = "platform-emergency";
const GATEWAY_CLASS: &str = "octroi-envoy-gateway";
const CLASS: &str = "standard";
const BASE: &str = "attacks.test";
const TENANTS: [&str; 3] = ["red", "blue", "green"];
/// Kinds whose CRDs are not to be had here. What matters to a guard is that they are served; their schema allows anything.
const STAND_INS: [(&str, &str, &str, &str); 6] = [
    ("agentgateway.dev", "v1alpha1", "AgentgatewayPolicy", "agentgatewaypolicies"),
    ("agentgateway.dev", "v1alpha1", "AgentgatewayBackend", "agentgatewaybackends"),
    ("cilium.io", "v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies"),
    ("externaldns.k8s.io", "v1alpha1", "DNSEndpoint", "dnsendpoints"),
    ("networking.istio.io", "v1", "VirtualService", "virtualservices"),
    ("networking.istio.io", "v1alpha3", "EnvoyFilter", "envoyfilters"),
];
/// Quota on custom resources is counted some half a minute after their CRDs came.
const LIMIT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(20);

/// Fields are dropped in this order.
pub struct World {
    pub arena: Arena,
    operator: Option<Operator>,
    _player: Player,
    _lab: LightLab,
}

impl World {
    pub async fn start() -> Self {
        let lab = LightLab::start().await.unwrap_or_else(|error| panic!("{error}"));
        let admin = lab.client().unwrap();
        let installed = crds::install(&admin, &Project::ALL).await.unwrap_or_else(|error| panic!("{error}"));
        for absent in &installed.absent {
            println!("{absent}");
        }
        for (group, version, kind, plural) in STAND_INS {
            helm::apply(&admin, &stand_in(group, version, kind, plural)).await;
            let kind = GroupVersionKind::gvk(group, version, kind);
            helm::eventually(&format!("{} is served", kind.kind), async || pinned_kind(&admin, &kind).await.is_ok())
                .await;
        }
        lab.discover_kinds().unwrap();
        operator::install_rights(&lab, Rights::All).await.unwrap_or_else(|error| panic!("{error}"));
        for object in helm::render(&format!("admission.breakGlassGroup={BREAK_GLASS}")) {
            if manifest::kind(&object).contains("AdmissionPolicy") || manifest::kind(&object) == "ClusterRole" {
                helm::apply(&admin, &object).await;
            }
        }
        let platform = lab.client_as("run-team", &["system:masters", BREAK_GLASS]).await.unwrap();
        for object in [gateway_class(), class()] {
            apply(&platform, &object).await;
        }
        let player = Player::start(&lab).unwrap();
        let operator = Operator::start(&lab, "one").await.unwrap_or_else(|error| panic!("{error}"));
        let vars = cast(&platform, &operator).await;
        let clients = clients(&lab).await;
        let mut arena = Arena::new(vars, platform, clients, None);
        arena.note_uids().await.unwrap_or_else(|error| panic!("{error}"));
        Self { arena, operator: Some(operator), _player: player, _lab: lab }
    }

    pub fn stop_operator(&mut self) {
        drop(self.operator.take());
    }
}

/// The three tenants, with what they have before anybody attacks.
async fn cast(platform: &Client, operator: &Operator) -> Vars {
    let [attacker, victim, cordoned] = TENANTS;
    let mut vars = cast::vars(TENANTS, BASE);
    vars.extend([
        ("gatewayClass".to_owned(), GATEWAY_CLASS.to_owned()),
        ("class".to_owned(), CLASS.to_owned()),
        ("gateway".to_owned(), format!("{CLASS}-0")),
    ]);
    let others = json!([{"kind": "Group", "name": format!("{victim}-devs")}]);
    for (name, members, state) in [
        (attacker, cast::members(attacker), "Active"),
        (victim, others, "Active"),
        (cordoned, cast::members(attacker), "Cordoned"),
    ] {
        let spec = json!({"members": members, "state": state});
        apply(
            platform,
            &json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": name}, "spec": spec}),
        )
        .await;
        settled(platform, operator, name, state).await;
    }
    for object in cast::mistakes(&vars) {
        apply(platform, &object).await;
    }
    for (namespace, version) in [(attacker, "attacker"), (victim, "victim"), (cordoned, "attacker")] {
        apply(platform, &backend::service(namespace, version)).await;
        let mut route = backend::route(namespace, &format!("www.{namespace}.{BASE}"));
        route["spec"]["rules"][0]["backendRefs"][0]["name"] = json!(format!("web-{version}"));
        apply(platform, &route).await;
    }
    vars
}

/// Until the operator has written what the guards read, and the Tenant is Ready.
async fn settled(platform: &Client, operator: &Operator, name: &str, state: &str) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace"});
    let tenant = json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant"});
    let (namespaces, tenants) =
        (strict::endpoint(platform, &namespace).await.unwrap(), strict::endpoint(platform, &tenant).await.unwrap());
    let since = Instant::now();
    loop {
        let found = namespaces.get_opt(name).await.unwrap().unwrap_or_else(|| kube::api::DynamicObject {
            types: None,
            metadata: kube::api::ObjectMeta::default(),
            data: Value::Null,
        });
        let (labels, annotations) =
            (found.metadata.labels.unwrap_or_default(), found.metadata.annotations.unwrap_or_default());
        let says_state = labels.get("octroi.dev/state").is_some_and(|label| label == state);
        let ready = tenants.get(name).await.unwrap();
        let conditions = ready.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let is_ready = conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
        if says_state && annotations.contains_key("octroi.dev/hosts") && is_ready {
            return;
        }
        assert!(since.elapsed() < LIMIT, "{name}: {labels:?} {annotations:?} {conditions:?}\n{}", operator.log());
        tokio::time::sleep(POLL).await;
    }
}

async fn clients(lab: &LightLab) -> Clients {
    let mut clients = Clients::new();
    for user in User::OF_THE_API {
        let (name, group) = (cast::name(TENANTS[0], user), cast::group(TENANTS[0], user));
        clients.insert(user, lab.client_as(&name, &[&group]).await.unwrap());
    }
    clients
}

async fn apply(client: &Client, object: &Value) {
    let params = PatchParams::apply("run-team").force().validation_strict();
    let applied = strict::apply(client, object, &params).await;
    applied.unwrap_or_else(|error| panic!("{} {}: {error}", manifest::kind(object), manifest::name(object)));
}

fn stand_in(group: &str, version: &str, kind: &str, plural: &str) -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in of a test"},
        },
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    })
}

fn gateway_class() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": GATEWAY_CLASS},
        "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
    })
}

fn class() -> Value {
    json!({
        "apiVersion": "octroi.dev/v1alpha1", "kind": "TenantClass",
        "metadata": {"name": CLASS, "annotations": {"octroi.dev/is-default-class": "true"}},
        "spec": {
            "baseDomain": BASE, "gateway": {"gatewayClassName": GATEWAY_CLASS}, "tls": {"issuerRef": {"name": "lab-ca"}},
        },
    })
}
