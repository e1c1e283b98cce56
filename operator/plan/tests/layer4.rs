//! Ports beside 443: whose they are, what is wrong with one costs that one only, and no word of another tenant.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::jiff::Timestamp;
use octroi_api::{PortStatus, Tenant, TenantClass, TenantStatus, labels};
use octroi_plan::{ChildKey, ChildKind, status};
use serde_json::{Value, json};
use support::refusal::OTHER;
use support::{Cluster, KGATEWAY, accept_gap, class, tenant};

const UNSEEN: &str = "the firewall, rate limits, authentication and the page of a suspension do not look at it";

/// A class that offers ports.
fn offering(name: &str, spec: &Value) -> TenantClass {
    let all = json!(["TCP", "UDP", "TLS"]);
    let mut whole = json!({"layer4": {"ports": [
        {"from": 465, "protocols": ["TLS"]}, {"from": 1000, "to": 1100, "protocols": all}, {"from": 5432, "to": 5440, "protocols": all},
    ]}});
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    class(name, &whole)
}

fn asking(name: &str, layer4: &Value) -> Tenant {
    tenant(name, &json!({"className": "standard", "layer4": layer4}))
}

fn postgres() -> Value {
    json!([{"name": "postgres", "protocol": "TCP", "port": 5432}])
}

/// Another tenant has settled with these ports, and acme after it.
fn after(theirs: &Value, mine: &Value) -> Cluster {
    let mut cluster = Cluster::with([offering("standard", &json!({}))]);
    for wanted in [asking(OTHER, theirs), asking("acme", mine)] {
        cluster.apply(wanted);
        cluster.settle();
    }
    cluster
}

fn alone(class: TenantClass, wanted: Tenant) -> Cluster {
    let mut cluster = Cluster::with([class]);
    cluster.apply(wanted);
    cluster.settle();
    cluster
}

fn said(cluster: &mut Cluster, name: &str) -> TenantStatus {
    let (wanted, plan) = (cluster.tenants[name].clone(), cluster.plan(name));
    status::tenant::of(&wanted, &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap()
}

fn of_port(cluster: &mut Cluster, tenant: &str, name: &str) -> PortStatus {
    said(cluster, tenant).layer4.into_iter().find(|port| port.name == name).unwrap()
}

fn condition(status: &TenantStatus, kind: &str) -> (String, String, String) {
    let found = status.conditions.iter().find(|c| c.type_ == kind).unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

fn ports(cluster: &Cluster, tenant: &str) -> Vec<String> {
    cluster.entry(tenant).unwrap().ports().into_iter().collect()
}

fn listener(cluster: &Cluster, tenant: &str, name: &str) -> Value {
    let listeners = cluster.entry(tenant).unwrap().body["spec"]["listeners"].clone();
    let all = listeners.as_array().unwrap().clone();
    all.iter().find(|listener| listener["name"] == name).unwrap_or_else(|| panic!("no {name} in {all:#?}")).clone()
}

fn policies(cluster: &Cluster) -> Vec<(String, Value)> {
    let all = cluster.objects.iter().filter(|(key, _)| key.kind == ChildKind::SecurityPolicy);
    all.map(|(key, object)| (key.name.clone(), object.body["spec"].clone())).collect()
}

#[test]
fn what_cannot_be_had_costs_that_port_only() {
    let tls = |hosts: Value| json!({"name": "bad", "protocol": "TLS", "port": 5433, "hosts": hosts});
    let tcp = |port: u16| json!({"name": "bad", "protocol": "TCP", "port": port});
    for (bad, reason, parts) in [
        (tcp(5431), "PortNotOffered", vec!["no port 5431 for TCP", "choose one of 1000 to 1100, 5432 to 5440"]),
        (tcp(465), "PortNotOffered", vec!["no port 465 for TCP", "choose one of"]),
        (tcp(80), "PortNotOffered", vec!["no port 80"]),
        (tcp(5432), "Invalid", vec!["another item has this port", "choose another one"]),
        (tls(json!([])), "Invalid", vec!["with protocol TLS", "correct them"]),
        (tls(json!(["not a host"])), "Invalid", vec!["must be names of hosts"]),
        (tls(json!(["*.acme.apps.test", "a.acme.apps.test"])), "Invalid", vec!["overlap", "keep the wildcard"]),
        (tls(json!(["acme.example"])), "HostNotOwned", vec!["'acme.example'", "add it to spec.domains"]),
        (tls(json!(["a.b.acme.apps.test"])), "HostNotOwned", vec!["'a.b.acme.apps.test'"]),
        (tls(json!(["*.b.acme.apps.test"])), "HostNotOwned", vec!["'*.b.acme.apps.test'"]),
        (tls(json!([format!("{OTHER}.apps.test")])), "HostNotOwned", vec!["is not the tenant's"]),
        (
            json!({"name": "bad", "protocol": "TCP", "port": 5433, "hosts": ["acme.apps.test"]}),
            "Invalid",
            vec!["no other"],
        ),
        (
            json!({"name": "bad", "protocol": "UDP", "port": 5433, "allowedSources": ["10.0.0.0/8"]}),
            "Invalid",
            vec!["remove"],
        ),
    ] {
        let mine = json!([{"name": "postgres", "protocol": "TCP", "port": 5432}, bad]);
        let mut cluster = after(&json!([]), &mine);
        let (whole, found) = (said(&mut cluster, "acme"), of_port(&mut cluster, "acme", "bad"));
        assert_eq!((found.ready, found.reason.as_deref()), (false, Some(reason)), "{bad}: {found:?}");
        for part in parts {
            assert!(found.message.as_deref().unwrap().contains(part), "lacks {part:?}: {found:?}");
        }
        let (ready, why, message) = condition(&whole, "Ready");
        assert_eq!((ready.as_str(), why.as_str()), ("False", reason), "{bad}");
        assert!(message.starts_with("spec.layer4[bad]: "), "{message}");
        assert_eq!(condition(&whole, "Accepted").0, "True", "{bad}: the rest holds");
        assert_eq!(ports(&cluster, "acme"), ["tcp-5432"], "{bad}");
        assert_eq!(cluster.port_claims().len(), 1, "{bad}: {:?}", cluster.port_claims());
        let hosts = cluster.entry("acme").unwrap().hosts();
        assert_eq!(hosts, ["acme.apps.test", "*.acme.apps.test"], "{bad}");
    }
}

#[test]
fn a_class_offers_nothing_until_it_says_so_and_never_a_port_of_the_proxies() {
    let range = |from: u16, to: u16| json!({"layer4": {"ports": [{"from": from, "to": to, "protocols": ["TCP"]}]}});
    for (offer, asked) in [
        (json!({}), 5432),
        (range(5433, 5432), 5432),
        (range(1, 65535), 5432),
        (range(80, 80), 80),
        (range(443, 443), 443),
        (range(8000, 9000), 8082),
        (range(9000, 9100), 9091),
        (range(9000, 12000), 10080),
        (range(10001, 11023), 10443),
        (range(19000, 19003), 19001),
    ] {
        let wanted = asking("acme", &json!([{"name": "bad", "protocol": "TCP", "port": asked}]));
        let mut cluster = alone(class("standard", &offer), wanted);
        let found = of_port(&mut cluster, "acme", "bad");
        assert_eq!(found.reason.as_deref(), Some("PortNotOffered"), "{offer}: {found:?}");
        assert!(found.message.as_deref().unwrap().contains("name a class that offers"), "{found:?}");
        assert_eq!(ports(&cluster, "acme"), Vec::<String>::new());
    }
}

#[test]
fn the_first_keeps_a_port_and_the_second_learns_nothing_of_the_first() {
    for theirs in
        [postgres(), json!([{"name": "own", "protocol": "TLS", "port": 5432, "hosts": [format!("{OTHER}.apps.test")]}])]
    {
        let mut cluster = after(&theirs, &postgres());
        assert_eq!(cluster.port_claims(), [("standard.tcp-5432".to_owned(), OTHER.to_owned())].into());
        assert_eq!(ports(&cluster, OTHER), ["tcp-5432"]);
        assert_eq!(ports(&cluster, "acme"), Vec::<String>::new());
        assert_eq!(cluster.entry("acme").unwrap().hosts().len(), 2, "its hosts are served all the same");
        let said = said(&mut cluster, "acme");
        assert!(!serde_json::to_string(&said).unwrap().contains(OTHER), "names the other tenant: {said:?}");
        assert_eq!(said.layer4[0].reason.as_deref(), Some("PortTaken"));
        let message = said.layer4[0].message.as_deref().unwrap();
        for part in ["belongs to somebody else", "choose another one", "set spec.gateway.mode to Dedicated"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(condition(&said, "Ready").1, "PortTaken");
        for key in cluster.owned_by("acme") {
            assert!(!cluster.objects[key].body.to_string().contains(OTHER), "{key}");
        }
    }
}

#[test]
fn a_port_goes_to_the_next_when_it_is_given_up_and_not_before_the_data_plane_has_let_go() {
    let mut cluster = after(&postgres(), &postgres());
    cluster.apply(asking(OTHER, &json!([])));
    cluster.reconcile(OTHER);
    cluster.reconcile("acme");
    assert_eq!(ports(&cluster, OTHER), Vec::<String>::new());
    assert_eq!(cluster.port_claims()["standard.tcp-5432"], OTHER, "the data plane has not looked yet");
    assert_eq!(ports(&cluster, "acme"), Vec::<String>::new());
    cluster.settle();
    assert_eq!(cluster.port_claims()["standard.tcp-5432"], "acme");
    assert_eq!(ports(&cluster, "acme"), ["tcp-5432"]);
    assert!(of_port(&mut cluster, "acme", "postgres").ready);
}

#[test]
fn tcp_and_udp_of_one_number_are_two_ports() {
    let theirs = json!([{"name": "dns", "protocol": "UDP", "port": 1053}]);
    let mut cluster = after(&theirs, &json!([{"name": "dns", "protocol": "TCP", "port": 1053}]));
    assert_eq!((ports(&cluster, OTHER), ports(&cluster, "acme")), (vec!["udp-1053".into()], vec!["tcp-1053".into()]));
    assert_eq!(condition(&said(&mut cluster, "acme"), "Ready").0, "True");
}

#[test]
fn a_gateway_of_its_own_and_another_class_have_ports_of_their_own() {
    let mut cluster = Cluster::with([offering("standard", &json!({})), offering("silver", &json!({}))]);
    let dedicated = json!({"className": "standard", "layer4": postgres(), "gateway": {"mode": "Dedicated"}});
    cluster.apply(asking(OTHER, &postgres()));
    cluster.apply(tenant("acme", &dedicated));
    cluster.apply(tenant("initech", &json!({"className": "silver", "layer4": postgres()})));
    cluster.settle();
    for name in [OTHER, "acme", "initech"] {
        assert_eq!(ports(&cluster, name), ["tcp-5432"], "{name}");
        assert!(of_port(&mut cluster, name, "postgres").ready, "{name}");
    }
    let claims = cluster.port_claims();
    assert_eq!(claims.keys().collect::<Vec<_>>(), ["silver.tcp-5432", "standard.tcp-5432"]);
}

#[test]
fn who_leaves_a_shared_gateway_leaves_its_ports() {
    let mut cluster = after(&postgres(), &postgres());
    let mut leaving = asking(OTHER, &postgres());
    leaving.spec.gateway = serde_json::from_value(json!({"mode": "Dedicated"})).unwrap();
    cluster.apply(leaving.clone());
    cluster.settle();
    assert_eq!(cluster.port_claims()["standard.tcp-5432"], OTHER, "nobody has accepted the gap");
    accept_gap(&mut leaving, "Dedicated");
    cluster.apply(leaving);
    cluster.settle();
    assert_eq!((ports(&cluster, OTHER), ports(&cluster, "acme")), (vec!["tcp-5432".into()], vec!["tcp-5432".into()]));
    assert_eq!(cluster.port_claims()["standard.tcp-5432"], "acme");
}

#[test]
fn a_move_claims_before_it_goes_and_says_what_it_would_cost() {
    let mut cluster = Cluster::with([offering("standard", &json!({})), offering("silver", &json!({}))]);
    cluster.apply(tenant("initech", &json!({"className": "silver", "layer4": postgres()})));
    cluster.apply(asking(
        "acme",
        &json!([
            {"name": "postgres", "protocol": "TCP", "port": 5432}, {"name": "redis", "protocol": "TCP", "port": 5433},
        ]),
    ));
    cluster.settle();
    let mut moving = cluster.tenants["acme"].clone();
    moving.spec.class_name = Some("silver".into());
    cluster.apply(moving.clone());
    cluster.settle();
    assert_eq!(ports(&cluster, "acme"), ["tcp-5432", "tcp-5433"], "served where it is until somebody accepts the gap");
    assert_eq!(cluster.port_claims()["silver.tcp-5433"], "acme");
    let warned = of_port(&mut cluster, "acme", "postgres");
    assert!(
        warned.ready && warned.message.as_deref().unwrap().contains("the move to class 'silver' would close it"),
        "{warned:?}"
    );
    accept_gap(&mut moving, "Shared");
    cluster.apply(moving);
    cluster.settle();
    assert_eq!(cluster.entry("acme").unwrap().parent().name, "silver-0");
    assert_eq!(ports(&cluster, "acme"), ["tcp-5433"]);
    assert_eq!(of_port(&mut cluster, "acme", "postgres").reason.as_deref(), Some("PortTaken"));
    let owners: Vec<_> = cluster.port_claims().into_iter().collect();
    let wanted = [("silver.tcp-5432", "initech"), ("silver.tcp-5433", "acme")];
    assert_eq!(owners, wanted.map(|(claim, owner)| (claim.to_owned(), owner.to_owned())));
}

#[test]
fn a_class_that_takes_its_offer_back_closes_the_port() {
    let mut cluster = after(&json!([]), &postgres());
    cluster.world.classes.insert("standard".into(), class("standard", &json!({})));
    cluster.settle();
    assert_eq!(ports(&cluster, "acme"), Vec::<String>::new());
    assert!(cluster.port_claims().is_empty());
    assert_eq!(of_port(&mut cluster, "acme", "postgres").reason.as_deref(), Some("PortNotOffered"));
}

#[test]
fn a_listener_takes_its_own_kind_of_routes_of_its_own_tenant() {
    let layer4 = json!([
        {"name": "postgres", "protocol": "TCP", "port": 5432}, {"name": "game", "protocol": "UDP", "port": 5432},
        {"name": "mail", "protocol": "TLS", "port": 465, "hosts": ["*.acme.apps.test", "acme.apps.test"]},
    ]);
    let mut cluster = after(&json!([]), &layer4);
    for (name, protocol, kind, host) in [
        ("postgres", "TCP", "TCPRoute", Value::Null),
        ("game", "UDP", "UDPRoute", Value::Null),
        ("l4--mail.wc--any.acme.apps.test", "TLS", "TLSRoute", json!("*.acme.apps.test")),
        ("l4--mail.acme.apps.test", "TLS", "TLSRoute", json!("acme.apps.test")),
    ] {
        let found = listener(&cluster, "acme", name);
        assert_eq!((&found["protocol"], &found["hostname"]), (&json!(protocol), &host), "{name}");
        let kinds = json!([{"group": "gateway.networking.k8s.io", "kind": kind}]);
        assert_eq!(found["allowedRoutes"]["kinds"], kinds, "{name}");
        let inside = &found["allowedRoutes"]["namespaces"]["selector"]["matchExpressions"][0];
        assert_eq!((&inside["key"], &inside["values"]), (&json!("kubernetes.io/metadata.name"), &json!(["acme"])));
        let tls = if protocol == "TLS" { json!({"mode": "Passthrough"}) } else { Value::Null };
        assert_eq!(found["tls"], tls, "{name}");
    }
    let told = said(&mut cluster, "acme");
    assert!(told.layer4.iter().all(|port| port.ready && port.message.as_deref().unwrap().contains(UNSEEN)), "{told:?}");
    assert_eq!(condition(&told, "Ready").0, "True");
    let mut suspended = asking("acme", &layer4);
    suspended.spec.state = serde_json::from_value(json!("Suspended")).unwrap();
    cluster.apply(suspended);
    cluster.settle();
    for name in ["postgres", "game", "l4--mail.acme.apps.test"] {
        assert_eq!(listener(&cluster, "acme", name)["allowedRoutes"]["namespaces"], json!({"from": "Same"}), "{name}");
    }
}

#[test]
fn a_developer_reads_the_ports_and_a_route_to_paste() {
    let layer4 = json!([
        {"name": "postgres", "protocol": "TCP", "port": 5432},
        {"name": "mail", "protocol": "TLS", "port": 465, "hosts": ["mail.acme.apps.test"]},
    ]);
    let cluster = after(&json!([]), &layer4);
    let entry = &cluster.objects[&ChildKey::new(ChildKind::ConfigMap, "acme", "octroi-entry")].body["data"];
    assert_eq!(entry["layer4"], "postgres TCP 5432\nmail TLS 465 mail.acme.apps.test\n");
    let routes = entry["layer4.yaml"].as_str().unwrap();
    for part in [
        "kind: TCPRoute",
        "sectionName: postgres",
        "namespace: gw-acme",
        "sectionName: l4--mail.mail.acme.apps.test",
        "kind: TLSRoute",
        "mail.acme.apps.test",
    ] {
        assert!(routes.contains(part), "lacks {part}: {routes}");
    }
    assert_eq!(routes.matches("parentRefs").count(), 2, "{routes}");
    let plain = after(&json!([]), &json!([]));
    let entry = &plain.objects[&ChildKey::new(ChildKind::ConfigMap, "acme", "octroi-entry")].body["data"];
    assert!(entry.get("layer4").is_none() && entry.get("layer4.yaml").is_none());
}

#[test]
fn envoy_gateway_compares_addresses_on_the_port_and_never_by_rules_for_requests() {
    let some = json!([
        {"name": "postgres", "protocol": "TCP", "port": 5432, "allowedSources": ["203.0.113.0/24"]},
        {"name": "mail", "protocol": "TLS", "port": 465, "hosts": ["a.acme.apps.test", "b.acme.apps.test"]},
        {"name": "game", "protocol": "UDP", "port": 5433},
    ]);
    let cluster = after(&json!([]), &some);
    let rules = |cidrs: Value| {
        json!({"defaultAction": "Deny", "rules": [
            {"name": "allowed-sources", "action": "Allow", "principal": {"clientCIDRs": cidrs}},
        ]})
    };
    let on = |sections: &[&str]| -> Vec<Value> {
        let target = |section: &&str| json!({"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": "acme", "sectionName": section});
        sections.iter().map(target).collect()
    };
    let postgres = json!({"targetRefs": on(&["postgres"]), "authorization": rules(json!(["203.0.113.0/24"]))});
    assert_eq!(policies(&cluster), [("acme-postgres".to_owned(), postgres.clone())]);

    let mut refused = cluster;
    refused.refuse_policy(&ChildKey::new(ChildKind::SecurityPolicy, "gw-acme", "acme-postgres"), "no such listener");
    let found = of_port(&mut refused, "acme", "postgres");
    assert_eq!((found.ready, found.reason.as_deref()), (false, Some("NotProgrammed")));
    assert!(found.message.unwrap().contains("everybody may connect: Invalid: no such listener; see kubectl describe"));

    // What is asked of requests would else be asked of connections, and of paths that they do not have.
    let mut wanted = asking("acme", &some);
    wanted.spec.auth =
        serde_json::from_value(json!([{"name": "staff", "pathPrefix": "/admin", "allowedSources": ["10.0.0.0/8"]}]))
            .unwrap();
    let cluster = alone(offering("standard", &json!({})), wanted);
    let found = policies(&cluster);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["acme", "acme-mail", "acme-postgres"]);
    let sections = ["l4--mail.a.acme.apps.test", "l4--mail.b.acme.apps.test"];
    assert_eq!(found[1].1, json!({"targetRefs": on(&sections), "authorization": rules(json!(["0.0.0.0/0", "::/0"]))}));
    assert_eq!(found[2].1, postgres);
}

#[test]
fn what_kgateway_cannot_do_stays_closed_and_is_said() {
    let plane = json!({"gateway": {"gatewayClassName": KGATEWAY}});
    let some = json!([
        {"name": "postgres", "protocol": "TCP", "port": 5432},
        {"name": "office", "protocol": "TCP", "port": 5433, "allowedSources": ["203.0.113.0/24"]},
        {"name": "game", "protocol": "UDP", "port": 5433},
    ]);
    let mut cluster = alone(offering("standard", &plane), asking("acme", &some));
    assert_eq!(ports(&cluster, "acme"), ["tcp-5432"]);
    let said = said(&mut cluster, "acme");
    let (holds, reason, message) = condition(&said, "CapabilitiesSupported");
    assert_eq!((holds.as_str(), reason.as_str()), ("False", "Unsupported"));
    for part in ["allowedSources of spec.layer4[office]", "UDP of spec.layer4[game]"] {
        assert!(message.contains(part), "{message}");
    }
    for port in &said.layer4[1..] {
        assert_eq!(port.reason.as_deref(), Some("Unsupported"), "{port:?}");
        assert!(port.message.as_deref().unwrap().contains("the port stays closed: remove it"), "{port:?}");
    }
    assert_eq!(condition(&said, "Ready").1, "Unsupported");
    assert!(policies(&cluster).is_empty());
}

#[test]
fn a_class_says_what_its_data_plane_cannot_offer() {
    for (plane, holds) in [(json!({}), "True"), (json!({"gateway": {"gatewayClassName": KGATEWAY}}), "False")] {
        let class = offering("standard", &plane);
        let cluster = Cluster::with([class.clone()]);
        let plan = octroi_plan::class::plan(&class, &cluster.world);
        let said = status::class::of(&class, &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap();
        let found = said.conditions.iter().find(|c| c.type_ == "CapabilitiesSupported").unwrap();
        assert_eq!(found.status, holds, "{found:?}");
        assert_eq!(found.message.contains("spec.layer4.ports[].protocols UDP"), holds == "False", "{found:?}");
    }
}

#[test]
fn proxies_are_reached_on_what_the_class_offers_as_their_pods_have_it() {
    let open = |plane: &Value| {
        let mut cluster = Cluster::with([offering("standard", plane)]);
        cluster.apply(asking("acme", &postgres()));
        cluster.settle();
        let key = ChildKey::new(ChildKind::NetworkPolicy, labels::GATEWAYS_NAMESPACE, "standard");
        let ports = cluster.objects[&key].body["spec"]["ingress"][0]["ports"].as_array().unwrap().clone();
        let text =
            |port: &Value| format!("{} {}-{}", port["protocol"].as_str().unwrap(), port["port"], port["endPort"]);
        ports.iter().map(text).collect::<Vec<_>>()
    };
    let envoy = [
        "TCP 10080-null",
        "TCP 10443-null",
        "TCP 1024-1100",
        "TCP 5432-5440",
        "TCP 10465-null",
        "TCP 11000-11023",
        "UDP 1024-1100",
        "UDP 5432-5440",
        "UDP 11000-11023",
    ];
    assert_eq!(open(&json!({})), envoy);
    let kgateway = [
        "TCP 80-null",
        "TCP 443-null",
        "TCP 465-null",
        "TCP 1000-1100",
        "TCP 5432-5440",
        "UDP 1000-1100",
        "UDP 5432-5440",
    ];
    assert_eq!(open(&json!({"gateway": {"gatewayClassName": KGATEWAY}})), kgateway);
}
