//! What is true of every refusal, and short words for what a test expects of one.

use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::Reason;
use octroi_api::{Tenant, TenantClass};
use octroi_plan::rejection::Rejection;
use octroi_plan::status;
use octroi_plan::tenant::{self as tenant_plan, TenantPlan};
use octroi_plan::world::World;
use serde_json::{Value, json};

use super::{Cluster, default_class, tenant};

/// The other tenant; nobody may read its name.
pub const OTHER: &str = "globex";

pub fn standard() -> TenantClass {
    default_class("standard", &json!({}))
}

/// Everything that is wrong with a Tenant, after what is true of every refusal was checked.
pub fn rejections(tenant: &Tenant, world: &World) -> Vec<Rejection> {
    let plan = tenant_plan::plan(tenant, world);
    let TenantPlan::Reject(rejections) = &plan else { panic!("not rejected: {plan:?}") };
    assert!(plan.changes().is_none() && !plan.releases(), "a rejected Tenant is left as it is");
    assert!(!rejections.is_empty());
    for rejection in rejections {
        assert!(rejection.message.contains(": "), "no next step: {rejection:?}");
        assert!(rejection.field.starts_with("spec") || rejection.field == "metadata.name", "{rejection:?}");
        assert!(!rejection.message.contains(OTHER), "names the other tenant: {rejection:?}");
    }
    let said = status::tenant::of(tenant, &plan, world, &[], Timestamp::UNIX_EPOCH).unwrap();
    assert!(!serde_json::to_string(&said).unwrap().contains(OTHER), "names the other tenant: {said:?}");
    let of = |kind: &str| said.conditions.iter().find(|c| c.type_ == kind).unwrap();
    for kind in ["Accepted", "Ready"] {
        assert_eq!((of(kind).status.as_str(), of(kind).reason.as_str()), ("False", rejections[0].reason.as_str()));
        assert!(rejections.iter().all(|r| of(kind).message.contains(&r.message)), "{said:?}");
    }
    rejections.clone()
}

/// The only thing that is wrong.
pub fn rejection(tenant: &Tenant, world: &World) -> Rejection {
    let all = rejections(tenant, world);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

pub fn assert_is(found: &Rejection, reason: Reason, field: &str, parts: &[&str]) {
    assert_eq!((found.reason, found.field.as_str()), (reason, field), "{found:?}");
    for part in parts {
        assert!(found.message.contains(part), "lacks {part:?}: {found:?}");
    }
}

pub fn accepted(tenant: &Tenant, world: &World) -> TenantPlan {
    let plan = tenant_plan::plan(tenant, world);
    assert!(matches!(plan, TenantPlan::Keep { .. }), "{:?} is rejected: {plan:?}", tenant.spec);
    plan
}

/// A cluster where the other tenant has settled with this spec.
pub fn beside(spec: &Value, classes: impl IntoIterator<Item = TenantClass>) -> Cluster {
    let mut cluster = Cluster::with(classes);
    cluster.apply(tenant(OTHER, spec));
    cluster.settle();
    cluster
}
