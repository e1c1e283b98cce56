//! The firewall of a tenant: its profile, which `octroi waf` reads, and the leave to ask that service. Both lie beside the
//! service, where no tenant reads or writes; what makes the data plane ask it is with the other policies of the entry.

use std::collections::BTreeMap;

use gateway_api::apis::standard::referencegrants::{
    ReferenceGrant, ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo,
};
use k8s_openapi::api::core::v1::ConfigMap;
use octroi_api::{WafExclusion, WafMode, labels};
use octroi_external::ServiceRef;
use serde::Serialize;

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::DataPlane;
use crate::resolve::waf::TenantsWaf;
use crate::waf_profile;

/// The Service of `octroi waf`, in [`labels::GATEWAYS_NAMESPACE`]; the chart makes it.
pub const SERVICE: &str = "octroi-waf";
/// Where it is asked, by gRPC.
pub const PORT: u16 = 9002;

/// What the data planes ask.
pub const fn service() -> ServiceRef {
    ServiceRef::new(labels::GATEWAYS_NAMESPACE, SERVICE, PORT)
}

/// Whether a tenant's requests are inspected.
pub fn is_on(tenant: &ResolvedTenant) -> bool {
    tenant.waf.mode != WafMode::Disabled
}

/// How much of a body a proxy holds back, in KiB. A little more than is inspected: what is above the cap is the firewall's to
/// refuse.
pub fn held_kib(body_kib: u32) -> u32 {
    body_kib + 64
}

/// How long an inspection may take, in seconds. A KiB of text costs up to 1.2 ms of a core (docs/waf.md); the rest is for waiting.
pub fn patience(body_kib: u32) -> u32 {
    1 + body_kib.div_ceil(100)
}

/// The profile of a Tenant, and its grant.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    if !is_on(tenant) {
        return Vec::new();
    }
    vec![profile(tenant, metadata), grant(tenant, metadata)]
}

fn key(kind: ChildKind, tenant: &ResolvedTenant) -> ChildKey {
    ChildKey::new(kind, labels::GATEWAYS_NAMESPACE, &waf_profile::name(tenant.name.as_str()))
}

fn profile(tenant: &ResolvedTenant, metadata: &Metadata) -> Child {
    let key = key(ChildKind::ConfigMap, tenant);
    let metadata = metadata.with_labels(&key, [(waf_profile::LABEL, waf_profile::LABEL_VALUE.to_owned())]);
    let profile = Profile { namespaces: &tenant.namespaces, waf: settings(&tenant.waf, tenant.class.waf.body_kib) };
    // Plain text and numbers always serialise; a contract test reads every profile as the firewall does.
    let text = serde_saphyr::to_string(&profile).unwrap_or_default();
    let data = Some(BTreeMap::from([(waf_profile::KEY.to_owned(), text)]));
    Child::new(key, &ConfigMap { metadata, data, ..ConfigMap::default() })
}

/// As the firewall reads it.
#[derive(Serialize)]
struct Profile<'a> {
    namespaces: &'a [String],
    waf: Settings<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings<'a> {
    mode: WafMode,
    paranoia_level: i32,
    anomaly_threshold: i32,
    request_body_limit: u32,
    exclusions: &'a [WafExclusion],
}

fn settings(waf: &TenantsWaf, body_kib: u32) -> Settings<'_> {
    Settings {
        mode: waf.mode,
        paranoia_level: waf.paranoia_level,
        anomaly_threshold: waf.anomaly_threshold,
        request_body_limit: body_kib * 1024,
        exclusions: &waf.exclusions,
    }
}

fn grant(tenant: &ResolvedTenant, metadata: &Metadata) -> Child {
    let key = key(ChildKind::ReferenceGrant, tenant);
    let asking = match tenant.class.data_plane {
        DataPlane::EnvoyGateway => ChildKind::EnvoyExtensionPolicy,
        DataPlane::Kgateway => ChildKind::GatewayExtension,
    };
    let spec = ReferenceGrantSpec {
        from: vec![ReferenceGrantFrom {
            group: asking.api().group.into(),
            kind: asking.api().kind.into(),
            namespace: tenant.name.gateway_namespace(),
        }],
        to: vec![ReferenceGrantTo { group: String::new(), kind: "Service".into(), name: Some(SERVICE.into()) }],
    };
    let grant = ReferenceGrant { metadata: metadata.of_child(&key), spec };
    Child::new(key, &grant)
}
