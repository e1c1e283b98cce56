//! The evaluator by itself: each rule of the specification that it must know, as a small policy with who passes and who does
//! not.

use std::net::IpAddr;

use super::evaluator::{Blocks, Connection, End, Labels, Network, Pod};

/// A policy, and connections with what becomes of them: from, to, port and protocol.
struct Recipe {
    what: &'static str,
    policies: &'static str,
    passes: &'static [&'static str],
    stopped: &'static [&'static str],
}

/// Pods: `shop/web` and `shop/db`, labelled `app` and tier; `back/job` in a namespace labelled `team: back`; `out/any`.
const RECIPES: [Recipe; 16] = [
    Recipe {
        what: "without a policy everything passes",
        policies: "",
        passes: &["back/job > shop/db 5432/TCP", "shop/db > 203.0.113.9 443/TCP", "203.0.113.9 > shop/db 1/UDP"],
        stopped: &[],
    },
    Recipe {
        what: "no rule lets nothing in, and says nothing of what goes out",
        policies: "{podSelector: {}, policyTypes: [Ingress]}",
        passes: &[
            "shop/db > 203.0.113.9 443/TCP",
            "shop/web > out/any 80/TCP",
            "back/job > out/any 80/TCP",
            "shop/db > shop/db 1/TCP",
        ],
        stopped: &["back/job > shop/db 5432/TCP", "shop/web > shop/db 5432/TCP", "203.0.113.9 > shop/db 5432/TCP"],
    },
    Recipe {
        what: "an empty rule lets everything in",
        policies: "{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}",
        passes: &["back/job > shop/db 5432/TCP", "203.0.113.9 > shop/web 53/UDP"],
        stopped: &[],
    },
    Recipe {
        what: "no rule lets nothing out, and says nothing of what comes in",
        policies: "{podSelector: {}, policyTypes: [Egress]}",
        passes: &["back/job > shop/db 5432/TCP"],
        stopped: &["shop/db > back/job 80/TCP", "shop/db > 203.0.113.9 443/TCP", "shop/web > shop/db 5432/TCP"],
    },
    Recipe {
        what: "both ends must let it",
        policies: "{podSelector: {}, policyTypes: [Ingress, Egress], egress: [{}]}",
        passes: &["shop/web > back/job 80/TCP"],
        stopped: &["shop/web > shop/db 5432/TCP", "back/job > shop/web 80/TCP"],
    },
    Recipe {
        what: "a policy is about the pods that it selects, in its own namespace",
        policies: "{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}",
        passes: &["back/job > shop/web 80/TCP", "shop/web > back/db 5432/TCP"],
        stopped: &["back/job > shop/db 5432/TCP"],
    },
    Recipe {
        what: "policies add up",
        policies: "{podSelector: {}, policyTypes: [Ingress]}\n{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}",
        passes: &["shop/web > shop/db 5432/TCP"],
        stopped: &["back/job > shop/db 5432/TCP", "shop/db > shop/web 80/TCP"],
    },
    Recipe {
        what: "without policyTypes it is about what comes in, and about what goes out only with such rules",
        policies: "{podSelector: {matchLabels: {app: web}}}\n{podSelector: {matchLabels: {app: db}}, egress: [{to: [{podSelector: {}}]}]}",
        passes: &["shop/web > back/job 80/TCP"],
        stopped: &[
            "back/job > shop/web 80/TCP",
            "back/job > shop/db 80/TCP",
            "shop/db > back/job 80/TCP",
            "shop/db > shop/web 80/TCP",
        ],
    },
    Recipe {
        what: "a podSelector alone means the policy's own namespace",
        policies: "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: db}}}]}]}",
        passes: &["shop/db > shop/web 80/TCP"],
        stopped: &["back/db > shop/web 80/TCP", "back/job > shop/web 80/TCP"],
    },
    Recipe {
        what: "a namespaceSelector alone means every pod there; an empty one every namespace, and nobody outside",
        policies: "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: back}}}]}]}\n{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {}}]}]}",
        passes: &["back/job > shop/db 5432/TCP", "out/any > shop/web 80/TCP"],
        stopped: &["out/any > shop/db 5432/TCP", "shop/web > shop/db 5432/TCP", "203.0.113.9 > shop/web 80/TCP"],
    },
    Recipe {
        what: "both selectors in one peer must hold; in two peers, one",
        policies: "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: back}}, podSelector: {matchLabels: {app: job}}}]}]}\n{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: back}}}, {podSelector: {matchLabels: {app: db}}}]}]}",
        passes: &["back/job > shop/db 5432/TCP", "back/db > shop/web 80/TCP", "shop/db > shop/web 80/TCP"],
        stopped: &["back/db > shop/db 5432/TCP", "shop/web > shop/db 5432/TCP", "out/any > shop/web 80/TCP"],
    },
    Recipe {
        what: "a block but for its exceptions, of its own family only",
        policies: "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.128/25, 203.0.113.9/32]}}, {ipBlock: {cidr: '2001:db8::/32', except: ['2001:db8:1::/48']}}]}]}",
        passes: &["shop/db > 203.0.113.8 443/TCP", "shop/db > 2001:db8::1 443/TCP"],
        stopped: &[
            "shop/db > 203.0.113.9 443/TCP",
            "shop/db > 203.0.113.200 443/TCP",
            "shop/db > 198.51.100.1 443/TCP",
            "shop/db > 2001:db8:1::1 443/TCP",
            "shop/db > 2001:db9::1 443/TCP",
        ],
    },
    Recipe {
        what: "everything but one, in both families",
        policies: "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16]}}]}]}",
        passes: &["shop/db > 203.0.113.8 443/TCP", "shop/db > 255.255.255.255 443/TCP"],
        stopped: &["shop/db > 169.254.169.254 80/TCP", "shop/db > 2001:db8::1 443/TCP"],
    },
    Recipe {
        what: "a port without a protocol is TCP; a protocol without a port is all of its ports; a range has both ends",
        policies: "{podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 5432}, {port: 8000, endPort: 8010}]}]}\n{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{protocol: UDP}]}]}",
        passes: &[
            "back/job > shop/db 5432/TCP",
            "back/job > shop/db 8000/TCP",
            "back/job > shop/db 8010/TCP",
            "back/job > shop/web 53/UDP",
        ],
        stopped: &[
            "back/job > shop/db 5432/UDP",
            "back/job > shop/db 8011/TCP",
            "back/job > shop/db 7999/TCP",
            "back/job > shop/web 53/TCP",
        ],
    },
    Recipe {
        what: "a port's name is looked up at the pod that is connected to, in both directions",
        policies: "{podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: sql}]}]}\n{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{ports: [{port: sql}]}]}",
        passes: &["back/job > shop/db 5432/TCP", "shop/web > shop/db 5432/TCP", "shop/web > back/db 5432/TCP"],
        stopped: &["back/job > shop/db 5433/TCP", "shop/web > back/job 5432/TCP", "shop/web > 203.0.113.8 5432/TCP"],
    },
    Recipe {
        what: "the four operators of a selector",
        policies: "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [back, out]}, {key: team, operator: DoesNotExist}]}}]}]}\n{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: Exists}, {key: team, operator: NotIn, values: [front]}]}}]}]}",
        passes: &["out/any > shop/db 5432/TCP", "back/job > shop/web 80/TCP"],
        stopped: &["back/job > shop/db 5432/TCP", "out/any > shop/web 80/TCP", "shop/db > shop/web 80/TCP"],
    },
];

fn network(policies: &str) -> Network {
    let labels =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Labels>();
    let namespace = |name: &str, more: &[(&str, &str)]| {
        (name.to_owned(), labels(&[&[("kubernetes.io/metadata.name", name)], more].concat()))
    };
    let policies = policies.lines().map(|spec| {
        let text = format!("{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: shop}}, spec: {spec}}}");
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    });
    Network {
        namespaces: [
            namespace("shop", &[("team", "front")]),
            namespace("back", &[("team", "back")]),
            namespace("out", &[]),
        ]
        .into(),
        policies: policies.collect(),
    }
}

/// `namespace/app`, or an address.
fn end(text: &str) -> End {
    if let Ok(address) = text.parse::<IpAddr>() {
        return End::Address(address);
    }
    let (namespace, app) = text.split_once('/').unwrap();
    let number = text.bytes().fold(0_u8, u8::wrapping_add);
    End::Pod(Pod {
        namespace: namespace.into(),
        labels: [("app".to_owned(), app.to_owned())].into(),
        address: IpAddr::from([10, 0, 0, number]),
        named_ports: if app == "db" { [("sql".to_owned(), 5432)].into() } else { [].into() },
    })
}

/// `from > to port/protocol`.
fn connection(text: &str) -> Connection {
    let [from, _, to, port] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
    let (port, protocol) = port.split_once('/').unwrap();
    let protocol = if protocol == "UDP" { "UDP" } else { "TCP" };
    Connection { from: end(from), to: end(to), port: port.parse().unwrap(), protocol }
}

#[test]
fn the_evaluator_knows_the_specification() {
    let mut wrong = Vec::new();
    for Recipe { what, policies, passes, stopped } in RECIPES {
        let network = network(policies);
        for (texts, wanted) in [(passes, true), (stopped, false)] {
            let found = texts.iter().filter(|text| network.allows(&connection(text), Blocks::CountForPods) != wanted);
            wrong.extend(found.map(|text| format!("{what}: {text} should be {wanted}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whether_a_block_means_pods_is_for_the_plugin() {
    let network = network("{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}");
    let connection = connection("shop/web > back/job 80/TCP");
    assert!(network.allows(&connection, Blocks::CountForPods));
    assert!(!network.allows(&connection, Blocks::CountForOthersOnly));
}
