//! Who may come in, in the words of each data plane. On neither can a request pass while what it needs is not there: a Secret
//! that is missing, or a policy that is not understood, is answered with 500.

pub(super) mod envoy_gateway;
pub(super) mod kgateway;
mod path;

use octroi_api::ApiKeyAuth;

/// Where the token is: nowhere else, since addresses are kept in logs and histories.
const TOKEN_HEADER: &str = "Authorization";
const TOKEN_PREFIX: &str = "Bearer ";

/// Where a key is, when nobody says.
const KEY_HEADER: &str = "x-api-key";

/// Where in a Secret users are. Envoy Gateway looks nowhere else.
const USERS: &str = ".htpasswd";

/// Where a key is looked for.
enum KeyPlace {
    Header(String),
    Query(String),
}

fn place(keys: &ApiKeyAuth) -> KeyPlace {
    match &keys.query {
        Some(query) => KeyPlace::Query(query.clone()),
        None => KeyPlace::Header(keys.header.clone().unwrap_or_else(|| KEY_HEADER.into())),
    }
}
