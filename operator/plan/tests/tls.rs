//! What a tenant asks of TLS: it makes its class stricter, never laxer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::Reason;
use octroi_api::{Tenant, TenantStatus};
use octroi_plan::{ChildKey, ChildKind, status};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::{Value, json};
use support::refusal::{accepted, assert_is, rejection, standard};
use support::{Cluster, KGATEWAY, class, tenant, world};

fn authority() -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn showing(authorities: &str) -> Value {
    json!({"gateway": {"mode": "Dedicated"}, "tls": {"clientCertificates": {"authorities": authorities}}})
}

/// A cluster of one class and one tenant, settled, and what the tenant's status says.
fn settled(class_spec: &Value, spec: &Value) -> (Cluster, TenantStatus) {
    let mut cluster = Cluster::with([class("standard", class_spec)]);
    let mut wanted: Value = spec.clone();
    wanted["className"] = json!("standard");
    let wanted: Tenant = tenant("acme", &wanted);
    cluster.apply(wanted.clone());
    cluster.settle();
    let plan = cluster.plan("acme");
    let said = status::tenant::of(&wanted, &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap();
    (cluster, said)
}

fn body<'a>(cluster: &'a Cluster, kind: ChildKind, name: &str) -> &'a Value {
    &cluster.objects[&ChildKey::new(kind, "gw-acme", name)].body
}

#[test]
fn a_tenant_may_refuse_tls_1_2_alone() {
    let stricter = json!({"tls": {"minVersion": "1.3"}});
    let (cluster, said) = settled(&json!({}), &stricter);
    let tls = &body(&cluster, ChildKind::ClientTrafficPolicy, "acme")["spec"]["tls"];
    assert_eq!((&tls["minVersion"], &tls["ciphers"]), (&json!("1.3"), &Value::Null), "{tls}");
    assert_eq!(reason_of(&said, "Accepted"), ("True", "Ready"));

    let (cluster, _) = settled(&json!({"gateway": {"gatewayClassName": KGATEWAY}}), &stricter);
    let entry = body(&cluster, ChildKind::ListenerSet, "acme");
    for listener in entry["spec"]["listeners"].as_array().unwrap() {
        let options = &listener["tls"]["options"];
        assert_eq!(options["kgateway.dev/min-tls-version"], "1.3", "{options}");
        assert_eq!(options["kgateway.dev/cipher-suites"], Value::Null, "{options}");
    }
}

#[test]
fn what_is_laxer_than_the_class_is_clamped_and_says_so() {
    let (cluster, said) = settled(&json!({"tls": {"minVersion": "1.3"}}), &json!({"tls": {"minVersion": "1.2"}}));
    let tls = &body(&cluster, ChildKind::ClientTrafficPolicy, "acme")["spec"]["tls"];
    assert_eq!(tls["minVersion"], "1.3");
    assert_eq!(reason_of(&said, "Accepted"), ("True", Reason::Clamped.as_str()));
    let accepted = said.conditions.iter().find(|c| c.type_ == "Accepted").unwrap();
    assert_eq!(accepted.message, "spec.tls.minVersion is 1.3, as the class demands: remove it");
    assert_eq!(reason_of(&said, "Ready"), ("True", "Ready"), "nothing of it keeps the tenant from being served");
}

#[test]
fn client_certificates_need_a_proxy_of_ones_own() {
    let spec = json!({"tls": {"clientCertificates": {"authorities": authority()}}});
    let found = rejection(&tenant("acme", &spec), &world([standard()]));
    let parts = ["Shared", "set spec.gateway.mode to Dedicated, or remove them"];
    assert_is(&found, Reason::Invalid, "spec.tls.clientCertificates", &parts);
}

#[test]
fn authorities_that_no_proxy_could_read_are_refused() {
    let begin = "-----BEGIN CERTIFICATE-----";
    let end = "-----END CERTIFICATE-----";
    let cut = authority().replace(end, "");
    let text = format!("{begin}\nbm90IGEgY2VydGlmaWNhdGU=\n{end}\n");
    let second = format!("{}{text}", authority());
    let cases = [
        (cut.as_str(), "certificate 1 is not PEM"),
        (text.as_str(), "certificate 1 is not an X.509 certificate"),
        (second.as_str(), "certificate 2 is not an X.509 certificate"),
        ("a".repeat(64).leak(), "there is no certificate in it"),
    ];
    for (authorities, why) in cases {
        let found = rejection(&tenant("acme", &showing(authorities)), &world([standard()]));
        let parts = [why, "such as the content of ca.crt"];
        assert_is(&found, Reason::Invalid, "spec.tls.clientCertificates.authorities", &parts);
    }
    accepted(&tenant("acme", &showing(&authority().repeat(3))), &world([standard()]));
}

#[test]
fn clients_are_asked_by_both_data_planes_and_cannot_speak_for_themselves() {
    let ca = authority();
    let (cluster, said) = settled(&json!({}), &showing(&ca));
    assert_eq!(reason_of(&said, "Ready"), ("True", "Ready"));
    assert_eq!(body(&cluster, ChildKind::ConfigMap, "client-authorities")["data"]["ca.crt"], ca);
    let refs = json!([{"group": "", "kind": "ConfigMap", "name": "client-authorities"}]);
    let asked = json!({"default": {"validation": {"caCertificateRefs": refs, "mode": "AllowValidOnly"}}});
    assert_eq!(body(&cluster, ChildKind::Gateway, "acme")["spec"]["tls"]["frontend"], asked);
    let policy = &body(&cluster, ChildKind::ClientTrafficPolicy, "acme")["spec"];
    assert_eq!(policy["headers"]["xForwardedClientCert"]["mode"], "SanitizeSet");

    let (cluster, _) = settled(&json!({"gateway": {"gatewayClassName": KGATEWAY}}), &showing(&ca));
    assert_eq!(body(&cluster, ChildKind::Gateway, "acme")["spec"]["tls"]["frontend"], asked);
    let listeners = body(&cluster, ChildKind::Gateway, "acme")["spec"]["listeners"].as_array().unwrap();
    let protocols: Vec<_> = listeners.iter().map(|listener| listener["protocol"].as_str().unwrap()).collect();
    assert_eq!(protocols, ["HTTP"], "kgateway asks nobody on a port that begins with protocol TLS");
    let policy = &body(&cluster, ChildKind::ListenerPolicy, "acme")["spec"]["default"];
    assert_eq!(policy["httpSettings"]["forwardClientCertDetails"]["mode"], "SanitizeSet");
}

fn reason_of<'a>(status: &'a TenantStatus, kind: &str) -> (&'a str, &'a str) {
    let condition = status.conditions.iter().find(|c| c.type_ == kind).unwrap();
    (&condition.status, &condition.reason)
}
