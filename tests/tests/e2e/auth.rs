//! Who may come in, by traffic: tokens, keys and addresses are asked for on every route, whatever a client or a route says; what
//! is asked for and not there lets nobody in; and a neighbour who asks for nothing notices nothing.

#[path = "auth/token.rs"]
mod token;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::api::DeleteParams;
use octroi_tests::probe::{Ask, Outcome};
use octroi_tests::stage::{DataPlane, Guest, LIMIT, Stage};
use octroi_tests::{Error, Result, strict};
use serde_json::{Value, json};

use crate::on_stage;
use crate::sample;
use token::{Issuer, now};

const REFUSED: [Outcome; 2] = [Outcome::Code(401), Outcome::Code(403)];
/// RFC 5737: nobody asks from there.
const ELSEWHERE: &str = "203.0.113.0/24";
/// What a backend might read as `/admin`, or as a path below it.
const WAYS: [&str; 23] = [
    "/admin",
    "/admin/",
    "/admin/users?x=1",
    "/ADMIN",
    "/Admin/x",
    "//admin",
    "/x/../admin",
    "/./admin",
    "/admin;v=1",
    "/admin.json",
    "/admin%20",
    "/%61dmin",
    "/adm%69n",
    "/x/%2e%2e/admin",
    "/x%2f..%2fadmin",
    "/x/..%2fadmin",
    "/x%5c..%5cadmin",
    "/x/..;/admin",
    "/admin%00",
    "/admin%2fusers",
    "/%2561dmin",
    "/%c0%afadmin",
    "/admin?/../public",
];
const CLAIM_HEADER: &str = "x-user-id";
const KEY_HEADER: &str = "x-api-key";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_good_token_nobody_comes_in_and_the_neighbour_notices_nothing() {
    on_stage("auth-jwt", async |stage| {
        let issuer = Issuer::new("https://id.e2e.example")?;
        let class = stage.class("c", |_| {}).await?;
        let mut a = stage.tenant(&class, "a", |spec| spec["auth"] = json!([asks_for_token(&issuer, "/")])).await?;
        let b = stage.tenant(&class, "b", |_| {}).await?;
        for guest in [&a, &b] {
            serve(guest).await?;
        }
        let good = bearer(&a.ask(&a.www(), "/").await?, &issuer.token()?);
        stage.probe.until_status(&good, 200, LIMIT).await?;
        stage.probe.until_status(&b.ask(&b.www(), "/").await?, 200, LIMIT).await?;

        bad_tokens_are_refused(stage, &a, &issuer).await?;
        claims_come_from_the_token_alone(stage, &a, &b, &issuer).await?;
        no_route_takes_it_away(stage, &a, &issuer).await?;
        // The keys are changed: what the old ones signed is good no longer.
        let next = Issuer::new(&issuer.name)?;
        a.change(|spec| spec["auth"] = json!([asks_for_token(&next, "/")])).await?;
        stage.probe.until_status(&bearer(&good_path(&a).await?, &next.token()?), 200, LIMIT).await?;
        stage.probe.until_status(&good, 401, LIMIT).await?;
        assert_eq!(code(stage, &b.ask(&b.www(), "/").await?).await, Outcome::Code(200), "the neighbour");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_those_of_the_secret_and_without_it_nobody_comes_in() {
    on_stage("auth-key", async |stage| {
        let class = stage.class("c", |spec| spec["gateway"]["mode"] = json!("Dedicated")).await?;
        let keys = json!({"name": "clients", "pathPrefix": "/", "apiKeys": {"secretName": "clients"}});
        let a = stage.tenant(&class, "a", |spec| spec["auth"] = json!([keys])).await?;
        serve(&a).await?;
        let ask = a.ask(&a.www(), "/").await?;
        let with = |key: &str| ask.clone().header(KEY_HEADER, key);

        closed(stage, &ask, "before there is a Secret").await?;
        closed(stage, &with("first-key-of-shop"), "with a key before there is a Secret").await?;
        stage.apply(&secret(&a, &[("shop", "first-key-of-shop")])).await?;
        stage.probe.until_status(&with("first-key-of-shop"), 200, LIMIT).await?;
        for wrong in ["", "first-key-of-sho", "first-key-of-shop2", "FIRST-KEY-OF-SHOP", "shop", "*"] {
            assert_eq!(code(stage, &with(wrong)).await, Outcome::Code(401), "the key '{wrong}'");
        }
        assert_eq!(code(stage, &ask).await, Outcome::Code(401), "no key");
        let in_query = a.ask(&a.www(), "/?x-api-key=first-key-of-shop").await?;
        assert_eq!(code(stage, &in_query).await, Outcome::Code(401), "a key where none is looked for");
        let seen = stage.probe.ask(&with("first-key-of-shop")).await.map_err(Error::failed("a request with a key"))?;
        assert!(!String::from_utf8_lossy(&seen.body).contains("first-key-of-shop"), "the backend must not see the key");

        // A key is replaced: both are good for a while, then the old one is not.
        let both = [("shop", "first-key-of-shop"), ("shop-next", "second-key-of-shop")];
        stage.apply(&secret(&a, &both)).await?;
        stage.probe.until_status(&with("second-key-of-shop"), 200, LIMIT).await?;
        assert_eq!(code(stage, &with("first-key-of-shop")).await, Outcome::Code(200), "the old key, meanwhile");
        stage.apply(&secret(&a, &both[1..])).await?;
        stage.probe.until_status(&with("first-key-of-shop"), 401, LIMIT).await?;

        let api = strict::endpoint(&stage.client, &secret(&a, &[])).await?;
        api.delete("clients", &DeleteParams::default()).await.map_err(Error::kube("deleting the Secret"))?;
        stage.probe.until(&with("second-key-of-shop"), LIMIT, "no 200", |answer| answer.code != 200).await?;
        closed(stage, &ask, "after the Secret is gone").await
    })
    .await;
}

/// Users as `htpasswd -s` writes them: by `correct horse`, by `battery:staple`, and alice's next, by `tr0ub4dor`.
const ALICE: &str = "alice:{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=";
const BOB: &str = "bob:{SHA}YyZw3C/6wPlke5miAFUOfEFqB9c=";
const ALICE_NEXT: &str = "alice:{SHA}JwwECEDDhNE8ahDqiqO2HeSEe1Q=";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_those_of_the_secret_and_without_it_nobody_comes_in() {
    on_stage("auth-basic", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        Box::pin(passwords_hold(stage, &class)).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dedicated_gateway_asks_for_passwords_too() {
    on_stage("auth-basic-own", async |stage| {
        let class = stage.class("c", |spec| spec["gateway"]["mode"] = json!("Dedicated")).await?;
        Box::pin(passwords_hold(stage, &class)).await
    })
    .await;
}

async fn passwords_hold(stage: &Stage, class: &str) -> Result<()> {
    let users = json!({"name": "users", "pathPrefix": "/", "basic": {"secretName": "users"}});
    let a = stage.tenant(class, "a", |spec| spec["auth"] = json!([users])).await?;
    let b = stage.tenant(class, "b", |_| {}).await?;
    for guest in [&a, &b] {
        serve(guest).await?;
    }
    let (ask, neighbour) = (a.ask(&a.www(), "/").await?, b.ask(&b.www(), "/").await?);
    let with = |user: &str| ask.clone().header("authorization", &basic(user));
    stage.probe.until_status(&neighbour, 200, LIMIT).await?;

    closed(stage, &ask, "before there is a Secret").await?;
    closed(stage, &with("alice:correct horse"), "with a password before there is a Secret").await?;
    stage.apply(&file_of(&a, &[ALICE, BOB])).await?;
    stage.probe.until_status(&with("alice:correct horse"), 200, LIMIT).await?;
    assert_eq!(code(stage, &with("bob:battery:staple")).await, Outcome::Code(200), "a colon in a password");
    let wrong = [
        "alice:",
        "alice",
        ":",
        "",
        ":correct horse",
        "alice:correct hors",
        "alice:correct horse ",
        "Alice:correct horse",
        "alice:battery:staple",
        "carol:correct horse",
        ALICE,
    ];
    for user in wrong {
        assert_eq!(code(stage, &with(user)).await, Outcome::Code(401), "'{user}'");
    }
    for value in ["", "Basic", "Basic ???", "Bearer alice:correct horse", "Digest username=alice"] {
        let outcome = code(stage, &ask.clone().header("authorization", value)).await;
        assert_eq!(outcome, Outcome::Code(401), "Authorization: {value}");
    }
    let elsewhere = ask.clone().header("proxy-authorization", &basic("alice:correct horse"));
    assert_eq!(code(stage, &elsewhere).await, Outcome::Code(401), "another header");
    let asked = stage.probe.ask(&ask).await.map_err(Error::failed("a request without a password"))?;
    let challenge = asked.header("www-authenticate").unwrap_or_default();
    assert!(asked.code == 401 && challenge.starts_with("Basic realm="), "a browser must be asked: {challenge}");

    // One password is changed, and one user is gone.
    stage.apply(&file_of(&a, &[ALICE_NEXT])).await?;
    stage.probe.until_status(&with("alice:tr0ub4dor"), 200, LIMIT).await?;
    stage.probe.until_status(&with("alice:correct horse"), 401, LIMIT).await?;
    stage.probe.until_status(&with("bob:battery:staple"), 401, LIMIT).await?;
    assert_eq!(code(stage, &neighbour).await, Outcome::Code(200), "the neighbour");

    let api = strict::endpoint(&stage.client, &file_of(&a, &[])).await?;
    api.delete("users", &DeleteParams::default()).await.map_err(Error::kube("deleting the Secret"))?;
    stage.probe.until(&with("alice:tr0ub4dor"), LIMIT, "no 200", |answer| answer.code != 200).await?;
    closed(stage, &ask, "after the Secret is gone").await?;
    stage.probe.until_status(&neighbour, 200, LIMIT).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_listed_addresses_come_in_whatever_a_client_says_of_its_own() {
    on_stage("auth-from", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let from = |sources: &[&str]| json!([{"name": "office", "pathPrefix": "/", "allowedSources": sources}]);
        let mut a = stage.tenant(&class, "a", |spec| spec["auth"] = from(&["0.0.0.0/0", "::/0"])).await?;
        if stage.plane == DataPlane::Kgateway && lacks_its_module(&a).await? {
            println!(
                "kgateway's Envoy comes without kgateway's module for address lists: only that nobody comes in is seen"
            );
            return closed_by_refusal(stage, &a).await;
        }
        serve(&a).await?;
        let ask = a.ask(&a.www(), "/").await?;
        stage.probe.until_status(&ask, 200, LIMIT).await?;
        a.change(|spec| spec["auth"] = from(&[ELSEWHERE])).await?;
        stage.probe.until_status(&ask, 403, LIMIT).await?;
        for name in
            ["x-forwarded-for", "x-real-ip", "x-client-ip", "true-client-ip", "forwarded", "x-envoy-external-address"]
        {
            let value = if name == "forwarded" { "for=203.0.113.7" } else { "203.0.113.7" };
            assert_eq!(code(stage, &ask.clone().header(name, value)).await, Outcome::Code(403), "forged {name}");
        }
        a.change(|spec| spec["auth"] = json!([])).await?;
        stage.probe.until_status(&ask, 200, LIMIT).await.map(drop)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guarded_path_is_guarded_however_it_is_written() {
    on_stage("auth-path", async |stage| {
        let issuer = Issuer::new("https://id.e2e.example")?;
        let class = stage.class("c", |_| {}).await?;
        let vault = json!({"name": "office", "pathPrefix": "/admin/vault", "allowedSources": [ELSEWHERE]});
        let entries = json!([asks_for_token(&issuer, "/admin"), vault]);
        let a = stage.tenant(&class, "a", |spec| spec["auth"] = entries).await?;
        if stage.plane == DataPlane::Kgateway {
            return is_refused_as_a_whole(&a).await;
        }
        serve(&a).await?;
        stage.probe.until_status(&a.ask(&a.www(), "/").await?, 200, LIMIT).await?;
        let (token, stranger) = (issuer.token()?, Issuer::new(&issuer.name)?.token()?);

        every_way_to_write_it_is_closed(stage, &a, &stranger).await?;
        for path in ["/admin", "/admin/users?x=1", "/ADMIN"] {
            let outcome = code(stage, &bearer(&a.ask(&a.www(), path).await?, &token)).await;
            assert_eq!(outcome, Outcome::Code(200), "{path} with a good token");
        }
        for path in
            ["/", "/administrator", "/admin-docs", "/x/admin", "/?next=/admin", "/a?next=%2Fadmin", "/caf%C3%A9"]
        {
            assert_eq!(code(stage, &a.ask(&a.www(), path).await?).await, Outcome::Code(200), "{path} is open");
        }
        // Under both, both are asked for: the token is good, the address is not.
        let outcome = code(stage, &bearer(&a.ask(&a.www(), "/admin/vault/1").await?, &token)).await;
        assert_eq!(outcome, Outcome::Code(403), "a good token from an address that is not listed");
        // A bad token is refused on every path, so that nobody takes it for a good one.
        assert_eq!(code(stage, &bearer(&a.ask(&a.www(), "/").await?, &stranger)).await, Outcome::Code(401));
        Ok(())
    })
    .await;
}

/// Without a token, and with one that is not good.
async fn every_way_to_write_it_is_closed(stage: &Stage, guest: &Guest<'_>, bad: &str) -> Result<()> {
    let mut wrong = Vec::new();
    for path in WAYS {
        let ask = guest.ask(&guest.www(), path).await?;
        for (what, ask) in [("no token", ask.clone()), ("a bad token", bearer(&ask, bad))] {
            let outcome = code(stage, &ask).await;
            // Envoy may answer to an escaped slash with a redirect to the path without it, which is then judged.
            let lower = path.to_ascii_lowercase();
            let is_moved = outcome == Outcome::Code(307) && (lower.contains("%2f") || lower.contains("%5c"));
            let is_no_request = matches!(outcome, Outcome::Code(400) | Outcome::NoAnswer);
            if !(REFUSED.contains(&outcome) || is_moved || is_no_request) {
                wrong.push(format!("{path} with {what}: {outcome}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}: came in: {wrong:?}", guest.name);
    Ok(())
}

async fn serve(guest: &Guest<'_>) -> Result<()> {
    guest.deploy_all(&sample::echo(&guest.name)).await?;
    guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await.map(drop)
}

async fn code(stage: &Stage, ask: &Ask) -> Outcome {
    Outcome::of(&stage.probe.clone().timeout(LIMIT).ask(ask).await)
}

fn bearer(ask: &Ask, token: &str) -> Ask {
    ask.clone().header("authorization", &format!("Bearer {token}"))
}

/// kgateway judges addresses in a module that its own Envoy image has, and an Envoy from elsewhere has not.
async fn lacks_its_module(guest: &Guest<'_>) -> Result<bool> {
    guest
        .until("the data plane takes its policies, or says why not", |status| {
            let programmed = status.conditions.iter().find(|condition| condition.type_ == "GatewayProgrammed")?;
            let refused = programmed.message.contains("librust_module.so");
            (refused || programmed.status == "True").then_some(refused)
        })
        .await
}

async fn closed_by_refusal(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    serve(guest).await?;
    let ask = guest.ask(&guest.www(), "/").await?;
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        let outcome = code(stage, &ask).await;
        assert!(!matches!(outcome, Outcome::Code(200..=399)), "somebody came in: {outcome}");
    }
    Ok(())
}

async fn good_path(guest: &Guest<'_>) -> Result<Ask> {
    guest.ask(&guest.www(), "/").await
}

fn asks_for_token(issuer: &Issuer, prefix: &str) -> Value {
    let claims = json!([{"claim": "sub", "header": CLAIM_HEADER}]);
    let jwt = json!({"issuer": issuer.name, "audiences": ["shop"], "jwks": issuer.jwks(), "claimsToHeaders": claims});
    json!({"name": "staff", "pathPrefix": prefix, "jwt": jwt})
}

/// By `data`: an applied `stringData` takes no entry away.
fn secret(guest: &Guest<'_>, keys: &[(&str, &str)]) -> Value {
    let data: BTreeMap<&str, String> = keys.iter().map(|(client, key)| (*client, STANDARD.encode(key))).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "clients", "namespace": guest.gateway_namespace()},
        "data": data,
    })
}

fn file_of(guest: &Guest<'_>, lines: &[&str]) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "users", "namespace": guest.gateway_namespace()},
        "data": {".htpasswd": STANDARD.encode(lines.join("\n"))},
    })
}

fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(user))
}

/// Whatever is answered while something is missing: it comes from no backend.
async fn closed(stage: &Stage, ask: &Ask, when: &str) -> Result<()> {
    let answered = |code| matches!(code, 401 | 403 | 500..=504);
    let waited = stage.probe.until(ask, LIMIT, "401, 403 or 5xx", |answer| answered(answer.code)).await?;
    println!("{when}: {}", waited.answer.code);
    assert!(!waited.others.contains_key(&Outcome::Code(200)), "{when}: somebody came in: {:?}", waited.others);
    Ok(())
}

async fn bad_tokens_are_refused(stage: &Stage, guest: &Guest<'_>, issuer: &Issuer) -> Result<()> {
    let with = |name: &str, value: Value| -> Result<String> {
        let mut claims = issuer.claims();
        claims[name] = value;
        issuer.signed(&claims)
    };
    let without = |name: &str| -> Result<String> {
        let mut claims = issuer.claims();
        claims.as_object_mut().map(|claims| claims.remove(name));
        issuer.signed(&claims)
    };
    let stranger = Issuer::new(&issuer.name)?;
    let bad = [
        ("expired", with("exp", json!(now() - 3600))?),
        ("not yet good", with("nbf", json!(now() + 3600))?),
        ("for another audience", with("aud", json!("bank"))?),
        ("for no audience", without("aud")?),
        ("of another issuer", with("iss", json!("https://id.evil.example"))?),
        ("of no issuer", without("iss")?),
        ("signed by a stranger", stranger.token()?),
        ("with other claims under a good signature", issuer.altered()?),
        ("alg none", issuer.unsigned("none")),
        ("alg None", issuer.unsigned("None")),
        ("alg ES256 without a signature", issuer.unsigned("ES256")),
        ("alg HS256 by the public key", issuer.confused()),
        ("no token", "x.y.z".into()),
        ("nothing", String::new()),
    ];
    let mut wrong = Vec::new();
    for (what, token) in bad {
        let outcome = code(stage, &bearer(&guest.ask(&guest.www(), "/").await?, &token)).await;
        // Envoy answers with 403 to a good token for somebody else.
        let wanted = if what.contains("audience") { 403 } else { 401 };
        if outcome != Outcome::Code(wanted) {
            wrong.push(format!("{what}: {outcome}"));
        }
    }
    let good = issuer.token()?;
    let ask = guest.ask(&guest.www(), "/").await?;
    let elsewhere = [
        ("no header", ask.clone()),
        ("a good token in the query", guest.ask(&guest.www(), &format!("/?access_token={good}")).await?),
        ("a good token in a cookie", ask.clone().header("cookie", &format!("access_token={good}"))),
        ("a good token in another header", ask.clone().header("x-authorization", &format!("Bearer {good}"))),
        ("another scheme", ask.header("authorization", &format!("Basic {good}"))),
    ];
    for (what, ask) in elsewhere {
        let outcome = code(stage, &ask).await;
        if outcome != Outcome::Code(401) {
            wrong.push(format!("{what}: {outcome}"));
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:?}", guest.name);
    Ok(())
}

/// The header with the claim says what the token says, and nothing when the token does not say it.
async fn claims_come_from_the_token_alone(
    stage: &Stage,
    guest: &Guest<'_>,
    neighbour: &Guest<'_>,
    issuer: &Issuer,
) -> Result<()> {
    let said = async |ask: Ask| -> Result<Value> {
        let forged = ask.header(CLAIM_HEADER, "root").header("X-User-ID", "root");
        let seen = stage.probe.ask(&forged).await.map_err(Error::failed("a request with a forged claim"))?.json()?;
        Ok(seen["headers"]["X-User-Id"].clone())
    };
    let with_sub = said(bearer(&guest.ask(&guest.www(), "/").await?, &issuer.token()?)).await?;
    assert!(with_sub.to_string().contains("alice") && !with_sub.to_string().contains("root"), "{with_sub}");
    let mut claims = issuer.claims();
    claims.as_object_mut().map(|claims| claims.remove("sub"));
    let without = said(bearer(&guest.ask(&guest.www(), "/").await?, &issuer.signed(&claims)?)).await?;
    assert!(without.is_null(), "forged where the token says nothing: {without}");
    let others = said(neighbour.ask(&neighbour.www(), "/").await?).await?;
    assert!(others.to_string().contains("root"), "the neighbour's own header is none of ours: {others}");
    Ok(())
}

/// Routes of every sort that a developer may write: what is asked for is asked for on each of them.
async fn no_route_takes_it_away(stage: &Stage, guest: &Guest<'_>, issuer: &Issuer) -> Result<()> {
    let backend = json!([{"name": "web-v1", "port": 80}]);
    let steals = json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["authorization"]}});
    let forges = json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-open", "value": "yes"}]}});
    let moves =
        json!({"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/open"}}});
    let rule = |path: &str, filter: &Value| {
        let on = json!([{"path": {"type": "PathPrefix", "value": path}}]);
        json!({"matches": on, "filters": [filter], "backendRefs": backend})
    };
    let rules = json!([rule("/steals", &steals), rule("/forges", &forges), rule("/moves", &moves)]);
    guest.deploy(&sample::route_of(&guest.name, "open", &[guest.www()], &rules)).await?;
    for path in ["/steals", "/forges", "/moves"] {
        let ask = guest.ask(&guest.www(), path).await?;
        stage.probe.until_status(&bearer(&ask, &issuer.token()?), 200, LIMIT).await?;
        assert_eq!(code(stage, &ask).await, Outcome::Code(401), "{path} without a token");
    }
    Ok(())
}

/// What a data plane cannot do is refused with what to do instead, and a new tenant is not served without it.
async fn is_refused_as_a_whole(guest: &Guest<'_>) -> Result<()> {
    let message = guest
        .until("it is refused", |status| {
            let accepted = status.conditions.iter().find(|condition| condition.type_ == "Accepted")?;
            (accepted.reason == "Unsupported").then(|| accepted.message.clone())
        })
        .await?;
    assert!(message.contains("spec.auth[0].pathPrefix") && message.contains("set pathPrefix to /"), "{message}");
    Ok(())
}
