//! The end-to-end suite: what a platform's users see of Octroi, on any cluster and on both data planes.
//!
//! `OCTROI_E2E_GATEWAY_CLASS` names the GatewayClass, `OCTROI_E2E_KUBECONFIG` the cluster. Everything a tenant does is done
//! as a user of that tenant. Every test has classes and Tenants of its own, named `e2e-…`, and takes them away.
//! It must not name a kind of a data plane; where the two differ, a test asks [`octroi_tests::stage::DataPlane`].
//!
//! Tests run beside each other, but for those that count in time or stop what all share: see [`alone_on_stage`].
//! What they measured is printed: `cargo test --test e2e -- --test-threads=2 --nocapture`.

#![cfg(test)]

#[path = "e2e/access_log.rs"]
mod access_log;
#[path = "e2e/auth.rs"]
mod auth;
#[path = "e2e/blast.rs"]
mod blast;
#[path = "e2e/certificates.rs"]
mod certificates;
#[path = "e2e/client_certificates.rs"]
mod client_certificates;
#[path = "e2e/contract.rs"]
mod contract;
#[path = "e2e/deletion.rs"]
mod deletion;
#[path = "e2e/domain.rs"]
mod domain;
#[path = "e2e/hardened.rs"]
mod hardened;
#[path = "e2e/held.rs"]
mod held;
#[path = "e2e/lambda.rs"]
mod lambda;
#[path = "e2e/layer4.rs"]
mod layer4;
#[path = "docs/markdown.rs"]
#[allow(dead_code, reason = "the tests of the documentation use the rest")]
mod markdown;
#[path = "e2e/moving.rs"]
mod moving;
#[path = "e2e/ports.rs"]
mod ports;
#[path = "e2e/rate_limits.rs"]
mod rate_limits;
#[path = "e2e/reach.rs"]
mod reach;
#[path = "observability/rules.rs"]
#[allow(dead_code, reason = "the tests of observability use the rest")]
mod rules;
#[path = "e2e/sample.rs"]
mod sample;
#[path = "e2e/timeline.rs"]
mod timeline;
#[path = "e2e/tracing.rs"]
mod tracing;
#[path = "e2e/upstreams.rs"]
mod upstreams;
#[path = "e2e/waf.rs"]
mod waf;

use octroi_tests::Result;
use octroi_tests::stage::{self, Stage};
use tokio::sync::RwLock;

/// Whoever counts in time or stops what all share has it alone.
static CLUSTER: RwLock<()> = RwLock::const_new(());

/// A test that says what went wrong in the words of the one who wrote the error.
async fn on_stage(theme: &str, test: impl AsyncFnOnce(&Stage) -> Result<()>) {
    let _beside_others = CLUSTER.read().await;
    told(stage::run(theme, test).await);
}

/// The same, while no other test runs: others would be in the way of its measuring, or it in theirs.
async fn alone_on_stage(theme: &str, test: impl AsyncFnOnce(&Stage) -> Result<()>) {
    let _alone = CLUSTER.write().await;
    told(stage::run(theme, test).await);
}

fn told(outcome: Result<()>) {
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
