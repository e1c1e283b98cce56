//! A JSON Web Key Set (RFC 7517): the keys by which signatures are verified, and only what verifying needs of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What every message ends with.
const NEXT: &str = "paste what the issuer's jwks_uri serves";
/// A modulus of 2048 bits (NIST SP 800-131A), in base64url.
const MIN_MODULUS: usize = 342;
/// 8192 bits, which BoringSSL still takes for a signature.
const MAX_MODULUS: usize = 1366;

#[derive(Deserialize)]
struct Given {
    keys: Vec<Value>,
}

#[derive(Serialize)]
struct KeySet {
    keys: Vec<Key>,
}

/// What verifying needs of a key. Certificates beside it are left out: nobody here judges them.
#[derive(Serialize, Deserialize)]
struct Key {
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

/// The keys that verify signatures, as both data planes read them. Keys for other uses are left out; a key that is dangerous
/// makes the whole set refused.
pub(super) fn usable(text: &str) -> Result<String, String> {
    let given: Given =
        serde_json::from_str(text).map_err(|error| format!("it is no JSON Web Key Set ({error}): {NEXT}"))?;
    let mut keys = Vec::new();
    for (number, key) in given.keys.into_iter().enumerate() {
        keys.extend(read(key).map_err(|why| format!("key {} {why}", number + 1))?);
    }
    if keys.is_empty() {
        return Err(format!("it has no public key that verifies signatures: {NEXT}"));
    }
    serde_json::to_string(&KeySet { keys }).map_err(|error| format!("it cannot be written ({error}): {NEXT}"))
}

/// `None` for a key of another use, or of a kind that nobody here knows.
fn read(key: Value) -> Result<Option<Key>, String> {
    const PRIVATE: [&str; 6] = ["d", "p", "q", "dp", "dq", "qi"];
    if PRIVATE.iter().any(|member| key.get(member).is_some()) {
        return Err(format!("is a private key, which is the issuer's alone: replace it at the issuer, then {NEXT}"));
    }
    if key.get("kty").and_then(Value::as_str) == Some("oct") || key.get("k").is_some() {
        return Err("is a shared secret, and whoever reads it can issue tokens: have the issuer sign with RSA, EC or Ed25519, then paste its jwks_uri".into());
    }
    let key: Key = serde_json::from_value(key).map_err(|error| format!("is no JSON Web Key ({error}): {NEXT}"))?;
    if key.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Ok(None);
    }
    if let Some(alg) = key.alg.as_deref().filter(|alg| !signs(alg)) {
        // RSA-OAEP and the like are for encryption; `none` and HS256 would be for attackers.
        if alg.starts_with("RSA") || alg.starts_with("ECDH") {
            return Ok(None);
        }
        return Err(format!(
            "has alg '{alg}', by which nobody is known: have the issuer sign with RS256, ES256 or EdDSA"
        ));
    }
    Ok(shape(&key)?.then_some(key))
}

/// What Envoy's JWT filter verifies.
fn signs(alg: &str) -> bool {
    const ALGORITHMS: [&str; 10] =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
    ALGORITHMS.contains(&alg)
}

/// Whether its members are what its kind needs; false for a kind that Envoy does not know.
fn shape(key: &Key) -> Result<bool, String> {
    let has = |member: &Option<String>, name: &str, least: usize, most: usize| {
        let text = member.as_deref().unwrap_or_default();
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        match (plain, text.len()) {
            (true, length) if (least..=most).contains(&length) => Ok(()),
            (true, length) if name == "n" && length > 0 && length < least => {
                Err("is an RSA key of less than 2048 bits: have the issuer make a longer one, then paste its jwks_uri"
                    .into())
            }
            _ => Err(format!("has no good member '{name}': {NEXT}")),
        }
    };
    match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", _) => has(&key.n, "n", MIN_MODULUS, MAX_MODULUS).and_then(|()| has(&key.e, "e", 1, 12)),
        ("EC", Some("P-256")) => has(&key.x, "x", 43, 43).and_then(|()| has(&key.y, "y", 43, 43)),
        ("EC", Some("P-384")) => has(&key.x, "x", 64, 64).and_then(|()| has(&key.y, "y", 64, 64)),
        ("EC", Some("P-521")) => has(&key.x, "x", 88, 88).and_then(|()| has(&key.y, "y", 88, 88)),
        ("OKP", Some("Ed25519")) => has(&key.x, "x", 43, 43),
        _ => return Ok(false),
    }
    .map(|()| true)
}
