//! Whether certificates were issued and are renewed in time; if not, what cert-manager says, and until when it may wait.

use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::{ConditionType, Reason, Verdict};
use octroi_api::names::Hostname;

use super::{bounded_to, fails, holds, obstacle_of};
use crate::certificate::CertificateView;
use crate::child::{Child, ChildKey};
use crate::facts::{Facts, Progress};
use crate::kind::ChildKind;
use crate::pointing::Pointing;
use crate::resolve::ResolvedTenant;
use crate::resolve::hosts::{CertificateSource, ResolvedHost};
use crate::world::{GatewayRef, World};

const KIND: ConditionType = ConditionType::CertificatesReady;
/// Bytes of what an authority says by way of cert-manager, so that the next step still fits behind it.
const MAX_SAID: usize = 400;

/// The verdict on all certificates that a tenant's entry needs.
pub fn ready(tenant: &ResolvedTenant, desired: &[Child], world: &World) -> Verdict {
    if tenant.owned_hosts().next().is_none() {
        return fails(KIND, Reason::Progressing, "no host is claimed yet");
    }
    let needed = needed(tenant, desired);
    let missing = needed.iter().find_map(|key| Some((key, explained(key, tenant, world)?)));
    let waiting = || tenant.issuance.queued.iter().next().map(|(key, until)| (key, queued(tenant, *until)));
    let overdue = || needed.iter().find_map(|key| Some((key, overdue(key, world)?)));
    match missing.or_else(waiting).or_else(overdue) {
        None => holds(KIND, format!("{} issued", needed.len())),
        Some((key, (reason, why))) => fails(KIND, reason, format!("{}: {why}", key.name)),
    }
}

/// When a renewal becomes overdue next, or a certificate that waits for its issuer may be asked for, if nothing happens until then.
pub fn next_look(tenant: &ResolvedTenant, desired: &[Child], world: &World) -> Option<Timestamp> {
    let overdue = next_overdue(needed(tenant, desired).iter(), world);
    tenant.issuance.queued.values().copied().chain(overdue).min()
}

/// When the renewal of one of these becomes overdue next.
pub fn next_overdue<'a>(keys: impl Iterator<Item = &'a ChildKey>, world: &World) -> Option<Timestamp> {
    keys.filter_map(|key| view(key, world)?.overdue_from()).filter(|from| *from > world.now).min()
}

/// What keeps a host's certificate from being issued.
pub fn obstacle_of_host(host: &ResolvedHost, tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    let key = key(host)?;
    match tenant.issuance.queued.get(&key) {
        Some(until) => Some(queued(tenant, *until)),
        None => explained(&key, tenant, world),
    }
}

/// What keeps one of a tenant's Certificates from being issued: DNS, where it does not point here, else what cert-manager says.
fn explained(wanted: &ChildKey, tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    let said = obstacle(wanted, world)?;
    let host = tenant.owned_hosts().find(|host| key(host).as_ref() == Some(wanted));
    Some(host.and_then(|host| elsewhere(host, tenant, wanted, world)).unwrap_or(said))
}

/// The exact domains of a tenant that wait for their certificate, and the Gateway that each should point at.
pub fn unproven(tenant: &ResolvedTenant, world: &World) -> Vec<(Hostname, GatewayRef)> {
    let waits = |host: &&ResolvedHost| {
        let is_asked_for = host.certificate == CertificateSource::Domain && !host.host.is_wildcard();
        is_asked_for && key(host).is_some_and(|key| obstacle(&key, world).is_some())
    };
    let waiting = tenant.owned_hosts().filter(waits);
    waiting.map(|host| (host.host.clone(), tenant.placement.serving.clone())).collect()
}

/// What is said of a domain whose certificate is not issued, where DNS explains it.
fn elsewhere(host: &ResolvedHost, tenant: &ResolvedTenant, key: &ChildKey, world: &World) -> Option<(Reason, String)> {
    let is_elsewhere = world.pointings.of(&host.host) == Some(Pointing::Elsewhere);
    let Facts::Gateway { address: Some(address), .. } = &world.get(&tenant.placement.serving.key())?.facts else {
        return None;
    };
    is_elsewhere.then(|| {
        let record = if address.parse::<std::net::IpAddr>().is_ok() { "an address record with" } else { "a CNAME to" };
        let message = format!(
            "DNS does not point {0} at this gateway, which an authority looks at before it issues a certificate: give {0} {record} {address}; until then {1}",
            host.host,
            next_step(key)
        );
        (Reason::DnsNotPointing, message)
    })
}

/// Nobody else is named: how many wait is nobody's business but the platform's.
fn queued(tenant: &ResolvedTenant, until: Timestamp) -> (Reason, String) {
    let class = &tenant.class;
    let allowed = class.issuance.map(|limit| format!(" ({} in {} h)", limit.certificates, limit.window.as_hours()));
    let message = format!(
        "issuer {} was asked for as many new certificates as spec.tls.issuance of class '{}' allows{}: this one follows by itself, not before {until}",
        class.issuer.name,
        class.name,
        allowed.unwrap_or_default()
    );
    (Reason::IssuanceQueued, message)
}

/// What will take a host's certificate away that serves now.
pub fn threat(host: &ResolvedHost, world: &World) -> Option<(Reason, String)> {
    overdue(&key(host)?, world)
}

/// Until when a host's certificate is good, as in RFC 3339.
pub fn expiry(host: &ResolvedHost, world: &World) -> Option<String> {
    Some(view(&key(host)?, world)?.expires?.to_string())
}

/// What keeps a Certificate from being issued.
pub fn obstacle(key: &ChildKey, world: &World) -> Option<(Reason, String)> {
    let next = next_step(key);
    let Some(view) = view(key, world) else {
        return obstacle_of(None, "cert-manager", Reason::CertificateNotReady, &next);
    };
    match &view.issued {
        Progress::Pending(_) if view.failed_attempts > 0 => {
            let message = format!("{}, and cert-manager tries again; {next}", attempts(view.failed_attempts));
            Some((Reason::CertificateNotReady, message))
        }
        Progress::Failed(why) => {
            let why = bounded_to(why, MAX_SAID);
            let tried =
                if view.failed_attempts > 1 { format!(" ({})", attempts(view.failed_attempts)) } else { String::new() };
            Some((Reason::CertificateNotReady, format!("cert-manager says {why}{tried}; {next}")))
        }
        progress => obstacle_of(Some(progress), "cert-manager", Reason::CertificateNotReady, &next),
    }
}

/// What is said of a Certificate that serves, and whose renewal is overdue.
pub fn overdue(key: &ChildKey, world: &World) -> Option<(Reason, String)> {
    let view = view(key, world).filter(|view| view.is_overdue(world.now))?;
    let (renewal, expires) = (view.renewal?, view.expires?);
    let said = view.failure.as_ref().map(|why| format!("; cert-manager says {}", bounded_to(why, MAX_SAID)));
    let tried = if view.failed_attempts > 0 { attempts(view.failed_attempts) } else { "nothing was tried".into() };
    let message = format!(
        "it serves until {expires}, and has not been renewed since {renewal}: {tried}{}; {}",
        said.unwrap_or_default(),
        next_step(key)
    );
    Some((Reason::RenewalFailing, message))
}

/// The class's own is beside its Gateways, and no child of the tenant.
fn needed(tenant: &ResolvedTenant, desired: &[Child]) -> Vec<ChildKey> {
    let shared = tenant.owned_hosts().find(|host| host.certificate == CertificateSource::Class).and_then(key);
    let own = desired.iter().filter(|c| c.key.kind == ChildKind::Certificate).map(|c| c.key.clone());
    own.chain(shared).collect()
}

fn key(host: &ResolvedHost) -> Option<ChildKey> {
    let is_asked_for = host.certificate != CertificateSource::Provided;
    is_asked_for.then(|| ChildKey::new(ChildKind::Certificate, &host.secret.namespace, &host.secret.name))
}

fn view<'a>(key: &ChildKey, world: &'a World) -> Option<&'a CertificateView> {
    match &world.get(key)?.facts {
        Facts::Certificate(view) => Some(view),
        _ => None,
    }
}

fn attempts(failed: i64) -> String {
    if failed == 1 { "one attempt failed".into() } else { format!("{failed} attempts failed") }
}

fn next_step(key: &ChildKey) -> String {
    format!("see kubectl describe certificate -n {} {}", key.namespace, key.name)
}
