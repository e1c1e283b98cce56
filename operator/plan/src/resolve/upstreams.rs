//! What a Tenant's routes may reach outside the cluster, and why one of them may not be reached. What is wrong with one costs
//! that one only.
//!
//! A name says nothing of where it leads: whoever owns it may let it lead elsewhere at any time. So what is refused here is what
//! can be seen in the name; that a proxy connects to no address of the cluster is the network policy's
//! ([`crate::compile::network`]), and that nobody else answers is the certificate's ([`crate::compile::upstreams`]).

use std::collections::BTreeSet;

use octroi_api::conditions::Reason;
use octroi_api::names::{Hostname, TenantName};
use octroi_api::{ClassUpstreams, HttpsUpstream, S3Upstream, TenantUpstream, UpstreamKind};

use crate::resolve::class::ResolvedClass;
use crate::resolve::hosts::{ClaimState, ResolvedHost};
use crate::world::World;

/// The port of HTTPS (RFC 9110, section 4.2.2).
const HTTPS_PORT: u16 = 443;
/// Last labels of names that lead into a cluster, a private network or a cloud's metadata service: kept from the DNS by RFC 6761,
/// RFC 6762 (appendix G), RFC 8375 and ICANN. The CEL rule repeats them.
const PRIVATE: [&str; 12] = [
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "pod",
    "private",
    "svc",
];

/// What a class offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamOffer {
    /// Of these kinds.
    pub kinds: BTreeSet<UpstreamKind>,
    /// On these ports, of kind HTTPS.
    ports: BTreeSet<u16>,
}

impl UpstreamOffer {
    /// Every port that a proxy of the class may connect to.
    pub fn all_ports(&self) -> BTreeSet<u16> {
        let of_https = self.ports.iter().copied().filter(|_| self.kinds.contains(&UpstreamKind::Https));
        of_https.chain(self.kinds.contains(&UpstreamKind::S3).then_some(HTTPS_PORT)).collect()
    }
}

/// Something outside the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedUpstream {
    /// What routes call it.
    pub name: String,
    /// The host that it stands for; empty where what is said makes none.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Why no route may name it; `None` when one may.
    pub obstacle: Option<(Reason, String)>,
}

impl ResolvedUpstream {
    /// Whether routes may name it.
    pub fn is_open(&self) -> bool {
        self.obstacle.is_none()
    }
}

/// What a class offers.
pub fn offer(said: Option<&ClassUpstreams>) -> UpstreamOffer {
    let Some(said) = said else { return UpstreamOffer::default() };
    let ports: BTreeSet<u16> = said.ports.iter().filter_map(|port| u16::try_from(*port).ok()).collect();
    let ports = if said.ports.is_empty() { BTreeSet::from([HTTPS_PORT]) } else { ports };
    UpstreamOffer { kinds: said.allowed.iter().copied().collect(), ports }
}

/// The upstreams of a Tenant.
pub fn of_tenant(
    said: &[TenantUpstream],
    name: &TenantName,
    class: &ResolvedClass,
    hosts: &[ResolvedHost],
    world: &World,
) -> Vec<ResolvedUpstream> {
    let serves = |host: &Hostname| {
        let own = hosts.iter().filter(|own| own.claim != ClaimState::Taken);
        let below_a_class = world.classes.values().any(|class| host.is_within(&class.spec.base_domain));
        below_a_class
            || own.into_iter().any(|own| own.host.overlaps(host))
            || world.overlaps_foreign(host, name.as_str())
    };
    said.iter().map(|item| resolve(item, class, serves)).collect()
}

fn resolve(said: &TenantUpstream, class: &ResolvedClass, serves: impl Fn(&Hostname) -> bool) -> ResolvedUpstream {
    let none = |reason: Reason, message: String| ResolvedUpstream {
        name: said.name.clone(),
        host: String::new(),
        port: HTTPS_PORT,
        obstacle: Some((reason, message)),
    };
    let (kind, target) = match (&said.https, &said.s3) {
        (Some(https), None) => (UpstreamKind::Https, of_https(https)),
        (None, Some(s3)) => (UpstreamKind::S3, of_s3(s3)),
        _ => return none(Reason::Invalid, "it must say one of https and s3: write what it is".into()),
    };
    let (host, port) = match target {
        Ok(target) => target,
        Err(message) => return none(Reason::Invalid, message),
    };
    let obstacle = not_offered(kind, port, class).or_else(|| {
        serves(&host).then(|| {
            let message = format!(
                "host '{host}' is one that this cluster serves, and a request could go round in it for ever: name the Service in the route"
            );
            (Reason::Invalid, message)
        })
    });
    ResolvedUpstream { name: said.name.clone(), host: host.as_str().into(), port, obstacle }
}

/// What the API server refuses as well.
fn of_https(said: &HttpsUpstream) -> Result<(Hostname, u16), String> {
    let host = Hostname::parse(&said.host).ok().filter(|host| !host.is_wildcard()).ok_or(
        "https.host must be a lower-case DNS name with a dot, and no address: write one such as api.crm.example",
    )?;
    if said.host.rsplit('.').next().is_some_and(|last| PRIVATE.contains(&last)) {
        return Err(format!(
            "host '{host}' is a name of a cluster or of a private network: name a host on the internet, and of the cluster a Service in the route"
        ));
    }
    let port = said.port.map_or(Ok(HTTPS_PORT), u16::try_from);
    Ok((host, port.map_err(|_| "https.port must be between 1 and 65535: correct it")?))
}

/// By the bucket's own name (virtual hosting): the certificate is for `*.s3.<region>.amazonaws.com`, one label and no more.
fn of_s3(said: &S3Upstream) -> Result<(Hostname, u16), String> {
    let S3Upstream { region, bucket } = said;
    let partition = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let host = Hostname::parse(&format!("{bucket}.s3.{region}.{partition}")).ok();
    let host = host.filter(|host| !host.is_wildcard() && !bucket.contains('.') && !region.contains('.'));
    let message = "s3 must name a region and a bucket without dots: write such as {region: eu-west-3, bucket: assets}";
    Ok((host.ok_or(message)?, HTTPS_PORT))
}

fn not_offered(kind: UpstreamKind, port: u16, class: &ResolvedClass) -> Option<(Reason, String)> {
    let (offer, name, kind_name) = (&class.upstreams, &class.name, kind.as_str());
    let message = if !offer.kinds.contains(&kind) {
        format!("class '{name}' offers no upstreams of kind {kind_name}: remove it, or name a class that offers some")
    } else if kind == UpstreamKind::Https && !offer.ports.contains(&port) {
        let ports: Vec<String> = offer.ports.iter().map(ToString::to_string).collect();
        format!(
            "class '{name}' offers no upstreams on port {port}: choose one of {}, or name a class that offers it",
            ports.join(", ")
        )
    } else if class.network.outside.is_empty() {
        format!(
            "class '{name}' keeps everybody from the internet (namespaces.networkPolicy.egressExcept): remove it, or name a class that does not"
        )
    } else {
        return None;
    };
    Some((Reason::UpstreamNotOffered, message))
}
