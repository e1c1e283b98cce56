//! A SecurityPolicy on the entry. It holds for every route of the tenant, since no tenant may write one that would replace it.
//! Tokens asked for under a path alone are optional for the filter that verifies them; rules then ask for a verified one.

use octroi_external::{TargetRef, envoy_gateway as eg};

use super::{KeyPlace, TOKEN_HEADER, TOKEN_PREFIX, path, place};
use crate::resolve::auth::{Guard, Issuer, TenantsAuth};

/// The policy of a port. It comes before the one of the entry, which speaks of requests: Envoy Gateway 1.9.1 would apply that
/// one's rules to connections, without what they say of paths and tokens (internal/gatewayapi/securitypolicy.go).
pub(in crate::compile::edge) fn of_port(sources: &[String], target_refs: Vec<TargetRef>) -> eg::SecurityPolicySpec {
    let principal =
        if sources.is_empty() { anybody() } else { eg::Principal { client_cidrs: sources.to_vec(), jwt: None } };
    let rules = vec![rule("allowed-sources".into(), "Allow", None, principal)];
    let authorization = Some(eg::Authorization { default_action: "Deny", rules });
    eg::SecurityPolicySpec { target_refs, jwt: None, api_key_auth: None, basic_auth: None, authorization }
}

/// Every address. A rule must say from whom.
const ANYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// The policy; none when everybody may come in.
pub(in crate::compile::edge) fn policy(
    auth: &TenantsAuth,
    target_refs: Vec<TargetRef>,
) -> Option<eg::SecurityPolicySpec> {
    if auth.is_open() {
        return None;
    }
    Some(eg::SecurityPolicySpec {
        target_refs,
        jwt: jwt(auth),
        api_key_auth: keys(auth),
        basic_auth: auth.basic.as_ref().map(|basic| eg::BasicAuth { users: secret(&basic.secret_name) }),
        authorization: rules(auth),
    })
}

fn jwt(auth: &TenantsAuth) -> Option<eg::Jwt> {
    let providers: Vec<_> = auth.issuers.iter().map(provider).collect();
    (!providers.is_empty()).then(|| eg::Jwt { optional: !is_on_every_path(auth), providers })
}

/// Whether a token is asked for on every path. Then there is one issuer only.
fn is_on_every_path(auth: &TenantsAuth) -> bool {
    auth.everywhere().is_some_and(|guard| guard.issuer.is_some())
}

fn provider(issuer: &Issuer) -> eg::JwtProvider {
    let claims = issuer.jwt.claims_to_headers.iter();
    eg::JwtProvider {
        name: issuer.name.clone(),
        issuer: issuer.jwt.issuer.clone(),
        audiences: issuer.jwt.audiences.clone(),
        local_jwks: eg::LocalJwks { r#type: "Inline", inline: issuer.jwt.jwks.clone() },
        claim_to_headers: claims
            .map(|claim| eg::ClaimToHeader { header: claim.header.clone(), claim: claim.claim.clone() })
            .collect(),
        extract_from: eg::JwtExtractor {
            headers: vec![eg::TokenHeader { name: TOKEN_HEADER, value_prefix: TOKEN_PREFIX }],
        },
    }
}

fn keys(auth: &TenantsAuth) -> Option<eg::ApiKeyAuth> {
    let keys = auth.api_keys.as_ref()?;
    let source = match place(keys) {
        KeyPlace::Header(name) => eg::KeySource::Headers(vec![name]),
        KeyPlace::Query(name) => eg::KeySource::Params(vec![name]),
    };
    let credential_refs = vec![secret(&keys.secret_name)];
    Some(eg::ApiKeyAuth { credential_refs, extract_from: vec![source], sanitize: true })
}

fn secret(name: &str) -> eg::SecretRef {
    eg::SecretRef { group: "", kind: "Secret", name: name.into() }
}

/// The first rule that matches decides, and what none matches is refused. The longer prefixes come first; each of them lets in
/// what has all that is asked for, and then refuses the rest.
fn rules(auth: &TenantsAuth) -> Option<eg::Authorization> {
    let narrower: Vec<&Guard> = auth.narrower().collect();
    let everywhere = auth.everywhere();
    let mut rules = Vec::new();
    if !narrower.is_empty() {
        rules.push(rule("doubtful".into(), "Deny", Some(path::doubtful()), anybody()));
    }
    for (index, guard) in narrower.iter().enumerate() {
        let under = || Some(path::under(&guard.prefix));
        rules.push(rule(format!("allow-{index}"), "Allow", under(), principal(guard)));
        rules.push(rule(format!("deny-{index}"), "Deny", under(), anybody()));
    }
    // Of what the token's own filter asks for everywhere, nothing is left to ask.
    let sources = everywhere.and_then(|guard| guard.sources.clone());
    if narrower.is_empty() && sources.is_none() {
        return None;
    }
    let rest = (!narrower.is_empty()).then(path::plain);
    let principal = sources.map_or_else(anybody, |client_cidrs| eg::Principal { client_cidrs, jwt: None });
    rules.push(rule("allow-rest".into(), "Allow", rest, principal));
    Some(eg::Authorization { default_action: "Deny", rules })
}

fn rule(name: String, action: &'static str, path: Option<String>, principal: eg::Principal) -> eg::AuthorizationRule {
    let operation =
        path.map(|value| eg::Operation { path: eg::PathMatch { r#type: "RegularExpression", value, invert: false } });
    eg::AuthorizationRule { name, action, operation, principal }
}

fn anybody() -> eg::Principal {
    eg::Principal { client_cidrs: ANYWHERE.map(String::from).to_vec(), jwt: None }
}

fn principal(guard: &Guard) -> eg::Principal {
    let verified = |issuer: &Issuer| eg::JwtPrincipal {
        provider: issuer.name.clone(),
        // Envoy tells of a verified token only; that it is this issuer's is the least that can be asked.
        claims: vec![eg::JwtClaim { name: "iss", value_type: "String", values: vec![issuer.jwt.issuer.clone()] }],
    };
    let jwt = guard.issuer.as_ref().map(verified);
    match (&guard.sources, &jwt) {
        (Some(sources), _) => eg::Principal { client_cidrs: sources.clone(), jwt },
        (None, Some(_)) => eg::Principal { client_cidrs: Vec::new(), jwt },
        // Nobody asks for nothing: a guard holds one or the other.
        (None, None) => anybody(),
    }
}

#[cfg(test)]
mod tests;
