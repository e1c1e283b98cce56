//! `make bench-waf`: what the firewall costs a request, by the engine alone and through the service.
//!
//! Both happen in one process, one request at a time, in turns, so that what else the machine does falls on both. The service is
//! asked as Envoy asks it: gRPC over the loopback, one stream a request.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use futures::channel::mpsc::unbounded;
use octroi_waf::extproc::{AuditLog, Limits, Shared, serve};
use octroi_waf::{Profile, Profiles, Request, RuleSet, Sources};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

/// Measures the firewall.
#[derive(Parser)]
struct Args {
    /// A folder with `rules`, as `lab/lab.sh dir coreruleset` names it.
    #[arg(long, value_name = "FOLDER")]
    coreruleset: PathBuf,
    /// How often each request is sent; a tenth as often first, and not counted.
    #[arg(long, default_value = "1000")]
    rounds: usize,
}

/// A kind of request.
struct Case {
    name: &'static str,
    method: &'static str,
    target: &'static str,
    kind: Option<&'static str>,
    body: Vec<u8>,
    /// Of how many rounds it takes part in one: long bodies take long.
    every: usize,
}

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let sources = Sources::read(&args.coreruleset.join("rules"))?;
    let rules = RuleSet::new(&sources)?;
    let profiles = Profiles::parse("tenants: {acme: {namespaces: [acme], waf: {requestBodyLimit: 8388608}}}")?;
    let limits = Limits { workers: 2, in_flight: 16 };
    let shared = Arc::new(Shared::new(RuleSet::new(&sources)?, profiles, AuditLog::new(io::sink())?, limits));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = tokio::spawn(serve(listener, shared, CancellationToken::new()));
    let client = ExternalProcessorClient::connect(format!("http://{address}")).await?;
    println!("{:<22} {:>18} {:>18} {:>18}", "p50 / p99 in ms", "engine", "service", "difference");
    for case in cases() {
        let rounds = (args.rounds / case.every).max(20);
        let (mut engine, mut asked) = (Vec::new(), Vec::new());
        for round in 0..rounds + rounds / 10 {
            let times = (direct(&rules, &case)?, through(client.clone(), &case).await?);
            if round >= rounds / 10 {
                engine.push(times.0);
                asked.push(times.1);
            }
        }
        let (engine, asked) = (Quantiles::of(engine), Quantiles::of(asked));
        let more = Quantiles { p50: asked.p50 - engine.p50, p99: asked.p99 - engine.p99 };
        println!("{:<22} {:>18} {:>18} {:>18}", case.name, engine.shown(), asked.shown(), more.shown());
    }
    service.abort();
    Ok(())
}

fn cases() -> [Case; 6] {
    let get = |name, target| Case { name, method: "GET", target, kind: None, body: Vec::new(), every: 1 };
    let post =
        |name, kind, body, every| Case { name, method: "POST", target: "/v1/orders", kind: Some(kind), body, every };
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    let text = |length: usize| [b"text=", words(length - 5).replace(' ', "+").as_bytes()].concat();
    [
        get("GET", "/products?category=shoes&size=42&colour=black&page=3"),
        post("JSON 4 KiB", json, orders(4 << 10), 1),
        post("JSON 64 KiB", json, orders(64 << 10), 20),
        post("form, 1 field 4 KiB", form, text(4 << 10), 1),
        post("form, 1 field 64 KiB", form, text(64 << 10), 20),
        post("form, 1 field 128 KiB", form, text(128 << 10), 50),
    ]
}

fn words(length: usize) -> String {
    "The table is of solid oak and seats six to eight people. ".chars().cycle().take(length).collect()
}

fn orders(length: usize) -> Vec<u8> {
    let line = |number: usize| serde_json::json!({"sku": format!("CH-{number}"), "qty": 2, "note": words(600)});
    let mut lines = Vec::new();
    let mut body = Vec::new();
    while body.len() < length {
        lines.push(line(lines.len()));
        body = serde_json::json!({"customer": "c_812", "lines": lines}).to_string().into_bytes();
    }
    body
}

fn headers(case: &Case) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("host", "www.shop.example".to_owned()),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0".to_owned()),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8".to_owned()),
        ("accept-language", "en-GB,en;q=0.5".to_owned()),
        ("cookie", "session=0123456789abcdef; lang=en".to_owned()),
    ];
    if let Some(kind) = case.kind {
        headers.extend([("content-type", kind.to_owned()), ("content-length", case.body.len().to_string())]);
    }
    headers
}

fn direct(rules: &RuleSet, case: &Case) -> Result<Duration, Failure> {
    let headers = headers(case);
    let headers: Vec<(&[u8], &[u8])> =
        headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let request = Request {
        client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        method: case.method.as_bytes(),
        target: case.target.as_bytes(),
        protocol: b"HTTP/1.1",
        headers: &headers,
        body: &case.body,
    };
    let profile = Profile { max_body: 8 << 20, ..Profile::default() };
    let started = Instant::now();
    let verdict = rules.inspect(&request, &profile, SystemTime::now())?;
    let took = started.elapsed();
    if verdict.is_block() { Err(format!("{} is refused: {verdict:?}", case.name).into()) } else { Ok(took) }
}

async fn through(mut client: ExternalProcessorClient<Channel>, case: &Case) -> Result<Duration, Failure> {
    let route = Value { kind: Some(Kind::StringValue("httproute/acme/web/rule/0".into())) };
    let attributes = Struct { fields: HashMap::from([("xds.route_name".to_owned(), route)]) };
    let pseudo = [(":method", case.method.to_owned()), (":path", case.target.to_owned())];
    let header = |(key, value): (&str, String)| HeaderValue {
        key: key.to_owned(),
        raw_value: value.into_bytes(),
        ..HeaderValue::default()
    };
    let headers = HttpHeaders {
        headers: Some(HeaderMap { headers: pseudo.into_iter().chain(headers(case)).map(header).collect() }),
        end_of_stream: case.body.is_empty(),
        ..HttpHeaders::default()
    };
    let first = ProcessingRequest {
        attributes: HashMap::from([("envoy.filters.http.ext_proc".to_owned(), attributes)]),
        request: Some(Message::RequestHeaders(headers)),
        ..ProcessingRequest::default()
    };
    let body = HttpBody { body: case.body.clone(), end_of_stream: true, ..HttpBody::default() };
    let second = ProcessingRequest { request: Some(Message::RequestBody(body)), ..ProcessingRequest::default() };

    let started = Instant::now();
    let (sender, messages) = unbounded();
    sender.unbounded_send(first)?;
    let mut stream = client.process(messages).await?.into_inner();
    goes_on(case, stream.message().await?)?;
    if !case.body.is_empty() {
        sender.unbounded_send(second)?;
        goes_on(case, stream.message().await?)?;
    }
    Ok(started.elapsed())
}

fn goes_on(case: &Case, answer: Option<ProcessingResponse>) -> Result<(), Failure> {
    match answer.and_then(|answer| answer.response) {
        Some(Response::RequestHeaders(_) | Response::RequestBody(_)) => Ok(()),
        other => Err(format!("{} is refused: {other:?}", case.name).into()),
    }
}

/// In milliseconds.
struct Quantiles {
    p50: f64,
    p99: f64,
}

impl Quantiles {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |hundredths: usize| times[(times.len() * hundredths / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
        Self { p50: at(50), p99: at(99) }
    }

    fn shown(&self) -> String {
        format!("{:.2} / {:.2}", self.p50, self.p99)
    }
}
