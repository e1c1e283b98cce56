//! The flows of two tenants at rest: acme on the shared proxy, globex with a proxy of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::evaluator::{Blocks, Connection, End, Network};
use super::stage::{ENVOY_GATEWAY, PLANES, Plane, Stage, ends};

/// A port as the flows name it.
#[derive(Clone, Copy, Debug)]
pub enum Port {
    Tcp(u16),
    Udp(u16),
    Https,
    Http,
    Metrics,
    /// Of what else a proxy listens on, by number.
    Inner(usize),
    Xds,
    /// Of what else a controller listens on.
    Beside,
}

use Port::{Beside, Http, Https, Inner, Metrics, Tcp, Udp, Xds};

/// From whom, to whom, on which port.
pub type Flow = (&'static str, &'static str, Port);

/// What passes whatever the class says.
pub const PASSES: [Flow; 35] = [
    ("acme", "acme-jobs", Tcp(8080)),
    ("acme-jobs", "acme", Udp(514)),
    ("acme-as-globex-proxy", "acme-jobs", Tcp(8080)),
    ("acme", "dns", Udp(53)),
    ("acme", "dns", Tcp(53)),
    ("globex", "dns", Udp(53)),
    ("acme", "internet", Tcp(443)),
    ("acme", "internet", Udp(443)),
    ("acme", "internet-v6", Tcp(443)),
    ("globex", "internet", Tcp(5432)),
    // Its own hostname, from inside.
    ("acme", "shared-proxy", Https),
    ("acme", "shared-proxy", Http),
    ("globex", "globex-proxy", Https),
    ("globex", "globex-proxy", Http),
    // Clients, the tenants of others among them where the proxy is everybody's.
    ("internet", "shared-proxy", Https),
    ("internet", "shared-proxy", Http),
    ("internet-v6", "globex-proxy", Https),
    ("internet", "globex-proxy", Http),
    ("node", "globex-proxy", Https),
    ("default", "shared-proxy", Https),
    ("internet", "other-proxy", Https),
    // From proxies to backends, on whatever port.
    ("shared-proxy", "acme", Tcp(8080)),
    ("shared-proxy", "acme-jobs", Tcp(9000)),
    ("globex-proxy", "globex", Tcp(8080)),
    // What a proxy needs to work.
    ("shared-proxy", "controller", Xds),
    ("other-proxy", "controller", Xds),
    ("globex-proxy", "controller", Xds),
    ("shared-proxy", "dns", Udp(53)),
    ("globex-proxy", "dns", Tcp(53)),
    ("shared-proxy", "firewall", Tcp(9002)),
    ("globex-proxy", "firewall", Tcp(9002)),
    // An authority that looks for the proof of a domain.
    ("shared-proxy", "solver-in-gw-acme", Tcp(8089)),
    ("globex-proxy", "solver-in-gw-globex", Tcp(8089)),
    // No business of Octroi's.
    ("operator", "controller", Tcp(443)),
    ("default", "dns", Udp(53)),
];

/// Whether a request is one too many: Envoy Gateway's proxies ask, and kgateway's count by themselves.
pub const ASKED: [Flow; 3] = [
    ("shared-proxy", "rate-limits", Tcp(8081)),
    ("other-proxy", "rate-limits", Tcp(8081)),
    ("globex-proxy", "rate-limits", Tcp(8081)),
];

/// What is stopped whatever the class says.
pub const STOPPED: [Flow; 90] = [
    // Between tenants.
    ("acme", "globex", Tcp(8080)),
    ("globex", "acme", Tcp(8080)),
    ("globex", "acme-jobs", Tcp(8080)),
    ("acme", "globex", Udp(53)),
    ("default", "acme", Tcp(8080)),
    ("operator", "acme", Tcp(8080)),
    ("kube-system", "acme", Tcp(8080)),
    ("acme", "default", Tcp(8080)),
    ("acme", "operator", Tcp(8080)),
    ("shop", "acme", Tcp(8080)),
    ("acme", "shop", Tcp(8080)),
    ("internet", "acme", Tcp(8080)),
    // Proxies of others, and pods that are called like one.
    ("globex-proxy", "acme", Tcp(8080)),
    ("shared-proxy", "globex", Tcp(8080)),
    ("other-proxy", "acme", Tcp(8080)),
    ("other-proxy", "globex", Tcp(8080)),
    ("acme-as-globex-proxy", "globex", Tcp(8080)),
    ("acme-as-shared-proxy", "globex", Tcp(8080)),
    ("solver-in-gw-acme", "acme", Tcp(8080)),
    ("solver-in-gw-globex", "globex", Tcp(8080)),
    ("beside-shared-proxy", "acme", Tcp(8080)),
    ("shop-as-shared-proxy", "acme", Tcp(8080)),
    ("shop-as-acme-proxy", "acme", Tcp(8080)),
    ("shop-as-globex-proxy", "globex", Tcp(8080)),
    // What else proxies and controllers listen on.
    ("acme", "shared-proxy", Inner(0)),
    ("acme", "shared-proxy", Inner(1)),
    ("acme", "shared-proxy", Inner(2)),
    ("acme", "shared-proxy", Metrics),
    ("acme", "globex-proxy", Inner(0)),
    ("globex", "globex-proxy", Inner(0)),
    ("globex", "globex-proxy", Metrics),
    ("default", "shared-proxy", Inner(0)),
    ("internet", "shared-proxy", Inner(0)),
    ("internet", "globex-proxy", Metrics),
    ("acme", "controller", Xds),
    ("acme", "controller", Beside),
    ("globex", "controller", Xds),
    ("shared-proxy", "controller", Beside),
    ("globex-proxy", "beside-controller", Xds),
    ("globex-proxy", "acme-as-dns", Udp(53)),
    ("acme", "shared-proxy", Udp(443)),
    ("acme", "rate-limits", Tcp(8081)),
    ("shared-proxy", "rate-limits", Tcp(8080)),
    ("shared-proxy", "beside-controller", Tcp(8081)),
    ("globex-proxy", "acme-as-rate-limits", Tcp(8081)),
    ("shared-proxy", "gw-acme-as-rate-limits", Tcp(8081)),
    // The cluster's own parts.
    ("acme", "dns", Tcp(9153)),
    ("acme", "kube-system", Tcp(10250)),
    ("globex", "acme-as-dns", Udp(53)),
    ("acme", "globex-as-dns", Udp(53)),
    ("shared-proxy", "shop-as-dns", Udp(53)),
    ("shared-proxy", "firewall", Tcp(8080)),
    ("shared-proxy", "beside-shared-proxy", Tcp(9002)),
    ("shared-proxy", "solver-in-gw-acme", Tcp(8080)),
    ("shared-proxy", "gw-acme-as-controller", Tcp(8089)),
    ("shared-proxy", "shop-as-solver", Tcp(8089)),
    ("globex-proxy", "solver-in-gw-acme", Tcp(8089)),
    ("globex-proxy", "acme-as-solver", Tcp(8089)),
    ("globex-proxy", "beside-globex-proxy", Tcp(8089)),
    ("acme", "solver-in-gw-acme", Tcp(8089)),
    ("acme", "solver-in-gw-globex", Tcp(8089)),
    ("globex-proxy", "shop-as-firewall", Tcp(9002)),
    ("globex-proxy", "acme-as-firewall", Tcp(9002)),
    ("acme", "firewall", Tcp(9002)),
    ("globex-proxy", "acme-as-controller", Xds),
    ("shared-proxy", "gw-acme-as-controller", Xds),
    ("acme", "node", Tcp(10250)),
    ("acme", "node-in-172", Tcp(22)),
    ("globex", "api-server", Tcp(443)),
    // Metadata, and what is no part of the internet.
    ("acme", "metadata", Tcp(80)),
    ("globex", "metadata", Tcp(80)),
    ("acme", "metadata-v6", Tcp(80)),
    ("acme", "metadata-of-azure", Tcp(80)),
    ("acme", "metadata-of-oracle", Tcp(80)),
    ("acme", "metadata-of-alibaba", Tcp(80)),
    ("acme", "link-local-v6", Tcp(443)),
    ("acme", "loopback", Tcp(19000)),
    ("acme", "loopback-v6", Tcp(19000)),
    // A proxy that a route sends elsewhere.
    ("shared-proxy", "metadata", Tcp(80)),
    ("shared-proxy", "api-server", Tcp(6443)),
    ("shared-proxy", "node", Tcp(10250)),
    ("shared-proxy", "internet", Tcp(443)),
    ("shared-proxy", "default", Tcp(8080)),
    ("shared-proxy", "globex-proxy", Https),
    ("globex-proxy", "metadata", Tcp(80)),
    ("globex-proxy", "metadata-v6", Tcp(80)),
    ("globex-proxy", "api-server", Tcp(6443)),
    ("globex-proxy", "internet", Tcp(443)),
    ("globex-proxy", "shared-proxy", Https),
    ("globex-proxy", "operator", Tcp(8080)),
];

/// What passes only because the class says so.
pub const BY_CLASS: [Flow; 9] = [
    ("acme", "api-server", Tcp(6443)),
    ("globex", "api-server", Tcp(6443)),
    ("acme", "node-local-dns", Udp(53)),
    ("acme", "node-local-dns", Tcp(53)),
    ("monitoring", "acme", Tcp(9090)),
    ("monitoring", "globex", Tcp(9090)),
    ("monitoring", "shared-proxy", Metrics),
    ("monitoring", "other-proxy", Metrics),
    ("monitoring", "globex-proxy", Metrics),
];

/// What is stopped only because the class says so.
pub const CLOSED_BY_CLASS: [Flow; 2] =
    [("acme", "closed-by-class", Tcp(443)), ("globex", "closed-by-class-v6", Tcp(443))];

/// What stays stopped although the class opens something beside it.
const BESIDE: [Flow; 8] = [
    ("acme", "api-server", Tcp(443)),
    ("acme", "node-local-dns", Tcp(80)),
    ("acme", "metadata", Tcp(80)),
    ("acme", "monitoring", Tcp(9090)),
    ("monitoring", "shared-proxy", Inner(0)),
    ("monitoring", "globex-proxy", Inner(1)),
    ("shared-proxy", "api-server", Tcp(6443)),
    ("shared-proxy", "monitoring", Tcp(9090)),
];

/// What a class may say.
pub fn said() -> Value {
    json!({
        "egressExcept": ["198.51.100.0/24", "2001:db8:ffff::/48"],
        "egressAllow": [{"cidr": "10.0.0.10/32", "ports": [6443]}, {"cidr": "169.254.20.10/32", "ports": [53]}],
        "ingressNamespaces": ["monitoring"],
    })
}

/// What passes only because there are upstreams.
pub const UPSTREAMS: [Flow; 5] = [
    ("shared-proxy", "internet", Tcp(443)),
    ("shared-proxy", "internet", Tcp(8443)),
    ("shared-proxy", "internet-v6", Tcp(443)),
    ("globex-proxy", "internet", Tcp(8443)),
    ("globex-proxy", "internet-v6", Tcp(8443)),
];

/// Where the name of an upstream may lead to, whoever owns it, and no proxy follows.
const LEADS_TO: [&str; 21] = [
    "api-server",
    "node",
    "node-in-172",
    "node-local-dns",
    "metadata",
    "metadata-v6",
    "metadata-of-azure",
    "metadata-of-oracle",
    "metadata-of-alibaba",
    "link-local-v6",
    "loopback",
    "loopback-v6",
    "controller",
    "operator",
    "kube-system",
    "monitoring",
    "default",
    "shop",
    "other-proxy",
    "rate-limits",
    "beside-shared-proxy",
];

/// The connection of a flow.
pub fn connection(plane: Plane, ends: &BTreeMap<&str, End>, (from, to, port): Flow) -> Connection {
    let end = |name: &str| ends.get(name).unwrap_or_else(|| panic!("nobody is called {name}")).clone();
    let (port, protocol) = match port {
        Tcp(port) => (port, "TCP"),
        Udp(port) => (port, "UDP"),
        Https => (plane.serving[0], "TCP"),
        Http => (plane.serving[1], "TCP"),
        Metrics => (plane.metrics, "TCP"),
        Inner(index) => (plane.inner[index], "TCP"),
        Xds => (plane.control[0], "TCP"),
        Beside => (plane.control[1], "TCP"),
    };
    Connection { from: end(from), to: end(to), port, protocol }
}

/// The flows that end otherwise than they should, whatever a plugin makes of blocks.
pub fn wrong(network: &Network, plane: Plane, flows: &[Flow], passes: bool) -> Vec<String> {
    let ends = ends(plane);
    let mut wrong = Vec::new();
    for flow in flows {
        for blocks in [Blocks::CountForPods, Blocks::CountForOthersOnly] {
            if network.allows(&connection(plane, &ends, *flow), blocks) != passes {
                wrong.push(format!("{}: {flow:?} should be {passes}, {blocks:?}", plane.name));
            }
        }
    }
    wrong
}

#[test]
fn of_two_tenants_at_rest_each_reaches_its_own_and_the_internet_and_nothing_else() {
    let mut all = Vec::new();
    for plane in PLANES {
        for network in [json!({}), said()] {
            let network = Stage::at_rest(plane, &network).network();
            all.extend(wrong(&network, plane, &PASSES, true));
            all.extend(wrong(&network, plane, &ASKED, plane == ENVOY_GATEWAY));
            all.extend(wrong(&network, plane, &STOPPED, false));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn what_the_class_opens_and_closes() {
    let mut all = Vec::new();
    for plane in PLANES {
        for (network, opened) in [(json!({}), false), (said(), true)] {
            let network = Stage::at_rest(plane, &network).network();
            all.extend(wrong(&network, plane, &BY_CLASS, opened));
            all.extend(wrong(&network, plane, &CLOSED_BY_CLASS, !opened));
            all.extend(wrong(&network, plane, &BESIDE, false));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn an_upstream_lets_a_proxy_out_to_the_internet_on_its_port_and_to_nothing_else() {
    let mut all = Vec::new();
    for plane in PLANES {
        for network in [json!({}), said()] {
            let closed = Stage::at_rest(plane, &network).network();
            all.extend(wrong(&closed, plane, &UPSTREAMS, false));
            let network = Stage::with_upstreams(plane, &network).network();
            all.extend(wrong(&network, plane, &PASSES, true));
            all.extend(wrong(&network, plane, &UPSTREAMS, true));
            let mut stopped = STOPPED.to_vec();
            stopped.retain(|flow| !matches!(flow, ("shared-proxy", "internet", Tcp(443))));
            for port in [443, 8443] {
                let elsewhere =
                    LEADS_TO.into_iter().flat_map(|to| ["shared-proxy", "globex-proxy"].map(|from| (from, to)));
                stopped.extend(elsewhere.map(|(from, to)| (from, to, Tcp(port))));
            }
            for from in ["shared-proxy", "globex-proxy"] {
                stopped.extend([80, 22, 5432, 19000].map(|port| (from, "internet", Tcp(port))));
                stopped.push((from, "internet", Udp(443)));
            }
            stopped.push(("other-proxy", "internet", Tcp(443)));
            stopped.push(("globex-proxy", "acme", Tcp(8443)));
            stopped.push(("shared-proxy", "globex", Tcp(443)));
            all.extend(wrong(&network, plane, &stopped, false));
        }
        let network = Stage::with_upstreams(plane, &said()).network();
        let closed = [("shared-proxy", "closed-by-class", Tcp(443)), ("globex-proxy", "closed-by-class-v6", Tcp(8443))];
        all.extend(wrong(&network, plane, &closed, false));
        let network = Stage::with_upstreams(plane, &json!({"egressExcept": ["0.0.0.0/0", "::/0"]})).network();
        all.extend(wrong(&network, plane, &UPSTREAMS, false));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn traces_let_a_proxy_out_to_the_namespace_of_their_collector_on_its_port_and_to_nothing_else() {
    let traces = [("shared-proxy", "collector", Tcp(4317)), ("globex-proxy", "collector", Tcp(4317))];
    let stopped = [
        ("other-proxy", "collector", Tcp(4317)),
        ("shared-proxy", "collector", Tcp(4318)),
        ("globex-proxy", "collector", Udp(4317)),
        ("shared-proxy", "monitoring", Tcp(4317)),
        ("shared-proxy", "internet", Tcp(4317)),
        ("shared-proxy", "globex", Tcp(4317)),
        ("acme", "collector", Tcp(4317)),
        ("collector", "acme", Tcp(8080)),
        ("collector", "shared-proxy", Inner(0)),
    ];
    let mut all = Vec::new();
    for plane in PLANES {
        for network in [json!({}), said()] {
            all.extend(wrong(&Stage::at_rest(plane, &network).network(), plane, &traces, false));
            let network = Stage::with_traces(plane, &network, "observability").network();
            all.extend(wrong(&network, plane, &PASSES, true));
            all.extend(wrong(&network, plane, &traces, true));
            all.extend(wrong(&network, plane, &STOPPED, false));
            all.extend(wrong(&network, plane, &stopped, false));
        }
        // The class names a namespace that is, or becomes, a tenant's.
        for namespace in ["globex", "gw-globex"] {
            let network = Stage::with_traces(plane, &json!({}), namespace).network();
            let flows = [("shared-proxy", "globex", Tcp(4317)), ("shared-proxy", "solver-in-gw-globex", Tcp(4317))];
            all.extend(wrong(&network, plane, &flows, false));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn a_class_may_close_the_internet() {
    for plane in PLANES {
        let network = Stage::at_rest(plane, &json!({"egressExcept": ["0.0.0.0/0", "::/0"]})).network();
        let outside =
            [("acme", "internet", Tcp(443)), ("acme", "internet-v6", Tcp(443)), ("globex", "internet", Udp(443))];
        let inside = [("acme", "acme-jobs", Tcp(8080)), ("acme", "dns", Udp(53)), ("acme", "shared-proxy", Https)];
        let all = [wrong(&network, plane, &outside, false), wrong(&network, plane, &inside, true)].concat();
        assert!(all.is_empty(), "{}", all.join("\n"));
    }
}

/// The class names a namespace that is, or becomes, a tenant's: that tenant reaches nobody by it.
#[test]
fn a_tenants_namespace_is_never_one_of_the_platform() {
    for plane in PLANES {
        let network = Stage::at_rest(plane, &json!({"ingressNamespaces": ["globex", "gw-globex"]})).network();
        let flows =
            [("globex", "acme", Tcp(8080)), ("globex-proxy", "acme", Tcp(8080)), ("globex", "shared-proxy", Metrics)];
        let all = wrong(&network, plane, &flows, false);
        assert!(all.is_empty(), "{}", all.join("\n"));
    }
}
