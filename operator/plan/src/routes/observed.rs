//! From a route of the API server to the little that is kept of it. There may be tens of thousands.

use kube::core::{Object, ResourceExt};
use octroi_api::RouteProblem;
use octroi_api::labels::GATEWAY_NAMESPACE_PREFIX;
use serde::{Deserialize, Serialize};

use super::verdict;
use crate::resolve::class::DataPlane;

/// A route of any kind as the API server sends it, without what nobody looks at. Everything is optional: one odd object
/// must not stop the watch on all others.
pub type RouteObject = Object<RouteSpec, RouteStatus>;

/// The part of `spec` that is looked at.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteSpec {
    /// The hosts.
    pub hostnames: Vec<String>,
    /// What it hangs on.
    pub parent_refs: Vec<ParentRef>,
}

/// The part of `status` that is looked at.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(default)]
pub struct RouteStatus {
    /// What each controller says of each parent.
    pub parents: Vec<ParentStatus>,
}

/// What one controller says of one parent.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentStatus {
    /// Which parent.
    pub parent_ref: ParentRef,
    /// Which controller.
    pub controller_name: String,
    /// What it says.
    pub conditions: Vec<Said>,
}

/// A parent, by name.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentRef {
    /// API group.
    pub group: Option<String>,
    /// Kind.
    pub kind: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Listener.
    pub section_name: Option<String>,
    /// Port.
    pub port: Option<i32>,
}

/// One condition; its time is of no interest, and must not be able to fail.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Said {
    /// Which aspect.
    pub r#type: String,
    /// Whether it holds.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why.
    pub message: String,
    /// Of which generation.
    pub observed_generation: Option<i64>,
}

impl ParentRef {
    /// The tenant whose entry this is, if it is one. Group and kind must be said: their default is a Gateway.
    fn tenant(&self) -> Option<&str> {
        let is_listener_set = self.group.as_deref().is_none_or(|group| group == crate::compile::GATEWAY_API)
            && self.kind.as_deref() == Some("ListenerSet");
        let tenant = self.namespace.as_deref()?.strip_prefix(GATEWAY_NAMESPACE_PREFIX)?;
        (is_listener_set && tenant == self.name).then_some(tenant)
    }
}

/// What is kept of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `spec.hostnames`.
    pub hosts: Box<[Box<str>]>,
    /// `spec.parentRefs`: of each the tenant whose entry it is, if it is one.
    pub parents: Box<[Option<Box<str>>]>,
    /// What data planes say of the entries among its parents.
    pub verdicts: Box<[(DataPlane, Verdict)]>,
}

/// What a data plane says of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet of its present generation.
    Pending,
    /// It serves it.
    Accepted,
    /// It does not, or not all of it.
    Refused(Box<Refusal>),
}

/// Why a data plane refuses a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In one word of ours.
    pub problem: RouteProblem,
    /// In one word of the data plane.
    pub reason: Box<str>,
    /// In the data plane's words, where they speak of nothing but the route itself.
    pub text: Box<str>,
}

impl Route {
    /// What is kept of an object.
    pub fn of(object: &RouteObject) -> Self {
        let generation = object.metadata.generation;
        let status = object.status.as_ref().map(|status| status.parents.as_slice()).unwrap_or_default();
        let entries = status
            .iter()
            .filter(|said| said.parent_ref.tenant().is_some() && object.spec.parent_refs.contains(&said.parent_ref));
        let verdicts = entries.filter_map(|said| {
            Some((DataPlane::of_controller(&said.controller_name)?, verdict::of(&said.conditions, generation)))
        });
        Self {
            uid: object.uid().unwrap_or_default().into(),
            hosts: object.spec.hostnames.iter().map(|host| host.as_str().into()).collect(),
            parents: object.spec.parent_refs.iter().map(|parent| parent.tenant().map(Into::into)).collect(),
            verdicts: verdicts.collect(),
        }
    }

    /// Whether nothing is new of it but that it waits for a data plane.
    pub(super) fn waits_only(&self, before: Option<&Self>) -> bool {
        let waits = self.verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Pending);
        waits && before.is_some_and(|b| (&b.uid, &b.hosts, &b.parents) == (&self.uid, &self.hosts, &self.parents))
    }
}
