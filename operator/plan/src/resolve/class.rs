//! The class of a Tenant, with every default filled in.

use std::collections::BTreeMap;

use octroi_api::conditions::Reason;
use octroi_api::{
    CertificateScope, GatewayMode, IssuerRef, PodSecurity, Proxy, Replicas, ResourceList, Resources, ServiceType,
    Tenant, TenantClass, TenantClassSpec,
};

use crate::compile::suspension;
use crate::rejection::Rejection;
use crate::resolve::http::{self, ResolvedHttp};
use crate::resolve::issuance;
use crate::resolve::layer4::{self, Offer};
use crate::resolve::limits::{self, ResolvedLimits};
use crate::resolve::network::{self, ResolvedNetwork};
use crate::resolve::rate_limit::{self, ResolvedClassRateLimit};
use crate::resolve::tls::{self, ResolvedTls};
use crate::resolve::tracing::{self, ResolvedTracing};
use crate::resolve::upstreams::{self, UpstreamOffer};
use crate::resolve::waf::{self, ResolvedWaf};
use crate::world::World;

/// What serves the traffic; it follows from the GatewayClass's `controllerName`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataPlane {
    /// Envoy Gateway: `gateway.envoyproxy.io/…`.
    EnvoyGateway,
    /// kgateway: `kgateway.dev/…`.
    Kgateway,
}

impl DataPlane {
    /// The data plane of a controller; `None` for one that Octroi does not know.
    pub fn of_controller(name: &str) -> Option<Self> {
        match name.split('/').next() {
            Some("gateway.envoyproxy.io") => Some(Self::EnvoyGateway),
            Some("kgateway.dev") => Some(Self::Kgateway),
            _ => None,
        }
    }
}

/// A TenantClass with every default filled in.
#[derive(Clone, Debug)]
pub struct ResolvedClass {
    /// Its name.
    pub name: String,
    /// Tenants answer below it.
    pub base_domain: String,
    /// What serves.
    pub data_plane: DataPlane,
    /// By which GatewayClass.
    pub gateway_class_name: String,
    /// What a tenant gets that does not choose.
    pub mode: GatewayMode,
    /// Whether a tenant may have a proxy of its own.
    pub allow_dedicated: bool,
    /// Tenants on one shared Gateway.
    pub max_tenants_per_shard: usize,
    /// Size and address of proxies.
    pub proxy: ResolvedProxy,
    /// Who signs certificates.
    pub issuer: IssuerRef,
    /// How many new certificates it is asked for; `None` for any number.
    pub issuance: Option<issuance::Limit>,
    /// Whose certificate a tenant's own host gets.
    pub certificate: CertificateScope,
    /// What the edge speaks.
    pub tls: ResolvedTls,
    /// What the edge takes from clients.
    pub http: ResolvedHttp,
    /// The firewall.
    pub waf: ResolvedWaf,
    /// How many requests it takes for each tenant.
    pub rate_limit: ResolvedClassRateLimit,
    /// Ports beside 443 that it offers.
    pub ports: Vec<Offer>,
    /// What its tenants may reach outside the cluster.
    pub upstreams: UpstreamOffer,
    /// Which requests are traced; `None` for none.
    pub tracing: Option<ResolvedTracing>,
    /// Fields that are set and that the data plane cannot do.
    pub unsupported: Vec<&'static str>,
    /// Pod Security Standard of the tenants' namespaces.
    pub pod_security: PodSecurity,
    /// What every host of a Suspended tenant answers, in HTML.
    pub suspended_page: String,
    /// How much the tenants' namespaces may hold.
    pub limits: ResolvedLimits,
    /// Whom the tenants' pods may reach.
    pub network: ResolvedNetwork,
}

/// Size and address of proxies.
#[derive(Clone, Debug)]
pub struct ResolvedProxy {
    /// How many pods.
    pub replicas: Replicas,
    /// Requests and limits of a pod.
    pub resources: Resources,
    /// Type of the Service.
    pub service_type: ServiceType,
    /// Annotations of the Service.
    pub annotations: BTreeMap<String, String>,
    /// Who makes the load balancer.
    pub load_balancer_class: Option<String>,
    /// Who may reach it; empty for all.
    pub source_ranges: Vec<String>,
}

const DEFAULT_TENANTS_PER_SHARD: i32 = 100;

/// The class in force for a Tenant: the one it names, else the one it had, else the default.
///
/// # Errors
/// When there is none, or it is not accepted itself.
pub fn of_tenant(tenant: &Tenant, world: &World) -> Result<ResolvedClass, Rejection> {
    let name = name_of(tenant, world).ok_or_else(|| {
        Rejection::new(
            Reason::ClassNotFound,
            "spec.className",
            "no class is named and none is the default: name one (kubectl get tenantclasses), or annotate one with octroi.dev/is-default-class=\"true\"",
        )
    })?;
    let class = world.classes.get(name).ok_or_else(|| {
        let message = format!(
            "TenantClass '{name}' does not exist: name one that does (kubectl get tenantclasses), or create it"
        );
        Rejection::new(Reason::ClassNotFound, "spec.className", message)
    })?;
    resolve(class, world).map_err(|_| {
        let message = format!("TenantClass '{name}' is not accepted: see kubectl describe tenantclass {name}");
        Rejection::new(Reason::ClassNotAccepted, "spec.className", message)
    })
}

/// The name of the class in force, whether or not it exists.
pub fn name_of<'a>(tenant: &'a Tenant, world: &'a World) -> Option<&'a str> {
    let kept = tenant.status.as_ref().and_then(|s| s.class_name.as_deref());
    tenant.spec.class_name.as_deref().or(kept).or_else(|| world.default_class())
}

/// Resolves a class by itself.
///
/// # Errors
/// All of its [`Rejection`]s at once.
pub fn resolve(class: &TenantClass, world: &World) -> Result<ResolvedClass, Vec<Rejection>> {
    let spec = &class.spec;
    let mut rejections = nested_domain(class, world).into_iter().collect::<Vec<_>>();
    let data_plane = match data_plane(&spec.gateway.gateway_class_name, world) {
        Ok(data_plane) => data_plane,
        Err(rejection) => {
            rejections.push(rejection);
            return Err(rejections);
        }
    };
    if !rejections.is_empty() {
        return Err(rejections);
    }
    let namespaces = spec.namespaces.clone().unwrap_or_default();
    let mut issuer = spec.tls.issuer_ref.clone();
    issuer.kind.get_or_insert_with(|| "ClusterIssuer".into());
    issuer.group.get_or_insert_with(|| "cert-manager.io".into());
    Ok(ResolvedClass {
        name: class.metadata.name.clone().unwrap_or_default(),
        base_domain: spec.base_domain.clone(),
        data_plane,
        gateway_class_name: spec.gateway.gateway_class_name.clone(),
        mode: spec.gateway.mode.unwrap_or_default(),
        allow_dedicated: spec.gateway.allow_dedicated.unwrap_or(true),
        max_tenants_per_shard: usize::try_from(spec.gateway.max_tenants_per_shard.unwrap_or(DEFAULT_TENANTS_PER_SHARD))
            .unwrap_or(1)
            .max(1),
        proxy: proxy(spec.gateway.proxy.clone().unwrap_or_default()),
        issuer,
        issuance: issuance::limit(spec.tls.issuance.as_ref()),
        certificate: spec.tls.certificate.unwrap_or_default(),
        tls: tls::of_class(&spec.tls),
        http: http::resolve(spec.http.as_ref()),
        waf: waf::of_class(spec.waf.as_ref()),
        rate_limit: rate_limit::of_class(spec.rate_limit.as_ref()),
        ports: layer4::offers(spec.layer4.as_ref()),
        upstreams: upstreams::offer(spec.upstreams.as_ref(), data_plane),
        tracing: tracing::of_class(spec.observability.as_ref()),
        unsupported: unsupported(spec, data_plane),
        pod_security: namespaces.pod_security.unwrap_or_default(),
        limits: limits::resolve(&namespaces),
        network: network::resolve(&namespaces.network_policy.unwrap_or_default()),
        suspended_page: spec
            .pages
            .as_ref()
            .and_then(|pages| pages.suspended.clone())
            .unwrap_or_else(|| suspension::DEFAULT_PAGE.into()),
    })
}

fn unsupported(spec: &TenantClassSpec, data_plane: DataPlane) -> Vec<&'static str> {
    let of_rates = rate_limit::unsupported(spec.rate_limit.as_ref(), data_plane);
    let of_ports = layer4::unsupported(spec.layer4.as_ref(), data_plane);
    let of_upstreams = upstreams::unsupported(spec.upstreams.as_ref(), data_plane);
    let of_http = http::unsupported(spec.http.as_ref(), data_plane);
    of_http.into_iter().chain(of_rates).chain(of_ports).chain(of_upstreams).collect()
}

fn data_plane(gateway_class: &str, world: &World) -> Result<DataPlane, Rejection> {
    const FIELD: &str = "spec.gateway.gatewayClassName";
    let view = world.gateway_classes.get(gateway_class).ok_or_else(|| {
        let message = format!("GatewayClass '{gateway_class}' does not exist: install a data plane and name its class (kubectl get gatewayclasses)");
        Rejection::new(Reason::Invalid, FIELD, message)
    })?;
    DataPlane::of_controller(&view.controller_name).ok_or_else(|| {
        let message = format!(
            "GatewayClass '{gateway_class}' is of controller '{}', which Octroi does not know: name a class of kgateway or Envoy Gateway",
            view.controller_name
        );
        Rejection::new(Reason::Invalid, FIELD, message)
    })
}

/// Below a nested base domain, a tenant of one class could be named like the base domain of another.
fn nested_domain(class: &TenantClass, world: &World) -> Option<Rejection> {
    let mine = &class.spec.base_domain;
    let below = |a: &str, b: &str| a.strip_suffix(b).is_some_and(|head| head.ends_with('.'));
    let mut others = world.classes.iter().filter(|(name, _)| Some(*name) != class.metadata.name.as_ref());
    let (name, other) = others.find(|(_, o)| below(&o.spec.base_domain, mine) || below(mine, &o.spec.base_domain))?;
    let message = format!(
        "'{mine}' and '{}' of TenantClass '{name}' lie one below the other: choose a base domain beside it",
        other.spec.base_domain
    );
    Some(Rejection::new(Reason::Invalid, "spec.baseDomain", message))
}

fn proxy(proxy: Proxy) -> ResolvedProxy {
    let quantity =
        |cpu: Option<&str>, memory: &str| ResourceList { cpu: cpu.map(Into::into), memory: Some(memory.into()) };
    let service = proxy.service.unwrap_or_default();
    ResolvedProxy {
        replicas: proxy.replicas.unwrap_or(Replicas { min: 2, max: 2 }),
        resources: proxy.resources.unwrap_or_else(|| Resources {
            requests: Some(quantity(Some("100m"), "256Mi")),
            limits: Some(quantity(None, "1Gi")),
        }),
        service_type: service.service_type.unwrap_or_default(),
        annotations: service.annotations,
        load_balancer_class: service.load_balancer_class,
        source_ranges: service.source_ranges,
    }
}
