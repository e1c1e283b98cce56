//! What NetworkPolicies mean: `networking.k8s.io/v1`, as its API reference has it, for one connection at a time.
//!
//! No network plugin can be had in the lab, so that nothing here is proved by traffic. This is written against the
//! specification and not against what compiles the policies; its own tests are in `recipes.rs`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Labels of a pod or namespace.
pub type Labels = BTreeMap<String, String>;

/// A pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    pub namespace: String,
    pub labels: Labels,
    pub address: IpAddr,
    /// Ports of its containers that have names.
    pub named_ports: BTreeMap<String, u16>,
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Pod(Pod),
    /// Something outside, as the pod's network sees it.
    Address(IpAddr),
}

impl End {
    fn address(&self) -> IpAddr {
        match self {
            Self::Pod(pod) => pod.address,
            Self::Address(address) => *address,
        }
    }
}

/// A connection that somebody tries to open.
#[derive(Clone, Debug)]
pub struct Connection {
    pub from: End,
    pub to: End,
    pub port: u16,
    pub protocol: &'static str,
}

/// The specification leaves open whether an ipBlock means pods of the cluster too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    CountForPods,
    CountForOthersOnly,
}

/// Namespaces with their labels, and every policy.
#[derive(Clone, Debug, Default)]
pub struct Network {
    pub namespaces: BTreeMap<String, Labels>,
    pub policies: Vec<NetworkPolicy>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ingress,
    Egress,
}

impl Network {
    /// Whether a connection comes about: both ends must let it. Who answers is let in by itself, and nobody is kept from
    /// itself.
    pub fn allows(&self, connection: &Connection, blocks: Blocks) -> bool {
        let Connection { from, to, .. } = connection;
        from == to
            || (self.lets(Direction::Egress, from, to, connection, blocks)
                && self.lets(Direction::Ingress, to, from, connection, blocks))
    }

    /// Whether one end lets it: everything, until a policy for this direction selects the pod; then what any of those allows.
    fn lets(&self, direction: Direction, own: &End, other: &End, connection: &Connection, blocks: Blocks) -> bool {
        let End::Pod(pod) = own else { return true };
        let mut selecting = self.policies.iter().filter(|policy| isolates(policy, pod, direction)).peekable();
        selecting.peek().is_none()
            || selecting.any(|policy| {
                rules(policy, direction).iter().any(|(peers, ports)| {
                    let is_peer = |peer: &NetworkPolicyPeer| self.is_peer(peer, &pod.namespace, other, blocks);
                    let is_port = |port: &NetworkPolicyPort| is_port(port, connection);
                    (peers.is_empty() || peers.iter().any(is_peer)) && (ports.is_empty() || ports.iter().any(is_port))
                })
            })
    }

    fn is_peer(&self, peer: &NetworkPolicyPeer, home: &str, other: &End, blocks: Blocks) -> bool {
        if let Some(block) = &peer.ip_block {
            if matches!(other, End::Pod(_)) && blocks == Blocks::CountForOthersOnly {
                return false;
            }
            let mut except = block.except.iter().flatten();
            return contains(&block.cidr, other.address()) && !except.any(|cidr| contains(cidr, other.address()));
        }
        let End::Pod(pod) = other else { return false };
        let is_there = match &peer.namespace_selector {
            Some(selector) => self.namespaces.get(&pod.namespace).is_some_and(|labels| selects(selector, labels)),
            None => pod.namespace == home,
        };
        is_there && peer.pod_selector.as_ref().is_none_or(|selector| selects(selector, &pod.labels))
    }
}

/// Whether a policy says anything about this direction of this pod. A policy that names no directions is one for what comes
/// in, and for what goes out when it has rules for that.
fn isolates(policy: &NetworkPolicy, pod: &Pod, direction: Direction) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let named = spec.policy_types.as_deref().unwrap_or_default();
    let is_meant = match direction {
        Direction::Ingress => named.is_empty() || named.iter().any(|t| t == "Ingress"),
        Direction::Egress if named.is_empty() => spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()),
        Direction::Egress => named.iter().any(|t| t == "Egress"),
    };
    let everything = LabelSelector::default();
    is_meant
        && policy.metadata.namespace.as_ref() == Some(&pod.namespace)
        && selects(spec.pod_selector.as_ref().unwrap_or(&everything), &pod.labels)
}

type Rule<'a> = (&'a [NetworkPolicyPeer], &'a [NetworkPolicyPort]);

fn rules(policy: &NetworkPolicy, direction: Direction) -> Vec<Rule<'_>> {
    let Some(spec) = &policy.spec else { return Vec::new() };
    match direction {
        Direction::Ingress => {
            let all = spec.ingress.iter().flatten();
            all.map(|rule| (rule.from.as_deref().unwrap_or_default(), rule.ports.as_deref().unwrap_or_default()))
                .collect()
        }
        Direction::Egress => {
            let all = spec.egress.iter().flatten();
            all.map(|rule| (rule.to.as_deref().unwrap_or_default(), rule.ports.as_deref().unwrap_or_default()))
                .collect()
        }
    }
}

/// Ports are those of the pod that is connected to, in both directions.
fn is_port(port: &NetworkPolicyPort, connection: &Connection) -> bool {
    if port.protocol.as_deref().unwrap_or("TCP") != connection.protocol {
        return false;
    }
    match (&port.port, port.end_port) {
        (None, _) => true,
        (Some(IntOrString::Int(first)), last) => {
            (*first..=last.unwrap_or(*first)).contains(&i32::from(connection.port))
        }
        (Some(IntOrString::String(name)), _) => match &connection.to {
            End::Pod(pod) => pod.named_ports.get(name) == Some(&connection.port),
            End::Address(_) => false,
        },
    }
}

/// An empty selector selects everything.
fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let mut pairs = selector.match_labels.iter().flatten();
    let mut expressions = selector.match_expressions.iter().flatten();
    pairs.all(|(key, value)| labels.get(key) == Some(value)) && expressions.all(|one| meets(one, labels))
}

fn meets(requirement: &LabelSelectorRequirement, labels: &Labels) -> bool {
    let value = labels.get(&requirement.key);
    let is_listed = |value: &String| requirement.values.iter().flatten().any(|listed| listed == value);
    match requirement.operator.as_str() {
        "In" => value.is_some_and(is_listed),
        "NotIn" => !value.is_some_and(is_listed),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        other => panic!("no operator of a label selector: {other}"),
    }
}

/// Whether an address lies in a CIDR; never in one of the other family.
fn contains(cidr: &str, address: IpAddr) -> bool {
    let (network, bits) = cidr.split_once('/').unwrap_or_else(|| panic!("{cidr} is no CIDR"));
    let network: IpAddr = network.parse().unwrap_or_else(|error| panic!("{cidr}: {error}"));
    let bits: u32 = bits.parse().unwrap_or_else(|error| panic!("{cidr}: {error}"));
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u32::from(network) ^ u32::from(address)).checked_shr(32 - bits).unwrap_or_default() == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (u128::from(network) ^ u128::from(address)).checked_shr(128 - bits).unwrap_or_default() == 0
        }
        _ => false,
    }
}
