//! What a class says of its data plane's own settings.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use octroi_plan::class::plan;
use octroi_plan::hardening::{ControlPlane, Seen};
use octroi_plan::resolve::class::DataPlane;
use octroi_plan::status;
use octroi_plan::world::World;
use serde_json::{Value, json};
use support::{ENVOY_GATEWAY, KGATEWAY, class, world};

const GOOD: &str = "provider: {kubernetes: {deploy: {type: GatewayNamespace}}}";

fn config(text: &str) -> Seen {
    let map = json!({"metadata": {"name": "c", "namespace": "n"}, "data": {"envoy-gateway.yaml": text}});
    Seen::envoy_gateway(&serde_json::from_value::<ConfigMap>(map).unwrap())
}

fn controller(variables: &Value) -> Seen {
    let pod = json!({"metadata": {}, "spec": {"containers": [{"name": "controller", "env": variables}]}});
    let spec = json!({"selector": {}, "template": pod});
    let deployment = json!({"metadata": {"name": "d", "namespace": "n"}, "spec": spec});
    Seen::kgateway(&serde_json::from_value::<Deployment>(deployment).unwrap())
}

/// Status, reason and message of a class of this data plane, whose settings were so seen.
fn said_of(gateway_class: &str, seen: Option<Seen>, change: impl FnOnce(&mut World)) -> (String, String, String) {
    let class = class("standard", &json!({"gateway": {"gatewayClassName": gateway_class}}));
    let mut world = world([class.clone()]);
    let of = if gateway_class == KGATEWAY { DataPlane::Kgateway } else { DataPlane::EnvoyGateway };
    if let Some(seen) = seen {
        world.control_planes.insert(of, ControlPlane { subject: "ConfigMap n/c".into(), seen });
    }
    change(&mut world);
    let status = status::class::of(&class, &plan(&class, &world), &world, &[], Timestamp::UNIX_EPOCH).unwrap();
    let of_kind = |kind: &str| status.conditions.iter().find(|c| c.type_ == kind).unwrap();
    assert_eq!(of_kind("Accepted").status, "True", "a warning stops nobody");
    let hardened = of_kind("DataPlaneHardened");
    assert!(hardened.status == "True" || hardened.message.contains(": "), "no next step: {}", hardened.message);
    (hardened.status.clone(), hardened.reason.clone(), hardened.message.clone())
}

fn said(gateway_class: &str, seen: Option<Seen>) -> (String, String, String) {
    said_of(gateway_class, seen, |_| {})
}

#[test]
fn what_was_not_seen_is_never_called_good() {
    for gateway_class in [ENVOY_GATEWAY, KGATEWAY] {
        for seen in [None, Some(Seen::Absent), Some(Seen::Refused("configmaps is forbidden".into()))] {
            let (status, reason, message) = said(gateway_class, seen.clone());
            assert_eq!((status.as_str(), reason.as_str()), ("Unknown", "SettingsUnknown"), "{seen:?}: {message}");
        }
    }
    let empty = Seen::envoy_gateway(&ConfigMap::default());
    for seen in [empty, config("a: [b")] {
        assert_eq!(said(ENVOY_GATEWAY, Some(seen)).0, "Unknown");
    }
    assert!(said(KGATEWAY, Some(Seen::Absent)).2.contains("dataPlanes.kgateway"));
}

#[test]
fn the_settings_of_another_controller_say_nothing_of_this_one() {
    let other = format!("gateway: {{controllerName: gateway.envoyproxy.io/second}}\n{GOOD}");
    let (status, _, message) = said(ENVOY_GATEWAY, Some(config(&other)));
    assert!(status == "Unknown" && message.contains("gateway.envoyproxy.io/second"), "{message}");
    let (status, ..) = said_of(ENVOY_GATEWAY, Some(config(&other)), |world| {
        world.gateway_classes.get_mut(ENVOY_GATEWAY).unwrap().controller_name = "gateway.envoyproxy.io/second".into();
    });
    assert_eq!(status, "True");
}

#[test]
fn what_weakens_tenants_is_named_with_what_to_set() {
    let lua = format!("{GOOD}\nextensionApis: {{enableLua: true, enableEnvoyPatchPolicy: true}}");
    let (status, reason, message) = said(ENVOY_GATEWAY, Some(config(&lua)));
    assert_eq!((status.as_str(), reason.as_str()), ("False", "NotHardened"));
    assert!(message.contains("enableLua to false") && message.contains("enableEnvoyPatchPolicy to false"), "{message}");
    let (status, reason, message) = said(KGATEWAY, Some(controller(&json!([]))));
    assert_eq!((status.as_str(), reason.as_str()), ("False", "NotHardened"));
    assert!(message.contains("KGW_REFERENCE_GRANT_MODE to STRICT"), "{message}");
}

#[test]
fn a_class_is_told_of_its_own_data_plane_alone() {
    let bad = ControlPlane { subject: "Deployment n/d".into(), seen: controller(&json!([])) };
    let (status, ..) = said_of(ENVOY_GATEWAY, Some(config(GOOD)), |world| {
        world.control_planes.insert(DataPlane::Kgateway, bad);
    });
    assert_eq!(status, "True");
}

#[test]
fn merged_gateways_count_where_the_gateway_class_names_them() {
    let place = ("n".to_owned(), "merged".to_owned());
    let merges = |named: bool| {
        said_of(ENVOY_GATEWAY, Some(config(GOOD)), |world| {
            world.merging_proxies.insert(place.clone());
            let view = world.gateway_classes.get_mut(ENVOY_GATEWAY).unwrap();
            view.envoy_proxy = named.then(|| place.clone());
        })
    };
    let (status, reason, message) = merges(true);
    assert_eq!((status.as_str(), reason.as_str()), ("False", "NotHardened"));
    assert!(message.contains("EnvoyProxy n/merged") && message.ends_with(": remove it"), "{message}");
    assert_eq!(merges(false).0, "True", "somebody else's GatewayClass");
}

#[test]
fn what_is_well_is_true_and_says_what_would_be_better() {
    assert_eq!(said(ENVOY_GATEWAY, Some(config(GOOD))).0, "True");
    let strict = json!({"name": "KGW_REFERENCE_GRANT_MODE", "value": "STRICT"});
    let (status, _, message) = said(KGATEWAY, Some(controller(&json!([strict]))));
    assert!(status == "True" && message.contains("validation.level"), "{message}");
    let valid = json!({"name": "KGW_VALIDATION_MODE", "value": "strict"});
    let (status, _, message) = said(KGATEWAY, Some(controller(&json!([strict, valid]))));
    assert!(status == "True" && !message.contains("validation.level"), "{message}");
}
