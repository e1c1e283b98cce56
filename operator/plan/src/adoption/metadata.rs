//! Labels and annotations by which data planes and controllers are steered.

use serde_json::Value;

/// The parts before the slash, and what is below them.
const STEERING: [&str; 16] = [
    "octroi.dev",
    "kgateway.dev",
    "agentgateway.dev",
    "solo.io",
    "gateway.envoyproxy.io",
    "gateway.networking.k8s.io",
    "gateway.networking.x-k8s.io",
    "external-dns.alpha.kubernetes.io",
    "externaldns.k8s.io",
    "cert-manager.io",
    "ingress.kubernetes.io",
    "service.beta.kubernetes.io",
    "metallb.io",
    "metallb.universe.tf",
    "kube-vip.io",
    "tailscale.com",
];

/// The first that a tenant may not write.
pub(super) fn objection(object: &Value) -> Option<String> {
    ["labels", "annotations"].into_iter().find_map(|field| {
        let keys = object["metadata"][field].as_object()?;
        let key = keys.keys().find(|key| steers(key))?;
        Some(format!("metadata.{field} has '{key}', which steers a controller of the platform's; remove it"))
    })
}

fn steers(key: &str) -> bool {
    let Some((prefix, _)) = key.split_once('/') else { return false };
    let is_below = |known: &str| prefix.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    STEERING.iter().any(|known| is_below(known))
}
