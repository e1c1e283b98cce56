//! Whether a tenant's routes may name its upstreams, and if not, why.

use octroi_api::UpstreamStatus;
use octroi_api::conditions::Reason;

use super::bounded;
use crate::child::ChildKey;
use crate::compile::upstreams;
use crate::facts::Facts;
use crate::resolve::ResolvedTenant;
use crate::resolve::upstreams::ResolvedUpstream;
use crate::world::World;

/// The status of one upstream.
pub fn status(upstream: &ResolvedUpstream, tenant: &ResolvedTenant, world: &World) -> UpstreamStatus {
    let obstacle = upstream.obstacle.clone().or_else(|| obstacle(upstream, tenant, world));
    UpstreamStatus {
        name: upstream.name.clone(),
        target: (!upstream.host.is_empty()).then(|| format!("{}:{}", upstream.host, upstream.port)),
        ready: obstacle.is_none(),
        reason: obstacle.as_ref().map(|(reason, _)| reason.as_str().into()),
        message: obstacle.map(|(_, message)| bounded(message)),
    }
}

/// Envoy Gateway says nothing of a Backend until a route names it: so what nobody refused is taken.
fn obstacle(upstream: &ResolvedUpstream, tenant: &ResolvedTenant, world: &World) -> Option<(Reason, String)> {
    let keys = [Some(upstreams::key(tenant, upstream)), upstreams::tls_key(tenant, upstream)];
    keys.into_iter().flatten().find_map(|key| match world.get(&key).map(|observed| &observed.facts) {
        None => Some((Reason::Progressing, format!("waiting for {key}"))),
        Some(Facts::Upstream { refused: Some(why) } | Facts::Policy { refused: Some(why) }) => {
            let see = format!(
                "kubectl describe {}.{} -n {} {}",
                key.kind.api().plural,
                key.kind.api().group,
                key.namespace,
                key.name
            );
            Some((
                Reason::NotProgrammed,
                format!("the data plane refuses {key}: {why}; {}see {see}", hint(upstream, &key)),
            ))
        }
        Some(_) => None,
    })
}

/// Of a function nearly always its credentials, which Octroi does not read.
fn hint(upstream: &ResolvedUpstream, key: &ChildKey) -> String {
    upstream.function.as_ref().map_or_else(String::new, |function| {
        format!(
            "Secret '{}' (lambda.secretName) must be in namespace {} and have accessKey and secretKey; ",
            function.secret, key.namespace
        )
    })
}
