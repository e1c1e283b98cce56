//! What was observed, as a plain value: the only state the operator has. Watches and replies to writes feed it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gateway_api::apis::standard::gatewayclasses::GatewayClass;
use k8s_openapi::jiff::Timestamp;
use octroi_api::names::Hostname;
use octroi_api::{GatewayMode, TenantClass, labels};

use crate::adoption::Found;
use crate::child::{ChildKey, Owner};
use crate::facts::Facts;
use crate::hardening::ControlPlane;
use crate::issuance::Issuances;
use crate::kind::ChildKind;
use crate::pointing::Pointings;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::DataPlane;
use crate::resolve::hosts::ClaimState;
use crate::routes::Routes;
use crate::status::certificates;

/// An observed object, reduced to what plans need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Digest of what Octroi owns of it; see [`crate::digest`].
    pub digest: Option<u64>,
    /// Whether somebody added items to a list of ours; see [`crate::digest::has_foreign_items`].
    pub has_foreign_items: bool,
    /// Whose its labels say it is.
    pub owner: Option<Owner>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// What else counts.
    pub facts: Facts,
}

/// A GatewayClass, reduced to what plans need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayClassView {
    /// `spec.controllerName`.
    pub controller_name: String,
    /// Namespace and name of the EnvoyProxy that `spec.parametersRef` names.
    pub envoy_proxy: Option<(String, String)>,
}

impl GatewayClassView {
    /// A class of a controller, without parameters.
    pub fn of(controller_name: impl Into<String>) -> Self {
        Self { controller_name: controller_name.into(), envoy_proxy: None }
    }
}

impl From<&GatewayClass> for GatewayClassView {
    fn from(class: &GatewayClass) -> Self {
        let parameters = class.spec.parameters_ref.as_ref().filter(|parameters| parameters.kind == "EnvoyProxy");
        let envoy_proxy = parameters.and_then(|p| Some((p.namespace.clone()?, p.name.clone())));
        Self { envoy_proxy, ..Self::of(class.spec.controller_name.clone()) }
    }
}

/// A Gateway that a tenant's entry is, or will be, attached to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GatewayRef {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl GatewayRef {
    /// Shared when it lives among the shared ones.
    pub fn mode(&self) -> GatewayMode {
        if self.namespace == labels::GATEWAYS_NAMESPACE { GatewayMode::Shared } else { GatewayMode::Dedicated }
    }

    /// Its key.
    pub fn key(&self) -> ChildKey {
        ChildKey::new(ChildKind::Gateway, &self.namespace, &self.name)
    }
}

/// What is known of a Tenant by those who look at other Tenants or at its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantView {
    /// The class in force.
    pub class: Option<String>,
}

/// Everything that was observed.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// When it was looked at last: what ends at a given time has ended by then or not.
    pub now: Timestamp,
    /// What is in the namespaces that Tenants ask to adopt.
    pub inventories: BTreeMap<String, Vec<Found>>,
    /// TenantClasses by name.
    pub classes: BTreeMap<String, TenantClass>,
    /// Tenants by name.
    pub tenants: BTreeMap<String, TenantView>,
    /// GatewayClasses by name.
    pub gateway_classes: BTreeMap<String, GatewayClassView>,
    /// Kinds whose API is there.
    pub apis: BTreeSet<ChildKind>,
    /// Gateways whose proxy has a pod that serves, where the data plane does not say so itself; see
    /// [`World::is_programmed`].
    pub serving_proxies: BTreeSet<GatewayRef>,
    /// The routes that tenants wrote.
    pub routes: Routes,
    /// The settings of the data planes themselves.
    pub control_planes: BTreeMap<DataPlane, ControlPlane>,
    /// Namespace and name of the EnvoyProxies, not Octroi's own, that put all Gateways of their class on one proxy.
    pub merging_proxies: BTreeSet<(String, String)>,
    /// What DNS says of domains whose certificate is not issued yet.
    pub pointings: Pointings,
    objects: HashMap<ChildKey, Observed>,
    owned: HashMap<Owner, BTreeSet<ChildKey>>,
    placements: BTreeMap<String, GatewayRef>,
    claims: BTreeMap<ChildKey, (String, String)>,
    attached: BTreeMap<String, GatewayRef>,
    left: BTreeMap<String, GatewayRef>,
    wanted: BTreeMap<String, Vec<Hostname>>,
    issuances: Issuances,
}

/// What an observation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// Something a plan depends on.
    Change,
    /// Nothing: an echo of what is known already.
    Echo,
}

impl World {
    /// An observed object.
    pub fn get(&self, key: &ChildKey) -> Option<&Observed> {
        self.objects.get(key)
    }

    /// The keys of everything that is the owner's, in the order of their stages: it says so, and lies where only Octroi
    /// writes for this owner or where the owner itself writes. A label that somebody forges elsewhere counts for nothing.
    pub fn owned_by(&self, owner: &Owner) -> impl Iterator<Item = &ChildKey> {
        self.owned.get(owner).into_iter().flatten().filter(|key| self.is_at_home(key, owner))
    }

    /// Whether an object lies where only Octroi writes for this owner, or where the owner itself writes.
    pub fn is_at_home(&self, key: &ChildKey, owner: &Owner) -> bool {
        if !key.kind.namespaced() || key.namespace == labels::GATEWAYS_NAMESPACE {
            return true;
        }
        let namespace = ChildKey::new(ChildKind::Namespace, "", &key.namespace);
        matches!(owner, Owner::Tenant(_)) && self.get(&namespace).is_some_and(|n| n.owner.as_ref() == Some(owner))
    }

    /// Takes note of an object, by a watch or by the reply to a write. An older version than the known one is an echo.
    pub fn observe(&mut self, key: ChildKey, object: Observed) -> Noticed {
        if let Some(known) = self.objects.get(&key) {
            if known.uid == object.uid && !is_newer(&object.resource_version, &known.resource_version) {
                return Noticed::Echo;
            }
            let same = known.uid == object.uid
                && (known.digest, &known.owner, known.deleting, &known.facts)
                    == (object.digest, &object.owner, object.deleting, &object.facts);
            if same {
                self.objects.insert(key, object);
                return Noticed::Echo;
            }
        }
        self.unlink(&key);
        if let Facts::Certificate(view) = &object.facts {
            self.issuances.observe(&key, &view.issuer, view.created);
        }
        if let Facts::Claim { host, tenant } = &object.facts {
            self.claims.insert(key.clone(), (host.clone(), tenant.clone()));
        }
        if let Facts::Entry { parent: (namespace, name), programmed, .. } = &object.facts
            && let Some(Owner::Tenant(tenant)) = &object.owner
            && is_entry(&key, tenant)
        {
            // A reservation is newer than what the entry says while a move is under way.
            let gateway = GatewayRef { namespace: namespace.clone(), name: name.clone() };
            let before = self.attached.insert(tenant.clone(), gateway.clone());
            if programmed.is_done() {
                self.left.remove(tenant);
            } else if let Some(before) = before.filter(|before| *before != gateway) {
                self.left.insert(tenant.clone(), before);
            }
            self.placements.entry(tenant.clone()).or_insert(gateway);
        }
        if let Some(owner) = object.owner.clone() {
            self.owned.entry(owner).or_default().insert(key.clone());
        }
        self.objects.insert(key, object);
        Noticed::Change
    }

    /// Takes note that an object is gone. `uid` tells a late word about an earlier object of that name.
    pub fn forget(&mut self, key: &ChildKey, uid: Option<&str>) -> Noticed {
        match self.objects.get(key) {
            Some(known) if uid.is_none_or(|uid| uid == known.uid) => {
                self.unlink(key);
                let owner = self.objects.remove(key).and_then(|o| o.owner);
                self.claims.remove(key);
                self.issuances.forget(key);
                if let Some(Owner::Tenant(tenant)) = owner
                    && is_entry(key, &tenant)
                {
                    self.attached.remove(&tenant);
                    self.left.remove(&tenant);
                    if !self.tenants.contains_key(&tenant) {
                        self.placements.remove(&tenant);
                    }
                }
                Noticed::Change
            }
            _ => Noticed::Echo,
        }
    }

    /// The data plane of a GatewayClass; `None` for one that is not there, or that Octroi does not know.
    pub fn data_plane(&self, gateway_class: &str) -> Option<DataPlane> {
        DataPlane::of_controller(&self.gateway_classes.get(gateway_class)?.controller_name)
    }

    /// Whether a Gateway serves. kgateway says `Programmed=True` before its proxy runs, even when its pods are refused
    /// (seen on a build of August 2026), so there the proxy's Deployment is asked too.
    pub fn is_programmed(&self, gateway: &GatewayRef, data_plane: DataPlane) -> bool {
        let says_so = matches!(self.get(&gateway.key()).map(|o| &o.facts), Some(Facts::Gateway { programmed, .. }) if programmed.is_done());
        says_so && self.has_proxy(gateway, data_plane)
    }

    /// Whether a pod of the Gateway's proxy serves, as far as the data plane leaves that open.
    pub fn has_proxy(&self, gateway: &GatewayRef, data_plane: DataPlane) -> bool {
        data_plane == DataPlane::EnvoyGateway || self.serving_proxies.contains(gateway)
    }

    /// Every key of a kind: what a fresh list must be compared with.
    pub fn keys_of(&self, kind: ChildKind) -> Vec<ChildKey> {
        self.objects.keys().filter(|k| k.kind == kind).cloned().collect()
    }

    /// The Gateway a tenant's entry is attached to, or will be.
    pub fn placement(&self, tenant: &str) -> Option<&GatewayRef> {
        self.placements.get(tenant)
    }

    /// What issuers were asked for, and are about to be.
    pub fn issuances(&self) -> &Issuances {
        &self.issuances
    }

    /// Keeps what a plan is about to take, before the first write of it: the place on a Gateway, the hosts, and new certificates
    /// of its issuer. Two plans made one after the other never count on the same.
    pub fn note_plan(&mut self, plan: &ResolvedTenant) -> Noticed {
        let hosts = plan.hosts.iter().filter(|h| h.claim != ClaimState::Taken).map(|h| h.host.clone()).collect();
        self.wanted.insert(plan.name.to_string(), hosts);
        self.issuances.note(plan.name.as_str(), plan.issuance.asked.clone());
        let unproven = certificates::unproven(plan, self);
        self.pointings.note(plan.name.as_str(), unproven);
        self.reserve(plan.name.as_str(), &plan.placement.target)
    }

    /// Gives up the hosts and certificates that a plan counted on: it was refused.
    pub fn drop_wanted(&mut self, tenant: &str) {
        self.wanted.remove(tenant);
        self.issuances.drop_asked(tenant);
        self.pointings.note(tenant, Vec::new());
    }

    /// The Gateway that a tenant's entry is attached to.
    pub fn attached(&self, tenant: &str) -> Option<&GatewayRef> {
        self.attached.get(tenant)
    }

    /// The Gateway that a tenant's entry was attached to until the one it is attached to now serves it.
    pub fn left(&self, tenant: &str) -> Option<&GatewayRef> {
        self.left.get(tenant)
    }

    /// The tenants that are on a Gateway or are to be: a place is free only when it was left.
    pub fn occupants(&self) -> BTreeSet<(&GatewayRef, &str)> {
        let all = self.placements.iter().chain(&self.attached);
        all.map(|(tenant, gateway)| (gateway, tenant.as_str())).collect()
    }

    fn reserve(&mut self, tenant: &str, gateway: &GatewayRef) -> Noticed {
        let old = self.placements.insert(tenant.to_owned(), gateway.clone());
        if old.as_ref() == Some(gateway) { Noticed::Echo } else { Noticed::Change }
    }

    /// Forgets a Tenant. Its place is kept while it has an entry: whoever takes that back finds it where it is.
    pub fn forget_tenant(&mut self, tenant: &str) -> Option<TenantView> {
        let owner = Owner::Tenant(tenant.to_owned());
        if self.owned_by(&owner).all(|key| !is_entry(key, tenant)) {
            self.placements.remove(tenant);
        }
        self.drop_wanted(tenant);
        self.tenants.remove(tenant)
    }

    /// Tenants by the Gateway they are placed on.
    pub fn placements(&self) -> &BTreeMap<String, GatewayRef> {
        &self.placements
    }

    /// The name of a claim that somebody else has on this host or on one that it overlaps with.
    pub fn claim_over(&self, host: &Hostname, tenant: &str) -> Option<&str> {
        let is_over = |claimed: &str| Hostname::parse(claimed).is_ok_and(|claimed| claimed.overlaps(host));
        let mut foreign = self.claims.iter().filter(|(_, (_, owner))| owner != tenant);
        foreign.find(|(_, (claimed, _))| is_over(claimed)).map(|(key, _)| key.name.as_str())
    }

    /// The hosts that a tenant has claims on.
    pub fn claimed_by(&self, tenant: &str) -> Vec<Hostname> {
        let own = self.claims.values().filter(|(_, owner)| owner == tenant);
        own.filter_map(|(host, _)| Hostname::parse(host).ok()).collect()
    }

    /// Whether somebody else has, or is about to have, a host that some request could match as well as this one.
    pub fn overlaps_foreign(&self, host: &Hostname, tenant: &str) -> bool {
        let mut others = self.wanted.iter().filter(|(owner, _)| *owner != tenant);
        self.claim_over(host, tenant).is_some()
            || others.any(|(_, hosts)| hosts.iter().any(|wanted| wanted.overlaps(host)))
    }

    /// Every Gateway that an entry is on or is to be on: none of them may go.
    pub fn gateways_in_use(&self) -> impl Iterator<Item = &GatewayRef> {
        self.placements.values().chain(self.attached.values())
    }

    /// How many tenants use a class.
    pub fn tenants_of(&self, class: &str) -> usize {
        self.tenants.values().filter(|t| t.class.as_deref() == Some(class)).count()
    }

    /// The name of the default class: of several, the first by name, so that the answer never depends on time.
    pub fn default_class(&self) -> Option<&str> {
        let is_default = |class: &TenantClass| {
            let annotations = class.metadata.annotations.as_ref();
            annotations.and_then(|a| a.get(labels::DEFAULT_CLASS)).is_some_and(|v| v == "true")
        };
        self.classes.iter().find(|(_, class)| is_default(class)).map(|(name, _)| name.as_str())
    }

    fn unlink(&mut self, key: &ChildKey) {
        let Some(owner) = self.objects.get(key).and_then(|o| o.owner.clone()) else { return };
        if let Some(keys) = self.owned.get_mut(&owner) {
            keys.remove(key);
            if keys.is_empty() {
                self.owned.remove(&owner);
            }
        }
    }
}

/// Whether this is the tenant's entry, and not the listeners by which its domains are proved.
fn is_entry(key: &ChildKey, tenant: &str) -> bool {
    key.kind == ChildKind::ListenerSet && key.name == tenant
}

/// Resource versions of one resource are integers that grow (KEP-5504, Kubernetes 1.35). What is not a number counts as
/// newer, so that a change is never missed.
fn is_newer(version: &str, than: &str) -> bool {
    match (version.parse::<u64>(), than.parse::<u64>()) {
        (Ok(a), Ok(b)) => a > b,
        _ => version != than,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(version: &str, digest: u64) -> Observed {
        Observed {
            uid: "u".into(),
            resource_version: version.into(),
            digest: Some(digest),
            owner: Some(Owner::Tenant("acme".into())),
            has_foreign_items: false,
            deleting: false,
            facts: Facts::Presence,
        }
    }

    #[test]
    fn an_echo_or_an_older_version_changes_nothing() {
        let (mut world, key) = (World::default(), ChildKey::new(ChildKind::ConfigMap, "acme", "octroi-entry"));
        assert_eq!(world.observe(key.clone(), seen("5", 1)), Noticed::Change);
        assert_eq!(world.observe(key.clone(), seen("5", 1)), Noticed::Echo);
        assert_eq!(world.observe(key.clone(), seen("4", 2)), Noticed::Echo);
        assert_eq!(world.observe(key.clone(), seen("6", 1)), Noticed::Echo);
        assert_eq!(world.observe(key.clone(), seen("10", 2)), Noticed::Change);
        assert_eq!(world.forget(&key, Some("other")), Noticed::Echo);
        assert_eq!(world.forget(&key, Some("u")), Noticed::Change);
        assert_eq!(world.owned_by(&Owner::Tenant("acme".into())).count(), 0);
    }

    #[test]
    fn an_object_that_loses_its_label_is_no_longer_owned() {
        let (mut world, key) = (World::default(), ChildKey::new(ChildKind::ConfigMap, "acme", "octroi-entry"));
        world.observe(key.clone(), seen("5", 1));
        world.observe(key, Observed { owner: None, ..seen("6", 1) });
        assert_eq!(world.owned_by(&Owner::Tenant("acme".into())).count(), 0);
    }
}
