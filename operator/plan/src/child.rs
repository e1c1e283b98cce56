//! An object that must exist, and whose it is.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use octroi_api::labels;
use serde::Serialize;
use serde_json::Value;

use crate::facts::Facts;
use crate::kind::ChildKind;

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A Tenant, by name.
    Tenant(String),
    /// A TenantClass, by name.
    Class(String),
}

impl Owner {
    /// Whose an observed object is. A claim says so in its spec, which never changes. A namespace says so twice, so that a
    /// label that somebody took off can be put back. Everything else is found again by its name.
    pub fn of_observed(
        facts: &Facts,
        kind: ChildKind,
        labels: &BTreeMap<String, String>,
        annotations: &BTreeMap<String, String>,
    ) -> Option<Self> {
        if let Facts::Claim { tenant, .. } | Facts::PortClaim { tenant } = facts {
            return Some(Self::Tenant(tenant.clone()));
        }
        let kept = annotations.get(labels::TENANT).filter(|_| kind == ChildKind::Namespace);
        let tenant = labels.get(labels::TENANT).or(kept).cloned().map(Self::Tenant);
        tenant.or_else(|| labels.get(labels::CLASS).cloned().map(Self::Class))
    }

    /// The label that names this owner, and its value.
    pub fn label(&self) -> (&'static str, &str) {
        match self {
            Self::Tenant(name) => (labels::TENANT, name),
            Self::Class(name) => (labels::CLASS, name),
        }
    }
}

/// Kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildKey {
    /// Kind.
    pub kind: ChildKind,
    /// Namespace; empty for what lives in none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ChildKey {
    /// A key.
    pub fn new(kind: ChildKind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// The object without which this one must not be written: a Backend of kgateway is spoken to in the clear, or with whoever answers,
    /// unless a policy of the same name says TLS. One that needs none has no such policy either.
    pub fn guard(&self) -> Option<Self> {
        let is_guarded = self.kind == ChildKind::KgatewayBackend;
        is_guarded.then(|| Self::new(ChildKind::BackendTlsPolicy, &self.namespace, &self.name))
    }
}

impl fmt::Display for ChildKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = self.kind.api().plural;
        if self.namespace.is_empty() {
            write!(f, "{plural} {}", self.name)
        } else {
            write!(f, "{plural} {}/{}", self.namespace, self.name)
        }
    }
}

/// An object that must exist, with exactly the fields that Octroi owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Which object.
    pub key: ChildKey,
    /// Its body, as it is applied.
    pub body: Value,
    /// Digest of the body, to compare with what is observed.
    pub digest: u64,
}

impl Child {
    /// A child from a typed object.
    pub fn new(key: ChildKey, object: &impl Serialize) -> Self {
        // Plain data with string keys always serialises; a golden test compiles every kind.
        let body = serde_json::to_value(object).unwrap_or_default();
        let digest = crate::digest::of_desired(&body);
        Self { key, body, digest }
    }
}

/// Makes the metadata of the children of one owner.
pub struct Metadata {
    owner: Owner,
}

impl Metadata {
    /// For this owner.
    pub fn of(owner: Owner) -> Self {
        Self { owner }
    }

    /// Name, namespace and the labels that every child carries.
    pub fn of_child(&self, key: &ChildKey) -> ObjectMeta {
        let (label, value) = self.owner.label();
        let labels = [(label, value), (labels::MANAGED_BY, labels::MANAGED_BY_VALUE)];
        ObjectMeta {
            name: Some(key.name.clone()),
            namespace: key.kind.namespaced().then(|| key.namespace.clone()),
            labels: Some(labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()),
            ..ObjectMeta::default()
        }
    }

    /// As [`Metadata::of_child`], with more labels.
    pub fn with_labels(&self, key: &ChildKey, more: impl IntoIterator<Item = (&'static str, String)>) -> ObjectMeta {
        let mut metadata = self.of_child(key);
        let labels = metadata.labels.get_or_insert_default();
        labels.extend(more.into_iter().map(|(k, v)| (k.to_owned(), v)));
        metadata
    }
}
