//! The service as Envoy sees it: gRPC over a socket.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

#[path = "extproc/envoy.rs"]
mod envoy;
mod support;

use std::fs;
use std::time::Duration;

use envoy::{Envoy, PROFILES, Sent, chain, route};
use octroi_waf::Profiles;
use octroi_waf::extproc::Limits;
use support::SQL;

fn attack() -> String {
    format!("/?id={SQL}")
}

#[tokio::test]
async fn an_attack_is_refused_and_the_client_learns_an_id_and_no_rule() {
    let envoy = Envoy::start(PROFILES).await;
    let answer = envoy.ask(&Sent::get(&attack()).header("x-request-id", "5be1b1f1-77d2").by(route("acme"))).await;
    let (status, body) = answer.refused();
    assert_eq!(status, 403);
    assert!(body.contains("5be1b1f1-77d2") && !body.contains("942"), "{body}");
}

#[tokio::test]
async fn an_ordinary_request_goes_on_and_so_does_its_body() {
    let envoy = Envoy::start(PROFILES).await;
    for by in [route("acme"), chain("acme")] {
        assert!(envoy.ask(&Sent::get("/?id=7").by(by.clone())).await.passes());
        assert!(envoy.ask(&Sent::post("application/json", b"{\"a\": \"b\"}").by(by)).await.passes());
    }
}

#[tokio::test]
async fn an_attack_in_a_body_is_refused() {
    let envoy = Envoy::start(PROFILES).await;
    let body = b"{\"user\": {\"id\": \"1' OR '1'='1\"}}";
    assert_eq!(envoy.ask(&Sent::post("application/json", body).by(route("acme"))).await.refused().0, 403);
}

#[tokio::test]
async fn what_belongs_to_nobody_is_refused() {
    let envoy = Envoy::start(PROFILES).await;
    let nobody =
        [route("stranger"), chain("stranger"), ("xds.filter_chain_name", "octroi-gateways/shared/http".into())];
    for by in nobody {
        assert_eq!(envoy.ask(&Sent::get("/").by(by)).await.refused().0, 500);
    }
    assert_eq!(envoy.ask(&Sent::get("/")).await.refused().0, 500, "no attribute at all");
    assert_eq!(envoy.ask(&Sent::get("/").by(route("acme")).by(chain("lab"))).await.refused().0, 500, "two tenants");
    assert!(envoy.metrics().contains("octroi_waf_requests_total{result=\"unattributed\"} 5"), "{}", envoy.metrics());
}

/// The tenant `lab` only detects: whoever passes for it is not stopped.
#[tokio::test]
async fn nothing_that_a_client_sends_makes_it_another_tenant() {
    let envoy = Envoy::start(PROFILES).await;
    assert!(envoy.ask(&Sent::get(&attack()).by(route("lab"))).await.passes());
    let forged = [
        ("host", "lab.apps.example"),
        (":authority", "lab.apps.example"),
        ("xds.route_name", "httproute/lab/web/rule/0"),
        ("x-octroi-tenant", "lab"),
        ("x-envoy-attributes", "xds.filter_chain_name=gw-lab/lab/https"),
        ("x-forwarded-host", "lab.apps.example"),
    ];
    for (name, value) in forged {
        let sent = Sent::get(&attack()).header(name, value);
        assert_eq!(envoy.ask(&sent.clone().by(route("acme"))).await.refused().0, 403, "{name}");
        assert_eq!(envoy.ask(&sent).await.refused().0, 500, "{name} stands for the attributes");
    }
    let other_filter = Sent::get(&attack()).by_filter("envoy.filters.http.other", route("lab"));
    assert_eq!(envoy.ask(&other_filter).await.refused().0, 500);
}

#[tokio::test]
async fn two_tenants_have_their_own_firewalls_at_the_same_time() {
    let envoy = Envoy::start(PROFILES).await;
    let asked = (0..40).map(|round| {
        let tenant = if round % 2 == 0 { "acme" } else { "strict" };
        let sent = Sent::get("/?q=select").by(route(tenant));
        let envoy = &envoy;
        async move { (tenant, envoy.ask(&sent).await.passes()) }
    });
    for (tenant, passes) in futures::future::join_all(asked).await {
        assert_eq!(passes, tenant == "acme", "{tenant}");
    }
}

#[tokio::test]
async fn a_body_above_the_cap_is_refused_whether_it_says_so_or_not() {
    let envoy = Envoy::start(PROFILES).await;
    let body = [b"a=", "x".repeat(63).as_bytes()].concat();
    let sent = Sent::post("application/x-www-form-urlencoded", &body).by(route("small"));
    assert_eq!(envoy.ask(&sent).await.refused().0, 413);
    let announced = sent.header("content-length", "65");
    let answer = envoy.ask(&announced).await;
    assert_eq!((answer.refused().0, answer.messages()), (413, 1), "the body was waited for");
    let fits = Sent::post("application/x-www-form-urlencoded", &body[..64]).by(route("small"));
    assert!(envoy.ask(&fits).await.passes());
}

#[tokio::test]
async fn a_body_that_is_streamed_is_refused() {
    let envoy = Envoy::start(PROFILES).await;
    for mode in [0, 1, 3, 4] {
        let sent = Sent::post("text/plain", b"a").by(route("acme")).mode(mode);
        assert_eq!(envoy.ask(&sent).await.refused().0, 500, "{mode}");
    }
    let twice = Sent::post("text/plain", b"a").by(route("acme")).more(b"b");
    assert_eq!(envoy.ask(&twice).await.refused().0, 500);
}

#[tokio::test]
async fn an_answer_is_inspected_where_the_tenant_asks_for_it() {
    let envoy = Envoy::start(PROFILES).await;
    let leak: Option<&[u8]> = Some(b"ORA-00933: SQL command not properly ended");
    let answered = async |tenant, status, body| {
        let sent = Sent::get("/").header("x-request-id", "7").by(route(tenant));
        envoy.open(&sent).await.answered(status, body).await
    };
    assert!(answered("answers", "200", Some(b"fine")).await.passes());
    assert!(answered("answers", "204", None).await.passes());
    assert!(answered("acme", "500", leak).await.passes(), "nobody asked for it");
    for (status, body) in [("200", leak), ("503", None)] {
        let (code, text) = answered("answers", status, body).await.refused();
        assert_eq!(code, 403);
        assert!(text.contains("withheld") && text.contains('7'), "{text}");
        let line = envoy.audit_line();
        assert_eq!((&line["answer"], &line["action"]), (&true.into(), &"blocked".into()), "{line}");
    }
    let metrics = envoy.metrics();
    assert!(metrics.contains("octroi_waf_requests_total{result=\"answer_blocked\"} 2"), "{metrics}");
}

#[tokio::test]
async fn an_answer_that_is_streamed_is_withheld() {
    let envoy = Envoy::start(PROFILES).await;
    let answered = async |mode| {
        let sent = Sent::get("/").by(route("answers")).answer_mode(mode);
        envoy.open(&sent).await.answered("200", Some(b"fine")).await
    };
    for mode in [1, 3, 4] {
        assert_eq!(answered(mode).await.refused().0, 500, "{mode}");
    }
}

/// A handshake is answered at once: it has no body, and the frames behind it never end.
#[tokio::test]
async fn a_websocket_is_inspected_by_its_handshake() {
    let envoy = Envoy::start(PROFILES).await;
    let handshake = |target: &str| {
        let sent = Sent::get(target).header("connection", "Upgrade").header("upgrade", "websocket");
        sent.by(route("acme")).stays_open()
    };
    let mut open = envoy.open(&handshake("/ws")).await;
    assert_eq!(open.body_mode_override(), Some(0));
    assert!(open.finish().await.passes());
    assert_eq!(envoy.ask(&handshake(&attack())).await.refused().0, 403);
    let frames = handshake("/ws").more(b"frame");
    assert_eq!(envoy.ask(&frames).await.refused().0, 500, "the data plane does not heed the override");
}

#[tokio::test]
async fn detection_passes_and_is_logged() {
    let envoy = Envoy::start(PROFILES).await;
    let sent = Sent::get(&format!("/?note=Geheim{SQL}")).header("x-request-id", "7").by(route("lab"));
    assert!(envoy.ask(&sent).await.passes());
    let line = envoy.audit_line();
    assert_eq!(line["tenant"], "lab");
    assert_eq!((&line["mode"], &line["action"]), (&"Detect".into(), &"detected".into()));
    assert_eq!((&line["request_id"], &line["score"]), (&"7".into(), &5.into()));
    assert_eq!(line["route"], "httproute/lab/web/rule/0/match/0/www");
    assert_eq!(line["rules"][0]["id"], 942_100);
    assert_eq!(line["rules"][0]["places"][0]["name"], "note");
    assert!(!line.to_string().contains("Geheim"), "{line}");
    let metrics = envoy.metrics();
    assert!(metrics.contains("octroi_waf_attacks_total{tenant=\"lab\",action=\"detected\"} 1"), "{metrics}");
}

#[tokio::test]
async fn an_exclusion_holds_until_it_is_over() {
    let envoy = Envoy::start(PROFILES).await;
    let target = |parameter| format!("/notes?{parameter}={SQL}");
    let ask = async |parameter| envoy.ask(&Sent::get(&target(parameter)).by(route("excluding"))).await;
    assert!(ask("text").await.passes());
    assert_eq!(ask("over").await.refused().0, 403, "its day was in 2020");
    assert_eq!(ask("other").await.refused().0, 403);
}

#[tokio::test]
async fn profiles_that_are_replaced_hold_from_the_next_request_on() {
    let envoy = Envoy::start(PROFILES).await;
    for tenant in ["acme", "strict"] {
        assert_eq!(envoy.ask(&Sent::get(&attack()).by(route(tenant))).await.refused().0, 403);
    }
    envoy.shared.serve(Profiles::parse("tenants: {acme: {namespaces: [acme], waf: {mode: Detect}}}").unwrap());
    assert!(envoy.ask(&Sent::get(&attack()).by(route("acme"))).await.passes());
    assert_eq!(envoy.ask(&Sent::get("/").by(route("lab"))).await.refused().0, 500, "it is gone");
    let metrics = envoy.metrics();
    assert!(metrics.contains("tenant=\"acme\"") && !metrics.contains("tenant=\"strict\""), "{metrics}");
}

#[tokio::test]
async fn files_that_are_wrong_leave_what_was_in_use() {
    let (envoy, mut watched, folder) = Envoy::start_with_files(PROFILES).await;
    let rules = folder.path().join("rules/@owasp_crs/rules.conf");
    let profiles = folder.path().join("profiles.yaml");
    let good = fs::read_to_string(&rules).unwrap();
    for bad in ["", "SecNonsense\n", "SecRule ARGS \"@rx (\" \"id:1\"\n"] {
        fs::write(&rules, bad).unwrap();
        fs::write(&profiles, "tenants: [").unwrap();
        watched.look(&envoy.shared);
        assert_eq!(envoy.ask(&Sent::get(&attack()).by(route("acme"))).await.refused().0, 403);
        assert!(envoy.ask(&Sent::get("/?q=worm").by(route("acme"))).await.passes());
    }
    fs::write(&rules, good.replace("@contains /etc/passwd", "@rx /etc/passwd|worm")).unwrap();
    watched.look(&envoy.shared);
    assert_eq!(envoy.ask(&Sent::get("/?q=worm").by(route("acme"))).await.refused().0, 403);
    let metrics = envoy.metrics();
    assert!(metrics.contains("octroi_waf_reloads_total{what=\"rules\",result=\"refused\"} 3"), "{metrics}");
    assert!(metrics.contains("octroi_waf_reloads_total{what=\"rules\",result=\"ok\"} 1"), "{metrics}");
    assert!(metrics.contains("octroi_waf_reloads_total{what=\"profiles\",result=\"refused\"} 1"), "{metrics}");
}

#[tokio::test]
async fn an_overload_is_an_error_and_no_pass() {
    let envoy = Envoy::start_with(PROFILES, Limits { workers: 1, in_flight: 0 }).await;
    let error = envoy.ask(&Sent::get("/").by(route("acme"))).await.failed();
    assert_eq!(error.code(), tonic::Code::ResourceExhausted);
}

#[tokio::test]
async fn a_shutdown_ends_when_the_last_stream_has() {
    let envoy = Envoy::start(PROFILES).await;
    let mut open = envoy.open(&Sent::post("text/plain", b"a").by(route("acme"))).await;
    envoy.shutdown.cancel();
    assert!(open.finish().await.passes(), "a request under way was dropped");
    tokio::time::timeout(Duration::from_secs(10), envoy.ended()).await.unwrap();
}
