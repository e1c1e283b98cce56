//! A cluster without a cluster: an API server that keeps what it is sent, a data plane that judges when it is told to, and
//! the operator's loop around the pure core. What is owned is told by the digests of what was applied.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod invariants;
pub mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use octroi_api::{Tenant, TenantClass, labels};
use octroi_plan::class::{self, ClassPlan};
use octroi_plan::diff::{Action, Change, Precondition};
use octroi_plan::resolve::class::name_of;
use octroi_plan::resolve::namespaces::candidates;
use octroi_plan::tenant::{self, TenantPlan};
use octroi_plan::world::{GatewayClassView, GatewayRef, Observed, TenantView, World};
use octroi_plan::{ChildKey, ChildKind, Owner, digest, facts, simulate};
use serde_json::{Value, json};

/// Rounds of one reconcile, as the controller allows.
pub const ROUNDS: usize = 6;
pub const ENVOY_GATEWAY: &str = "octroi-envoy-gateway";
pub const KGATEWAY: &str = "octroi-kgateway";

/// An object as the API server keeps it.
#[derive(Clone, Debug)]
pub struct Object {
    pub body: Value,
    uid: String,
    version: u64,
    generation: i64,
    judged: Option<i64>,
    digest: Option<u64>,
    created: Timestamp,
}

impl Object {
    /// Whose it says it is.
    pub fn owner(&self, key: &ChildKey) -> Option<Owner> {
        let texts = |field: &str| {
            serde_json::from_value(self.body["metadata"][field].clone()).unwrap_or_else(|_| BTreeMap::new())
        };
        let facts = facts::of(key.kind, &self.body);
        Owner::of_observed(&facts, key.kind, &texts("labels"), &texts("annotations"))
    }

    /// Whether the data plane has judged what it is now.
    pub fn is_judged(&self) -> bool {
        self.judged == Some(self.generation)
    }

    /// The hosts that a ListenerSet serves on port 443.
    pub fn hosts(&self) -> Vec<String> {
        let listeners = self.body["spec"]["listeners"].as_array().into_iter().flatten();
        let listeners = listeners.filter(|listener| listener["port"] == 443);
        listeners.filter_map(|listener| Some(listener["hostname"].as_str()?.to_owned())).collect()
    }

    /// The ports beside HTTP and HTTPS of a ListenerSet, as their claims name them: `tcp-5432`.
    pub fn ports(&self) -> BTreeSet<String> {
        let listeners = self.body["spec"]["listeners"].as_array().into_iter().flatten();
        let others = listeners.filter(|listener| listener["port"] != 443 && listener["protocol"] != "HTTP");
        let transport = |listener: &Value| if listener["protocol"] == "UDP" { "udp" } else { "tcp" };
        others.map(|listener| format!("{}-{}", transport(listener), listener["port"])).collect()
    }

    /// Namespace and name of a ListenerSet's Gateway.
    pub fn parent(&self) -> GatewayRef {
        let part = |key: &str| self.body["spec"]["parentRef"][key].as_str().unwrap_or_default().to_owned();
        GatewayRef { namespace: part("namespace"), name: part("name") }
    }
}

/// The whole of it.
#[derive(Clone)]
pub struct Cluster {
    pub world: World,
    pub objects: BTreeMap<ChildKey, Object>,
    pub tenants: BTreeMap<String, Tenant>,
    /// Every write that was carried out, in order.
    pub log: Vec<Change>,
    clock: u64,
}

impl Cluster {
    /// With these classes, on Envoy Gateway unless they say otherwise.
    pub fn with(classes: impl IntoIterator<Item = TenantClass>) -> Self {
        let mut cluster = Self {
            world: world(classes),
            objects: BTreeMap::new(),
            tenants: BTreeMap::new(),
            log: Vec::new(),
            clock: 0,
        };
        cluster.create(&ChildKey::new(ChildKind::Namespace, "", labels::GATEWAYS_NAMESPACE), json!({}), None);
        cluster
    }

    /// Puts an object there that is not Octroi's, or not of this run.
    pub fn create(&mut self, key: &ChildKey, body: Value, digest: Option<u64>) {
        self.clock += 1;
        let uid = format!("uid-{}", self.clock);
        let created = self.world.now;
        let object = Object { body, uid, version: self.clock, generation: 1, judged: None, digest, created };
        self.objects.insert(key.clone(), object);
        self.show(key);
    }

    /// A user applies a Tenant.
    pub fn apply(&mut self, tenant: Tenant) {
        let name = tenant.metadata.name.clone().unwrap_or_default();
        self.world.tenants.entry(name.clone()).or_insert(TenantView { class: None });
        self.tenants.insert(name, tenant);
    }

    /// A user deletes a Tenant that may go.
    pub fn delete(&mut self, name: &str) {
        if let Some(tenant) = self.tenants.get_mut(name) {
            tenant.spec.deletion.get_or_insert_default().protect = Some(false);
            tenant.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        }
    }

    /// What the operator would do about a Tenant now. Nothing that breaks a rule is in the namespaces it asks to adopt.
    pub fn plan(&mut self, name: &str) -> TenantPlan {
        let tenant = self.tenants[name].clone();
        for candidate in candidates(&tenant, &self.world) {
            self.world.inventories.entry(candidate).or_default();
        }
        let class = name_of(&tenant, &self.world).map(ToOwned::to_owned);
        if let Some(view) = self.world.tenants.get_mut(name) {
            view.class = class;
        }
        let plan = tenant::plan(&tenant, &self.world);
        match &plan {
            TenantPlan::Keep { resolved, .. } => drop(self.world.note_plan(resolved)),
            _ => self.world.drop_wanted(name),
        }
        plan
    }

    /// One round about a Tenant: plan, write. Returns how many writes there were.
    pub fn round(&mut self, name: &str) -> usize {
        let plan = self.plan(name);
        let writes = plan.changes().map(|changes| changes.writes.clone()).unwrap_or_default();
        self.carry_out(&writes);
        if plan.releases() {
            self.tenants.remove(name);
            self.world.forget_tenant(name);
        }
        writes.len()
    }

    /// One reconcile of a Tenant, as far as it goes. Returns whether it ended for want of writes.
    pub fn reconcile(&mut self, name: &str) -> bool {
        (0..ROUNDS).any(|_| !self.tenants.contains_key(name) || self.round(name) == 0)
    }

    /// One reconcile of every class.
    pub fn reconcile_classes(&mut self) {
        for class in self.world.classes.clone().into_values() {
            for _ in 0..ROUNDS {
                let plan = class::plan(&class, &self.world);
                assert!(matches!(plan, ClassPlan::Keep { .. }), "{plan:?}");
                let writes = plan.changes().map(|changes| changes.writes.clone()).unwrap_or_default();
                if writes.is_empty() {
                    break;
                }
                self.carry_out(&writes);
            }
        }
    }

    /// The data plane and cert-manager look at everything. Returns whether there was anything new.
    pub fn judge(&mut self) -> bool {
        let mut is_new = false;
        let judged = [ChildKind::Gateway, ChildKind::ListenerSet, ChildKind::Certificate];
        let keys: Vec<ChildKey> = self.objects.keys().filter(|key| judged.contains(&key.kind)).cloned().collect();
        for key in keys {
            if key.kind == ChildKind::Gateway {
                let gateway = GatewayRef { namespace: key.namespace.clone(), name: key.name.clone() };
                self.world.serving_proxies.insert(gateway);
            }
            if let Some(object) = self.objects.get_mut(&key).filter(|object| !object.is_judged()) {
                object.judged = Some(object.generation);
                self.clock += 1;
                object.version = self.clock;
                self.show(&key);
                is_new = true;
            }
        }
        is_new
    }

    /// The data plane takes nothing of a policy, in its newest generation.
    pub fn refuse_policy(&mut self, key: &ChildKey, why: &str) {
        self.clock += 1;
        let object = self.objects.get_mut(key).unwrap();
        let condition = json!({"type": "Accepted", "status": "False", "reason": "Invalid", "message": why,
            "observedGeneration": object.generation});
        object.body["status"] = json!({"ancestors": [{"conditions": [condition]}]});
        object.version = self.clock;
        self.show(key);
    }

    /// Another controller writes this status.
    pub fn report(&mut self, key: &ChildKey, status: &Value) {
        self.clock += 1;
        let object = self.objects.get_mut(key).unwrap();
        object.body["status"] = status.clone();
        (object.judged, object.version) = (None, self.clock);
        self.show(key);
    }

    /// Reconciles and judges until nothing is left to do.
    pub fn settle(&mut self) {
        for _ in 0..12 {
            self.reconcile_classes();
            let names: Vec<String> = self.tenants.keys().cloned().collect();
            let before = self.log.len();
            for name in &names {
                self.reconcile(name);
            }
            let is_new = self.judge();
            if self.log.len() == before && !is_new {
                return;
            }
        }
        panic!("never settled: {:#?}", self.log.iter().rev().take(6).collect::<Vec<_>>());
    }

    /// The operator starts anew: it knows what it sees.
    pub fn restart(&mut self) {
        let serving = std::mem::take(&mut self.world.serving_proxies);
        let mut fresh = world(self.world.classes.clone().into_values());
        fresh.serving_proxies = serving;
        fresh.now = self.world.now;
        fresh.tenants = self.tenants.keys().map(|name| (name.clone(), TenantView { class: None })).collect();
        self.world = fresh;
        for key in self.objects.keys().cloned().collect::<Vec<_>>() {
            self.show(&key);
        }
    }

    /// Carries out writes as the API server would.
    pub fn carry_out(&mut self, writes: &[Change]) {
        for change in writes {
            match &change.action {
                // Somebody else was quicker.
                Action::Create(_) if self.objects.contains_key(&change.key) => continue,
                Action::Create(body) => self.create(&change.key, body.clone(), None),
                Action::Adopt(_, precondition) if !self.is_meant(&change.key, precondition) => continue,
                Action::Apply(body) | Action::Adopt(body, _) | Action::Reclaim(body) => {
                    self.applied(&change.key, body);
                }
                Action::Delete(precondition) => {
                    assert!(self.is_meant(&change.key, precondition), "a stale deletion of {}", change.key);
                    self.objects.remove(&change.key);
                    self.world.forget(&change.key, None);
                }
                Action::Release(patch) => self.released(&change.key, patch),
            }
            self.log.push(change.clone());
        }
    }

    fn is_meant(&self, key: &ChildKey, precondition: &Precondition) -> bool {
        let object = self.objects.get(key);
        object.is_some_and(|o| o.uid == precondition.uid && o.version.to_string() == precondition.resource_version)
    }

    fn applied(&mut self, key: &ChildKey, body: &Value) {
        self.clock += 1;
        let (clock, digest) = (self.clock, Some(digest::of_desired(body)));
        let uid = format!("uid-{clock}");
        let created = self.world.now;
        let fresh = Object { body: json!({}), uid, version: 0, generation: 0, judged: None, digest: None, created };
        let object = self.objects.entry(key.clone()).or_insert(fresh);
        if object.body["spec"] != body["spec"] || object.generation == 0 {
            object.generation += 1;
        }
        object.body = body.clone();
        object.digest = digest;
        object.version = clock;
        self.show(key);
    }

    fn released(&mut self, key: &ChildKey, patch: &Value) {
        self.clock += 1;
        let Some(object) = self.objects.get_mut(key) else { return };
        for field in ["labels", "annotations"] {
            for gone in patch["metadata"][field].as_object().into_iter().flatten().map(|(name, _)| name) {
                object.body["metadata"][field].as_object_mut().and_then(|texts| texts.remove(gone));
            }
        }
        object.version = self.clock;
        self.show(key);
    }

    /// The watch brings an object.
    fn show(&mut self, key: &ChildKey) {
        let object = &self.objects[key];
        let mut body = object.body.clone();
        body["metadata"]["generation"] = json!(object.generation);
        body["metadata"]["creationTimestamp"] = json!(object.created.to_string());
        if let Some(judged) = object.judged {
            let condition =
                |kind: &str| json!({"type": kind, "status": "True", "observedGeneration": judged, "reason": kind});
            body["status"]["conditions"] = json!([condition("Programmed"), condition("Ready")]);
        }
        if key.kind == ChildKind::ResourceQuota {
            body["status"]["hard"] = body["spec"]["hard"].clone();
        }
        let observed = Observed {
            uid: object.uid.clone(),
            resource_version: object.version.to_string(),
            digest: object.digest,
            owner: object.owner(key),
            has_foreign_items: false,
            deleting: false,
            facts: facts::of(key.kind, &body),
        };
        self.world.observe(key.clone(), observed);
    }

    /// The entry of a tenant.
    pub fn entry(&self, tenant: &str) -> Option<&Object> {
        self.objects.get(&ChildKey::new(ChildKind::ListenerSet, &format!("gw-{tenant}"), tenant))
    }

    /// Who owns which host, by the claims.
    pub fn claims(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let claims = self.objects.iter().filter(|(key, _)| key.kind == ChildKind::DomainClaim);
        claims.map(|(_, object)| (text(&object.body["spec"]["host"]), text(&object.body["spec"]["tenant"]))).collect()
    }

    /// Who has which port of which class, by the claims.
    pub fn port_claims(&self) -> BTreeMap<String, String> {
        let claims = self.objects.iter().filter(|(key, _)| key.kind == ChildKind::PortClaim);
        let owner = |object: &Object| object.body["spec"]["tenant"].as_str().unwrap_or_default().to_owned();
        claims.map(|(key, object)| (key.name.clone(), owner(object))).collect()
    }

    /// Everything that says it is this tenant's.
    pub fn owned_by(&self, tenant: &str) -> Vec<&ChildKey> {
        let owner = Owner::Tenant(tenant.to_owned());
        self.objects
            .iter()
            .filter(|(key, object)| object.owner(key).as_ref() == Some(&owner))
            .map(|(key, _)| key)
            .collect()
    }
}

/// A world with every API, both GatewayClasses and these classes.
pub fn world(classes: impl IntoIterator<Item = TenantClass>) -> World {
    let mut world = simulate::empty_world();
    for (name, controller) in
        [(ENVOY_GATEWAY, "gateway.envoyproxy.io/gatewayclass-controller"), (KGATEWAY, "kgateway.dev/kgateway")]
    {
        world.gateway_classes.insert(name.into(), GatewayClassView::of(controller));
    }
    let named = |class: TenantClass| (class.metadata.name.clone().unwrap_or_default(), class);
    world.classes.extend(classes.into_iter().map(named));
    world
}

/// Tenants on one shared Gateway of [`classes`].
pub const MOST: usize = 2;

/// One class for each way to be served: small shared Gateways, a proxy each, one certificate for all. A tenant of any of
/// them may ask to be Shared, so [`MOST`] holds for each.
pub fn classes() -> Vec<TenantClass> {
    let small = json!({"maxTenantsPerShard": MOST});
    let ports = json!({"ports": [{"from": 5432, "to": 5434, "protocols": ["TCP", "UDP", "TLS"]}]});
    let upstreams = json!({"allowed": ["HTTPS"]});
    vec![
        default_class("standard", &json!({"gateway": small, "layer4": ports, "upstreams": upstreams})),
        class(
            "gold",
            &json!({
                "gateway": {"mode": "Dedicated", "gatewayClassName": KGATEWAY, "maxTenantsPerShard": MOST},
                "tls": {"minVersion": "1.3"},
                "layer4": ports,
                "upstreams": upstreams,
            }),
        ),
        class("sites", &json!({"baseDomain": "sites.test", "gateway": small, "tls": {"certificate": "ClassWildcard"}})),
    ]
}

/// A class: a name, and its spec where it differs from the least there is.
pub fn class(name: &str, spec: &Value) -> TenantClass {
    let mut object = json!({
        "metadata": {"name": name},
        "spec": {
            "baseDomain": "apps.test",
            "gateway": {"gatewayClassName": ENVOY_GATEWAY},
            "tls": {"issuerRef": {"name": "lab-ca"}},
        },
        "apiVersion": "octroi.dev/v1alpha1", "kind": "TenantClass",
    });
    merge(&mut object["spec"], spec);
    serde_json::from_value(object).unwrap_or_else(|error| panic!("{error}"))
}

/// A class that is the default.
pub fn default_class(name: &str, spec: &Value) -> TenantClass {
    let mut class = class(name, spec);
    class.metadata.annotations = Some([(labels::DEFAULT_CLASS.to_owned(), "true".to_owned())].into());
    class
}

/// A Tenant: a name, and its spec beside one member.
pub fn tenant(name: &str, spec: &Value) -> Tenant {
    let mut object = json!({
        "metadata": {"name": name},
        "spec": {"members": [{"kind": "Group", "name": "devs"}]},
        "apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant",
    });
    merge(&mut object["spec"], spec);
    serde_json::from_value(object).unwrap_or_else(|error| panic!("{error}"))
}

/// Lets a Tenant move to this mode.
pub fn accept_gap(tenant: &mut Tenant, mode: &str) {
    tenant.metadata.annotations.get_or_insert_default().insert(labels::ACCEPT_GAP.into(), mode.into());
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.iter().for_each(|(key, value)| merge(into.entry(key.as_str()).or_insert(Value::Null), value));
        }
        (into, from) => *into = from.clone(),
    }
}
