//! NetworkPolicies: who reaches a tenant's pods and whom they reach, and the same of proxies.
//!
//! Policies only ever add up, so there is one in each place, and nobody else may write any there. They select namespaces by
//! labels that only the operator or the API server writes, and name only what must be reached: a proxy's admin, readiness and
//! metrics ports, the control planes of the data planes, the API server and metadata addresses are in none of them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use octroi_api::{Transport, labels};

use crate::child::{Child, ChildKey, Metadata};
use crate::compile::waf;
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::{DataPlane, ResolvedClass};
use crate::resolve::layer4::Offer;
use crate::resolve::network::{Outside, ResolvedNetwork};
use crate::resolve::placement::shard;
use crate::world::GatewayRef;

const NAME: &str = "octroi";
/// Of the pods by which cert-manager proves a domain to an authority, and their port (cert-manager 1.21, pkg/issuer/acme/http).
const SOLVER: (&str, &str) = ("acme.cert-manager.io/http01-solver", "true");
const SOLVER_PORT: i32 = 8089;
/// Both data planes put the name of the Gateway on its proxies; Envoy Gateway in GatewayNamespace mode only.
const GATEWAY_NAME_LABEL: &str = "gateway.networking.k8s.io/gateway-name";
const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// Of the cluster's DNS, as kubeadm, the managed offers and CoreDNS's own chart label it.
const DNS: (&str, &str) = ("k8s-app", "kube-dns");
const DNS_NAMESPACE: &str = "kube-system";
const DNS_PORT: i32 = 53;

/// What a data plane's pods listen on.
struct Ports {
    /// For clients: 80 and 443 as the proxy's pod has them.
    serving: [i32; 2],
    /// For Prometheus.
    metrics: i32,
    /// The controller's, where proxies get their configuration from.
    control: i32,
    /// The label of the controller's pods, in its chart.
    controller: (&'static str, &'static str),
    /// The label of the pods that count requests for all proxies, and their port, where there are such: Envoy Gateway runs them
    /// once its configuration names a Redis (1.9.1, internal/infrastructure/kubernetes/ratelimit).
    rate_limits: Option<((&'static str, &'static str), i32)>,
}

/// Envoy Gateway 1.9 moves ports below 1024 up by 10000; kgateway lets its proxies bind them.
const PRIVILEGED: u16 = 1024;
const SHIFT: u16 = 10_000;

const ENVOY_GATEWAY: Ports = Ports {
    serving: [10080, 10443],
    metrics: 19001,
    control: 18000,
    controller: ("control-plane", "envoy-gateway"),
    rate_limits: Some((("app.kubernetes.io/name", "envoy-ratelimit"), 8081)),
};
const KGATEWAY: Ports =
    Ports { serving: [80, 443], metrics: 9091, control: 9977, controller: ("kgateway", "kgateway"), rate_limits: None };

const fn ports(data_plane: DataPlane) -> &'static Ports {
    match data_plane {
        DataPlane::EnvoyGateway => &ENVOY_GATEWAY,
        DataPlane::Kgateway => &KGATEWAY,
    }
}

/// What a class offers, as the proxies' pods have it. All that may be listened on, and not what is: a port where nobody listens
/// answers nobody, and a tenant that asks for one touches no policy of all.
fn offered(class: &ResolvedClass, data_planes: &[DataPlane]) -> Vec<NetworkPolicyPort> {
    let in_pods = |offer: &Offer| data_planes.iter().flat_map(|plane| in_pod(offer, *plane)).collect::<Vec<_>>();
    let ranges: BTreeSet<(Transport, u16, u16)> = class.ports.iter().flat_map(in_pods).collect();
    let as_port = |(transport, first, last): (Transport, u16, u16)| NetworkPolicyPort {
        end_port: (first != last).then(|| last.into()),
        ..port(first.into(), transport.as_str())
    };
    ranges.into_iter().map(as_port).collect()
}

/// The ranges of one offer: transport, first and last port.
fn in_pod(offer: &Offer, data_plane: DataPlane) -> Vec<(Transport, u16, u16)> {
    let whole = (*offer.ports.start(), *offer.ports.end());
    let ranges = match data_plane {
        DataPlane::EnvoyGateway => shifted(whole),
        DataPlane::Kgateway => vec![whole],
    };
    let transports: BTreeSet<Transport> = offer.protocols.iter().map(|protocol| protocol.transport()).collect();
    let of = |transport: Transport| ranges.iter().map(move |(first, last)| (transport, *first, *last));
    transports.into_iter().flat_map(of).collect()
}

fn shifted((first, last): (u16, u16)) -> Vec<(u16, u16)> {
    let low = (first < PRIVILEGED).then(|| (first + SHIFT, last.min(PRIVILEGED - 1) + SHIFT));
    let high = (last >= PRIVILEGED).then(|| (first.max(PRIVILEGED), last));
    low.into_iter().chain(high).collect()
}

/// The policies of a Tenant's own namespaces, and of its own proxy while it has one.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let pods = NetworkPolicySpec {
        pod_selector: Some(LabelSelector::default()),
        policy_types: Some(both_ways()),
        ingress: Some(ingress_of_pods(tenant)),
        egress: Some(egress_of_pods(tenant)),
    };
    let own = tenant.namespaces.iter().map(|namespace| policy(namespace, NAME, pods.clone(), metadata));
    let proxies = tenant.placement.own_gateway.then(|| {
        let selector = matching(&[(GATEWAY_NAME_LABEL, tenant.name.as_str())]);
        // No selector of namespaces: the policy's own.
        let upstreams = tenant.open_upstreams().map(|upstream| upstream.port).collect();
        let spec = of_proxies(selector, own_namespaces(tenant), None, &upstreams, &tenant.class);
        policy(&tenant.name.gateway_namespace(), NAME, spec, metadata)
    });
    own.chain(proxies).collect()
}

/// The policy of a class's shared proxies.
pub fn of_class(class: &ResolvedClass, shards: usize, metadata: &Metadata) -> Option<Child> {
    let names: Vec<String> = (0..shards).map(|index| shard(&class.name, index).name).collect();
    if names.is_empty() {
        return None;
    }
    let selector = LabelSelector {
        match_expressions: Some(vec![requirement(GATEWAY_NAME_LABEL, "In", Some(names))]),
        match_labels: None,
    };
    // All tenants' and not the class's only: an entry on its way from one class to another stays until it moves.
    let backends = namespaces(matching(&[(labels::ROLE, labels::ROLE_TENANT)]));
    let solvers = matching(&[(labels::ROLE, labels::ROLE_GATEWAY)]);
    Some(policy(
        labels::GATEWAYS_NAMESPACE,
        &class.name,
        // All that may be reached, and not what is: a tenant that asks for an upstream touches no policy of all.
        of_proxies(selector, backends, Some(solvers), &class.upstreams.all_ports(), class),
        metadata,
    ))
}

fn policy(namespace: &str, name: &str, spec: NetworkPolicySpec, metadata: &Metadata) -> Child {
    let key = ChildKey::new(ChildKind::NetworkPolicy, namespace, name);
    let policy = NetworkPolicy { metadata: metadata.of_child(&key), spec: Some(spec) };
    Child::new(key, &policy)
}

fn ingress_of_pods(tenant: &ResolvedTenant) -> Vec<NetworkPolicyIngressRule> {
    let proxies = tenant.placement.sources.iter().map(proxy);
    let platform = platform_namespaces(&tenant.class.network);
    let from = std::iter::once(own_namespaces(tenant)).chain(proxies).chain(platform).collect();
    vec![NetworkPolicyIngressRule { from: Some(from), ports: None }]
}

fn egress_of_pods(tenant: &ResolvedTenant) -> Vec<NetworkPolicyEgressRule> {
    let network = &tenant.class.network;
    // Of either data plane: a tenant may be on its way between classes, and no proxy has the other's ports.
    let serving: Vec<i32> = ENVOY_GATEWAY.serving.into_iter().chain(KGATEWAY.serving).collect();
    let mut to_proxies = tcp(&serving);
    to_proxies.extend(offered(&tenant.class, &[DataPlane::EnvoyGateway, DataPlane::Kgateway]));
    let mut rules = vec![
        egress(vec![own_namespaces(tenant)], None),
        dns(),
        // Its own hostnames, from inside.
        egress(tenant.placement.sources.iter().map(proxy).collect(), Some(to_proxies)),
    ];
    rules.extend(to_outside(network, None));
    rules.extend(network.allowed.iter().map(|allowed| {
        let ports = both_protocols(&allowed.ports);
        egress(vec![block(&allowed.cidr, None)], (!ports.is_empty()).then_some(ports))
    }));
    rules
}

/// To the rest of the world, but not to what is never reached.
fn to_outside(network: &ResolvedNetwork, ports: Option<Vec<NetworkPolicyPort>>) -> Option<NetworkPolicyEgressRule> {
    let block = |outside: &Outside| block(outside.all, Some(outside.except.iter().cloned().collect()));
    let outside: Vec<NetworkPolicyPeer> = network.outside.iter().map(block).collect();
    (!outside.is_empty()).then(|| egress(outside, ports))
}

/// Clients from anywhere; configuration from the controller, verdicts from the firewall and the rate limit service; spans to the collector; to backends,
/// to the pods that prove a domain, to upstreams, and nowhere else. Whatever a route, a policy or a name in the DNS makes a proxy
/// connect to, a metadata address, an address of the cluster or the API server is not among it.
fn of_proxies(
    selector: LabelSelector,
    backends: NetworkPolicyPeer,
    solvers_in: Option<LabelSelector>,
    upstreams: &BTreeSet<u16>,
    class: &ResolvedClass,
) -> NetworkPolicySpec {
    let ports = ports(class.data_plane);
    let mut open = tcp(&ports.serving);
    open.extend(offered(class, &[class.data_plane]));
    let clients = NetworkPolicyIngressRule { from: None, ports: Some(open) };
    let metrics = platform_namespaces(&class.network)
        .map(|from| NetworkPolicyIngressRule { from: Some(vec![from]), ports: Some(tcp(&[ports.metrics])) });
    let of_data_plane = |label, port| egress(vec![of_platform(label)], Some(tcp(&[port])));
    let controller = of_data_plane(ports.controller, ports.control);
    let rate_limits = ports.rate_limits.map(|(label, port)| of_data_plane(label, port));
    let firewall = egress(vec![firewall()], Some(tcp(&[waf::PORT.into()])));
    let solvers = egress(vec![solvers(solvers_in)], Some(tcp(&[SOLVER_PORT])));
    let traces = class
        .tracing
        .as_ref()
        .map(|tracing| egress(vec![of_namespace(&tracing.namespace)], Some(tcp(&[tracing.port.into()]))));
    let numbers: Vec<i32> = upstreams.iter().map(|port| i32::from(*port)).collect();
    let upstreams = if numbers.is_empty() { None } else { to_outside(&class.network, Some(tcp(&numbers))) };
    let to = [egress(vec![backends], None), dns(), controller, firewall, solvers]
        .into_iter()
        .chain(rate_limits)
        .chain(traces)
        .chain(upstreams);
    NetworkPolicySpec {
        pod_selector: Some(selector),
        policy_types: Some(both_ways()),
        ingress: Some(std::iter::once(clients).chain(metrics).collect()),
        egress: Some(to.collect()),
    }
}

fn solvers(namespaces: Option<LabelSelector>) -> NetworkPolicyPeer {
    NetworkPolicyPeer { namespace_selector: namespaces, pod_selector: Some(matching(&[SOLVER])), ip_block: None }
}

fn firewall() -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(matching(&[(NAMESPACE_NAME_LABEL, labels::GATEWAYS_NAMESPACE)])),
        pod_selector: Some(matching(&[("app.kubernetes.io/name", waf::SERVICE)])),
        ip_block: None,
    }
}

/// Where a data plane is installed is for whoever installs it; in no tenant's namespace.
fn of_platform(label: (&str, &str)) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector { match_expressions: Some(vec![of_no_tenant()]), match_labels: None }),
        pod_selector: Some(matching(&[label])),
        ip_block: None,
    }
}

/// Where the run team says that somebody listens; in no tenant's namespace.
fn of_namespace(name: &str) -> NetworkPolicyPeer {
    namespaces(LabelSelector {
        match_expressions: Some(vec![of_no_tenant()]),
        match_labels: Some(BTreeMap::from([(NAMESPACE_NAME_LABEL.to_owned(), name.to_owned())])),
    })
}

fn dns() -> NetworkPolicyEgressRule {
    let servers = NetworkPolicyPeer {
        namespace_selector: Some(matching(&[(NAMESPACE_NAME_LABEL, DNS_NAMESPACE)])),
        pod_selector: Some(matching(&[DNS])),
        ip_block: None,
    };
    egress(vec![servers], Some(both_protocols(&[DNS_PORT])))
}

fn proxy(gateway: &GatewayRef) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(matching(&[(NAMESPACE_NAME_LABEL, &gateway.namespace)])),
        pod_selector: Some(matching(&[(GATEWAY_NAME_LABEL, &gateway.name)])),
        ip_block: None,
    }
}

fn own_namespaces(tenant: &ResolvedTenant) -> NetworkPolicyPeer {
    namespaces(matching(&[(labels::TENANT, tenant.name.as_str()), (labels::ROLE, labels::ROLE_TENANT)]))
}

/// By name, and never a tenant's: a namespace that the class names may not exist yet.
fn platform_namespaces(network: &ResolvedNetwork) -> Option<NetworkPolicyPeer> {
    let names = Some(network.ingress_namespaces.clone()).filter(|names| !names.is_empty())?;
    Some(namespaces(LabelSelector {
        match_expressions: Some(vec![requirement(NAMESPACE_NAME_LABEL, "In", Some(names)), of_no_tenant()]),
        match_labels: None,
    }))
}

fn of_no_tenant() -> LabelSelectorRequirement {
    requirement(labels::TENANT, "DoesNotExist", None)
}

fn requirement(key: &str, operator: &str, values: Option<Vec<String>>) -> LabelSelectorRequirement {
    LabelSelectorRequirement { key: key.into(), operator: operator.into(), values }
}

fn matching(labels: &[(&str, &str)]) -> LabelSelector {
    let labels: BTreeMap<_, _> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    LabelSelector { match_labels: Some(labels), match_expressions: None }
}

fn namespaces(selector: LabelSelector) -> NetworkPolicyPeer {
    NetworkPolicyPeer { namespace_selector: Some(selector), ..NetworkPolicyPeer::default() }
}

fn block(cidr: &str, except: Option<Vec<String>>) -> NetworkPolicyPeer {
    NetworkPolicyPeer { ip_block: Some(IPBlock { cidr: cidr.into(), except }), ..NetworkPolicyPeer::default() }
}

fn egress(to: Vec<NetworkPolicyPeer>, ports: Option<Vec<NetworkPolicyPort>>) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { to: Some(to), ports }
}

fn tcp(ports: &[i32]) -> Vec<NetworkPolicyPort> {
    ports.iter().map(|number| port(*number, "TCP")).collect()
}

fn both_protocols(ports: &[i32]) -> Vec<NetworkPolicyPort> {
    ports.iter().flat_map(|number| ["TCP", "UDP"].map(|protocol| port(*number, protocol))).collect()
}

fn port(number: i32, protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(IntOrString::Int(number)), protocol: Some(protocol.into()), end_port: None }
}

fn both_ways() -> Vec<String> {
    ["Ingress", "Egress"].map(Into::into).to_vec()
}
