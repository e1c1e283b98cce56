//! Parts of the TrafficPolicy of the entry, and a GatewayExtension for tokens. All of it is asked for on every path: kgateway's
//! rules by path are expressions in CEL, of which Envoy takes none above a size that a path soon needs, and tells nobody.

use octroi_external::{Object, kgateway as kgw};

use super::{KeyPlace, TOKEN_HEADER, TOKEN_PREFIX, USERS, place};
use crate::child::{Child, ChildKey, Metadata};
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::auth::{Issuer, TenantsAuth};

/// What the TrafficPolicy of the entry says.
pub(in crate::compile::edge) fn policy(tenant: &ResolvedTenant) -> kgw::AuthPolicy {
    let auth = &tenant.auth;
    let has_issuer = !auth.issuers.is_empty();
    kgw::AuthPolicy {
        jwt_auth: has_issuer.then(|| kgw::JwtPolicy { extension_ref: kgw::ExtensionRef { name: name(tenant) } }),
        api_key_auth: keys(auth),
        basic_auth: auth
            .basic
            .as_ref()
            .map(|basic| kgw::BasicAuth { secret_ref: kgw::UsersRef { name: basic.secret_name.clone(), key: USERS } }),
        acl: auth
            .everywhere()
            .and_then(|guard| guard.sources.clone())
            .map(|cidrs| kgw::Acl { default_action: "deny", rules: vec![kgw::AclRule { cidrs, action: "allow" }] }),
    }
}

/// The tokens that are believed.
pub(in crate::compile::edge) fn extension(tenant: &ResolvedTenant, metadata: &Metadata) -> Option<Child> {
    let providers: Vec<_> = tenant.auth.issuers.iter().map(provider).collect();
    if providers.is_empty() {
        return None;
    }
    let key = ChildKey::new(ChildKind::GatewayExtension, &tenant.name.gateway_namespace(), &name(tenant));
    let spec = kgw::GatewayExtensionSpec::Jwt(kgw::Jwt { validation_mode: "Strict", providers });
    Some(Child::new(key.clone(), &Object::new(metadata.of_child(&key), spec)))
}

/// The firewall's has the tenant's own name.
fn name(tenant: &ResolvedTenant) -> String {
    format!("{}-jwt", tenant.name)
}

fn provider(issuer: &Issuer) -> kgw::JwtProvider {
    let claims = issuer.jwt.claims_to_headers.iter();
    kgw::JwtProvider {
        name: issuer.name.clone(),
        issuer: issuer.jwt.issuer.clone(),
        audiences: issuer.jwt.audiences.clone(),
        token_source: kgw::TokenSource { header: kgw::TokenHeader { header: TOKEN_HEADER, prefix: TOKEN_PREFIX } },
        claims_to_headers: claims
            .map(|claim| kgw::ClaimToHeader { name: claim.claim.clone(), header: claim.header.clone() })
            .collect(),
        jwks: kgw::Jwks { local: kgw::LocalJwks { inline: issuer.jwt.jwks.clone() } },
        // As Envoy Gateway does.
        forward_token: true,
    }
}

fn keys(auth: &TenantsAuth) -> Option<kgw::ApiKeyAuth> {
    let keys = auth.api_keys.as_ref()?;
    let source = match place(keys) {
        KeyPlace::Header(name) => kgw::KeySource::Header(name),
        KeyPlace::Query(name) => kgw::KeySource::Query(name),
    };
    Some(kgw::ApiKeyAuth {
        key_sources: vec![source],
        forward_credential: false,
        secret_ref: kgw::SecretRef { group: "", kind: "Secret", name: keys.secret_name.clone() },
    })
}
