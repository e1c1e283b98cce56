//! Which new certificates of a tenant are asked for now, and which wait for the issuer; see [`crate::issuance`].

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use octroi_api::{ClassIssuance, IssuerRef, Tenant};

use crate::child::ChildKey;
use crate::issuance::Asked;
use crate::kind::ChildKind;
use crate::resolve::class::ResolvedClass;
use crate::resolve::hosts::{CertificateSource, ClaimState, ResolvedHost};
use crate::world::World;

/// So many new certificates in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub certificates: usize,
    /// In this time.
    pub window: SignedDuration,
}

/// What a tenant asks of its issuer.
#[derive(Clone, Debug, Default)]
pub struct ResolvedIssuance {
    /// Certificates that wait, and until about when.
    pub queued: BTreeMap<ChildKey, Timestamp>,
    /// What the World keeps of it.
    pub asked: Asked,
}

/// The limit of a class, if it has one.
pub fn limit(issuance: Option<&ClassIssuance>) -> Option<Limit> {
    issuance.map(|issuance| Limit {
        certificates: usize::try_from(issuance.certificates).unwrap_or(1).max(1),
        window: SignedDuration::from_hours(issuance.hours.unwrap_or(DEFAULT_HOURS).into()),
    })
}

const DEFAULT_HOURS: i32 = 3;

/// Group, kind and name of an issuer, as one word.
pub fn name_of(issuer: &IssuerRef) -> String {
    let [group, kind] = [&issuer.group, &issuer.kind].map(|part| part.as_deref().unwrap_or_default());
    format!("{group}/{kind}/{}", issuer.name)
}

/// Decides for each Certificate that does not exist yet. What exists is never taken back.
pub fn resolve(tenant: &Tenant, class: &ResolvedClass, hosts: &[ResolvedHost], world: &World) -> ResolvedIssuance {
    let Some(limit) = class.issuance else { return ResolvedIssuance::default() };
    let (name, issuer) = (tenant.metadata.name.as_deref().unwrap_or_default(), name_of(&class.issuer));
    let since = tenant.metadata.creation_timestamp.as_ref().map_or(world.now, |time| time.0);
    let mut asked = Asked { issuer, at: world.now, since, ..Asked::default() };
    let mut queued = BTreeMap::new();
    let after = world.now.checked_sub(limit.window).unwrap_or(Timestamp::MIN);
    let times = world.issuances().asked_since(&asked.issuer, after);
    let ahead = world.issuances().ahead_of(name, since, &asked.issuer);
    // A place of an earlier plan is among `times` already.
    let (mut taken, mut waiting) = (times.len() + ahead, 0);
    for key in new_certificates(hosts, world) {
        if world.issuances().has_place(name, &asked.issuer, &key) {
            asked.now.insert(key);
        } else if taken < limit.certificates {
            taken += 1;
            asked.now.insert(key);
        } else {
            // So many of the oldest leave the window before, beside one.
            let before = (taken + waiting).saturating_sub(limit.certificates);
            let last = times.get(before).or(times.last()).copied().unwrap_or(world.now);
            queued.insert(key, last.checked_add(limit.window).unwrap_or(Timestamp::MAX));
            waiting += 1;
        }
    }
    asked.waiting = waiting;
    ResolvedIssuance { queued, asked }
}

fn new_certificates(hosts: &[ResolvedHost], world: &World) -> BTreeSet<ChildKey> {
    let own = [CertificateSource::Tenant, CertificateSource::Domain];
    let wanted = hosts.iter().filter(|host| host.claim == ClaimState::Ours && own.contains(&host.certificate));
    let keys = wanted.map(|host| ChildKey::new(ChildKind::Certificate, &host.secret.namespace, &host.secret.name));
    keys.filter(|key| world.get(key).is_none()).collect()
}
