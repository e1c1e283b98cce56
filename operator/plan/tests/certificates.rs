//! Certificates: what is asked of cert-manager and where a domain is proved, what a Secret of the run team's changes, and
//! what the status says of failures and of renewals that do not come.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::jiff::Timestamp;
use octroi_api::TenantStatus;
use octroi_api::conditions::Reason;
use octroi_plan::pointing::Pointing;
use octroi_plan::status::certificates::next_look;
use octroi_plan::tenant::TenantPlan;
use octroi_plan::{ChildKey, ChildKind, status};
use serde_json::{Value, json};
use support::refusal::{assert_is, rejection, standard};
use support::{Cluster, accept_gap, tenant};

const DOMAIN: &str = "shop.acme.example";

fn settled(domains: &Value) -> Cluster {
    let mut cluster = Cluster::with([standard()]);
    cluster.apply(tenant("acme", &json!({"domains": domains})));
    cluster.settle();
    cluster
}

fn key(kind: ChildKind, name: &str) -> ChildKey {
    ChildKey::new(kind, "gw-acme", name)
}

fn body<'a>(cluster: &'a Cluster, kind: ChildKind, name: &str) -> &'a Value {
    &cluster.objects.get(&key(kind, name)).unwrap_or_else(|| panic!("no {name}")).body
}

fn said(cluster: &mut Cluster, now: &str) -> TenantStatus {
    cluster.world.now = now.parse().unwrap();
    let plan = cluster.plan("acme");
    status::tenant::of(&cluster.tenants["acme"], &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap()
}

fn condition<'a>(said: &'a TenantStatus, kind: &str) -> (&'a str, &'a str, &'a str) {
    let found = said.conditions.iter().find(|c| c.type_ == kind).unwrap();
    (&found.status, &found.reason, &found.message)
}

#[test]
fn an_exact_domain_is_proved_on_port_80_and_nothing_else_is() {
    let cluster = settled(
        &json!([{"host": DOMAIN}, {"host": "*.acme.example"}, {"host": "acme.example", "tls": {"secretName": "own"}}]),
    );
    let listeners = body(&cluster, ChildKind::ListenerSet, "octroi-http01");
    let on_80 = listeners["spec"]["listeners"].as_array().unwrap();
    assert_eq!(on_80.len(), 1, "{on_80:?}");
    assert_eq!(
        (&on_80[0]["hostname"], &on_80[0]["port"], &on_80[0]["protocol"]),
        (&json!(DOMAIN), &json!(80), &json!("HTTP"))
    );
    // The namespace in which nobody writes but cert-manager and Octroi.
    assert_eq!(on_80[0]["allowedRoutes"]["namespaces"], json!({"from": "Same"}));
    assert_eq!(listeners["spec"]["parentRef"], body(&cluster, ChildKind::ListenerSet, "acme")["spec"]["parentRef"]);

    let redirect = body(&cluster, ChildKind::HttpRoute, "octroi-http01");
    assert_eq!(
        (&redirect["spec"]["parentRefs"][0]["kind"], &redirect["spec"]["parentRefs"][0]["name"]),
        (&json!("ListenerSet"), &json!("octroi-http01"))
    );
    assert_eq!(redirect["spec"]["rules"][0]["filters"][0]["requestRedirect"]["scheme"], "https");

    let annotations = |name: &str| body(&cluster, ChildKind::Certificate, name)["metadata"]["annotations"].clone();
    let parent = |part: &str| annotations(DOMAIN)[format!("acme.cert-manager.io/http01-parentref{part}")].clone();
    assert_eq!([parent("kind"), parent("name"), parent("namespace")], ["ListenerSet", "octroi-http01", "gw-acme"]);
    for by_dns in ["acme", "wc--any.acme.example"] {
        assert!(annotations(by_dns).is_null(), "{by_dns}");
    }
    assert!(!cluster.objects.contains_key(&key(ChildKind::Certificate, "acme.example")), "the run team's own");
}

#[test]
fn a_tenant_without_such_a_domain_has_nothing_on_port_80() {
    for domains in
        [json!([]), json!([{"host": "*.acme.example"}]), json!([{"host": DOMAIN, "tls": {"secretName": "own"}}])]
    {
        let cluster = settled(&domains);
        for kind in [ChildKind::ListenerSet, ChildKind::HttpRoute] {
            assert!(!cluster.objects.contains_key(&key(kind, "octroi-http01")), "{domains}");
        }
    }
}

/// Listeners of port 80 are listeners: a tenant's place is where its entry is, and its host goes to another only without them.
#[test]
fn port_80_moves_with_the_entry_and_goes_with_the_domain() {
    let mut cluster = settled(&json!([{"host": DOMAIN}]));
    let mut moved = tenant("acme", &json!({"domains": [{"host": DOMAIN}], "gateway": {"mode": "Dedicated"}}));
    accept_gap(&mut moved, "Dedicated");
    cluster.apply(moved);
    cluster.settle();
    for name in ["acme", "octroi-http01"] {
        assert_eq!(body(&cluster, ChildKind::ListenerSet, name)["spec"]["parentRef"]["namespace"], "gw-acme", "{name}");
    }
    assert_eq!(cluster.world.attached("acme").unwrap().name, "acme");

    let mut given_up = tenant("acme", &json!({"gateway": {"mode": "Dedicated"}}));
    accept_gap(&mut given_up, "Dedicated");
    cluster.apply(given_up);
    cluster.settle();
    assert!(!cluster.objects.contains_key(&key(ChildKind::ListenerSet, "octroi-http01")));
    assert!(!cluster.claims().contains_key(DOMAIN));
    let place = |key: &ChildKey| cluster.log.iter().rposition(|change| change.key == *key).unwrap();
    let claim = ChildKey::new(ChildKind::DomainClaim, "", DOMAIN);
    assert!(place(&key(ChildKind::ListenerSet, "octroi-http01")) < place(&claim), "given up while it is served");
}

#[test]
fn a_secret_under_a_name_that_cert_manager_writes() {
    let cluster = settled(&json!([]));
    for (domains, at) in [
        (json!([{"host": DOMAIN, "tls": {"secretName": "acme"}}]), 0),
        (json!([{"host": DOMAIN, "tls": {"secretName": DOMAIN}}]), 0),
        (json!([{"host": "b.example"}, {"host": DOMAIN, "tls": {"secretName": "b.example"}}]), 1),
        (json!([{"host": DOMAIN, "tls": {"secretName": "wc--any.b.example"}}, {"host": "*.b.example"}]), 0),
    ] {
        let found = rejection(&tenant("acme", &json!({"domains": domains})), &cluster.world);
        let field = format!("spec.domains[{at}].tls.secretName");
        assert_is(&found, Reason::Invalid, &field, &["cert-manager puts", "a Secret of another name, such as"]);
    }
}

#[test]
fn a_secret_of_the_run_teams_takes_the_certificates_place() {
    let mut cluster = settled(&json!([{"host": DOMAIN}]));
    assert!(cluster.objects.contains_key(&key(ChildKind::Certificate, DOMAIN)));
    cluster.apply(tenant("acme", &json!({"domains": [{"host": DOMAIN, "tls": {"secretName": "shop-2027"}}]})));
    cluster.settle();
    assert!(!cluster.objects.contains_key(&key(ChildKind::Certificate, DOMAIN)));
    let listeners = body(&cluster, ChildKind::ListenerSet, "acme")["spec"]["listeners"].as_array().unwrap();
    let of = |host: &str| {
        listeners.iter().find(|l| l["hostname"] == host).unwrap()["tls"]["certificateRefs"][0]["name"].clone()
    };
    assert_eq!([of(DOMAIN), of("acme.apps.test")], ["shop-2027", "acme"]);
    let said = said(&mut cluster, "2026-01-01T00:00:00Z");
    assert_eq!(condition(&said, "Ready").0, "True", "{said:?}");
}

#[test]
fn a_secret_that_is_not_there_costs_only_its_host_and_says_how_to_make_it() {
    let mut cluster = settled(&json!([{"host": DOMAIN, "tls": {"secretName": "shop-2027"}}, {"host": "acme.example"}]));
    let condition_of = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1});
    let long = "x".repeat(3000);
    cluster.report(&key(ChildKind::ListenerSet, "acme"), &json!({
        "conditions": [condition_of("Programmed", "True", "Programmed", "")],
        "listeners": [{"name": DOMAIN, "conditions": [condition_of("ResolvedRefs", "False", "InvalidCertificateRef", &long)]}]}));
    let said = said(&mut cluster, "2026-01-01T00:00:00Z");
    let domain = |host: &str| said.domains.iter().find(|d| d.host == host).unwrap();
    assert!(domain("acme.example").ready && domain("acme.apps.test").ready, "{said:?}");
    let bad = domain(DOMAIN);
    assert_eq!(
        (bad.ready, bad.reason.as_deref(), bad.certificate_expires.as_deref()),
        (false, Some("NotProgrammed"), None)
    );
    let message = bad.message.as_deref().unwrap();
    assert!(
        message.contains("InvalidCertificateRef")
            && message.ends_with("kubectl create secret tls -n gw-acme shop-2027 --cert=CHAIN.pem --key=KEY.pem"),
        "{message}"
    );
    assert_eq!(condition(&said, "CertificatesReady").0, "True", "no certificate is asked for");
}

/// What cert-manager says of a Certificate that serves while its renewal fails.
fn failing_renewal() -> Value {
    json!({
        "notAfter": "2026-12-31T00:00:00Z", "renewalTime": "2026-12-01T00:00:00Z", "failedIssuanceAttempts": 4,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "observedGeneration": 1},
            {"type": "Issuing", "status": "False", "reason": "Failed", "message": "CAA forbids it", "observedGeneration": 1}]})
}

#[test]
fn a_renewal_that_is_overdue_is_said_while_the_host_is_served() {
    let mut cluster = settled(&json!([{"host": DOMAIN}]));
    cluster.report(&key(ChildKind::Certificate, DOMAIN), &failing_renewal());

    let before = said(&mut cluster, "2026-12-01T23:59:59Z");
    assert_eq!(condition(&before, "Ready").0, "True", "{before:?}");
    let domain = before.domains.iter().find(|d| d.host == DOMAIN).unwrap();
    assert_eq!((domain.certificate_expires.as_deref(), &domain.reason), (Some("2026-12-31T00:00:00Z"), &None));
    // And it is looked at again at that moment, since nothing else would tell.
    let TenantPlan::Keep { resolved, desired, .. } = cluster.plan("acme") else { panic!("kept") };
    let due: Timestamp = "2026-12-02T00:00:00Z".parse().unwrap();
    assert_eq!(next_look(&resolved, &desired, &cluster.world), Some(due));

    let after = said(&mut cluster, "2026-12-02T00:00:00Z");
    for kind in ["CertificatesReady", "Ready"] {
        let (status, reason, message) = condition(&after, kind);
        assert_eq!((status, reason), ("False", "RenewalFailing"));
        for part in [
            DOMAIN,
            "until 2026-12-31T00:00:00Z",
            "4 attempts failed",
            "CAA forbids it",
            "describe certificate -n gw-acme",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    let domain = after.domains.iter().find(|d| d.host == DOMAIN).unwrap();
    assert_eq!((domain.ready, domain.reason.as_deref()), (true, Some("RenewalFailing")), "it is served");
    assert_eq!(next_look(&resolved, &desired, &cluster.world), None, "once is enough");
    // The clock alone changes nothing more.
    assert_eq!(said(&mut cluster, "2026-12-03T00:00:00Z"), after);
}

#[test]
fn a_first_certificate_that_fails_says_what_cert_manager_said() {
    let mut cluster = settled(&json!([{"host": DOMAIN}]));
    let not_there = json!({"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "no Secret", "observedGeneration": 1});
    let long = "y".repeat(5000);
    let failed =
        json!({"type": "Issuing", "status": "False", "reason": "Failed", "message": long, "observedGeneration": 1});
    let trying =
        json!({"type": "Issuing", "status": "True", "reason": "DoesNotExist", "message": "", "observedGeneration": 1});
    for (issuing, parts) in [
        (
            failed,
            ["cert-manager says Failed: yyy", "2 attempts failed", "describe certificate -n gw-acme shop.acme.example"],
        ),
        (trying, ["2 attempts failed", "tries again", "describe certificate -n gw-acme shop.acme.example"]),
    ] {
        cluster.report(
            &key(ChildKind::Certificate, DOMAIN),
            &json!({"failedIssuanceAttempts": 2, "conditions": [not_there, issuing]}),
        );
        let said = said(&mut cluster, "2026-01-01T00:00:00Z");
        let (status, reason, message) = condition(&said, "CertificatesReady");
        assert_eq!((status, reason), ("False", "CertificateNotReady"));
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
        let ready: Vec<_> = said.domains.iter().filter(|d| d.ready).map(|d| d.host.as_str()).collect();
        assert_eq!(ready, ["acme.apps.test", "*.acme.apps.test"], "the others are served");
    }
}

#[test]
fn a_domain_that_points_elsewhere_is_said_while_its_certificate_is_missing_and_never_after() {
    let mut cluster = settled(&json!([{"host": DOMAIN}, {"host": "*.acme.example"}]));
    let missing = json!({"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "no Secret", "observedGeneration": 1});
    let issued = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "", "observedGeneration": 1});
    let name = |cluster: &mut Cluster| -> (String, bool, String) {
        let TenantPlan::Keep { resolved, .. } = cluster.plan("acme") else { panic!("it is kept") };
        cluster.world.note_plan(&resolved);
        let said = said(cluster, "2026-01-01T00:00:00Z");
        let domain = said.domains.iter().find(|d| d.host == DOMAIN).unwrap().clone();
        let (reason, message) = (domain.reason.unwrap_or_default(), domain.message.unwrap_or_default());
        assert!(message.is_empty() || condition(&said, "CertificatesReady").2.contains(&message), "{message}");
        (reason, domain.ready, message)
    };
    let gateway = ChildKey::new(ChildKind::Gateway, "octroi-gateways", "standard-0");
    let programmed = json!({"type": "Programmed", "status": "True", "observedGeneration": 1});
    cluster.report(&gateway, &json!({"conditions": [programmed], "addresses": [{"value": "192.0.2.10"}]}));
    cluster.report(&key(ChildKind::Certificate, DOMAIN), &json!({"conditions": [missing]}));
    assert_ne!(name(&mut cluster).0, "DNSNotPointing", "nobody has looked");
    let wanted: Vec<_> = cluster.world.pointings.wanted().map(|(tenant, host, _)| format!("{tenant} {host}")).collect();
    assert_eq!(
        wanted,
        [format!("acme {DOMAIN}")],
        "a wildcard is proved otherwise, and the class's hosts are the platform's"
    );

    assert!(cluster.world.pointings.learn(DOMAIN, Some(Pointing::Elsewhere)));
    assert!(!cluster.world.pointings.learn(DOMAIN, None), "a name server that is silent says nothing");
    let (reason, ready, message) = name(&mut cluster);
    assert_eq!((reason.as_str(), ready), ("DNSNotPointing", false));
    assert!(message.contains(&format!("give {DOMAIN} an address record with 192.0.2.10;")), "{message}");

    assert!(cluster.world.pointings.learn(DOMAIN, Some(Pointing::Here)));
    assert_ne!(name(&mut cluster).0, "DNSNotPointing");
    cluster.world.pointings.learn(DOMAIN, Some(Pointing::Elsewhere));
    cluster.report(&key(ChildKind::Certificate, DOMAIN), &json!({"conditions": [issued]}));
    assert_eq!(name(&mut cluster), (String::new(), true, String::new()), "what is served is nobody's DNS's affair");
    assert_eq!(cluster.world.pointings.wanted().count(), 0);
    cluster.world.pointings.forget_others();
    assert!(cluster.world.pointings.learn(DOMAIN, Some(Pointing::Elsewhere)), "it was forgotten");
}
