use octroi_api::ClaimToHeader;

use super::*;

/// A key of the right shape; nobody verifies with it.
fn keys() -> String {
    format!(
        r#"{{"keys": [{{"kty": "RSA", "kid": "a", "use": "sig", "alg": "RS256", "n": "{}", "e": "AQAB"}}]}}"#,
        "n".repeat(342)
    )
}

fn jwt() -> JwtAuth {
    JwtAuth {
        issuer: "https://id.example".into(),
        audiences: vec!["shop".into()],
        jwks: keys(),
        claims_to_headers: Vec::new(),
    }
}

fn entry(name: &str, path_prefix: &str) -> TenantAuth {
    TenantAuth { name: name.into(), path_prefix: path_prefix.into(), ..TenantAuth::default() }
}

fn token(name: &str, prefix: &str) -> TenantAuth {
    TenantAuth { jwt: Some(jwt()), ..entry(name, prefix) }
}

fn from(name: &str, prefix: &str, sources: &[&str]) -> TenantAuth {
    let allowed_sources = sources.iter().map(ToString::to_string).collect();
    TenantAuth { allowed_sources, ..entry(name, prefix) }
}

fn key(name: &str) -> TenantAuth {
    let api_keys = Some(ApiKeyAuth { secret_name: "keys".into(), header: None, query: None });
    TenantAuth { api_keys, ..entry(name, "/") }
}

fn password(name: &str) -> TenantAuth {
    TenantAuth { basic: Some(BasicAuth { secret_name: "users".into() }), ..entry(name, "/") }
}

fn resolve(entries: &[TenantAuth]) -> (TenantsAuth, Vec<Rejection>) {
    let mut rejections = Vec::new();
    (of_tenant(entries, DataPlane::EnvoyGateway, &mut rejections), rejections)
}

fn refused(entries: &[TenantAuth]) -> (String, String) {
    let (auth, rejections) = resolve(entries);
    assert!(auth.is_open(), "nothing is asked for in part: {auth:?}");
    let [rejection] = &rejections[..] else { panic!("not one: {rejections:?}") };
    assert!(rejection.message.contains(": "), "no next step: {rejection:?}");
    (rejection.field.clone(), rejection.message.clone())
}

fn refused_keys(jwks: &str) -> String {
    let jwt = JwtAuth { jwks: jwks.into(), ..jwt() };
    let (field, message) = refused(&[TenantAuth { jwt: Some(jwt), ..entry("a", "/") }]);
    assert_eq!(field, "spec.auth[0].jwt.jwks");
    message
}

#[test]
fn what_is_no_set_of_public_keys_is_refused() {
    for text in ["", "keys", "[]", "{}", r#"{"keys": {}}"#, "-----BEGIN PUBLIC KEY-----"] {
        assert!(refused_keys(text).contains("no JSON Web Key Set"), "{text}");
    }
    let none = "no public key that verifies signatures";
    for text in [r#"{"keys": []}"#, r#"{"keys": [{"kty": "AKP"}]}"#, &keys().replace("sig", "enc")] {
        assert!(refused_keys(text).contains(none), "{text}");
    }
    assert!(refused_keys(r#"{"keys": [7]}"#).contains("key 1 is no JSON Web Key"));
}

#[test]
fn a_key_that_lets_others_issue_tokens_is_refused() {
    let private = keys().replace(r#""e":"#, r#""d": "AQAB", "e":"#);
    assert!(refused_keys(&private).contains("key 1 is a private key"));
    assert!(refused_keys(r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#).contains("a shared secret"));
    for alg in ["none", "None", "HS256", "HS512", "rs256", ""] {
        assert!(refused_keys(&keys().replace("RS256", alg)).contains(&format!("has alg '{alg}'")));
    }
    assert!(refused_keys(&keys().replace(&"n".repeat(342), &"n".repeat(171))).contains("less than 2048 bits"));
}

#[test]
fn a_broken_key_is_refused() {
    let ec = |x: usize, y: usize| {
        format!(r#"{{"keys": [{{"kty": "EC", "crv": "P-256", "x": "{}", "y": "{}"}}]}}"#, "x".repeat(x), "y".repeat(y))
    };
    assert!(refused_keys(&ec(43, 42)).contains("no good member 'y'"));
    assert!(refused_keys(&ec(0, 43)).contains("no good member 'x'"));
    assert!(refused_keys(&keys().replace("AQAB", "A+AB")).contains("no good member 'e'"));
    assert!(refused_keys(&keys().replace("nnnn", "n n ")).contains("no good member 'n'"));
    let short = format!(r#"{{"keys": [{{"kty": "OKP", "crv": "Ed25519", "x": "{}"}}]}}"#, "x".repeat(40));
    assert!(refused_keys(&short).contains("no good member 'x'"));
}

#[test]
fn of_a_set_only_what_verifies_is_kept() {
    let other = r#"{"keys": [{"kty": "RSA", "use": "enc", "n": "x", "e": "AQAB"}, {"kty": "RSA", "alg": "RSA-OAEP"}, "#;
    let good = keys().replace(r#"{"keys": ["#, other).replace(r#""e":"#, r#""x5c": ["MIIB"], "e":"#);
    let kept = jwks::usable(&good).unwrap();
    assert_eq!(jwks::usable(&kept).unwrap(), kept);
    assert!(
        kept.contains(r#""kid":"a""#) && !kept.contains("x5c") && !kept.contains("enc") && !kept.contains("OAEP"),
        "{kept}"
    );
}

#[test]
fn two_tokens_for_one_request_are_refused() {
    let (field, message) = refused(&[token("a", "/"), token("b", "/admin")]);
    assert_eq!(field, "spec.auth[1].jwt");
    assert!(message.contains("under /admin") && message.contains("spec.auth[0]"), "{message}");
    refused(&[token("a", "/x/y"), token("b", "/x")]);
    refused(&[token("a", "/x"), token("b", "/X/y")]);
    refused(&[token("a", "/x"), token("b", "/x/")]);
    let (apart, rejections) = resolve(&[token("a", "/x"), token("b", "/xy")]);
    assert_eq!((apart.guards.len(), rejections.len()), (2, 0));
}

#[test]
fn keys_are_asked_for_once() {
    assert_eq!(refused(&[key("a"), key("b")]).0, "spec.auth[1].apiKeys");
}

#[test]
fn passwords_are_asked_for_once() {
    let (field, message) = refused(&[password("a"), password("b")]);
    assert_eq!(field, "spec.auth[1].basic");
    assert!(message.contains("put all users into one Secret"), "{message}");
}

#[test]
fn a_password_and_a_token_are_in_one_header() {
    for prefix in ["/", "/admin"] {
        let (field, message) = refused(&[token("staff", prefix), password("users")]);
        assert_eq!(field, "spec.auth[1].basic");
        assert!(message.contains("spec.auth[0].jwt") && message.contains("a request has one"), "{message}");
    }
}

#[test]
fn a_password_goes_with_keys_and_addresses_on_both_data_planes() {
    let entries = [password("users"), key("clients"), from("office", "/", &["10.0.0.0/8"])];
    for data_plane in [DataPlane::EnvoyGateway, DataPlane::Kgateway] {
        let mut rejections = Vec::new();
        let auth = of_tenant(&entries, data_plane, &mut rejections);
        assert_eq!(rejections, []);
        assert_eq!(auth.basic.as_ref().map(|basic| basic.secret_name.as_str()), Some("users"));
        assert!(auth.api_keys.is_some() && auth.everywhere().is_some());
    }
    let (auth, _) = resolve(&[password("users")]);
    assert!(!auth.is_open() && auth.guards.is_empty(), "a password alone guards no path");
}

#[test]
fn addresses_that_are_none_are_refused() {
    assert!(refused(&[from("a", "/", &["10.0.0.1/8"])]).1.contains("write 10.0.0.0/8"));
    assert!(refused(&[from("a", "/", &["10.0.0.0"])]).1.contains("is no CIDR"));
    assert!(refused(&[from("a", "/", &["office"])]).1.contains("is no CIDR"));
}

#[test]
fn lists_that_nobody_is_in_are_refused() {
    let (field, message) =
        refused(&[from("a", "/", &["10.0.0.0/8"]), from("b", "/x", &["192.0.2.0/24", "2001:db8::/32"])]);
    assert_eq!(field, "spec.auth[1].allowedSources");
    assert!(message.contains("under /x"), "{message}");
}

#[test]
fn kgateway_asks_on_every_path_or_not_at_all() {
    for wrong in [token("a", "/x"), from("a", "/x", &["10.0.0.0/8"])] {
        let mut rejections = Vec::new();
        assert!(of_tenant(&[key("k"), wrong], DataPlane::Kgateway, &mut rejections).is_open());
        let [rejection] = &rejections[..] else { panic!("{rejections:?}") };
        assert_eq!((rejection.reason, rejection.field.as_str()), (Reason::Unsupported, "spec.auth[1].pathPrefix"));
    }
    let mut rejections = Vec::new();
    let all = [key("k"), token("t", "/"), from("a", "/", &["10.0.0.0/8"])];
    assert!(!of_tenant(&all, DataPlane::Kgateway, &mut rejections).is_open());
    assert!(rejections.is_empty());
}

#[test]
fn headers_for_claims_are_few_and_no_keys() {
    let writes = |name: &str, prefix: &str, headers: Vec<String>| {
        let claim = |header| ClaimToHeader { claim: "sub".into(), header };
        let jwt = JwtAuth { claims_to_headers: headers.into_iter().map(claim).collect(), ..jwt() };
        TenantAuth { jwt: Some(jwt), ..entry(name, prefix) }
    };
    let many = |n: usize| (0..16).map(|i| format!("x-claim-{n}-{i}")).collect();
    let three = [writes("a", "/a", many(0)), writes("b", "/b", many(1)), writes("c", "/c", vec!["x-one-more".into()])];
    assert!(refused(&three).1.contains("33 headers, and 32"));
    assert_eq!(resolve(&three[..2]).0.claim_headers().len(), 32);
    let mut asks = writes("a", "/", vec!["x-id".into()]);
    asks.api_keys = Some(ApiKeyAuth { secret_name: "keys".into(), header: Some("x-id".into()), query: None });
    assert!(refused(&[asks]).1.contains("x-id holds a key and a claim"));
}

#[test]
fn nobody_asked_for_anything() {
    let (auth, rejections) = resolve(&[]);
    assert!(auth.is_open() && rejections.is_empty());
}

#[test]
fn a_longer_prefix_asks_for_more_and_never_for_less() {
    let (auth, rejections) = resolve(&[
        from("office", "/", &["10.0.0.0/8", "2001:db8::/32"]),
        token("staff", "/admin/"),
        from("vault", "/admin/vault", &["10.1.0.0/16", "192.0.2.0/24"]),
        key("clients"),
    ]);
    assert_eq!(rejections, []);
    let asked: Vec<_> = auth
        .guards
        .iter()
        .map(|guard| {
            (guard.prefix.as_str(), guard.issuer.is_some(), guard.sources.clone().unwrap_or_default().join(" "))
        })
        .collect();
    let office = "10.0.0.0/8 2001:db8:0:0:0:0:0:0/32".to_owned();
    assert_eq!(
        asked,
        [("/admin/vault", true, "10.1.0.0/16".into()), ("/admin", true, office.clone()), ("/", false, office),]
    );
    assert_eq!(auth.api_keys.as_ref().map(|keys| keys.secret_name.as_str()), Some("keys"));
}

#[test]
fn a_key_alone_guards_no_path() {
    let (auth, _) = resolve(&[key("clients")]);
    assert!(!auth.is_open() && auth.guards.is_empty());
}

#[test]
fn ranges_of_ipv6_are_written_out_since_kgateway_takes_no_shorter_form_of_all_of_them() {
    let forms = [
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "0:0:0:0:0:0:0:0/0"),
        ("::1/128", "0:0:0:0:0:0:0:1/128"),
        ("2001:db8::/32", "2001:db8:0:0:0:0:0:0/32"),
        ("::ffff:192.0.2.0/120", "0:0:0:0:0:ffff:c000:200/120"),
    ];
    for (given, wanted) in forms {
        let (auth, rejections) = resolve(&[from("office", "/", &[given])]);
        assert!(rejections.is_empty(), "{given}: {rejections:?}");
        let sources = auth.everywhere().and_then(|guard| guard.sources.clone());
        assert_eq!(sources, Some(vec![wanted.to_owned()]), "{given}");
    }
}
