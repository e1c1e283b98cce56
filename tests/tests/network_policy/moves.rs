//! Moves between a shared proxy and one's own: whoever sends to the tenant's pods is let in before, during and after, and no
//! longer than that.

use octroi_plan::ChildKind;
use serde_json::json;

use super::flows::{Flow, Port, wrong};
use super::stage::{PLANES, Plane, Stage};

const SHARED: &str = "shared-proxy";

fn sends(proxy: &'static str, tenant: &'static str) -> Flow {
    (proxy, tenant, Port::Tcp(8080))
}

/// Fails unless exactly these proxies reach the tenant, and the tenant reaches them.
fn assert_let_in(stage: &Stage, plane: Plane, tenant: &'static str, in_: &[&'static str], out: &[&'static str]) {
    let network = stage.network();
    let mut all = Vec::new();
    for (proxies, passes) in [(in_, true), (out, false)] {
        let flows: Vec<Flow> = proxies
            .iter()
            .flat_map(|proxy| [sends(proxy, tenant), (tenant, proxy, Port::Https)])
            // Everybody may be a client of a proxy, as far as the proxy is concerned; see `flows.rs` for the tenant's side.
            .collect();
        all.extend(wrong(&network, plane, &flows, passes));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn to_dedicated() {
    for plane in PLANES {
        let mut stage = Stage::at_rest(plane, &json!({}));
        assert_let_in(&stage, plane, "acme", &[SHARED], &["globex-proxy", "other-proxy"]);

        stage.ask_for("acme", "Dedicated");
        stage.reconcile();
        assert_eq!(stage.entry_of("acme"), "standard-0", "the new proxy does not serve yet");
        assert_let_in(&stage, plane, "acme", &[SHARED, "acme-proxy"], &["globex-proxy", "other-proxy"]);

        stage.judge(ChildKind::Gateway);
        stage.reconcile();
        assert_eq!(stage.entry_of("acme"), "acme");
        assert_let_in(&stage, plane, "acme", &[SHARED, "acme-proxy"], &["globex-proxy", "other-proxy"]);

        stage.judge(ChildKind::ListenerSet);
        stage.reconcile();
        assert_let_in(&stage, plane, "acme", &["acme-proxy"], &[SHARED, "globex-proxy", "other-proxy"]);
    }
}

#[test]
fn to_shared() {
    for plane in PLANES {
        let mut stage = Stage::at_rest(plane, &json!({}));
        assert_let_in(&stage, plane, "globex", &["globex-proxy"], &[SHARED, "other-proxy"]);

        stage.ask_for("globex", "Shared");
        stage.reconcile();
        assert_eq!(stage.entry_of("globex"), "standard-0", "the shared proxy serves already");
        assert_let_in(&stage, plane, "globex", &["globex-proxy", SHARED], &["other-proxy"]);

        stage.settle();
        assert_let_in(&stage, plane, "globex", &[SHARED], &["other-proxy"]);
        let policies = stage.network().policies;
        let is_left = policies.iter().any(|policy| policy.metadata.namespace.as_deref() == Some("gw-globex"));
        assert!(!is_left, "the policy of a proxy goes with the proxy");
    }
}

#[test]
fn back_and_forth_leaves_what_was_there() {
    for plane in PLANES {
        let before = Stage::at_rest(plane, &json!({})).network();
        let mut stage = Stage::at_rest(plane, &json!({}));
        for mode in ["Dedicated", "Shared"] {
            stage.ask_for("acme", mode);
            stage.settle();
        }
        assert_eq!(stage.network().policies, before.policies);
    }
}
