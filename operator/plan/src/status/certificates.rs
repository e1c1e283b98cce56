//! Whether certificates were issued and are renewed in time; if not, what cert-manager says, and until when it may wait.

use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::{ConditionType, Reason, Verdict};

use super::{bounded_to, fails, holds, obstacle_of};
use crate::certificate::CertificateView;
use crate::child::{Child, ChildKey};
use crate::facts::{Facts, Progress};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::hosts::{CertificateSource, ResolvedHost};
use crate::world::World;

const KIND: ConditionType = ConditionType::CertificatesReady;
/// Bytes of what an authority says by way of cert-manager, so that the next step still fits behind it.
const MAX_SAID: usize = 400;

/// The verdict on all certificates that a tenant's entry needs.
pub fn ready(tenant: &ResolvedTenant, desired: &[Child], world: &World) -> Verdict {
    if tenant.owned_hosts().next().is_none() {
        return fails(KIND, Reason::Progressing, "no host is claimed yet");
    }
    let needed = needed(tenant, desired);
    let missing = needed.iter().find_map(|key| Some((key, obstacle(key, world)?)));
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
        None => obstacle(&key, world),
    }
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
