//! How much each of a tenant's namespaces may hold: one ResourceQuota, and one LimitRange, so that a pod that says nothing of
//! its size is neither refused nor boundless.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec, ResourceQuota, ResourceQuotaSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::limits::{ResolvedLimits, ResourceLimits};

const NAME: &str = "octroi";

/// The key of a namespace's quota.
pub fn quota_key(namespace: &str) -> ChildKey {
    ChildKey::new(ChildKind::ResourceQuota, namespace, NAME)
}

/// Quota and limits of a Tenant's own namespaces.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let limits = &tenant.class.limits;
    let of_namespace =
        |namespace: &String| [quota(namespace, limits, metadata), limit_range(namespace, limits, metadata)];
    tenant.namespaces.iter().flat_map(of_namespace).collect()
}

fn quota(namespace: &str, limits: &ResolvedLimits, metadata: &Metadata) -> Child {
    let key = quota_key(namespace);
    let hard = limits.quota.iter().map(|(name, limit)| (name.clone(), Quantity(limit.clone()))).collect();
    let spec = ResourceQuotaSpec { hard: Some(hard), ..ResourceQuotaSpec::default() };
    let quota = ResourceQuota { metadata: metadata.of_child(&key), spec: Some(spec), status: None };
    Child::new(key, &quota)
}

fn limit_range(namespace: &str, limits: &ResolvedLimits, metadata: &Metadata) -> Child {
    let key = ChildKey::new(ChildKind::LimitRange, namespace, NAME);
    let list = |of: fn(&ResourceLimits) -> &Option<String>| {
        let said = limits.containers.iter().filter_map(|(name, resource)| {
            of(resource).as_ref().map(|quantity| ((*name).to_owned(), Quantity(quantity.clone())))
        });
        Some(said.collect::<BTreeMap<_, _>>()).filter(|list| !list.is_empty())
    };
    let container = LimitRangeItem {
        type_: "Container".into(),
        default: list(|resource| &resource.default),
        default_request: list(|resource| &resource.default_request),
        max: list(|resource| &resource.max),
        ..LimitRangeItem::default()
    };
    let spec = LimitRangeSpec { limits: vec![container] };
    let range = LimitRange { metadata: metadata.of_child(&key), spec: Some(spec) };
    Child::new(key, &range)
}
