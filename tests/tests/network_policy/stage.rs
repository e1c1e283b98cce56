//! Two tenants and what Octroi compiles for them, from the first write to the end of a move; and the pods around them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use octroi_api::{Tenant, TenantClass, labels};
use octroi_plan::class::{self, ClassPlan};
use octroi_plan::diff::{Action, Changes};
use octroi_plan::tenant::{self, TenantPlan};
use octroi_plan::world::{GatewayClassView, GatewayRef, Observed, World};
use octroi_plan::{Child, ChildKind, facts, simulate};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::evaluator::{End, Labels, Network, Pod};

const ROUNDS: usize = 8;
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A data plane: the GatewayClass of the chart, and the ports and controller of its pods, from its own documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    pub name: &'static str,
    controller_name: &'static str,
    /// What port 443 and port 80 are in the proxy's pod.
    pub serving: [u16; 2],
    pub metrics: u16,
    /// Readiness, draining and the like, and the admin interface.
    pub inner: [u16; 3],
    /// Where the controller hands out configurations, and something else that it listens on.
    pub control: [u16; 2],
    controller: (&'static str, &'static str, &'static str),
}

pub const ENVOY_GATEWAY: Plane = Plane {
    name: "octroi-envoy-gateway",
    controller_name: "gateway.envoyproxy.io/gatewayclass-controller",
    serving: [10443, 10080],
    metrics: 19001,
    inner: [19000, 19002, 19003],
    control: [18000, 18001],
    controller: ("envoy-gateway-system", "control-plane", "envoy-gateway"),
};
pub const KGATEWAY: Plane = Plane {
    name: "octroi-kgateway",
    controller_name: "kgateway.dev/kgateway",
    serving: [443, 80],
    metrics: 9091,
    inner: [19000, 8082, 8234],
    control: [9977, 9095],
    controller: ("kgateway-system", "kgateway", "kgateway"),
};
pub const PLANES: [Plane; 2] = [ENVOY_GATEWAY, KGATEWAY];

/// The cluster as Octroi sees it, and what it would have there.
pub struct Stage {
    world: World,
    tenants: BTreeMap<String, Tenant>,
    /// What each owner's plan wants to exist, after the last reconcile.
    children: BTreeMap<String, Vec<Child>>,
}

impl Stage {
    /// acme is Shared and globex Dedicated, both in a class of this data plane that says this of their network.
    pub fn at_rest(plane: Plane, network: &Value) -> Self {
        Self::of(plane, network, false, None)
    }

    /// The same, in a class that offers upstreams on two ports; acme has one on each, and globex on the second.
    pub fn with_upstreams(plane: Plane, network: &Value) -> Self {
        Self::of(plane, network, true, None)
    }

    /// The same, in a class that sends traces to a collector in this namespace.
    pub fn with_traces(plane: Plane, network: &Value, namespace: &str) -> Self {
        Self::of(plane, network, false, Some(namespace))
    }

    fn of(plane: Plane, network: &Value, has_upstreams: bool, traces_to: Option<&str>) -> Self {
        let mut world = simulate::empty_world();
        for plane in PLANES {
            let view = GatewayClassView::of(plane.controller_name);
            world.gateway_classes.insert(plane.name.into(), view);
        }
        for (name, domain) in [("standard", "apps.test"), ("other", "other.test")] {
            let mut class = json!({
                "apiVersion": "octroi.dev/v1alpha1", "kind": "TenantClass", "metadata": {"name": name},
                "spec": {
                    "baseDomain": domain,
                    "gateway": {"gatewayClassName": plane.name},
                    "tls": {"issuerRef": {"name": "ca"}},
                    "namespaces": {"networkPolicy": network},
                },
            });
            if has_upstreams && name == "standard" {
                class["spec"]["upstreams"] = json!({"allowed": ["HTTPS"], "ports": [443, 8443]});
            }
            if let Some(namespace) = traces_to.filter(|_| name == "standard") {
                let collector = json!({"namespace": namespace, "name": "otel-collector", "port": 4317});
                class["spec"]["observability"] = json!({"tracing": {"collector": collector}});
            }
            world.classes.insert(name.into(), typed(&class));
        }
        let tenant = |name: &str, mode: &str, namespaces: &[&str]| -> (String, Tenant) {
            let namespaces: Vec<Value> = namespaces.iter().map(|name| json!({"name": name})).collect();
            let upstreams =
                [("crm", 443), ("erp", 8443)].into_iter().filter(|(_, port)| mode == "Shared" || *port == 8443);
            let upstreams: Vec<Value> = upstreams
                .filter(|_| has_upstreams)
                .map(|(name, port)| json!({"name": name, "https": {"host": format!("{name}.example"), "port": port}}))
                .collect();
            let tenant = json!({
                "apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": name},
                "spec": {
                    "className": "standard", "members": [{"kind": "Group", "name": "devs"}],
                    "gateway": {"mode": mode}, "namespaces": namespaces, "upstreams": upstreams,
                },
            });
            (name.to_owned(), typed(&tenant))
        };
        let tenants = [tenant("acme", "Shared", &["acme", "acme-jobs"]), tenant("globex", "Dedicated", &["globex"])];
        let mut stage = Self { world, tenants: tenants.into(), children: BTreeMap::new() };
        stage.settle();
        stage
    }

    /// Somebody asks for another mode and accepts what that means.
    pub fn ask_for(&mut self, tenant: &str, mode: &str) {
        let tenant = self.tenants.get_mut(tenant).unwrap();
        tenant.spec.gateway = typed(&json!({"mode": mode}));
        tenant.metadata.annotations = Some([(labels::ACCEPT_GAP.to_owned(), mode.to_owned())].into());
    }

    /// The operator does what it can.
    pub fn reconcile(&mut self) {
        for class in self.world.classes.clone().into_values() {
            let plan = |world: &mut World| match class::plan(&class, world) {
                ClassPlan::Keep { desired, changes, .. } => (desired, changes),
                other => panic!("{other:?}"),
            };
            let name = class_name(&class);
            let children = carry_out(&mut self.world, plan);
            self.children.insert(name, children);
        }
        for (name, wanted) in &self.tenants {
            let plan = |world: &mut World| match tenant::plan(wanted, world) {
                TenantPlan::Keep { resolved, desired, changes } => {
                    world.note_plan(&resolved);
                    (desired, changes)
                }
                other => panic!("{other:?}"),
            };
            let children = carry_out(&mut self.world, plan);
            self.children.insert(name.clone(), children);
        }
    }

    /// The data plane looks at the objects of a kind: they serve from now on.
    pub fn judge(&mut self, kind: ChildKind) {
        let children = self.children.values().flatten().filter(|child| child.key.kind == kind);
        for Child { key, body, .. } in children {
            let mut body = body.clone();
            body["metadata"]["generation"] = json!(1);
            let condition = |name: &str| json!({"type": name, "status": "True", "observedGeneration": 1});
            body["status"]["conditions"] = json!([condition("Programmed"), condition("Ready")]);
            let known = self.world.get(key).unwrap_or_else(|| panic!("{key} is not there")).clone();
            let version = known.resource_version.parse::<u64>().unwrap() + 1;
            let facts = facts::of(kind, &body);
            self.world.observe(key.clone(), Observed { resource_version: version.to_string(), facts, ..known });
            let gateway = GatewayRef { namespace: key.namespace.clone(), name: key.name.clone() };
            self.world.serving_proxies.insert(gateway);
        }
    }

    /// Everybody does what is to be done, until nothing is.
    pub fn settle(&mut self) {
        for _ in 0..ROUNDS {
            self.reconcile();
            for kind in [ChildKind::Gateway, ChildKind::Certificate, ChildKind::ListenerSet] {
                self.judge(kind);
            }
        }
        self.reconcile();
    }

    /// The Gateway that a tenant's entry is attached to.
    pub fn entry_of(&self, tenant: &str) -> &str {
        &self.world.attached(tenant).unwrap().name
    }

    /// The policies and the labels of namespaces, Octroi's and everybody else's.
    pub fn network(&self) -> Network {
        let mut namespaces = BTreeMap::new();
        for name in FOREIGN {
            namespaces.insert(name.to_owned(), Labels::new());
        }
        let mut policies = Vec::new();
        for Child { key, body, .. } in self.children.values().flatten() {
            match key.kind {
                ChildKind::Namespace => {
                    let namespace: Namespace = typed(body);
                    namespaces.insert(key.name.clone(), namespace.metadata.labels.unwrap_or_default());
                }
                ChildKind::NetworkPolicy => policies.push(typed::<NetworkPolicy>(body)),
                _ => {}
            }
        }
        for (name, labels) in &mut namespaces {
            labels.insert("kubernetes.io/metadata.name".into(), name.clone());
        }
        Network { namespaces, policies }
    }
}

/// Namespaces that Octroi does not make for a tenant.
const FOREIGN: [&str; 9] = [
    "default",
    "envoy-gateway-system",
    "kgateway-system",
    "kube-system",
    "monitoring",
    "observability",
    "octroi-gateways",
    "octroi-system",
    "shop",
];

fn class_name(class: &TenantClass) -> String {
    format!("class {}", class.metadata.name.as_deref().unwrap_or_default())
}

fn carry_out(world: &mut World, plan: impl Fn(&mut World) -> (Vec<Child>, Changes)) -> Vec<Child> {
    for _ in 0..ROUNDS {
        let (desired, changes) = plan(world);
        if changes.writes.is_empty() {
            return desired;
        }
        guards_come_first(&changes);
        simulate::carry_out(&changes, &desired, world);
    }
    panic!("still writing")
}

/// What lets a proxy in is written before the entry that makes it send, in one and the same reconcile.
fn guards_come_first(changes: &Changes) {
    let place = |kind: ChildKind| {
        let is_one =
            |change: &octroi_plan::diff::Change| change.key.kind == kind && matches!(change.action, Action::Apply(_));
        changes.writes.iter().position(is_one)
    };
    if let (Some(policy), Some(entry)) = (place(ChildKind::NetworkPolicy), place(ChildKind::ListenerSet)) {
        assert!(policy < entry, "{:?}", changes.writes);
    }
}

fn typed<T: DeserializeOwned>(object: &Value) -> T {
    serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{object}: {error}"))
}

/// A pod: what the flows call it, its namespace, its labels.
type PodRow<'a> = (&'static str, &'a str, &'a [(&'a str, &'a str)]);

/// The pods and addresses of the flows, by name.
pub fn ends(plane: Plane) -> BTreeMap<&'static str, End> {
    let (control_namespace, key, value) = plane.controller;
    let pods: [PodRow<'_>; 39] = [
        ("acme", "acme", &[("app", "web")]),
        ("acme-jobs", "acme-jobs", &[("app", "job")]),
        ("globex", "globex", &[("app", "web")]),
        ("shared-proxy", "octroi-gateways", &[(GATEWAY_NAME, "standard-0")]),
        ("other-proxy", "octroi-gateways", &[(GATEWAY_NAME, "other-0")]),
        ("acme-proxy", "gw-acme", &[(GATEWAY_NAME, "acme")]),
        ("globex-proxy", "gw-globex", &[(GATEWAY_NAME, "globex")]),
        ("solver-in-gw-acme", "gw-acme", &[("acme.cert-manager.io/http01-solver", "true")]),
        ("solver-in-gw-globex", "gw-globex", &[("acme.cert-manager.io/http01-solver", "true")]),
        ("beside-shared-proxy", "octroi-gateways", &[("app", "stray")]),
        ("beside-globex-proxy", "gw-globex", &[("app", "stray")]),
        ("firewall", "octroi-gateways", &[("app.kubernetes.io/name", "octroi-waf")]),
        ("dns", "kube-system", &[("k8s-app", "kube-dns")]),
        ("kube-system", "kube-system", &[("k8s-app", "metrics-server")]),
        ("controller", control_namespace, &[(key, value)]),
        ("beside-controller", control_namespace, &[("app", "rate-limit")]),
        ("rate-limits", "envoy-gateway-system", &[("app.kubernetes.io/name", "envoy-ratelimit")]),
        ("monitoring", "monitoring", &[("app", "prometheus")]),
        ("collector", "observability", &[("app", "otel-collector")]),
        ("operator", "octroi-system", &[("app.kubernetes.io/name", "octroi")]),
        ("default", "default", &[("app", "web")]),
        // What a tenant may call its pods.
        ("acme-as-rate-limits", "acme", &[("app.kubernetes.io/name", "envoy-ratelimit")]),
        ("gw-acme-as-rate-limits", "gw-acme", &[("app.kubernetes.io/name", "envoy-ratelimit")]),
        ("acme-as-shared-proxy", "acme", &[(GATEWAY_NAME, "standard-0")]),
        ("acme-as-globex-proxy", "acme", &[(GATEWAY_NAME, "globex")]),
        ("acme-as-dns", "acme", &[("k8s-app", "kube-dns")]),
        ("globex-as-dns", "globex", &[("k8s-app", "kube-dns")]),
        ("acme-as-controller", "acme", &[(key, value)]),
        ("gw-acme-as-controller", "gw-acme", &[(key, value)]),
        ("globex-as-controller", "globex", &[(key, value)]),
        ("acme-as-firewall", "acme", &[("app.kubernetes.io/name", "octroi-waf")]),
        ("acme-as-solver", "acme", &[("acme.cert-manager.io/http01-solver", "true")]),
        // Where no policy is, and pods are called like others'.
        ("shop", "shop", &[("octroi.dev/tenant", "acme"), ("octroi.dev/role", "tenant")]),
        ("shop-as-shared-proxy", "shop", &[(GATEWAY_NAME, "standard-0")]),
        ("shop-as-globex-proxy", "shop", &[(GATEWAY_NAME, "globex")]),
        ("shop-as-acme-proxy", "shop", &[(GATEWAY_NAME, "acme")]),
        ("shop-as-firewall", "shop", &[("app.kubernetes.io/name", "octroi-waf")]),
        ("shop-as-dns", "shop", &[("k8s-app", "kube-dns")]),
        ("shop-as-solver", "shop", &[("acme.cert-manager.io/http01-solver", "true")]),
    ];
    let pod = |(index, (name, namespace, labels)): (usize, PodRow<'_>)| {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let address = IpAddr::from([10, 244, 0, u8::try_from(index).unwrap() + 1]);
        (name, End::Pod(Pod { namespace: namespace.into(), labels, address, named_ports: BTreeMap::new() }))
    };
    let addresses = [
        ("internet", "203.0.113.7"),
        ("internet-v6", "2001:db8::7"),
        ("closed-by-class", "198.51.100.7"),
        ("closed-by-class-v6", "2001:db8:ffff::7"),
        ("metadata", "169.254.169.254"),
        ("metadata-v6", "fd00:ec2::254"),
        ("metadata-of-azure", "168.63.129.16"),
        ("metadata-of-oracle", "192.0.0.192"),
        ("metadata-of-alibaba", "100.100.100.200"),
        ("link-local-v6", "fe80::1"),
        ("api-server", "10.0.0.10"),
        ("node", "192.168.1.10"),
        ("node-in-172", "172.16.3.4"),
        ("loopback", "127.0.0.1"),
        ("loopback-v6", "::1"),
        ("node-local-dns", "169.254.20.10"),
    ];
    let addresses = addresses.into_iter().map(|(name, text)| (name, End::Address(text.parse().unwrap())));
    pods.into_iter().enumerate().map(pod).chain(addresses).collect()
}
