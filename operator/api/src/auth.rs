//! Who may come in at the edge, in a Tenant: `docs/authentication.md`.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What is asked of requests under one path, on every host of the tenant. All that is said here must hold at once.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.jwt) || has(self.apiKeys) || has(self.basic) || (has(self.allowedSources) && size(self.allowedSources) > 0)", "auth[] must ask for something, or its path would only look guarded: add jwt, apiKeys, basic or allowedSources"))]
#[x_kube(validation = ("!has(self.apiKeys) || self.pathPrefix == '/'", "auth[].apiKeys are asked for on every path or on none, since neither data plane can tell paths apart there: set pathPrefix to /, or ask for a jwt"))]
#[x_kube(validation = ("!has(self.basic) || self.pathPrefix == '/'", "auth[].basic is asked for on every path or on none, since neither data plane can tell paths apart there: set pathPrefix to /, or ask for a jwt"))]
#[x_kube(validation = ("!has(self.basic) || !has(self.jwt)", "auth[].basic and auth[].jwt are both in the header Authorization, and a request has one: keep one of them"))]
pub struct TenantAuth {
    /// What it is called, in messages and for the proxy.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", "auth[].name must be a DNS label, such as staff: use lower-case letters, digits and '-'"))]
    pub name: String,
    /// Under which path: `/admin` is `/admin` and what is below it, in upper and in lower case; `/` is everything. Where several
    /// prefixes hold, what each of them asks for must be given.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = ("self.matches('^/([-a-zA-Z0-9_.~]+/)*([-a-zA-Z0-9_.~]+)?$') && !self.contains('/.')", "auth[].pathPrefix must be a plain path, such as /admin: letters, digits, '-', '_', '.', '~' and '/', and neither '//' nor a segment that begins with a dot"))]
    pub path_prefix: String,
    /// A JSON Web Token (RFC 7519), as `Authorization: Bearer`. Default: none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtAuth>,
    /// A key of the client's own, which the backend is not shown. Only with pathPrefix `/`. Default: none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_keys: Option<ApiKeyAuth>,
    /// A user's name and password (HTTP Basic, RFC 7617). Only with pathPrefix `/`, and without `jwt` in any entry. Default: none
    /// is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
    /// Addresses that may come in. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 3, max = 49)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("self.all(c, isCIDR(c) && cidr(c) == cidr(c).masked())", "auth[].allowedSources must be CIDRs whose host bits are 0, such as 203.0.113.0/24"))]
    pub allowed_sources: Vec<String>,
}

/// A JSON Web Token: who issues it, for whom, and by which keys that is known.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct JwtAuth {
    /// The token's `iss`, as it stands there.
    #[schemars(length(min = 9, max = 253))]
    #[x_kube(validation = ("isURL(self) && self.startsWith('https://')", "auth[].jwt.issuer must be the URL that the token's iss holds, such as https://id.acme.example"))]
    pub issuer: String,
    /// Of which the token's `aud` must name one.
    #[schemars(length(max = 8), inner(length(min = 1, max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("size(self) > 0", "auth[].jwt.audiences must not be empty, or tokens for anybody else would be good here: name at least one, such as shop"))]
    pub audiences: Vec<String>,
    /// The issuer's public keys: a JSON Web Key Set (RFC 7517) in JSON, as the issuer's `jwks_uri` serves it.
    #[schemars(length(min = 2, max = 16_384))]
    pub jwks: String,
    /// Claims that the backend reads in headers. What a client sends of these headers is removed, on every path. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["header".into()]))]
    pub claims_to_headers: Vec<ClaimToHeader>,
}

/// A claim that the backend reads in a header.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClaimToHeader {
    /// The claim: a text, a number or a boolean; `a.b` is the member `b` of the object `a`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = ("self.matches('^[a-zA-Z0-9_-]+([.][a-zA-Z0-9_-]+)*$')", "auth[].jwt.claimsToHeaders[].claim must be the name of a claim, such as sub or realm.role"))]
    pub claim: String,
    /// The header.
    #[schemars(length(min = 3, max = 64))]
    #[x_kube(validation = ("self.matches('^x-[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", "auth[].jwt.claimsToHeaders[].header must begin with x- and be in lower case, such as x-user-id"))]
    #[x_kube(validation = ("!self.startsWith('x-octroi-') && !self.startsWith('x-envoy-') && !self.startsWith('x-forwarded-') && !self.matches('^x-(real-ip|client-ip|original-url|rewrite-url|request-id)$')", "auth[].jwt.claimsToHeaders[].header is a header of the platform: choose another one, such as x-user-id"))]
    pub header: String,
}

/// Users and their passwords.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuth {
    /// A Secret in `gw-<tenant>` whose `.htpasswd` holds a line for each user, as `htpasswd -nbs NAME PASSWORD` writes it:
    /// `alice:{SHA}` and 28 characters. While there is none, nobody comes in.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')", "auth[].basic.secretName must be the name of a Secret, such as users"))]
    pub secret_name: String,
}

/// Keys of the tenant's clients.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.header) || !has(self.query)", "auth[].apiKeys are looked for in one place: keep header, or query"))]
pub struct ApiKeyAuth {
    /// A Secret in `gw-<tenant>`; each entry is a client's name and its key. While there is none, nobody comes in.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')", "auth[].apiKeys.secretName must be the name of a Secret, such as api-keys"))]
    pub secret_name: String,
    /// The header that holds the key. Default: x-api-key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", "auth[].apiKeys.header must be the name of a header in lower case, such as x-api-key"))]
    #[x_kube(validation = ("!self.matches('^(authorization|connection|content-length|content-type|cookie|host|te|trailer|transfer-encoding|upgrade)$')", "auth[].apiKeys.header has a meaning of its own in HTTP: choose another one, such as x-api-key"))]
    #[x_kube(validation = ("!self.startsWith('x-octroi-') && !self.startsWith('x-envoy-') && !self.startsWith('x-forwarded-') && !self.matches('^(forwarded|true-client-ip|x-(real-ip|client-ip|original-url|rewrite-url))$')", "auth[].apiKeys.header is removed from what clients send: choose another one, such as x-api-key"))]
    pub header: Option<String>,
    /// The parameter of the query that holds the key; addresses are kept in logs and histories. Default: a header holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = ("self.matches('^[-a-zA-Z0-9_.]+$')", "auth[].apiKeys.query must be the name of a parameter, such as key"))]
    pub query: Option<String>,
}
