//! Upstreams outside the cluster: what is no such thing is refused by its name, what is wrong with one costs that one only, and all
//! speak TLS to whom they name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use octroi_api::{Tenant, TenantClass, TenantStatus, UpstreamStatus};
use octroi_plan::facts::Facts;
use octroi_plan::{ChildKey, ChildKind, status};
use serde_json::{Value, json};
use support::refusal::OTHER;
use support::{Cluster, ENVOY_GATEWAY, KGATEWAY, class, tenant};

/// A class that offers upstreams.
fn offering(plane: &str, spec: &Value) -> TenantClass {
    let mut whole = json!({
        "gateway": {"gatewayClassName": plane},
        "upstreams": {"allowed": ["HTTPS", "S3"], "ports": [443, 8443]},
    });
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    class("standard", &whole)
}

fn asking(name: &str, spec: &Value, upstreams: &Value) -> Tenant {
    let mut whole =
        json!({"className": "standard", "namespaces": [{"name": format!("{name}-prod")}], "upstreams": upstreams});
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    tenant(name, &whole)
}

fn alone(plane: &str, upstreams: &Value) -> Cluster {
    let mut cluster = Cluster::with([offering(plane, &json!({}))]);
    cluster.apply(asking("acme", &json!({}), upstreams));
    cluster.settle();
    cluster
}

fn https(name: &str, host: &str) -> Value {
    json!({"name": name, "https": {"host": host}})
}

fn said(cluster: &mut Cluster, name: &str) -> TenantStatus {
    let (wanted, plan) = (cluster.tenants[name].clone(), cluster.plan(name));
    status::tenant::of(&wanted, &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap()
}

fn of_upstream(cluster: &mut Cluster, name: &str) -> UpstreamStatus {
    said(cluster, "acme").upstreams.into_iter().find(|upstream| upstream.name == name).unwrap()
}

fn ready(status: &TenantStatus) -> (String, String, String) {
    let found = status.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

fn specs(cluster: &Cluster, kind: ChildKind) -> Vec<(String, Value)> {
    let all = cluster.objects.iter().filter(|(key, _)| key.kind == kind);
    all.map(|(key, object)| (format!("{}/{}", key.namespace, key.name), object.body["spec"].clone())).collect()
}

/// The grants that lie beside the tenant's entry.
fn grants(cluster: &Cluster) -> Vec<(String, Value)> {
    specs(cluster, ChildKind::ReferenceGrant).into_iter().filter(|(path, _)| path.starts_with("gw-acme/")).collect()
}

fn backends(cluster: &Cluster) -> usize {
    [ChildKind::EnvoyBackend, ChildKind::KgatewayBackend].map(|kind| specs(cluster, kind).len()).iter().sum()
}

fn data(cluster: &Cluster) -> Value {
    cluster.objects[&ChildKey::new(ChildKind::ConfigMap, "acme-prod", "octroi-entry")].body["data"].clone()
}

/// The ports that a network policy opens to the internet.
fn opened(cluster: &Cluster, namespace: &str, name: &str) -> BTreeSet<u64> {
    let policy = &cluster.objects[&ChildKey::new(ChildKind::NetworkPolicy, namespace, name)].body;
    let rules = policy["spec"]["egress"].as_array().unwrap().clone();
    let to_world = rules.iter().filter(|rule| rule["to"][0]["ipBlock"]["cidr"] == "0.0.0.0/0");
    let all = to_world.flat_map(|rule| rule["ports"].as_array().cloned().unwrap_or_default());
    all.map(|port| port["port"].as_u64().unwrap()).collect()
}

#[test]
fn what_is_no_host_on_the_internet_is_refused_by_its_name() {
    for host in [
        "127.0.0.1",
        "169.254.169.254",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "127.0.0.0x1",
        "::1",
        "[::1]",
        "::ffff:10.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "10-0-0-1.default.pod",
        "metadata.google.internal",
        "router.lan",
        "printer.local",
        "1.0.0.127.in-addr.arpa",
        "api.localhost",
        "*.crm.example",
        "API.crm.example",
        "api.crm.example.",
        "api.crm.example:443",
        "https://api.crm.example",
        "api.crm.example/path",
        "",
    ] {
        let mut cluster = alone(ENVOY_GATEWAY, &json!([https("bad", host), https("good", "api.crm.example")]));
        let bad = of_upstream(&mut cluster, "bad");
        assert_eq!((bad.ready, bad.reason.as_deref()), (false, Some("Invalid")), "{host}: {bad:?}");
        assert!(bad.message.unwrap().contains(": "), "{host}: no next step");
        assert_eq!(backends(&cluster), 1, "{host}");
        assert!(of_upstream(&mut cluster, "good").ready, "{host} costs the other");
        let (holds, reason, message) = ready(&said(&mut cluster, "acme"));
        assert_eq!((holds.as_str(), reason.as_str()), ("False", "Invalid"), "{host}");
        assert!(message.starts_with("spec.upstreams[bad]: "), "{message}");
    }
}

#[test]
fn what_is_no_bucket_is_refused() {
    for (region, bucket) in [
        ("eu-west-3", "my.bucket"),
        ("eu-west-3", "*"),
        ("eu-west-3", ""),
        ("eu-west-3", "UPPER"),
        ("eu-west-3", "a/b"),
        ("evil.example#", "assets"),
        ("x.evil.example", "assets"),
        ("", "assets"),
    ] {
        let s3 = json!([{"name": "assets", "s3": {"region": region, "bucket": bucket}}]);
        let mut cluster = alone(KGATEWAY, &s3);
        assert_eq!(of_upstream(&mut cluster, "assets").reason.as_deref(), Some("Invalid"), "{region} {bucket}");
        assert_eq!(backends(&cluster), 0);
    }
    for both in [
        json!({"name": "x"}),
        json!({"name": "x", "https": {"host": "a.example"}, "s3": {"region": "eu-west-3", "bucket": "abc"}}),
    ] {
        let mut cluster = alone(ENVOY_GATEWAY, &json!([both]));
        assert_eq!(of_upstream(&mut cluster, "x").reason.as_deref(), Some("Invalid"), "{both}");
    }
}

/// A request to it would come in again, and could go round for ever.
#[test]
fn what_the_cluster_serves_is_no_upstream_and_nobody_is_named() {
    let mut cluster = Cluster::with([
        offering(ENVOY_GATEWAY, &json!({})),
        class("elsewhere", &json!({"baseDomain": "elsewhere.test"})),
    ]);
    let theirs = json!({"domains": [{"host": "shop.example"}, {"host": "*.wild.example"}]});
    cluster.apply(asking(OTHER, &theirs, &json!([])));
    cluster.settle();
    let mine = json!({"domains": [{"host": "own.example"}]});
    for host in [
        "own.example",
        "acme.apps.test",
        "x.acme.apps.test",
        "nobody.apps.test",
        "a.elsewhere.test",
        "shop.example",
        "a.wild.example",
    ] {
        cluster.apply(asking("acme", &mine, &json!([https("crm", host)])));
        cluster.settle();
        let found = of_upstream(&mut cluster, "crm");
        assert_eq!((found.ready, found.reason.as_deref()), (false, Some("Invalid")), "{host}: {found:?}");
        let message = found.message.unwrap();
        assert!(message.contains("one that this cluster serves") && !message.contains(OTHER), "{message}");
        assert_eq!(backends(&cluster), 0, "{host}");
    }
    cluster.apply(asking("acme", &mine, &json!([https("crm", "deep.shop.example")])));
    cluster.settle();
    assert!(of_upstream(&mut cluster, "crm").ready, "a host beside those");
}

#[test]
fn a_class_offers_kinds_and_ports_and_by_default_none() {
    let crm = json!({"name": "crm", "https": {"host": "api.crm.example", "port": 8443}});
    let assets = json!({"name": "assets", "s3": {"region": "eu-west-3", "bucket": "assets"}});
    let closed = json!({"networkPolicy": {"egressExcept": ["0.0.0.0/0", "::/0"]}});
    let all = json!({"allowed": ["HTTPS", "S3"], "ports": [8443]});
    for (offer, wanted, part) in [
        (json!({"upstreams": null}), [false, false], "offers no upstreams of kind HTTPS"),
        (json!({"upstreams": {"allowed": ["S3"]}}), [false, true], "offers no upstreams of kind HTTPS"),
        (json!({"upstreams": {"allowed": ["HTTPS"]}}), [false, false], "port 8443: choose one of 443"),
        (json!({"upstreams": all}), [true, true], ""),
        (json!({"upstreams": all, "namespaces": closed}), [false, false], "keeps everybody from the internet"),
    ] {
        let mut cluster = Cluster::with([offering(ENVOY_GATEWAY, &offer)]);
        cluster.apply(asking("acme", &json!({}), &json!([crm, assets])));
        cluster.settle();
        let found = ["crm", "assets"].map(|name| of_upstream(&mut cluster, name));
        assert_eq!([found[0].ready, found[1].ready], wanted, "{offer}");
        if !wanted[0] {
            assert_eq!(found[0].reason.as_deref(), Some("UpstreamNotOffered"));
            assert!(found[0].message.as_ref().unwrap().contains(part), "{found:?}");
        }
        assert_eq!(backends(&cluster), wanted.iter().filter(|open| **open).count());
    }
}

#[test]
fn what_a_class_takes_back_goes() {
    let mut cluster = alone(KGATEWAY, &json!([https("crm", "api.crm.example")]));
    assert_eq!((backends(&cluster), specs(&cluster, ChildKind::BackendTlsPolicy).len()), (1, 1));
    let mut class = offering(KGATEWAY, &json!({"upstreams": null}));
    class.spec.upstreams = None;
    cluster.world.classes.insert("standard".into(), class);
    cluster.settle();
    assert_eq!((backends(&cluster), specs(&cluster, ChildKind::BackendTlsPolicy).len()), (0, 0));
    assert_eq!(grants(&cluster), []);
    assert_eq!(data(&cluster).get("upstreams.yaml"), None);
}

#[test]
fn each_speaks_tls_to_whom_it_names() {
    let wanted =
        json!([https("crm", "api.crm.example"), {"name": "assets", "s3": {"region": "eu-west-3", "bucket": "pics"}}]);
    let cluster = alone(ENVOY_GATEWAY, &wanted);
    let tls = |sni: &str| json!({"wellKnownCACertificates": "System", "sni": sni, "insecureSkipVerify": false});
    let at = |host: &str| json!([{"fqdn": {"hostname": host, "port": 443}}]);
    let bucket = "pics.s3.eu-west-3.amazonaws.com";
    assert_eq!(
        specs(&cluster, ChildKind::EnvoyBackend),
        [
            ("gw-acme/assets".to_owned(), json!({"endpoints": at(bucket), "tls": tls(bucket)})),
            ("gw-acme/crm".to_owned(), json!({"endpoints": at("api.crm.example"), "tls": tls("api.crm.example")})),
        ]
    );
    assert_eq!(specs(&cluster, ChildKind::BackendTlsPolicy), []);

    // There it is looked up as it is; Envoy Gateway takes no dot.
    let cluster = alone(KGATEWAY, &wanted);
    let hosts = |host: &str| json!({"static": {"hosts": [{"host": format!("{host}."), "port": 443}]}});
    let policy = |name: &str, host: &str| {
        json!({
            "targetRefs": [{"group": "gateway.kgateway.dev", "kind": "Backend", "name": name}],
            "validation": {"hostname": host, "wellKnownCACertificates": "System"},
        })
    };
    assert_eq!(
        specs(&cluster, ChildKind::KgatewayBackend),
        [("gw-acme/assets".to_owned(), hosts(bucket)), ("gw-acme/crm".to_owned(), hosts("api.crm.example")),]
    );
    assert_eq!(
        specs(&cluster, ChildKind::BackendTlsPolicy),
        [
            ("gw-acme/assets".to_owned(), policy("assets", bucket)),
            ("gw-acme/crm".to_owned(), policy("crm", "api.crm.example")),
        ]
    );
}

#[test]
fn a_bucket_in_china_is_in_its_own_domain() {
    let mut cluster =
        alone(ENVOY_GATEWAY, &json!([{"name": "pics", "s3": {"region": "cn-north-1", "bucket": "pics"}}]));
    assert_eq!(of_upstream(&mut cluster, "pics").target.as_deref(), Some("pics.s3.cn-north-1.amazonaws.com.cn:443"));
}

#[test]
fn a_grant_names_each_backend_and_is_for_http_routes_of_the_tenants_namespaces() {
    for (plane, group) in [(ENVOY_GATEWAY, "gateway.envoyproxy.io"), (KGATEWAY, "gateway.kgateway.dev")] {
        let cluster = alone(plane, &json!([https("crm", "api.crm.example")]));
        let wanted = json!({
            "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "acme-prod"}],
            "to": [{"group": group, "kind": "Backend", "name": "crm"}],
        });
        assert_eq!(grants(&cluster), [("gw-acme/octroi-from-acme-prod".to_owned(), wanted)]);
        let entry = data(&cluster);
        assert_eq!(entry["upstreams"], "crm api.crm.example\n");
        let rules: Value = serde_saphyr::from_str(entry["upstreams.yaml"].as_str().unwrap()).unwrap();
        assert_eq!(
            rules,
            json!([{
                "filters": [{"type": "URLRewrite", "urlRewrite": {"hostname": "api.crm.example"}}],
                "backendRefs": [{"group": group, "kind": "Backend", "name": "crm", "namespace": "gw-acme"}],
            }])
        );
    }
}

/// The shared proxies of a class that offers upstreams may connect outside, and a proxy of a tenant's own for those that it has.
#[test]
fn only_proxies_that_may_have_upstreams_connect_outside() {
    let own = json!({"gateway": {"mode": "Dedicated"}});
    let crm = json!([{"name": "crm", "https": {"host": "api.crm.example", "port": 8443}}]);
    for (offer, spec, upstreams, at, wanted) in [
        (json!({}), json!({}), json!([]), ("octroi-gateways", "standard"), vec![443, 8443]),
        (
            json!({"upstreams": {"allowed": ["S3"], "ports": [8443]}}),
            json!({}),
            json!([]),
            ("octroi-gateways", "standard"),
            vec![443],
        ),
        (json!({"upstreams": null}), json!({}), crm.clone(), ("octroi-gateways", "standard"), vec![]),
        (json!({}), own.clone(), json!([]), ("gw-acme", "octroi"), vec![]),
        (json!({}), own.clone(), crm.clone(), ("gw-acme", "octroi"), vec![8443]),
        (json!({"upstreams": null}), own, crm, ("gw-acme", "octroi"), vec![]),
    ] {
        let mut cluster = Cluster::with([offering(ENVOY_GATEWAY, &offer)]);
        cluster.apply(asking("acme", &spec, &upstreams));
        cluster.settle();
        assert_eq!(opened(&cluster, at.0, at.1), wanted.into_iter().collect(), "{offer} {spec} {upstreams}");
    }
}

/// Whatever a name leads to.
#[test]
fn what_is_no_part_of_the_internet_is_excepted() {
    let cluster = alone(KGATEWAY, &json!([https("crm", "api.crm.example")]));
    let policy = &cluster.objects[&ChildKey::new(ChildKind::NetworkPolicy, "octroi-gateways", "standard")].body;
    let text = policy["spec"]["egress"].to_string();
    for never in [
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    ] {
        assert!(text.contains(never), "{never} is not excepted: {text}");
    }
}

#[test]
fn what_the_data_plane_refuses_is_said() {
    for (plane, kind) in [
        (ENVOY_GATEWAY, ChildKind::EnvoyBackend),
        (KGATEWAY, ChildKind::KgatewayBackend),
        (KGATEWAY, ChildKind::BackendTlsPolicy),
    ] {
        let mut cluster = alone(plane, &json!([https("crm", "api.crm.example")]));
        assert!(of_upstream(&mut cluster, "crm").ready);
        let key = ChildKey::new(kind, "gw-acme", "crm");
        let mut observed = cluster.world.get(&key).unwrap().clone();
        observed.resource_version = "9999".into();
        observed.facts = match kind {
            ChildKind::BackendTlsPolicy => Facts::Policy { refused: Some("Invalid: no".into()) },
            _ => Facts::Upstream { refused: Some("Invalid: no".into()) },
        };
        cluster.world.observe(key, observed);
        let found = of_upstream(&mut cluster, "crm");
        assert_eq!((found.ready, found.reason.as_deref()), (false, Some("NotProgrammed")), "{found:?}");
        assert!(found.message.unwrap().contains("Invalid: no; see kubectl describe"));
        assert_eq!(ready(&said(&mut cluster, "acme")).1, "NotProgrammed");
    }
}
