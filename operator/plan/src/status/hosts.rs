//! Whether a tenant's hosts are served, and if not, why.

use octroi_api::DomainStatus;
use octroi_api::conditions::Reason;

use super::{bounded, bounded_to, certificates};
use crate::compile::entry;
use crate::facts::Facts;
use crate::resolve::ResolvedTenant;
use crate::resolve::hosts::{CertificateSource, ClaimState, ResolvedHost, SecretRef};
use crate::world::World;

/// Bytes of what somebody else says, so that the next step still fits behind it.
const MAX_SAID: usize = 400;

/// The status of one host.
pub fn status(host: &ResolvedHost, tenant: &ResolvedTenant, world: &World) -> DomainStatus {
    let obstacle = host_obstacle(host, tenant, world);
    let ready = obstacle.is_none();
    let state = obstacle.or_else(|| certificates::threat(host, world));
    DomainStatus {
        host: host.host.to_string(),
        ready,
        certificate_expires: certificates::expiry(host, world),
        reason: state.as_ref().map(|(reason, _)| reason.as_str().into()),
        message: state.map(|(_, message)| bounded(message)),
    }
}

fn host_obstacle(host: &ResolvedHost, tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    match host.claim {
        ClaimState::Taken => {
            let message = "this host, or one that it overlaps with, belongs to somebody else: remove it from spec.domains, or ask the run team who owns it";
            return Some((Reason::HostTaken, message.into()));
        }
        ClaimState::Free => return Some((Reason::Progressing, "waiting for its claim".into())),
        ClaimState::Ours => {}
    }
    certificates::obstacle_of_host(host, tenant, world).or_else(|| listener_obstacle(host, tenant, world))
}

fn listener_obstacle(host: &ResolvedHost, tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    let Some(Facts::Entry { programmed, failing, .. }) = world.get(&entry::key(&tenant.name)).map(|o| &o.facts) else {
        return Some((Reason::Progressing, "waiting for the entry".into()));
    };
    if let Some((_, why)) = failing.iter().find(|(name, _)| *name == host.host.object_name()) {
        let next = if host.certificate == CertificateSource::Provided { provide(host) } else { String::new() };
        return Some((Reason::NotProgrammed, format!("the data plane says {}{next}", bounded_to(why, MAX_SAID))));
    }
    (!programmed.is_done()).then(|| (Reason::Progressing, "waiting for the data plane".into()))
}

/// What the run team does about a Secret that it is to provide.
fn provide(host: &ResolvedHost) -> String {
    let SecretRef { namespace, name } = &host.secret;
    format!(
        "; its certificate comes from Secret {name} in {namespace}, of type kubernetes.io/tls: kubectl create secret tls -n {namespace} {name} --cert=CHAIN.pem --key=KEY.pem"
    )
}
