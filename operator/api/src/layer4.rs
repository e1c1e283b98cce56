//! Ports that are passed on as they come, in a TenantClass and in a Tenant: `docs/layer4.md`.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What a connection on a port speaks, as far as the edge looks. TCP: anything; nothing of it is looked at. UDP: datagrams;
/// nothing of them is looked at. TLS: the server name that the client asks for (SNI, RFC 6066, section 3) chooses the backend,
/// which holds the certificate; the rest passes unread.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "UPPERCASE")]
pub enum PortProtocol {
    /// Anything over TCP.
    Tcp,
    /// Datagrams.
    Udp,
    /// TLS that the backend ends.
    Tls,
}

impl PortProtocol {
    /// The word used in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Tls => "TLS",
        }
    }

    /// What it runs on: of one number there is one port of each.
    pub const fn transport(self) -> Transport {
        match self {
            Self::Tcp | Self::Tls => Transport::Tcp,
            Self::Udp => Transport::Udp,
        }
    }
}

/// What a port is one of. Ports of TCP and of UDP have nothing but their numbers in common.
#[derive(
    Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Transport {
    #[default]
    Tcp,
    Udp,
}

impl Transport {
    /// The word used in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// Ports that tenants of a class may have, beside 443. What passes there is seen by no firewall, rate limit or authentication.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassLayer4 {
    /// The ports, in ranges. On shared Gateways each has one tenant at a time: the first that asks.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["from".into()]))]
    #[x_kube(validation = ("size(self) > 0", "layer4.ports must not be empty: name a range, such as {from: 5432, protocols: [TCP]}, or remove layer4"))]
    pub ports: Vec<PortRange>,
}

/// A range of ports.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = ("!has(self.to) || self.from <= self.to", "layer4.ports[].to must not be below from: raise it, or remove it for one port"))]
#[x_kube(validation = ("[80, 443, 8082, 8234, 9091].all(p, p < self.from || p > (has(self.to) ? self.to : self.from)) && (self.from > 11023 || (has(self.to) ? self.to : self.from) < 10001) && (self.from > 19003 || (has(self.to) ? self.to : self.from) < 19000)", "layer4.ports must hold none of 80, 443, 8082, 8234, 9091, 10001 to 11023 and 19000 to 19003, which the proxies use themselves: split the range around them"))]
pub struct PortRange {
    /// The first port.
    #[schemars(range(min = 1, max = 65_535))]
    pub from: i32,
    /// The last port. Default: `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub to: Option<i32>,
    /// What they may be used for. kgateway has no UDP.
    #[schemars(length(max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("size(self) > 0", "layer4.ports[].protocols must not be empty: name at least one of TCP, UDP and TLS"))]
    pub protocols: Vec<PortProtocol>,
}

/// A port of a tenant. What passes there is seen by no firewall, rate limit or authentication: it is passed on as it comes.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("(has(self.hosts) && size(self.hosts) > 0) == (self.protocol == 'TLS')", "layer4[].hosts go with protocol TLS, which cannot be without: name the hosts that clients ask for, such as mail.acme.example, or remove them"))]
#[x_kube(validation = ("self.protocol != 'UDP' || !has(self.allowedSources) || size(self.allowedSources) == 0", "layer4[].allowedSources cannot be held for UDP, since no data plane looks at who sends a datagram: remove them, and let the backend judge"))]
pub struct TenantPort {
    /// What it is called. A TCPRoute or UDPRoute names it as `sectionName`.
    #[schemars(length(min = 1, max = 15))]
    #[x_kube(validation = ("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')", "layer4[].name must be a DNS label of at most 15 characters that starts with a letter, such as postgres"))]
    pub name: String,
    /// What connections on it speak.
    pub protocol: PortProtocol,
    /// The number, among those that the class offers.
    #[schemars(range(min = 1, max = 65_535))]
    #[x_kube(validation = ("[80, 443, 8082, 8234, 9091].all(p, p != self) && (self < 10001 || self > 11023) && (self < 19000 || self > 19003)", "layer4[].port is one that the proxies use themselves (80, 443, 8082, 8234, 9091, 10001 to 11023, 19000 to 19003): choose another one that the class offers"))]
    pub port: i32,
    /// Of TLS: the server names that are taken here, of the tenant's own hosts or one label below an own wildcard; a client that
    /// asks for another one, or for none, gets no connection. Default: none, and with TLS there must be one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), inner(length(min = 3, max = 228)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("self.all(h, h.matches('^([*][.])?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$'))", "layer4[].hosts must be lower-case DNS names such as mail.acme.example or *.acme.example: no scheme, port, path or trailing dot"))]
    pub hosts: Vec<String>,
    /// Addresses that may connect, as the proxy sees them. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 3, max = 49)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("self.all(c, isCIDR(c) && cidr(c) == cidr(c).masked())", "layer4[].allowedSources must be CIDRs whose host bits are 0, such as 203.0.113.0/24"))]
    pub allowed_sources: Vec<String>,
}

/// What Octroi saw of a port of a tenant.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct PortStatus {
    /// Its name.
    #[schemars(length(max = 15))]
    pub name: String,
    /// The number.
    #[schemars(range(min = 0, max = 65_535))]
    pub port: i32,
    /// Whether it is the tenant's and the data plane listens there.
    pub ready: bool,
    /// Why not, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    /// Why not, and what to do; of one that is ready, what does not look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}
