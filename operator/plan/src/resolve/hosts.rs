//! The hosts of a Tenant, and whether each may be served.

use octroi_api::conditions::Reason;
use octroi_api::names::{Hostname, TenantName};
use octroi_api::{CertificateScope, Tenant, labels};

use crate::child::ChildKey;
use crate::facts::Facts;
use crate::kind::ChildKind;
use crate::rejection::Rejection;
use crate::resolve::class::ResolvedClass;
use crate::world::World;

/// A host of a Tenant.
#[derive(Clone, Debug)]
pub struct ResolvedHost {
    /// The host.
    pub host: Hostname,
    /// The Secret with its certificate.
    pub secret: SecretRef,
    /// Where that comes from.
    pub certificate: CertificateSource,
    /// Who owns it.
    pub claim: ClaimState,
}

/// Where a host's certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// One for all hosts that the class gives to the tenant.
    Tenant,
    /// One for all tenants of the class.
    Class,
    /// One for this domain of the client's own.
    Domain,
    /// The run team provides it: nobody asks an issuer.
    Provided,
}

/// Where a key and certificate are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// Who owns a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// This tenant: it may be served.
    Ours,
    /// Nobody: a claim must be made first.
    Free,
    /// Somebody else, or somebody whose hosts overlap with it.
    Taken,
}

impl ResolvedHost {
    /// The key of its DomainClaim.
    pub fn claim_key(&self) -> ChildKey {
        claim_key(&self.host)
    }

    /// Whether an authority may ask for proof of this host by HTTP-01 (RFC 8555, section 8.3): for a domain of the client's
    /// own. Wildcards have no such proof, and the class's hosts come with one.
    pub fn is_proved_by_http(&self) -> bool {
        self.certificate == CertificateSource::Domain && !self.host.is_wildcard()
    }
}

fn claim_key(host: &Hostname) -> ChildKey {
    ChildKey::new(ChildKind::DomainClaim, "", &host.object_name())
}

/// The name of a class's wildcard certificate and of its Secret.
pub fn class_wildcard_name(class: &str) -> String {
    format!("{class}-wildcard")
}

/// The hosts of a Tenant, the class's own first. That a domain is taken rejects only that domain, by its [`ClaimState`];
/// that the tenant's own host is taken rejects the Tenant.
pub fn resolve(
    tenant: &Tenant,
    name: &TenantName,
    class: &ResolvedClass,
    world: &World,
    rejections: &mut Vec<Rejection>,
) -> Vec<ResolvedHost> {
    let namespace = name.gateway_namespace();
    let (own_source, own_secret) = match class.certificate {
        CertificateScope::PerTenant => {
            (CertificateSource::Tenant, SecretRef { namespace: namespace.clone(), name: name.to_string() })
        }
        CertificateScope::ClassWildcard => {
            let name = class_wildcard_name(&class.name);
            (CertificateSource::Class, SecretRef { namespace: labels::GATEWAYS_NAMESPACE.into(), name })
        }
    };
    let own = super::own_hosts(name, class).unwrap_or_else(|rejection| {
        rejections.push(rejection);
        Vec::new()
    });
    let mut hosts = Vec::new();
    for host in own {
        let claim = claim_state(&host, name, world);
        if claim == ClaimState::Taken {
            let over = world.claim_over(&host, name.as_str()).map_or_else(|| host.object_name(), ToOwned::to_owned);
            let message = format!("host '{host}' belongs to somebody else: see kubectl get domainclaims {over}");
            rejections.push(Rejection::new(Reason::HostTaken, "metadata.name", message));
        }
        hosts.push(ResolvedHost { host, secret: own_secret.clone(), certificate: own_source, claim });
    }
    for (i, domain) in tenant.spec.domains.iter().enumerate() {
        match parse_domain(&domain.host, world) {
            Ok(host) => {
                let provided = domain.tls.as_ref().and_then(|tls| tls.secret_name.clone());
                let (certificate, secret) = match provided {
                    Some(secret) => (CertificateSource::Provided, secret),
                    None => (CertificateSource::Domain, host.object_name()),
                };
                let secret = SecretRef { namespace: namespace.clone(), name: secret };
                let claim = claim_state(&host, name, world);
                hosts.push(ResolvedHost { host, secret, certificate, claim });
            }
            Err(message) => {
                rejections.push(Rejection::new(Reason::Invalid, format!("spec.domains[{i}].host"), message));
            }
        }
    }
    rejections.extend(taken_secrets(tenant, name));
    hosts
}

/// Secrets that the run team is to provide and cert-manager writes: under the names of certificates that are, or were, or may
/// be asked for, whatever the class says today.
fn taken_secrets(tenant: &Tenant, name: &TenantName) -> Vec<Rejection> {
    let domains = &tenant.spec.domains;
    let written = |secret: &str| {
        let of_host = |host: &str| Hostname::parse(host).is_ok_and(|host| host.object_name() == secret);
        secret == name.as_str() || domains.iter().any(|domain| of_host(&domain.host))
    };
    let named =
        domains.iter().enumerate().filter_map(|(i, domain)| Some((i, domain.tls.as_ref()?.secret_name.as_ref()?)));
    let taken = named.filter(|(_, secret)| written(secret)).map(|(i, secret)| {
        let message = format!(
            "Secret '{secret}' is where cert-manager puts a certificate of this Tenant: put yours into a Secret of another name, such as {secret}-own"
        );
        Rejection::new(Reason::Invalid, format!("spec.domains[{i}].tls.secretName"), message)
    });
    taken.collect()
}

fn parse_domain(text: &str, world: &World) -> Result<Hostname, String> {
    let host = Hostname::parse(text).map_err(|e| e.to_string())?;
    let reaches = |base: &str| {
        let covered = host.is_wildcard() && Hostname::parse(base).is_ok_and(|b| b.overlaps(&host));
        host.is_within(base) || covered
    };
    match world.classes.values().find(|class| reaches(&class.spec.base_domain)) {
        Some(class) => Err(format!(
            "'{host}' lies at, below or over '{}', which belongs to the platform: list only domains of the client's own; hosts below <tenant>.{} need no listing",
            class.spec.base_domain, class.spec.base_domain
        )),
        None => Ok(host),
    }
}

fn claim_state(host: &Hostname, name: &TenantName, world: &World) -> ClaimState {
    if let Some(observed) = world.get(&claim_key(host)) {
        return match &observed.facts {
            Facts::Claim { tenant, .. } if tenant == name.as_str() && !observed.deleting => ClaimState::Ours,
            Facts::Claim { tenant, .. } if tenant == name.as_str() => ClaimState::Free,
            _ => ClaimState::Taken,
        };
    }
    // A wildcard and a host below it must not have two owners: the more specific listener would take the other's traffic.
    if world.overlaps_foreign(host, name.as_str()) { ClaimState::Taken } else { ClaimState::Free }
}
