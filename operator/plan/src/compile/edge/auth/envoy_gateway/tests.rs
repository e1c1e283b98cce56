use std::net::IpAddr;

use ipnet::IpNet;
use octroi_api::{ApiKeyAuth, JwtAuth, TenantAuth};
use regex::Regex;

use super::*;
use crate::resolve::auth::of_tenant;
use crate::resolve::class::DataPlane;

/// A request after the filter that verifies tokens.
struct Request<'a> {
    path: &'a str,
    from: &'a str,
    /// The provider of the token that was verified.
    token: Option<&'a str>,
}

fn resolved(entries: &[TenantAuth]) -> TenantsAuth {
    let mut rejections = Vec::new();
    let auth = of_tenant(entries, DataPlane::EnvoyGateway, &mut rejections);
    assert_eq!(rejections, []);
    auth
}

fn asks(name: &str, prefix: &str, token: bool, sources: &[&str]) -> TenantAuth {
    let jwks = format!(r#"{{"keys": [{{"kty": "RSA", "n": "{}", "e": "AQAB"}}]}}"#, "n".repeat(342));
    let jwt = JwtAuth {
        issuer: format!("https://{name}.example"),
        audiences: vec!["shop".into()],
        jwks,
        claims_to_headers: Vec::new(),
    };
    TenantAuth {
        name: name.into(),
        path_prefix: prefix.into(),
        jwt: token.then_some(jwt),
        api_keys: None,
        basic: None,
        allowed_sources: sources.iter().map(ToString::to_string).collect(),
    }
}

/// As Envoy's filters judge: first the one for tokens, then the rules in their order.
fn passes(auth: &TenantsAuth, request: &Request<'_>) -> bool {
    let Some(policy) = policy(auth, Vec::new()) else { return true };
    if policy.jwt.is_some_and(|jwt| !jwt.optional) && request.token.is_none() {
        return false;
    }
    let Some(authorization) = policy.authorization else { return true };
    assert_eq!(authorization.default_action, "Deny");
    authorization.rules.iter().find(|rule| holds(rule, request)).is_some_and(|rule| rule.action == "Allow")
}

fn holds(rule: &eg::AuthorizationRule, request: &Request<'_>) -> bool {
    let path = rule.operation.as_ref().is_none_or(|operation| {
        assert!(!operation.path.invert);
        Regex::new(&format!("^(?:{})$", operation.path.value)).unwrap().is_match(request.path)
    });
    let principal = &rule.principal;
    let address: IpAddr = request.from.parse().unwrap();
    let from = principal.client_cidrs.iter().any(|cidr| cidr.parse::<IpNet>().unwrap().contains(&address));
    let token = principal.jwt.as_ref().is_none_or(|jwt| {
        let issuer = request.token.map(|provider| format!("https://{provider}.example"));
        request.token == Some(jwt.provider.as_str())
            && jwt.claims[0].values.iter().any(|iss| Some(iss) == issuer.as_ref())
    });
    assert!(!principal.client_cidrs.is_empty() || principal.jwt.is_some(), "a rule says from whom");
    path && (principal.client_cidrs.is_empty() || from) && token
}

const OFFICE: &str = "10.0.0.0/8";
const INSIDE: [&str; 2] = ["10.1.2.3", "10.255.0.1"];
const OUTSIDE: [&str; 2] = ["192.0.2.7", "2001:db8::1"];

#[test]
fn under_a_guarded_path_nobody_comes_in_without_a_token() {
    let auth = resolved(&[asks("staff", "/admin", true, &[])]);
    let policy = policy(&auth, Vec::new()).unwrap();
    assert!(policy.jwt.unwrap().optional);
    for path in
        ["/admin", "/ADMIN", "/admin/x", "//admin", "/admin;x", "/admin?x", "/admin.json", "/%61dmin", "/x/..;/admin"]
    {
        assert!(!passes(&auth, &Request { path, from: "192.0.2.7", token: None }), "{path}");
        assert!(!passes(&auth, &Request { path, from: "192.0.2.7", token: Some("other") }), "{path}");
    }
    assert!(passes(&auth, &Request { path: "/admin/x", from: "192.0.2.7", token: Some("staff") }));
    for path in ["/", "/administrator", "/a?next=/admin", "/a?x=%2fadmin"] {
        assert!(passes(&auth, &Request { path, from: "192.0.2.7", token: None }), "{path}");
    }
}

#[test]
fn the_token_of_one_path_is_none_for_another() {
    let auth = resolved(&[asks("a", "/a", true, &[]), asks("b", "/b", true, &[])]);
    for (path, token, wanted) in [("/a", "a", true), ("/a", "b", false), ("/b", "a", false), ("/b", "b", true)] {
        assert_eq!(passes(&auth, &Request { path, from: "192.0.2.7", token: Some(token) }), wanted, "{path} {token}");
    }
}

#[test]
fn a_token_for_every_path_is_asked_for_by_its_own_filter() {
    let auth = resolved(&[asks("staff", "/", true, &[])]);
    let policy = policy(&auth, Vec::new()).unwrap();
    assert!(!policy.jwt.unwrap().optional && policy.authorization.is_none());
}

#[test]
fn what_has_no_path_is_refused_where_paths_are_told_apart() {
    let auth = resolved(&[asks("staff", "/admin", true, &[])]);
    for path in ["*", "", "/caf\u{e9}"] {
        assert!(!passes(&auth, &Request { path, from: "192.0.2.7", token: Some("staff") }), "{path}");
    }
}

#[test]
fn a_key_alone_needs_no_rules() {
    let keys = Some(ApiKeyAuth { secret_name: "keys".into(), header: None, query: Some("key".into()) });
    let auth = resolved(&[TenantAuth { api_keys: keys, ..asks("clients", "/", false, &[]) }]);
    let policy = policy(&auth, Vec::new()).unwrap();
    assert!(policy.authorization.is_none() && policy.jwt.is_none() && policy.api_key_auth.unwrap().sanitize);
}

/// Every mix of what may be asked for on three paths of which one holds the next, against the plain meaning: all entries
/// that hold for a path must be content.
#[test]
fn every_mix_asks_for_all_that_holds_and_for_nothing_else() {
    let prefixes = ["/", "/a", "/a/b"];
    let paths = [("/", 1), ("/x", 1), ("/ab", 1), ("/a", 2), ("/A/c", 2), ("/a/bc", 2), ("/a/b", 3), ("/a/B/c?d", 3)];
    let mut seen = 0;
    for mix in 0..64_u32 {
        let wants = |depth: usize| (mix >> (2 * depth) & 1 == 1, mix >> (2 * depth + 1) & 1 == 1);
        if (0..3).filter(|depth| wants(*depth).0).count() > 1 {
            continue;
        }
        let entries: Vec<TenantAuth> = (0..3)
            .filter(|depth| wants(*depth) != (false, false))
            .map(|depth| {
                let (token, office) = wants(depth);
                asks(&format!("t{depth}"), prefixes[depth], token, if office { &[OFFICE] } else { &[] })
            })
            .collect();
        let auth = resolved(&entries);
        for (path, depth) in paths {
            for from in INSIDE.into_iter().chain(OUTSIDE) {
                for token in [None, Some("t0"), Some("t1"), Some("t2")] {
                    let holding: Vec<_> = (0..depth).map(wants).collect();
                    let issuer = holding.iter().position(|(token, _)| *token).map(|depth| format!("t{depth}"));
                    // The token of no entry is verified by none.
                    if token.is_some_and(|token| !auth.issuers.iter().any(|known| known.name == token)) {
                        continue;
                    }
                    let has_token = issuer.is_none() || issuer.as_deref() == token;
                    let is_near = !holding.iter().any(|(_, office)| *office) || INSIDE.contains(&from);
                    let request = Request { path, from, token };
                    assert_eq!(passes(&auth, &request), has_token && is_near, "{mix:06b} {path} {from} {token:?}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 1000, "{seen}");
}
