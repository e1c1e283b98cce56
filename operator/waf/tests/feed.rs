//! Profiles that come one tenant at a time: a wrong one changes nobody's.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod support;

use std::sync::Arc;

use octroi_waf::extproc::{AuditLog, Feed, Limits, Shared};
use octroi_waf::{Mode, Profiles};
use support::rules;

fn shared() -> Arc<Shared> {
    let audit = AuditLog::new(std::io::sink()).unwrap();
    Arc::new(Shared::new(rules(), Profiles::default(), audit, Limits { workers: 1, in_flight: 1 }))
}

fn mode(shared: &Shared, tenant: &str) -> Option<Mode> {
    shared.profiles().tenant(tenant).map(|tenant| tenant.profile.mode)
}

#[test]
fn a_wrong_profile_leaves_its_tenant_the_one_it_had_and_everybody_elses() {
    let shared = shared();
    let mut feed = Feed::new(Arc::clone(&shared));
    feed.set("a", "{namespaces: [a], waf: {mode: Detect}}");
    feed.set("b", "namespaces: [b]");
    feed.publish();
    for wrong in ["", "namespaces: a", "{namespaces: [a], waf: {mode: Maybe}}"] {
        feed.set("a", wrong);
        feed.set("new", wrong);
        feed.publish();
        assert_eq!(mode(&shared, "a"), Some(Mode::Detect), "{wrong}");
        assert_eq!((mode(&shared, "b"), mode(&shared, "new")), (Some(Mode::Block), None), "{wrong}");
    }
    let metrics = shared.metrics.encode();
    assert!(metrics.contains(r#"octroi_waf_reloads_total{what="profiles",result="refused"} 6"#), "{metrics}");
}

#[test]
fn nothing_is_served_before_it_is_published_and_who_leaves_is_gone() {
    let shared = shared();
    let mut feed = Feed::new(Arc::clone(&shared));
    feed.set("a", "namespaces: [a]");
    feed.set("b", "namespaces: [b]");
    assert_eq!(mode(&shared, "a"), None);
    feed.publish();
    assert_eq!(mode(&shared, "a"), Some(Mode::Block));
    feed.remove("a");
    feed.retain(|tenant| tenant != "b");
    feed.publish();
    assert_eq!((mode(&shared, "a"), mode(&shared, "b")), (None, None));
}
