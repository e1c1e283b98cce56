//! Tokens of an issuer that these tests are, and such as attackers make (RFC 7515, RFC 7519).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use octroi_tests::{Error, Result};
use rcgen::{KeyPair, PublicKeyData as _};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

const KEY_ID: &str = "a";
/// Of an uncompressed point, the byte before its two coordinates of 32 bytes each (SEC 1, section 2.3.3).
const POINT_PREFIX: usize = 1;
const COORDINATE: usize = 32;

/// Who issues tokens.
pub struct Issuer {
    /// The token's `iss`.
    pub name: String,
    key: EcdsaKeyPair,
    point: Vec<u8>,
}

impl Issuer {
    /// One with a key of its own.
    pub fn new(name: &str) -> Result<Self> {
        let what = "an issuer's key";
        let pair = KeyPair::generate().map_err(Error::failed(what))?;
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair.serialize_der(), &random);
        Ok(Self { name: name.into(), key: key.map_err(Error::failed(what))?, point: pair.der_bytes().to_vec() })
    }

    /// Its public keys, as a Tenant has them.
    pub fn jwks(&self) -> String {
        let (x, y) = self.point[POINT_PREFIX..].split_at(COORDINATE);
        let key = json!({"kty": "EC", "crv": "P-256", "kid": KEY_ID, "use": "sig", "alg": "ES256", "x": text(x), "y": text(y)});
        json!({"keys": [key]}).to_string()
    }

    /// What these tests take for good: of this issuer, for `shop`, for an hour.
    pub fn claims(&self) -> Value {
        json!({"iss": self.name, "aud": "shop", "sub": "alice", "exp": now() + 3600})
    }

    /// A good token.
    pub fn token(&self) -> Result<String> {
        self.signed(&self.claims())
    }

    /// A token with these claims.
    pub fn signed(&self, claims: &Value) -> Result<String> {
        let content = content(&json!({"alg": "ES256", "typ": "JWT", "kid": KEY_ID}), claims);
        let signature = self.key.sign(&SystemRandom::new(), content.as_bytes());
        let signature = signature.map_err(Error::failed("a signature"))?;
        Ok(format!("{content}.{}", text(signature.as_ref())))
    }

    /// A token that nobody signed.
    pub fn unsigned(&self, alg: &str) -> String {
        format!("{}.", content(&json!({"alg": alg, "typ": "JWT", "kid": KEY_ID}), &self.claims()))
    }

    /// A token signed with what everybody knows, the public key, as if that were a shared secret.
    pub fn confused(&self) -> String {
        let content = content(&json!({"alg": "HS256", "typ": "JWT", "kid": KEY_ID}), &self.claims());
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.jwks().as_bytes());
        format!("{content}.{}", text(hmac::sign(&key, content.as_bytes()).as_ref()))
    }

    /// A good token with other claims under its signature.
    pub fn altered(&self) -> Result<String> {
        let good = self.token()?;
        let signature = good.rsplit('.').next().unwrap_or_default().to_owned();
        let mut claims = self.claims();
        claims["sub"] = json!("root");
        Ok(format!("{}.{signature}", content(&json!({"alg": "ES256", "typ": "JWT", "kid": KEY_ID}), &claims)))
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn content(header: &Value, claims: &Value) -> String {
    format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()))
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
