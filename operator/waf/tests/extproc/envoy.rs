//! Envoy's part of the conversation.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use octroi_waf::extproc::{AuditLog, Files, Limits, Shared, Watched, serve};
use octroi_waf::{Profiles, RuleSet};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::support::rules;

pub const PROFILES: &str = "
tenants:
  acme: {namespaces: [acme]}
  lab: {namespaces: [lab], waf: {mode: Detect}}
  strict: {namespaces: [strict], waf: {paranoiaLevel: 2}}
  answers: {namespaces: [answers], waf: {inspectAnswers: true}}
  small: {namespaces: [small], waf: {requestBodyLimit: 64}}
  excluding:
    namespaces: [excluding]
    waf:
      exclusions:
        - {ruleId: 942100, pathPrefix: /notes, parameter: text, reason: a test, expires: 2999-12-31}
        - {ruleId: 942100, pathPrefix: /notes, parameter: over, reason: a test, expires: 2020-12-31}
";

const FILTER: &str = "envoy.filters.http.ext_proc";
const BUFFERED: i32 = 2;

/// What Envoy Gateway calls a route of a tenant.
pub fn route(tenant: &str) -> (&'static str, String) {
    ("xds.route_name", format!("httproute/{tenant}/web/rule/0/match/0/www"))
}

/// What kgateway calls the entry of a tenant.
pub fn chain(tenant: &str) -> (&'static str, String) {
    ("xds.filter_chain_name", format!("gw-{tenant}/{tenant}/https"))
}

/// A request that Envoy got.
#[derive(Clone)]
pub struct Sent {
    headers: Vec<(String, String)>,
    bodies: Vec<Vec<u8>>,
    attributes: HashMap<String, Struct>,
    mode: i32,
    answer_mode: i32,
    is_open: bool,
}

impl Sent {
    pub fn get(target: &str) -> Self {
        let headers = [(":method", "GET"), (":path", target), (":authority", "www.acme.example"), (":scheme", "https")];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self {
            headers,
            bodies: Vec::new(),
            attributes: HashMap::new(),
            mode: BUFFERED,
            answer_mode: BUFFERED,
            is_open: false,
        }
    }

    pub fn post(kind: &str, body: &[u8]) -> Self {
        let mut sent = Self::get("/").header("content-type", kind);
        sent.headers[0].1 = "POST".into();
        sent.more(body)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn more(mut self, body: &[u8]) -> Self {
        self.bodies.push(body.to_vec());
        self
    }

    /// More may follow the headers, though none is sent.
    pub fn stays_open(mut self) -> Self {
        self.is_open = true;
        self
    }

    pub fn mode(mut self, mode: i32) -> Self {
        self.mode = mode;
        self
    }

    pub fn answer_mode(mut self, mode: i32) -> Self {
        self.answer_mode = mode;
        self
    }

    pub fn by(self, attribute: (&str, String)) -> Self {
        self.by_filter(FILTER, attribute)
    }

    pub fn by_filter(mut self, filter: &str, (name, value): (&str, String)) -> Self {
        let fields = &mut self.attributes.entry(filter.into()).or_default().fields;
        fields.insert(name.into(), Value { kind: Some(Kind::StringValue(value)) });
        self
    }

    fn first(&self) -> ProcessingRequest {
        let header = |(key, value): &(String, String)| HeaderValue {
            key: key.clone(),
            raw_value: value.clone().into_bytes(),
            ..HeaderValue::default()
        };
        let headers = HttpHeaders {
            headers: Some(HeaderMap { headers: self.headers.iter().map(header).collect() }),
            end_of_stream: self.bodies.is_empty() && !self.is_open,
            ..HttpHeaders::default()
        };
        let config = ProtocolConfiguration {
            request_body_mode: self.mode,
            response_body_mode: self.answer_mode,
            ..ProtocolConfiguration::default()
        };
        ProcessingRequest {
            attributes: self.attributes.clone(),
            protocol_config: Some(config),
            request: Some(Request::RequestHeaders(headers)),
            ..ProcessingRequest::default()
        }
    }
}

/// What came of a request.
pub struct Answer {
    answers: Vec<ProcessingResponse>,
    error: Option<Status>,
    expected: usize,
}

impl Answer {
    /// Whether every message was answered by "go on".
    pub fn passes(&self) -> bool {
        let go_on = |answer: &ProcessingResponse| {
            matches!(
                answer.response,
                Some(
                    Response::RequestHeaders(_)
                        | Response::RequestBody(_)
                        | Response::ResponseHeaders(_)
                        | Response::ResponseBody(_)
                )
            )
        };
        self.error.is_none() && self.answers.len() == self.expected && self.answers.iter().all(go_on)
    }

    /// The status and the body that the client gets.
    pub fn refused(&self) -> (i32, String) {
        match self.answers.last().and_then(|answer| answer.response.clone()) {
            Some(Response::ImmediateResponse(answer)) => {
                (answer.status.unwrap().code, String::from_utf8(answer.body).unwrap())
            }
            other => panic!("it was not refused: {other:?}, {:?}", self.error),
        }
    }

    pub fn failed(self) -> Status {
        self.error.unwrap()
    }

    pub fn messages(&self) -> usize {
        self.answers.len()
    }
}

/// A stream whose headers were answered.
pub struct Open {
    sender: Option<UnboundedSender<ProcessingRequest>>,
    bodies: Vec<Vec<u8>>,
    stream: Streaming<ProcessingResponse>,
    answer: Answer,
}

impl Open {
    async fn take(&mut self) -> bool {
        match self.stream.message().await {
            Ok(Some(answer)) => {
                let goes_on = !matches!(answer.response, Some(Response::ImmediateResponse(_)));
                self.answer.answers.push(answer);
                goes_on
            }
            Ok(None) => false,
            Err(error) => {
                self.answer.error = Some(error);
                false
            }
        }
    }

    /// What the service made of the mode for bodies, in its answer to the headers.
    pub fn body_mode_override(&self) -> Option<i32> {
        self.answer.answers.first()?.mode_override.map(|mode| mode.request_body_mode)
    }

    /// Sends what the upstream answered, after the headers of a request without a body.
    pub async fn answered(&mut self, status: &str, body: Option<&[u8]>) -> Answer {
        let value = |key: &str, value: &str| HeaderValue {
            key: key.to_owned(),
            raw_value: value.as_bytes().to_vec(),
            ..HeaderValue::default()
        };
        let headers = HttpHeaders {
            headers: Some(HeaderMap { headers: vec![value(":status", status), value("content-type", "text/plain")] }),
            end_of_stream: body.is_none(),
            ..HttpHeaders::default()
        };
        let body = body.map(|body| HttpBody { body: body.to_vec(), end_of_stream: true, ..HttpBody::default() });
        let messages = [Some(Request::ResponseHeaders(headers)), body.map(Request::ResponseBody)];
        for request in messages.into_iter().flatten() {
            let message = ProcessingRequest { request: Some(request), ..ProcessingRequest::default() };
            self.answer.expected += 1;
            self.sender.as_ref().unwrap().unbounded_send(message).unwrap();
            if !self.take().await {
                break;
            }
        }
        let expected = self.answer.expected;
        std::mem::replace(&mut self.answer, Answer { answers: Vec::new(), error: None, expected })
    }

    /// Sends the bodies, as long as the service says to go on.
    pub async fn finish(&mut self) -> Answer {
        let bodies = std::mem::take(&mut self.bodies);
        let last = bodies.len();
        for (index, body) in bodies.into_iter().enumerate() {
            let body = HttpBody { body, end_of_stream: index + 1 == last, ..HttpBody::default() };
            let message =
                ProcessingRequest { request: Some(Request::RequestBody(body)), ..ProcessingRequest::default() };
            self.sender.as_ref().unwrap().unbounded_send(message).unwrap();
            if !self.take().await {
                break;
            }
        }
        self.sender = None;
        let expected = self.answer.expected;
        std::mem::replace(&mut self.answer, Answer { answers: Vec::new(), error: None, expected })
    }
}

struct Lines(Sender<Vec<u8>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The service, and a connection to it.
pub struct Envoy {
    client: ExternalProcessorClient<Channel>,
    pub shared: Arc<Shared>,
    pub shutdown: CancellationToken,
    audit: Receiver<Vec<u8>>,
    task: JoinHandle<()>,
}

impl Envoy {
    pub async fn start(profiles: &str) -> Self {
        Self::start_with(profiles, Limits { workers: 2, in_flight: 100 }).await
    }

    pub async fn start_with(profiles: &str, limits: Limits) -> Self {
        Self::serving(rules(), Profiles::parse(profiles).unwrap(), limits).await
    }

    /// With rules and profiles in a folder of their own.
    pub async fn start_with_files(profiles: &str) -> (Self, Watched, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
        let to = folder.path().join("rules");
        std::fs::create_dir_all(to.join("@owasp_crs")).unwrap();
        for name in ["@crs-setup.conf.example", "@owasp_crs/rules.conf"] {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
        let file = folder.path().join("profiles.yaml");
        std::fs::write(&file, profiles).unwrap();
        let (watched, rules, profiles) = Files { rules: Some(to), profiles: Some(file) }.load().unwrap();
        (Self::serving(rules, profiles, Limits { workers: 2, in_flight: 100 }).await, watched, folder)
    }

    async fn serving(rules: RuleSet, profiles: Profiles, limits: Limits) -> Self {
        let (lines, audit) = channel();
        let shared = Arc::new(Shared::new(rules, profiles, AuditLog::new(Lines(lines)).unwrap(), limits));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let service = serve(listener, Arc::clone(&shared), shutdown.clone());
        let task = tokio::spawn(async { service.await.unwrap() });
        let client = ExternalProcessorClient::connect(format!("http://{address}")).await.unwrap();
        Self { client, shared, shutdown, audit, task }
    }

    /// Sends the headers, and takes the answer to them.
    pub async fn open(&self, sent: &Sent) -> Open {
        let (sender, messages) = unbounded();
        sender.unbounded_send(sent.first()).unwrap();
        let expected = 1 + sent.bodies.len();
        let stream = self.client.clone().process(messages).await.unwrap().into_inner();
        let answer = Answer { answers: Vec::new(), error: None, expected };
        let mut open = Open { sender: Some(sender), bodies: sent.bodies.clone(), stream, answer };
        if !open.take().await {
            open.bodies.clear();
        }
        open
    }

    pub async fn ask(&self, sent: &Sent) -> Answer {
        self.open(sent).await.finish().await
    }

    pub fn metrics(&self) -> String {
        self.shared.metrics.encode()
    }

    /// The next line of the audit log.
    pub fn audit_line(&self) -> serde_json::Value {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.extend(self.audit.recv_timeout(Duration::from_secs(10)).unwrap());
        }
        serde_json::from_slice(&line).unwrap()
    }

    /// Waits until the service has ended.
    pub async fn ended(self) {
        drop(self.client);
        self.task.await.unwrap();
    }
}
