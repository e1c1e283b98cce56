//! Who may come in: parts of `TrafficPolicy`, and the tokens of a `GatewayExtension`.

use serde::Serialize;

use super::ExtensionRef;

/// Who may come in; what is absent is not asked for.
#[derive(Serialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub struct AuthPolicy {
    /// With a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_auth: Option<JwtPolicy>,
    /// With a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_auth: Option<ApiKeyAuth>,
    /// With a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    /// From an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl: Option<Acl>,
}

/// Which tokens are believed.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct JwtPolicy {
    /// The GatewayExtension that says so.
    pub extension_ref: ExtensionRef,
}

/// Tokens that are believed.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Jwt {
    /// `Strict`: a request without a good token is refused.
    pub validation_mode: &'static str,
    /// Who issues them.
    pub providers: Vec<JwtProvider>,
}

/// Who issues tokens.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct JwtProvider {
    /// Name.
    pub name: String,
    /// The token's `iss`.
    pub issuer: String,
    /// Of which the token's `aud` names one.
    pub audiences: Vec<String>,
    /// Where the token is.
    pub token_source: TokenSource,
    /// Claims that the backend reads in headers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims_to_headers: Vec<ClaimToHeader>,
    /// Public keys.
    pub jwks: Jwks,
    /// Whether the backend reads the token too.
    pub forward_token: bool,
}

/// Where a token is.
#[derive(Serialize, Clone, Debug)]
pub struct TokenSource {
    /// In a header.
    pub header: TokenHeader,
}

/// A header that holds a token.
#[derive(Serialize, Clone, Debug)]
pub struct TokenHeader {
    /// Name of the header.
    pub header: &'static str,
    /// What stands before the token.
    pub prefix: &'static str,
}

/// A claim that the backend reads in a header.
#[derive(Serialize, Clone, Debug)]
pub struct ClaimToHeader {
    /// The claim.
    pub name: String,
    /// The header.
    pub header: String,
}

/// Public keys.
#[derive(Serialize, Clone, Debug)]
pub struct Jwks {
    /// Written down.
    pub local: LocalJwks,
}

/// Public keys that are written down.
#[derive(Serialize, Clone, Debug)]
pub struct LocalJwks {
    /// A JSON Web Key Set, at most 16384 characters.
    pub inline: String,
}

/// Keys of clients.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyAuth {
    /// Where a key is looked for.
    pub key_sources: Vec<KeySource>,
    /// Whether the backend reads the key too.
    pub forward_credential: bool,
    /// The Secret that holds the keys.
    pub secret_ref: SecretRef,
}

/// Where a key is looked for.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub enum KeySource {
    /// In this header.
    Header(String),
    /// In this parameter of the query.
    Query(String),
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

/// Users and their passwords.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuth {
    /// The Secret that holds them.
    pub secret_ref: UsersRef,
}

/// A Secret of the same namespace, and where in it users are.
#[derive(Serialize, Clone, Debug)]
pub struct UsersRef {
    /// Name.
    pub name: String,
    /// Which of its entries.
    pub key: &'static str,
}

/// Addresses that may come in.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Acl {
    /// `deny`: what no rule names.
    pub default_action: &'static str,
    /// The longest range that holds the address decides.
    pub rules: Vec<AclRule>,
}

/// What is done with addresses.
#[derive(Serialize, Clone, Debug)]
pub struct AclRule {
    /// Which.
    pub cidrs: Vec<String>,
    /// `allow` or `deny`.
    pub action: &'static str,
}
