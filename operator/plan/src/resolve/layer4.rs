//! The ports of a Tenant beside 443, and whether each may be listened on. What is wrong with one of them costs that port only.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use octroi_api::conditions::Reason;
use octroi_api::names::{Hostname, TenantName};
use octroi_api::{ClassLayer4, GatewayMode, PortProtocol, TenantPort, Transport};

use crate::child::ChildKey;
use crate::facts::Facts;
use crate::kind::ChildKind;
use crate::resolve::class::{DataPlane, ResolvedClass};
use crate::resolve::hosts::{ClaimState, ResolvedHost};
use crate::resolve::placement::{ResolvedPlacement, class_of_shard};
use crate::world::World;

/// What the proxies of either data plane use themselves: port 80 and 443, and in their pods, of Envoy Gateway 1.9.1 those that stand
/// for ports below 1024 (internal/gatewayapi/listener.go) and 19000 to 19003 (internal/xds/bootstrap), of kgateway 2.4 the others
/// (pkg/kgateway/validate, and 8234 of its sidecar). Of both, so that no port is lost by a move. The CEL rules repeat them.
const RESERVED: [RangeInclusive<u16>; 7] =
    [80..=80, 443..=443, 8082..=8082, 8234..=8234, 9091..=9091, 10_001..=11_023, 19_000..=19_003];

/// A range of ports that a class offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The ports.
    pub ports: RangeInclusive<u16>,
    /// For what.
    pub protocols: BTreeSet<PortProtocol>,
}

/// A port of a Tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedPort {
    /// What it is called.
    pub name: String,
    /// What connections on it speak.
    pub protocol: PortProtocol,
    /// The number.
    pub port: u16,
    /// The server names that are taken there; of TLS only.
    pub hosts: Vec<Hostname>,
    /// The addresses that may connect; empty for all.
    pub sources: Vec<String>,
    /// Its claims; none on a Gateway of the tenant's own, and none of a port that cannot be had anyway.
    pub claims: Vec<ResolvedPortClaim>,
    /// Why nobody listens there; `None` when somebody does.
    pub obstacle: Option<(Reason, String)>,
}

/// A claim of a port on the shared Gateways of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedPortClaim {
    /// The class.
    pub class: String,
    /// Who has it.
    pub state: ClaimState,
}

impl ResolvedPort {
    /// The key of its claim on the shared Gateways of a class.
    pub fn claim_key(&self, class: &str) -> ChildKey {
        claim_key(class, self.protocol.transport(), self.port)
    }

    /// Whether the data plane is to listen there.
    pub fn is_open(&self) -> bool {
        self.obstacle.is_none()
    }

    /// The names of its listeners, each with the host that it takes. A label with `--` in its third and fourth place is in no
    /// host (RFC 5890), so that no listener of a host has such a name.
    pub fn listeners(&self) -> Vec<(String, Option<&Hostname>)> {
        if self.protocol != PortProtocol::Tls {
            return vec![(self.name.clone(), None)];
        }
        let listener = |host: &Hostname| format!("l4--{}.{}", self.name, host.object_name());
        self.hosts.iter().map(|host| (listener(host), Some(host))).collect()
    }
}

fn claim_key(class: &str, transport: Transport, port: u16) -> ChildKey {
    let name = format!("{class}.{}-{port}", transport.as_str().to_lowercase());
    ChildKey::new(ChildKind::PortClaim, "", &name)
}

/// What a class offers. A range that holds a port of the proxies, which the API server refuses, offers nothing.
pub fn offers(said: Option<&ClassLayer4>) -> Vec<Offer> {
    let ranges = said.map(|said| said.ports.as_slice()).unwrap_or_default().iter();
    let offer = |range: &octroi_api::PortRange| {
        let from = u16::try_from(range.from).ok()?;
        let to = range.to.map_or(Some(from), |to| u16::try_from(to).ok())?;
        let ports = from..=to;
        let is_free = RESERVED.iter().all(|own| own.end() < ports.start() || ports.end() < own.start());
        is_free.then(|| Offer { ports, protocols: range.protocols.iter().copied().collect() })
    };
    ranges.filter_map(offer).filter(|offer| !offer.ports.is_empty()).collect()
}

/// Fields of a class that are set and that the data plane cannot do.
pub fn unsupported(said: Option<&ClassLayer4>, data_plane: DataPlane) -> Option<&'static str> {
    let offers_udp = offers(said).iter().any(|offer| offer.protocols.contains(&PortProtocol::Udp));
    (offers_udp && data_plane == DataPlane::Kgateway).then_some("spec.layer4.ports[].protocols UDP")
}

/// What the ports are judged by.
struct Standing<'a> {
    name: &'a TenantName,
    class: &'a ResolvedClass,
    placement: &'a ResolvedPlacement,
    world: &'a World,
}

/// The ports of a Tenant.
pub fn of_tenant(
    said: &[TenantPort],
    name: &TenantName,
    class: &ResolvedClass,
    hosts: &[ResolvedHost],
    placement: &ResolvedPlacement,
    world: &World,
) -> Vec<ResolvedPort> {
    let standing = Standing { name, class, placement, world };
    said.iter().enumerate().map(|(index, item)| resolve(item, &said[..index], hosts, &standing)).collect()
}

fn resolve(said: &TenantPort, earlier: &[TenantPort], hosts: &[ResolvedHost], standing: &Standing<'_>) -> ResolvedPort {
    let mut port = ResolvedPort {
        name: said.name.clone(),
        protocol: said.protocol,
        port: u16::try_from(said.port).unwrap_or_default(),
        hosts: said.hosts.iter().filter_map(|host| Hostname::parse(host).ok()).collect(),
        sources: said.allowed_sources.clone(),
        claims: Vec::new(),
        obstacle: None,
    };
    let is_same =
        |other: &TenantPort| (other.port, other.protocol.transport()) == (said.port, said.protocol.transport());
    port.obstacle = wrong(said, &port, earlier.iter().any(is_same))
        .or_else(|| not_offered(&port, standing.class))
        .or_else(|| not_supported(&port, standing.class))
        .or_else(|| not_owned(&port, hosts));
    if port.obstacle.is_none() {
        port.claims = claims(&port, standing);
        port.obstacle = not_claimed(&port, standing);
    }
    port
}

/// What the API server refuses as well, but for hosts of one port that overlap: a route of one of them would be two there, and
/// Envoy takes no listener with two chains for one server name.
fn wrong(said: &TenantPort, port: &ResolvedPort, is_again: bool) -> Option<(Reason, String)> {
    let message = if is_again {
        "another item has this port: choose another one, or put the hosts into one item"
    } else if port.hosts.len() != said.hosts.len() || port.hosts.is_empty() == (port.protocol == PortProtocol::Tls) {
        "hosts must be names of hosts, with protocol TLS and with no other: correct them"
    } else if port.hosts.iter().enumerate().any(|(i, host)| port.hosts[..i].iter().any(|other| other.overlaps(host))) {
        "its hosts overlap: keep the wildcard, or the hosts below it"
    } else if port.protocol == PortProtocol::Udp && !port.sources.is_empty() {
        "no data plane looks at who sends a datagram: remove allowedSources"
    } else {
        return None;
    };
    Some((Reason::Invalid, message.into()))
}

fn not_offered(port: &ResolvedPort, class: &ResolvedClass) -> Option<(Reason, String)> {
    let number = port.port;
    let covers = |offer: &&Offer| offer.ports.contains(&number) && offer.protocols.contains(&port.protocol);
    if class.ports.iter().any(|offer| covers(&offer)) {
        return None;
    }
    let protocol = port.protocol.as_str();
    let ranges: Vec<String> = class
        .ports
        .iter()
        .filter(|offer| offer.protocols.contains(&port.protocol))
        .map(|offer| match (offer.ports.start(), offer.ports.end()) {
            (from, to) if from == to => from.to_string(),
            (from, to) => format!("{from} to {to}"),
        })
        .collect();
    let remedy = match ranges.join(", ") {
        none if none.is_empty() => "remove it, or name a class that offers some".to_owned(),
        some => format!("choose one of {some}, or name a class that offers it"),
    };
    Some((Reason::PortNotOffered, format!("class '{}' offers no port {number} for {protocol}: {remedy}", class.name)))
}

/// kgateway 2.4 knows no UDP, and nothing that compares addresses before a connection is passed on. A port for some addresses is
/// not opened for all.
fn not_supported(port: &ResolvedPort, class: &ResolvedClass) -> Option<(Reason, String)> {
    let field = of_kgateway(port).filter(|_| class.data_plane == DataPlane::Kgateway)?;
    let message = format!(
        "the data plane of class '{}' cannot do {field}, and the port stays closed: remove it, or name a class that can",
        class.name
    );
    Some((Reason::Unsupported, message))
}

fn of_kgateway(port: &ResolvedPort) -> Option<&'static str> {
    match port.protocol {
        PortProtocol::Udp => Some("UDP"),
        _ => (!port.sources.is_empty()).then_some("allowedSources"),
    }
}

/// What of a Tenant's ports the data plane cannot do, as fields.
pub fn unsupported_of(ports: &[ResolvedPort], data_plane: DataPlane) -> Vec<String> {
    let on_kgateway = ports.iter().filter(|_| data_plane == DataPlane::Kgateway);
    on_kgateway.filter_map(|port| Some(format!("{} of spec.layer4[{}]", of_kgateway(port)?, port.name))).collect()
}

fn not_owned(port: &ResolvedPort, hosts: &[ResolvedHost]) -> Option<(Reason, String)> {
    let own =
        |wanted: &&Hostname| hosts.iter().any(|own| own.claim != ClaimState::Taken && own.host.serves(wanted.as_str()));
    let foreign = port.hosts.iter().find(|host| !own(host))?;
    let message = format!(
        "host '{foreign}' is not the tenant's: use one of status.domains or one label below a wildcard there, or add it to spec.domains"
    );
    Some((Reason::HostNotOwned, message))
}

/// Claims where the entry is and where it is to be, so that a move finds its ports. A Gateway of the tenant's own is shared with
/// nobody.
fn claims(port: &ResolvedPort, standing: &Standing<'_>) -> Vec<ResolvedPortClaim> {
    let gateways = [&standing.placement.serving, &standing.placement.target];
    let classes: BTreeSet<&str> = gateways.into_iter().filter_map(class_of_shard).collect();
    let claim = |class: &str| ResolvedPortClaim { class: class.into(), state: state(&port.claim_key(class), standing) };
    classes.into_iter().map(claim).collect()
}

fn state(key: &ChildKey, standing: &Standing<'_>) -> ClaimState {
    match standing.world.get(key) {
        None => ClaimState::Free,
        Some(observed) => match &observed.facts {
            Facts::PortClaim { tenant } if tenant != standing.name.as_str() => ClaimState::Taken,
            Facts::PortClaim { .. } if observed.deleting => ClaimState::Free,
            Facts::PortClaim { .. } => ClaimState::Ours,
            _ => ClaimState::Taken,
        },
    }
}

fn not_claimed(port: &ResolvedPort, standing: &Standing<'_>) -> Option<(Reason, String)> {
    let serving = class_of_shard(&standing.placement.serving)?;
    match port.claims.iter().find(|claim| claim.class == serving)?.state {
        ClaimState::Ours => None,
        ClaimState::Free => Some((Reason::Progressing, "waiting for its claim".into())),
        ClaimState::Taken => {
            let dedicated = GatewayMode::Dedicated.as_str();
            let or_alone = if standing.class.allow_dedicated {
                format!(", or set spec.gateway.mode to {dedicated}")
            } else {
                String::new()
            };
            let message = format!(
                "port {} of the shared Gateways of class '{serving}' belongs to somebody else: choose another one that the class offers{or_alone}",
                port.port
            );
            Some((Reason::PortTaken, message))
        }
    }
}
