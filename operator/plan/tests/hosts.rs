//! Hosts that cannot be had: whose they are counts, not who asks louder, and no word of another tenant.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod support;

use k8s_openapi::jiff::Timestamp;
use octroi_api::conditions::Reason;
use octroi_plan::resolve::hosts::ClaimState;
use octroi_plan::tenant::TenantPlan;
use octroi_plan::{ChildKey, ChildKind, status};
use serde_json::json;
use support::refusal::{OTHER, accepted, assert_is, beside, rejection, rejections, standard};
use support::{class, default_class, tenant, world};

#[test]
fn domains_that_belong_to_the_platform() {
    let of = |name: &str, domain: &str| class(name, &json!({"baseDomain": domain}));
    let world = world([standard(), of("other", "web.platform.example")]);
    for host in [
        "apps.test",
        "shop.apps.test",
        "www.acme.apps.test",
        "*.apps.test",
        "*.acme.apps.test",
        "web.platform.example",
        "*.platform.example",
        "shop.web.platform.example",
    ] {
        let found = rejection(&tenant("acme", &json!({"domains": [{"host": "acme.example"}, {"host": host}]})), &world);
        assert_is(
            &found,
            Reason::Invalid,
            "spec.domains[1].host",
            &[host, "belongs to the platform", "list only domains of the client's own"],
        );
    }
    for host in ["platform.example", "www.platform.example", "myapps.test", "apps.test.example", "*.my-apps.test"] {
        accepted(&tenant("acme", &json!({"domains": [{"host": host}]})), &world);
    }
}

#[test]
fn the_tenants_own_host_is_anothers() {
    // The claims are older than the class: another base domain lay there.
    for (host, spec) in [
        ("acme.apps.test", json!({"domains": [{"host": "acme.apps.test"}]})),
        ("*.acme.apps.test", json!({"domains": [{"host": "*.acme.apps.test"}]})),
        ("www.acme.apps.test", json!({"domains": [{"host": "www.acme.apps.test"}]})),
        ("*.apps.test", json!({"domains": [{"host": "*.apps.test"}]})),
    ] {
        let mut cluster = beside(&spec, [default_class("standard", &json!({"baseDomain": "old.test"}))]);
        cluster.world.classes.insert("standard".into(), standard());
        let all = rejections(&tenant("acme", &json!({})), &cluster.world);
        assert!(!all.is_empty(), "{host}");
        for found in &all {
            assert_is(found, Reason::HostTaken, "metadata.name", &["belongs to somebody else"]);
        }
    }
}

/// The run team follows the hint: it must lead to the claim that is in the way.
#[test]
fn the_hint_leads_to_the_claim_that_is_in_the_way() {
    let spec = json!({"domains": [{"host": "www.acme.apps.test"}]});
    let mut cluster = beside(&spec, [default_class("standard", &json!({"baseDomain": "old.test"}))]);
    cluster.world.classes.insert("standard".into(), standard());
    let found = rejection(&tenant("acme", &json!({})), &cluster.world);
    let (_, named) = found.message.split_once("kubectl get domainclaims ").unwrap();
    assert!(cluster.objects.contains_key(&ChildKey::new(ChildKind::DomainClaim, "", named)), "{found:?}");
}

#[test]
fn a_domain_that_is_anothers_costs_only_that_domain() {
    for (theirs, mine, taken) in [
        ("shop.example", "shop.example", true),
        ("*.shop.example", "*.shop.example", true),
        ("*.shop.example", "www.shop.example", true),
        ("*.shop.example", "a.b.shop.example", true),
        ("www.shop.example", "*.shop.example", true),
        ("*.eu.shop.example", "*.shop.example", true),
        ("*.shop.example", "*.eu.shop.example", true),
        ("*.shop.example", "shop.example", false),
        ("shop.example", "*.shop.example", false),
        ("www.shop.example", "api.shop.example", false),
        ("*.shop.example", "myshop.example", false),
    ] {
        let mut cluster = beside(&json!({"domains": [{"host": theirs}]}), [standard()]);
        let wanted = tenant("acme", &json!({"domains": [{"host": mine}, {"host": "acme.example"}]}));
        cluster.apply(wanted.clone());
        cluster.settle();
        let plan = cluster.plan("acme");
        let TenantPlan::Keep { resolved, desired, changes } = &plan else { panic!("{theirs} and {mine}: {plan:?}") };
        assert!(changes.is_settled());
        let state = resolved.hosts.iter().find(|host| host.host.as_str() == mine).unwrap().claim;
        assert_eq!(state, if taken { ClaimState::Taken } else { ClaimState::Ours }, "{theirs} and {mine}");
        let mut served = cluster.entry("acme").unwrap().hosts();
        served.sort();
        assert_eq!(served.contains(&mine.to_owned()), !taken, "{theirs} and {mine}");
        for host in ["acme.apps.test", "*.acme.apps.test", "acme.example"] {
            assert!(served.contains(&host.to_owned()), "{host} beside {mine}");
        }
        let certificates = desired.iter().filter(|child| child.key.kind == ChildKind::Certificate);
        assert_eq!(
            certificates.filter(|child| child.body.to_string().contains(&format!("\"{mine}\""))).count(),
            usize::from(!taken)
        );

        let said = status::tenant::of(&wanted, &plan, &cluster.world, &[], Timestamp::UNIX_EPOCH).unwrap();
        assert!(!serde_json::to_string(&said).unwrap().contains(OTHER), "names the other tenant: {said:?}");
        let domain = said.domains.iter().find(|domain| domain.host == mine).unwrap();
        assert_eq!((domain.ready, domain.reason.as_deref()), (!taken, taken.then_some("HostTaken")), "{domain:?}");
        let ready = said.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
        assert_eq!(
            (ready.status.as_str(), ready.reason == "HostTaken"),
            (if taken { "False" } else { "True" }, taken),
            "{ready:?}"
        );
        if taken {
            let message = domain.message.as_deref().unwrap();
            assert!(message.contains("remove it from spec.domains, or ask the run team"), "{message}");
        }
    }
}

#[test]
fn what_a_developer_reads_in_the_namespace_names_no_other_tenant() {
    let mut cluster = beside(&json!({"domains": [{"host": "shop.example"}]}), [standard()]);
    cluster.apply(tenant("acme", &json!({"domains": [{"host": "shop.example"}]})));
    cluster.settle();
    for key in cluster.owned_by("acme") {
        assert!(!cluster.objects[key].body.to_string().contains(OTHER), "{key}");
    }
}
