//! From what users wrote to what holds: every failure lives here. What leaves is validated, defaulted and typed; no
//! `Option` in it means "not checked yet".

pub mod auth;
pub mod class;
pub mod hosts;
pub mod http;
pub mod issuance;
pub mod layer4;
pub mod limits;
pub mod namespaces;
pub mod network;
pub mod placement;
pub mod rate_limit;
pub mod state;
pub mod tls;
pub mod tracing;
pub mod upstreams;
pub mod waf;

use std::collections::BTreeSet;

use octroi_api::conditions::Reason;
use octroi_api::names::{Hostname, TenantName};
use octroi_api::{CertificateScope, Member, NamespacePolicy, Replicas, Tenant, TenantState};

use crate::child::Owner;
use crate::rejection::Rejection;
use crate::resolve::auth::TenantsAuth;
use crate::resolve::class::ResolvedClass;
use crate::resolve::hosts::{ClaimState, ResolvedHost};
use crate::resolve::http::TenantsHttp;
use crate::resolve::issuance::ResolvedIssuance;
use crate::resolve::layer4::ResolvedPort;
use crate::resolve::namespaces::Unadopted;
use crate::resolve::placement::ResolvedPlacement;
use crate::resolve::rate_limit::TenantsRateLimit;
use crate::resolve::state::ResolvedState;
use crate::resolve::tls::TenantsTls;
use crate::resolve::upstreams::ResolvedUpstream;
use crate::resolve::waf::TenantsWaf;
use crate::world::World;

/// A Tenant about which nothing is left to doubt.
#[derive(Clone, Debug)]
pub struct ResolvedTenant {
    /// Its name.
    pub name: TenantName,
    /// Its class.
    pub class: ResolvedClass,
    /// Who may work in it.
    pub members: Vec<Member>,
    /// Its namespaces, as far as they may be had.
    pub namespaces: Vec<String>,
    /// Those of them that were there before the Tenant.
    pub adopted: BTreeSet<String>,
    /// Namespaces that it asks to adopt and may not, yet.
    pub unadopted: Vec<Unadopted>,
    /// Whether a route in one namespace may name a Service in another.
    pub cross_namespace: bool,
    /// The state it is in.
    pub state: ResolvedState,
    /// Its hosts, the class's own first.
    pub hosts: Vec<ResolvedHost>,
    /// Which new certificates are asked for now.
    pub issuance: ResolvedIssuance,
    /// Where its traffic enters.
    pub placement: ResolvedPlacement,
    /// Its ports beside 443.
    pub ports: Vec<ResolvedPort>,
    /// What its routes may reach outside the cluster.
    pub upstreams: Vec<ResolvedUpstream>,
    /// What its hosts speak.
    pub tls: TenantsTls,
    /// Its firewall.
    pub waf: TenantsWaf,
    /// What the edge takes from its clients.
    pub http: TenantsHttp,
    /// How many requests the edge takes for it.
    pub rate_limit: TenantsRateLimit,
    /// Who may come in.
    pub auth: TenantsAuth,
    /// What it asks for and does not get, in words.
    pub clamped: Vec<String>,
    /// Size of a proxy of its own.
    pub replicas: Replicas,
    /// What becomes of its namespaces when it is deleted.
    pub namespace_policy: NamespacePolicy,
}

impl ResolvedTenant {
    /// The owner label of its children.
    pub fn owner(&self) -> Owner {
        Owner::Tenant(self.name.as_str().into())
    }

    /// The hosts that it owns.
    pub fn owned_hosts(&self) -> impl Iterator<Item = &ResolvedHost> {
        self.hosts.iter().filter(|h| h.claim == ClaimState::Ours)
    }

    /// Its ports that the data plane is to listen on.
    pub fn open_ports(&self) -> impl Iterator<Item = &ResolvedPort> {
        self.ports.iter().filter(|port| port.is_open())
    }

    /// What its routes may name outside the cluster.
    pub fn open_upstreams(&self) -> impl Iterator<Item = &ResolvedUpstream> {
        self.upstreams.iter().filter(|upstream| upstream.is_open())
    }

    /// Whether its hosts answer with the platform's page.
    pub fn is_suspended(&self) -> bool {
        self.state.state == TenantState::Suspended
    }
}

/// Resolves a Tenant against what was observed.
///
/// # Errors
/// All of its [`Rejection`]s at once.
pub fn tenant(tenant: &Tenant, world: &World) -> Result<ResolvedTenant, Vec<Rejection>> {
    let text = tenant.metadata.name.as_deref().unwrap_or_default();
    let name =
        TenantName::parse(text).map_err(|e| vec![Rejection::new(Reason::Invalid, "metadata.name", e.to_string())])?;
    let class = class::of_tenant(tenant, world).map_err(|r| vec![r])?;

    let (mut rejections, mut of_hosts) = (Vec::new(), Vec::new());
    let hosts = hosts::resolve(tenant, &name, &class, world, &mut of_hosts);
    let namespaces = namespaces::resolve(tenant, &name, &hosts, world, &mut rejections);
    rejections.append(&mut of_hosts);
    let state = state::resolve(tenant, world.now).unwrap_or_else(|rejection| {
        rejections.push(rejection);
        ResolvedState::default()
    });
    let issuance = issuance::resolve(tenant, &class, &hosts, world);
    let placement = placement::resolve(tenant, &name, &class, world, &mut rejections);
    let mut clamped = Vec::new();
    let tls = tls::of_tenant(tenant, &class.tls, &placement, &mut clamped, &mut rejections);
    let waf = waf::of_tenant(tenant.spec.waf.as_ref(), &class.waf, &mut clamped, &mut rejections);
    let (said, serving) = (tenant.spec.http.as_ref(), placement.serving.mode());
    let http = http::of_tenant(said, &class.http, class.data_plane, serving, &mut clamped);
    let rates = tenant.spec.rate_limit.as_ref();
    let rate_limit = rate_limit::of_tenant(rates, &class.rate_limit, class.data_plane, &mut clamped);
    let auth = auth::of_tenant(&tenant.spec.auth, class.data_plane, &mut rejections);
    if !rejections.is_empty() {
        return Err(rejections);
    }
    let ports = layer4::of_tenant(&tenant.spec.layer4, &name, &class, &hosts, &placement, world);
    let upstreams = upstreams::of_tenant(&tenant.spec.upstreams, &name, &class, &hosts, world);
    Ok(ResolvedTenant {
        replicas: tenant.spec.gateway.as_ref().and_then(|g| g.replicas).unwrap_or(class.proxy.replicas),
        members: tenant.spec.members.clone(),
        namespace_policy: tenant.spec.deletion.and_then(|d| d.namespaces).unwrap_or_default(),
        cross_namespace: tenant.spec.cross_namespace.unwrap_or(false),
        name,
        class,
        namespaces: namespaces.held,
        adopted: namespaces.adopted,
        unadopted: namespaces.unadopted,
        state,
        hosts,
        issuance,
        placement,
        ports,
        upstreams,
        tls,
        waf,
        http,
        auth,
        clamped,
        rate_limit,
    })
}

/// Which hosts the class itself gives to a tenant.
///
/// # Errors
/// When name and base domain are too long together.
pub fn own_hosts(name: &TenantName, class: &ResolvedClass) -> Result<Vec<Hostname>, Rejection> {
    let apex = Hostname::parse(&format!("{name}.{}", class.base_domain))
        .map_err(|e| Rejection::new(Reason::Invalid, "metadata.name", e.to_string()))?;
    let wildcard = apex.wildcard_below().filter(|_| class.certificate == CertificateScope::PerTenant);
    Ok(std::iter::once(apex).chain(wildcard).collect())
}
