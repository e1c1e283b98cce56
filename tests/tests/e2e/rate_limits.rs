//! A tenant gets as many requests as its limit says, by one route or by twenty; one client of it gets as many as that limit
//! says; a neighbour notices nothing. What is beyond is answered with 429.
//!
//! A limit is measured by open load of four times as much, counted from a warm start. Envoy Gateway counts in seconds of the wall
//! clock, so a run begins with one.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use octroi_tests::attack;
use octroi_tests::probe::rate::{self, Connections, Run, at_a_second, counted};
use octroi_tests::probe::{Ask, Outcome};
use octroi_tests::stage::{DataPlane, Guest, LIMIT, Stage};
use octroi_tests::tenant_user::TenantUser;
use octroi_tests::{Error, Result};
use serde_json::{Value, json};
use tokio::join;
use tokio_util::sync::CancellationToken;

use crate::alone_on_stage;
use crate::sample;

/// Requests in a second: of a tenant, and of one of its clients.
const OF_TENANT: u32 = 50;
const OF_CLIENT: u32 = 20;
/// What is offered of what is limited.
const TIMES: u32 = 4;
/// What a quiet visitor asks, far below each limit.
const QUIET: u32 = 10;
const ROUTES: usize = 20;
/// Connections open and a bucket empties; not counted.
const WARM: Duration = Duration::from_secs(2);
const COUNTED: Duration = Duration::from_secs(10);
/// From documentation ranges (RFC 5737 and RFC 3849).
const CLIENTS: [&str; 3] = ["192.0.2.1", "198.51.100.2", "2001:db8::3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_edge_takes_so_many_requests_of_a_tenant_and_of_its_clients() {
    alone_on_stage("rate", async |stage| {
        let class = stage.class("c", |spec| limited(spec, &json!({}))).await?;
        let behind = stage.class("p", |spec| limited(spec, &json!({"trustedHops": 1}))).await?;
        let (a, mut b) = (stage.tenant(&class, "a", limits).await?, stage.tenant(&class, "b", limits).await?);
        let c = stage.tenant(&behind, "c", limits_of_clients).await?;
        Box::pin(limits_hold(stage, &a, &mut b, &c)).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dedicated_edge_takes_so_many_requests_of_a_tenant_and_of_its_clients() {
    alone_on_stage("rate-own", async |stage| {
        let own = |spec: &mut Value, http: &Value, pods: u32| {
            limited(spec, http);
            spec["gateway"]["mode"] = json!("Dedicated");
            spec["gateway"]["proxy"]["replicas"] = json!({"min": pods, "max": pods});
        };
        // One count for both of them; on kgateway each would have half of it, and connections choose a pod by chance.
        let pods = if stage.plane == DataPlane::EnvoyGateway { 2 } else { 1 };
        let class = stage.class("c", |spec| own(spec, &json!({}), pods)).await?;
        let behind = stage.class("p", |spec| own(spec, &json!({"trustedHops": 1}), 1)).await?;
        let (a, mut b) = (stage.tenant(&class, "a", limits).await?, stage.tenant(&class, "b", limits).await?);
        let c = stage.tenant(&behind, "c", limits_of_clients).await?;
        Box::pin(limits_hold(stage, &a, &mut b, &c)).await
    })
    .await;
}

/// The most of the class is what the tenants get that ask for more.
fn limited(spec: &mut Value, http: &Value) {
    spec["http"] = http.clone();
    spec["rateLimit"] = json!({"max": {"requestsPerSecond": OF_TENANT}});
}

fn limits(spec: &mut Value) {
    spec["rateLimit"] = json!({"requestsPerSecond": 1000 * OF_TENANT});
}

fn limits_of_clients(spec: &mut Value) {
    spec["rateLimit"] = json!({"requestsPerSecond": OF_TENANT, "clientRequestsPerSecond": OF_CLIENT});
}

/// `a` is measured beside `b`; `c` is behind a proxy that names clients.
async fn limits_hold(stage: &Stage, a: &Guest<'_>, b: &mut Guest<'_>, c: &Guest<'_>) -> Result<()> {
    for guest in [a, &*b, c] {
        guest.deploy_all(&sample::echo(&guest.name)).await?;
        guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
        stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
    }
    says_what_holds(stage, a, c).await?;
    one_route(stage, a, b).await?;
    tells_of_it(stage, a, b).await?;
    many_routes(stage, a, b).await?;
    nobody_overrides_it(stage, a).await?;
    one_route(stage, a, b).await?;
    if stage.plane == DataPlane::EnvoyGateway {
        one_client(stage, c).await?;
        nobody_is_somebody_else(stage, b).await?;
    }
    Ok(())
}

/// The class's maximum, in words; and what this data plane cannot do.
async fn says_what_holds(stage: &Stage, clamped: &Guest<'_>, of_clients: &Guest<'_>) -> Result<()> {
    for guest in [clamped, of_clients] {
        guest.ready().await?;
    }
    let accepted = condition(clamped, "Accepted").await?;
    let wanted =
        format!("True Clamped: spec.rateLimit.requestsPerSecond is {OF_TENANT}, the most that the class allows");
    assert!(accepted.starts_with(&wanted), "{}: Accepted is {accepted:?}", clamped.name);
    let can = condition(of_clients, "CapabilitiesSupported").await?;
    match stage.plane {
        DataPlane::EnvoyGateway => assert!(can.starts_with("True Ready"), "{}: {can:?}", of_clients.name),
        DataPlane::Kgateway => assert!(
            can.starts_with("False Unsupported") && can.contains("spec.rateLimit.clientRequestsPerSecond"),
            "{}: {can:?}",
            of_clients.name
        ),
    }
    Ok(())
}

/// Status, reason and message.
async fn condition(guest: &Guest<'_>, kind: &str) -> Result<String> {
    let found = guest.until(kind, |status| status.conditions.iter().find(|c| c.type_ == kind).cloned()).await?;
    Ok(format!("{} {}: {}", found.status, found.reason, found.message))
}

async fn one_route(stage: &Stage, guest: &Guest<'_>, neighbour: &Guest<'_>) -> Result<()> {
    let asks = [guest.ask(&guest.www(), "/").await?];
    measured(stage, guest, neighbour, "one route", &asks).await
}

/// Hosts of their own, and where the count is the tenant's also of another listener.
async fn many_routes(stage: &Stage, guest: &Guest<'_>, neighbour: &Guest<'_>) -> Result<()> {
    let below = (1..ROUTES).map(|number| format!("r{number}.{}", guest.apex()));
    let last = if stage.plane == DataPlane::EnvoyGateway { guest.apex() } else { format!("r0.{}", guest.apex()) };
    let hosts: Vec<String> = below.chain([last]).collect();
    for (number, host) in hosts.iter().enumerate() {
        guest.deploy(&sample::route(&guest.name, &format!("r{number}"), std::slice::from_ref(host))).await?;
    }
    let asks = try_join_all(hosts.iter().map(|host| guest.ask(host, "/"))).await?;
    for ask in &asks {
        stage.probe.until_status(ask, 200, LIMIT).await?;
    }
    measured(stage, guest, neighbour, &format!("{ROUTES} routes"), &asks).await
}

/// Of what all of these ask together, as much passes as the tenant's limit says; of what a neighbour asks, all.
async fn measured(stage: &Stage, guest: &Guest<'_>, neighbour: &Guest<'_>, what: &str, asks: &[Ask]) -> Result<()> {
    let beside = [neighbour.ask(&neighbour.www(), "/").await?];
    at_a_second().await;
    let (seen, quiet) = join!(load(stage, asks, OF_TENANT * TIMES), load(stage, &beside, QUIET));
    let what = format!("{}, {what}", guest.name);
    seen.is_limited_to(&what, OF_TENANT);
    quiet.passes(&format!("{}, a neighbour of {what}", neighbour.name));
    Ok(())
}

/// The headers of draft-ietf-httpapi-ratelimit-headers-03, as Envoy writes them, before and beyond the limit.
async fn tells_of_it(stage: &Stage, guest: &Guest<'_>, neighbour: &Guest<'_>) -> Result<()> {
    const NAMES: [&str; 3] = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
    let headers = async |guest: &Guest<'_>, wanted: u16| -> Result<Vec<Option<String>>> {
        let ask = guest.ask(&guest.www(), "/").await?;
        let waited = stage.probe.until_status(&ask, wanted, LIMIT).await?;
        let answer = waited.answer;
        println!("{}: {} with {:?}", guest.name, answer.code, answer.headers);
        Ok(NAMES.iter().map(|name| answer.header(name).map(ToOwned::to_owned)).collect())
    };
    let passed = headers(neighbour, 200).await?;
    let asks = [guest.ask(&guest.www(), "/").await?];
    let stop = CancellationToken::new();
    let flood = rate::run(&stage.probe, &asks[0], OF_TENANT * TIMES, Connections::Kept, COUNTED, &stop);
    let refused = async {
        tokio::time::sleep(WARM).await;
        let refused = headers(guest, 429).await;
        stop.cancel();
        refused
    };
    let refused = join!(flood, refused).1?;
    if stage.plane == DataPlane::Kgateway {
        // It has no say in it; see docs/edge.md.
        assert_eq!((passed, refused), (vec![None; 3], vec![None; 3]));
        return Ok(());
    }
    for (headers, code) in [(&passed, 200), (&refused, 429)] {
        let [Some(limit), Some(remaining), Some(reset)] = headers.as_slice() else {
            panic!("an answer {code} has not all of {NAMES:?}: {headers:?}");
        };
        assert!(limit.starts_with(&OF_TENANT.to_string()), "{code}: x-ratelimit-limit is {limit:?}");
        let left: Option<u32> = remaining.parse().ok();
        let is_well = if code == 429 { left == Some(0) } else { left.is_some_and(|left| left < OF_TENANT) };
        assert!(is_well, "{code}: x-ratelimit-remaining is {remaining:?}");
        assert!(reset.parse::<u32>().is_ok_and(|seconds| seconds <= 1), "{code}: x-ratelimit-reset is {reset:?}");
    }
    Ok(())
}

/// The attacks on the limit that are in `tests/attacks`, on a route that is there: of a developer, and of somebody with all rights.
async fn nobody_overrides_it(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let group = match stage.plane {
        DataPlane::EnvoyGateway => "gateway.envoyproxy.io/",
        DataPlane::Kgateway => "gateway.kgateway.dev/",
    };
    let powerful = TenantUser::with(stage.lab.client_as(&format!("{}-power", guest.name), &["system:masters"]).await?);
    let mut tried = 0;
    for attack in attack::load::all()? {
        let text = attack.manifest.to_string();
        let is_at_home = attack.manifest["metadata"]["namespace"] == "${namespace}";
        if !is_at_home || !text.contains("rateLimit") || !text.contains(group) {
            continue;
        }
        let manifest: Value = serde_json::from_str(&text.replace("${namespace}", &guest.name))
            .map_err(Error::failed(format!("the manifest of {}", attack.name)))?;
        for (who, user) in [("the developer", &guest.developer), ("somebody with all rights", &powerful)] {
            let what = format!("{}: {} by {who}", guest.name, attack.name);
            match user.apply(&manifest).await {
                Ok(_) => panic!("{what} must be refused, and was taken: {manifest}"),
                Err(error) => {
                    assert!(matches!(error.code(), Some(403 | 422)), "{what}: refused for another reason: {error}");
                    println!("{what}: {}", error.api_message());
                    tried += 1;
                }
            }
        }
    }
    assert!(tried >= 2, "no file of tests/attacks has a rateLimit of {group}");
    Ok(())
}

/// A client that floods gets its own limit, and leaves what is left of the tenant's to others: also of the other protocol.
async fn one_client(stage: &Stage, guest: &Guest<'_>) -> Result<()> {
    let from =
        async |client: &str| Ok::<_, Error>([guest.ask(&guest.www(), "/").await?.header("x-forwarded-for", client)]);
    let [first, second, third] = CLIENTS;
    let (flood, other, six) = (from(first).await?, from(second).await?, from(third).await?);
    at_a_second().await;
    let (seen, quiet) = join!(load(stage, &flood, OF_CLIENT * TIMES), load(stage, &other, QUIET));
    seen.is_limited_to(&format!("{}, client {first}", guest.name), OF_CLIENT);
    quiet.passes(&format!(
        "{}, client {second} beside a flood of {first} (is {} set for the rate limit service?)",
        guest.name, "STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT"
    ));
    at_a_second().await;
    load(stage, &six, OF_CLIENT * TIMES).await.is_limited_to(&format!("{}, client {third}", guest.name), OF_CLIENT);
    Ok(())
}

/// Where no proxy is believed, a client that calls itself many others is one.
async fn nobody_is_somebody_else(stage: &Stage, guest: &mut Guest<'_>) -> Result<()> {
    let mut asks = Vec::new();
    for client in CLIENTS {
        asks.push(guest.ask(&guest.www(), "/").await?.header("x-forwarded-for", client).header("x-real-ip", client));
    }
    guest.change(limits_of_clients).await?;
    until_limited(stage, &asks).await?;
    at_a_second().await;
    let seen = load(stage, &asks, OF_CLIENT * TIMES).await;
    seen.is_limited_to(&format!("{}, one client under {} names", guest.name, CLIENTS.len()), OF_CLIENT);
    Ok(())
}

/// A change of the limit is on its way: until a second has fewer answers than the tenant's limit alone would let pass.
async fn until_limited(stage: &Stage, asks: &[Ask]) -> Result<()> {
    let since = std::time::Instant::now();
    while since.elapsed() < LIMIT {
        at_a_second().await;
        let seen = Seen::of(&run(stage, asks, OF_CLIENT * TIMES, Duration::from_secs(2)).await, Duration::ZERO);
        if seen.passed <= 3 * OF_CLIENT as usize {
            println!("a changed limit holds after {:.1} s", since.elapsed().as_secs_f64());
            return Ok(());
        }
    }
    let what = format!("a limit of {OF_CLIENT} requests a second for one client takes effect");
    Err(Error::NotInTime { what, waited: since.elapsed(), state: "requests pass as before".into() })
}

/// What became of the requests that count.
struct Seen {
    passed: usize,
    asked: usize,
    each: BTreeMap<Outcome, usize>,
    /// Passed in each second, from the first that counts.
    seconds: Vec<usize>,
    failures: Vec<String>,
}

impl Seen {
    fn of(runs: &[Run], from: Duration) -> Self {
        let counted: Vec<_> = runs.iter().flat_map(|run| &run.samples).filter(|sample| sample.at >= from).collect();
        let mut seen = Self {
            passed: 0,
            asked: counted.len(),
            each: BTreeMap::new(),
            seconds: Vec::new(),
            failures: runs
                .iter()
                .flat_map(|run| &run.failures)
                .take(5)
                .map(|(at, why)| format!("{at:?}: {why}"))
                .collect(),
        };
        for sample in counted {
            *seen.each.entry(sample.outcome).or_default() += 1;
            if sample.outcome == Outcome::Code(200) {
                let second = usize::try_from(sample.at.saturating_sub(from).as_secs()).unwrap_or_default();
                seen.seconds.resize(seen.seconds.len().max(second + 1), 0);
                seen.seconds[second] += 1;
                seen.passed += 1;
            }
        }
        seen
    }

    /// 200 at the limit ±5 %, 429 for the rest, and nothing else.
    fn is_limited_to(&self, what: &str, per_second: u32) {
        let wanted = per_second as usize * usize::try_from(COUNTED.as_secs()).unwrap_or_default();
        let said = format!(
            "{what}: of {} in {COUNTED:?} {}; {wanted} were to pass; in each second {:?}",
            self.asked,
            counted(&self.each),
            self.seconds
        );
        println!("{said}");
        assert!(self.asked > 3 * wanted, "too few were asked to prove a limit: {said}");
        let odd = self.each.keys().find(|outcome| !matches!(outcome, Outcome::Code(200 | 429)));
        assert_eq!(odd, None, "{said}; {:?}", self.failures);
        assert!(self.passed * 100 >= wanted * 95, "more than 5 % too few passed: {said}");
        assert!(self.passed * 100 <= wanted * 105, "more than 5 % too many passed: {said}");
    }

    fn passes(&self, what: &str) {
        println!("{what}: {}", counted(&self.each));
        assert!(self.asked > 0, "{what}: nothing was asked");
        let passed = (self.passed, &self.failures);
        assert_eq!(
            passed,
            (self.asked, &Vec::new()),
            "{what}: {}; in each second {:?}",
            counted(&self.each),
            self.seconds
        );
    }
}

/// So many in a second, spread over these; those of the beginning do not count.
async fn load(stage: &Stage, asks: &[Ask], per_second: u32) -> Seen {
    Seen::of(&run(stage, asks, per_second, WARM + COUNTED).await, WARM)
}

async fn run(stage: &Stage, asks: &[Ask], per_second: u32, lasting: Duration) -> Vec<Run> {
    let stop = CancellationToken::new();
    let each = per_second.div_ceil(u32::try_from(asks.len()).unwrap_or(u32::MAX));
    join_all(asks.iter().map(|ask| rate::run(&stage.probe, ask, each, Connections::Kept, lasting, &stop))).await
}
