//! `SecurityPolicy`: who may come in.

use serde::Serialize;

use super::API_VERSION;
use crate::{Spec, TargetRef};

/// Who may come in; what is absent is not asked for.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct SecurityPolicySpec {
    /// What it is attached to.
    pub target_refs: Vec<TargetRef>,
    /// With a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
    /// With a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_auth: Option<ApiKeyAuth>,
    /// With a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    /// What is decided when tokens and keys are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
}

impl Spec for SecurityPolicySpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "SecurityPolicy";
}

/// Tokens that are believed.
#[derive(Serialize, Clone, Debug)]
pub struct Jwt {
    /// Whether a request without a token passes; one with a bad token never does.
    pub optional: bool,
    /// Who issues them; one of them is enough.
    pub providers: Vec<JwtProvider>,
}

/// Who issues tokens.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct JwtProvider {
    /// Name; rules speak of the provider by it.
    pub name: String,
    /// The token's `iss`.
    pub issuer: String,
    /// Of which the token's `aud` names one.
    pub audiences: Vec<String>,
    /// Public keys.
    #[serde(rename = "localJWKS")]
    pub local_jwks: LocalJwks,
    /// Claims that the backend reads in headers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claim_to_headers: Vec<ClaimToHeader>,
    /// Where the token is.
    pub extract_from: JwtExtractor,
}

/// Public keys that are written down.
#[derive(Serialize, Clone, Debug)]
pub struct LocalJwks {
    /// `Inline`.
    pub r#type: &'static str,
    /// A JSON Web Key Set.
    pub inline: String,
}

/// A claim that the backend reads in a header.
#[derive(Serialize, Clone, Debug)]
pub struct ClaimToHeader {
    /// The header.
    pub header: String,
    /// The claim.
    pub claim: String,
}

/// Where a token is.
#[derive(Serialize, Clone, Debug)]
pub struct JwtExtractor {
    /// In these headers.
    pub headers: Vec<TokenHeader>,
}

/// A header that holds a token.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct TokenHeader {
    /// Name of the header.
    pub name: &'static str,
    /// What stands before the token.
    pub value_prefix: &'static str,
}

/// Keys of clients.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyAuth {
    /// The Secrets that hold the keys.
    pub credential_refs: Vec<SecretRef>,
    /// Where a key is looked for.
    pub extract_from: Vec<KeySource>,
    /// Whether the backend is not shown the key.
    pub sanitize: bool,
}

/// Users and their passwords.
#[derive(Serialize, Clone, Debug)]
pub struct BasicAuth {
    /// The Secret whose `.htpasswd` holds them.
    pub users: SecretRef,
}

/// Where a key is looked for.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub enum KeySource {
    /// In these headers.
    Headers(Vec<String>),
    /// In these parameters of the query.
    Params(Vec<String>),
}

/// A Secret of the same namespace, with what the schema fills in.
#[derive(Serialize, Clone, Debug)]
pub struct SecretRef {
    /// The core.
    pub group: &'static str,
    /// `Secret`.
    pub kind: &'static str,
    /// Name.
    pub name: String,
}

/// What is decided when tokens and keys are known.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// `Deny`: what no rule matches.
    pub default_action: &'static str,
    /// The first that matches decides.
    pub rules: Vec<AuthorizationRule>,
}

/// One decision.
#[derive(Serialize, Clone, Debug)]
pub struct AuthorizationRule {
    /// What it is called in the proxy's configuration.
    pub name: String,
    /// `Allow` or `Deny`.
    pub action: &'static str,
    /// Which requests; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// From whom.
    pub principal: Principal,
}

/// Which requests.
#[derive(Serialize, Clone, Debug)]
pub struct Operation {
    /// By their path.
    pub path: PathMatch,
}

/// A match of the path with its query.
#[derive(Serialize, Clone, Debug)]
pub struct PathMatch {
    /// `RegularExpression`: of the whole.
    pub r#type: &'static str,
    /// RE2, at most 1024 characters.
    pub value: String,
    /// Whether all others are meant.
    pub invert: bool,
}

/// From whom: all of it must be so.
#[derive(Serialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// One of these ranges holds the client's address.
    #[serde(rename = "clientCIDRs", skip_serializing_if = "Vec::is_empty")]
    pub client_cidrs: Vec<String>,
    /// A token was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtPrincipal>,
}

/// A token of a provider, with claims.
#[derive(Serialize, Clone, Debug)]
pub struct JwtPrincipal {
    /// Whose.
    pub provider: String,
    /// All of these.
    pub claims: Vec<JwtClaim>,
}

/// A claim that has one of some values.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct JwtClaim {
    /// Name.
    pub name: &'static str,
    /// `String`.
    pub value_type: &'static str,
    /// Values.
    pub values: Vec<String>,
}
