//! Upstreams outside the cluster: a Backend of the data plane for each, in `gw-<tenant>`, where nobody else writes, and a grant
//! for each of the tenant's namespaces.
//!
//! All speak TLS, and the certificate must be good for the name by an authority that the proxy's image trusts: wherever a name
//! leads to, nobody answers who is not whom it names. Of kgateway a policy says so; it is written before the Backend, and goes
//! after it.
//!
//! A function of AWS Lambda is called with credentials out of a Secret beside its Backend, which kgateway reads and Octroi does
//! not. They are always named: without, kgateway has the proxy sign with the role of its own pod, which is all tenants'.

use gateway_api::apis::standard::backendtlspolicies::{
    BackendTlsPolicy, BackendTlsPolicySpec, BackendTlsPolicyTargetRefs, BackendTlsPolicyValidation,
};
use gateway_api::apis::standard::referencegrants::{
    ReferenceGrant, ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo,
};
use octroi_external::{Object, envoy_gateway as eg, kgateway as kg};

use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::DataPlane;
use crate::resolve::upstreams::{Function, ResolvedUpstream};

/// The kind of routes that may name an upstream.
const ROUTE_KIND: &str = "HTTPRoute";
/// The authorities that the proxy's image trusts.
const SYSTEM: &str = "System";
/// What of a request AWS Lambda takes for the caller's word beside its body (Invoke, of the API of Lambda): a client that says
/// `Tail` in the third would be answered the end of the function's log. Envoy overwrites `x-amz-invocation-type`.
const OF_CALLERS: [&str; 4] =
    ["x-amz-client-context", "x-amz-durable-execution-name", "x-amz-log-type", "x-amz-tenant-id"];

/// The key of an upstream's Backend.
pub fn key(tenant: &ResolvedTenant, upstream: &ResolvedUpstream) -> ChildKey {
    ChildKey::new(kind(tenant.class.data_plane), &tenant.name.gateway_namespace(), &upstream.name)
}

/// The key of the policy by which an upstream speaks TLS, where that is none of its Backend's fields.
pub fn tls_key(tenant: &ResolvedTenant, upstream: &ResolvedUpstream) -> Option<ChildKey> {
    let is_apart = tenant.class.data_plane == DataPlane::Kgateway;
    is_apart.then(|| ChildKey::new(ChildKind::BackendTlsPolicy, &tenant.name.gateway_namespace(), &upstream.name))
}

const fn kind(data_plane: DataPlane) -> ChildKind {
    match data_plane {
        DataPlane::EnvoyGateway => ChildKind::EnvoyBackend,
        DataPlane::Kgateway => ChildKind::KgatewayBackend,
    }
}

/// The upstreams of a Tenant.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let mut children: Vec<Child> =
        tenant.open_upstreams().flat_map(|upstream| of_upstream(upstream, tenant, metadata)).collect();
    if !children.is_empty() {
        children.extend(tenant.namespaces.iter().map(|namespace| grant(namespace, tenant, metadata)));
    }
    children
}

/// Headers of a request that clients of a tenant with functions may not send.
pub fn kept_from_functions(tenant: &ResolvedTenant) -> Vec<&'static str> {
    let has_functions = tenant.open_upstreams().any(|upstream| upstream.function.is_some());
    if has_functions { OF_CALLERS.to_vec() } else { Vec::new() }
}

fn of_upstream(upstream: &ResolvedUpstream, tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let key = key(tenant, upstream);
    let backend = match tenant.class.data_plane {
        DataPlane::EnvoyGateway => {
            // Without a dot at its end: given one, Envoy Gateway 1.9.1 sends the whole proxy nothing any more ("field Address must be
            // a valid IP or FQDN address"), and says so in its log alone.
            let fqdn = eg::Fqdn { hostname: upstream.host.clone(), port: upstream.port };
            let spec = eg::BackendSpec {
                endpoints: vec![eg::Endpoint { fqdn }],
                tls: eg::BackendTls {
                    well_known_ca_certificates: SYSTEM,
                    sni: upstream.host.clone(),
                    insecure_skip_verify: false,
                },
            };
            Child::new(key.clone(), &Object::new(metadata.of_child(&key), spec))
        }
        DataPlane::Kgateway => {
            // Looked up as it is: without the dot, a resolver first tries the name below the cluster's own domains, where a Service
            // may be called so.
            let absolute = format!("{}.", upstream.host);
            let host = kg::Host { host: absolute, port: upstream.port };
            let spec = upstream.function.as_ref().map_or_else(
                || kg::BackendSpec::Static(kg::StaticHosts { hosts: vec![host.clone()], app_protocol: None }),
                |function| kg::BackendSpec::Aws(aws(function, &host)),
            );
            Child::new(key.clone(), &Object::new(metadata.of_child(&key), spec))
        }
    };
    tls_key(tenant, upstream).map(|tls| policy(&tls, &key, upstream, metadata)).into_iter().chain([backend]).collect()
}

fn aws(function: &Function, at: &kg::Host) -> kg::Aws {
    kg::Aws {
        region: function.region.clone(),
        auth: kg::AwsAuth { auth_type: "Secret", secret_ref: kg::SecretName { name: function.secret.clone() } },
        lambda: kg::Lambda {
            account_id: function.account.clone(),
            function_name: function.name.clone(),
            qualifier: function.qualifier.clone(),
            // kgateway's own would be looked up below the cluster's domains first.
            endpoint_url: format!("https://{}:{}", at.host, at.port),
        },
    }
}

fn policy(key: &ChildKey, of: &ChildKey, upstream: &ResolvedUpstream, metadata: &Metadata) -> Child {
    let api = of.kind.api();
    let target = BackendTlsPolicyTargetRefs {
        group: api.group.into(),
        kind: api.kind.into(),
        name: of.name.clone(),
        section_name: None,
    };
    let validation = BackendTlsPolicyValidation {
        hostname: upstream.host.clone(),
        well_known_ca_certificates: Some(SYSTEM.into()),
        ..BackendTlsPolicyValidation::default()
    };
    let spec = BackendTlsPolicySpec { options: None, target_refs: vec![target], validation };
    Child::new(key.clone(), &BackendTlsPolicy { metadata: metadata.of_child(key), spec, status: None })
}

/// To each upstream by its name: nothing else of `gw-<tenant>` is for routes.
fn grant(namespace: &str, tenant: &ResolvedTenant, metadata: &Metadata) -> Child {
    let key =
        ChildKey::new(ChildKind::ReferenceGrant, &tenant.name.gateway_namespace(), &format!("octroi-from-{namespace}"));
    let from =
        ReferenceGrantFrom { group: super::GATEWAY_API.into(), kind: ROUTE_KIND.into(), namespace: namespace.into() };
    let api = kind(tenant.class.data_plane).api();
    let to = tenant.open_upstreams().map(|upstream| ReferenceGrantTo {
        group: api.group.into(),
        kind: api.kind.into(),
        name: Some(upstream.name.clone()),
    });
    let spec = ReferenceGrantSpec { from: vec![from], to: to.collect() };
    Child::new(key.clone(), &ReferenceGrant { metadata: metadata.of_child(&key), spec })
}
