//! What a Suspended tenant's hosts answer: a route of the platform's, in `gw-<tenant>`, for every listener of the entry.
//!
//! It takes effect once the entry lets only routes of its own namespace in; see [`super::entry`]. A policy that aborts
//! requests would answer only where a route exists, and a catch-all route beside the tenant's own loses to an exact host.

use gateway_api::apis::standard::httproutes as route;
use octroi_external::envoy_gateway::{DirectResponse, HttpRouteFilterSpec, InlineBody};
use octroi_external::kgateway::DirectResponseSpec;
use octroi_external::{Header, HeaderSet, Object};

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::DataPlane;

/// The name of the route, and of what it answers.
pub const NAME: &str = "octroi-suspended";
const UNAVAILABLE: u16 = 503;
const HTML: &str = "text/html; charset=utf-8";
/// No cache may keep the page beyond the suspension.
const CACHE_CONTROL: &str = "Cache-Control";
const NO_STORE: &str = "no-store";

/// The page of a class that has none of its own.
pub const DEFAULT_PAGE: &str = include_str!("suspended.html");

/// The route and its answer, while the tenant is suspended.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    if !tenant.is_suspended() {
        return Vec::new();
    }
    let answer = answer(tenant, metadata);
    let route = everything(tenant, answer.key.kind, metadata);
    vec![answer, route]
}

/// The route of a suspension.
pub fn route_key(gateway_namespace: &str) -> ChildKey {
    ChildKey::new(ChildKind::HttpRoute, gateway_namespace, NAME)
}

fn answer(tenant: &ResolvedTenant, metadata: &Metadata) -> Child {
    let page = tenant.class.suspended_page.as_str();
    let key = |kind| ChildKey::new(kind, &tenant.name.gateway_namespace(), NAME);
    match tenant.class.data_plane {
        DataPlane::EnvoyGateway => {
            let key = key(ChildKind::HttpRouteFilter);
            // Envoy reads this body as a format.
            let body = InlineBody { r#type: "Inline", inline: page.replace('%', "%%") };
            let header = HeaderSet {
                set: vec![Header { name: CACHE_CONTROL.into(), value: NO_STORE.into() }],
                remove: Vec::new(),
            };
            let direct_response = DirectResponse { status_code: UNAVAILABLE, content_type: HTML, header, body };
            Child::new(key.clone(), &Object::new(metadata.of_child(&key), HttpRouteFilterSpec { direct_response }))
        }
        DataPlane::Kgateway => {
            let key = key(ChildKind::DirectResponse);
            let spec = DirectResponseSpec { status: UNAVAILABLE, body: page.into() };
            Child::new(key.clone(), &Object::new(metadata.of_child(&key), spec))
        }
    }
}

fn everything(tenant: &ResolvedTenant, answer: ChildKind, metadata: &Metadata) -> Child {
    let key = route_key(&tenant.name.gateway_namespace());
    let api = answer.api();
    let refer = route::HttpRouteRulesFilters {
        r#type: route::HttpRouteRulesFiltersType::ExtensionRef,
        extension_ref: Some(route::HttpRouteRulesFiltersExtensionRef {
            group: api.group.into(),
            kind: api.kind.into(),
            name: NAME.into(),
        }),
        ..route::HttpRouteRulesFilters::default()
    };
    let spec = route::HttpRouteSpec {
        parent_refs: Some(vec![route::HttpRouteParentRefs {
            group: Some(super::GATEWAY_API.into()),
            kind: Some("ListenerSet".into()),
            name: tenant.name.to_string(),
            ..route::HttpRouteParentRefs::default()
        }]),
        rules: Some(vec![route::HttpRouteRules {
            matches: Some(vec![super::gateway::everything()]),
            filters: Some(std::iter::once(refer).chain(headers(answer)).collect()),
            ..route::HttpRouteRules::default()
        }]),
        ..route::HttpRouteSpec::default()
    };
    Child::new(key.clone(), &route::HttpRoute { metadata: metadata.of_child(&key), spec, status: None })
}

/// kgateway's answer has no place for headers; a modifier of the route reaches it there.
fn headers(answer: ChildKind) -> Option<route::HttpRouteRulesFilters> {
    if answer != ChildKind::DirectResponse {
        return None;
    }
    let header = |name: &str, value: &str| route::HttpRouteRulesFiltersResponseHeaderModifierSet {
        name: name.into(),
        value: value.into(),
    };
    Some(route::HttpRouteRulesFilters {
        r#type: route::HttpRouteRulesFiltersType::ResponseHeaderModifier,
        response_header_modifier: Some(route::HttpRouteRulesFiltersResponseHeaderModifier {
            set: Some(vec![header(CACHE_CONTROL, NO_STORE), header("Content-Type", HTML)]),
            ..route::HttpRouteRulesFiltersResponseHeaderModifier::default()
        }),
        ..route::HttpRouteRulesFilters::default()
    })
}
