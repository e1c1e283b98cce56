//! The firewall as a service that Envoy asks: `envoy.service.ext_proc.v3.ExternalProcessor`, one stream a request.
//!
//! It keeps nothing between two requests. Whose a request is comes from Envoy's attributes only; what belongs to nobody is refused,
//! and so is what the data plane does not send whole.

mod audit;
mod exchange;
mod feed;
mod http;
mod identity;
mod metrics;
mod pool;
mod received;
mod reload;
mod reply;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse};
use futures::Stream;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

pub use audit::AuditLog;
pub use feed::Feed;
pub use http::serve as serve_http;
pub use metrics::Metrics;
pub use pool::Limits;
pub use reload::{Files, ReloadError, Watched, watch};

use crate::profiles::Profiles;
use crate::rules::{InspectError, MAX_BODY, RuleSet, Rules};
use crate::verdict::{Findings, Verdict};
use audit::{About, Action, Line};
use exchange::{Exchange, Refusal, Step, Subject};
use pool::{Pool, PoolError};
use received::Answered;

/// A message holds one body and little else: attributes, or nothing.
const MAX_MESSAGE: usize = MAX_BODY as usize + (1 << 20);

/// What all streams share, and what is replaced under them.
#[derive(Debug)]
pub struct Shared {
    /// The rules in use.
    pub rules: Rules,
    profiles: ArcSwap<Profiles>,
    /// What is counted.
    pub metrics: Metrics,
    audit: AuditLog,
    pool: Pool,
}

impl Shared {
    /// Starts with these.
    pub fn new(rules: RuleSet, profiles: Profiles, audit: AuditLog, limits: Limits) -> Self {
        let metrics = Metrics::default();
        metrics.serve(&profiles);
        let profiles = ArcSwap::from_pointee(profiles);
        Self { rules: Rules::new(rules), profiles, metrics, audit, pool: Pool::new(limits) }
    }

    /// The profiles in use.
    pub fn profiles(&self) -> Arc<Profiles> {
        self.profiles.load_full()
    }

    /// Takes other profiles into use. Requests under way end with those they began with.
    pub fn serve(&self, profiles: Profiles) {
        self.metrics.serve(&profiles);
        self.profiles.store(Arc::new(profiles));
    }

    async fn judge(
        &self,
        subject: Arc<Subject>,
        answer: Option<Answered>,
        pass: ProcessingResponse,
    ) -> Result<ProcessingResponse, Status> {
        let (rules, started, now) = (self.rules.current(), Instant::now(), SystemTime::now());
        let (is_answer, about) = (answer.is_some(), Arc::clone(&subject));
        let work = move || {
            let profile = &about.tenant.profile;
            about.request.with(|request| match &answer {
                None => rules.inspect(request, profile, now),
                Some(answer) => answer.with(|answer| rules.inspect_answer(request, answer, profile, now)),
            })
        };
        let verdict = self.pool.run(work).await.map_err(|error| self.no_place(&error))?;
        let verdict = verdict.map_err(|error| self.no_verdict(&subject, &error))?;
        let (status, findings) = match &verdict {
            Verdict::Pass(findings) => (None, findings),
            Verdict::Block { status, findings } => (Some(*status), findings),
        };
        let action = self.log(&subject, is_answer, status, findings, now);
        if is_answer {
            self.metrics.answered(action, started.elapsed());
        } else {
            self.metrics.judged(&subject.tenant.name, action, started.elapsed());
        }
        Ok(match status {
            None => pass,
            Some(_) if is_answer => reply::withheld(&subject.request.id(), subject.request.is_grpc()),
            Some(status) => refused(&subject, status),
        })
    }

    /// Refuses a body that is announced to be too long, before it comes.
    fn refuse_length(&self, subject: &Subject) -> ProcessingResponse {
        let findings = Findings { is_attack: true, body_too_long: true, ..Findings::default() };
        let action = self.log(subject, false, Some(413), &findings, SystemTime::now());
        self.metrics.judged(&subject.tenant.name, action, std::time::Duration::ZERO);
        refused(subject, 413)
    }

    fn log(
        &self,
        subject: &Subject,
        is_answer: bool,
        status: Option<u16>,
        findings: &Findings,
        now: SystemTime,
    ) -> Action {
        let request_id = subject.request.id();
        let about = About { tenant: &subject.tenant.name, route: &subject.route, request_id: &request_id, is_answer };
        let line = Line::new(about, subject.tenant.profile.mode, status, findings, now);
        let (action, is_clean) =
            (line.action(), status.is_none() && findings.rules.is_empty() && !findings.body_too_long);
        if !is_clean && !self.audit.write(line) {
            self.metrics.lost_line();
        }
        action
    }

    /// Whether the request then goes on is for the data plane to say: its filter is set up to fail open or closed.
    fn no_verdict(&self, subject: &Subject, error: &InspectError) -> Status {
        self.metrics.ended("failed");
        let (tenant, request_id) = (&subject.tenant.name, subject.request.id());
        tracing::error!(tenant, request_id, %error, "a request was not judged");
        Status::internal("the firewall has no verdict")
    }

    /// As [`Shared::no_verdict`].
    fn no_place(&self, error: &PoolError) -> Status {
        let is_overload = matches!(error, PoolError::Overloaded);
        self.metrics.ended(if is_overload { "overloaded" } else { "failed" });
        // An overload is told by the metric: a line for each request would make it worse.
        if !is_overload {
            tracing::error!(%error, "a request was not judged");
        }
        if is_overload { Status::resource_exhausted(error.to_string()) } else { Status::internal(error.to_string()) }
    }

    /// Refused whatever the data plane does about failures: letting it pass would serve it without a firewall.
    fn refuse(&self, refusal: &Refusal) -> ProcessingResponse {
        let (result, id) = match refusal {
            Refusal::Unattributed { request_id, .. } => ("unattributed", request_id.as_str()),
            Refusal::Mode(_) => ("misconfigured", "-"),
        };
        self.metrics.ended(result);
        tracing::error!(request_id = id, reason = %refusal, "a request was refused without being judged");
        reply::refused(500, id, false, "octroi_waf_refused")
    }
}

fn refused(subject: &Subject, status: u16) -> ProcessingResponse {
    reply::refused(status, &subject.request.id(), subject.request.is_grpc(), "octroi_waf_blocked")
}

/// One stream, between two messages.
struct Conversation {
    shared: Arc<Shared>,
    messages: Streaming<ProcessingRequest>,
    exchange: Exchange,
    is_over: bool,
}

impl Conversation {
    /// The next answer; none when Envoy is through, or the request was refused.
    async fn next(mut self) -> Result<Option<(ProcessingResponse, Self)>, Status> {
        if self.is_over {
            return Ok(None);
        }
        let Some(message) = self.messages.message().await? else { return Ok(None) };
        let step = self.exchange.step(message, &self.shared.profiles.load());
        let answer = match step {
            Step::Reply(answer) => *answer,
            Step::Inspect(subject, pass) => self.shared.judge(subject, None, *pass).await?,
            Step::InspectAnswer(subject, answer, pass) => self.shared.judge(subject, Some(*answer), *pass).await?,
            Step::TooLong(subject) => self.shared.refuse_length(&subject),
            Step::Refuse(refusal) => self.shared.refuse(&refusal),
        };
        self.is_over = reply::is_last(&answer);
        Ok(Some((answer, self)))
    }
}

/// The service.
struct Processor(Arc<Shared>);

#[tonic::async_trait]
impl ExternalProcessor for Processor {
    type ProcessStream = Pin<Box<dyn Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let conversation = Conversation {
            shared: Arc::clone(&self.0),
            messages: request.into_inner(),
            exchange: Exchange::default(),
            is_over: false,
        };
        Ok(Response::new(Box::pin(futures::stream::try_unfold(conversation, Conversation::next))))
    }
}

/// Serves until `shutdown`, and then until the last stream has ended; beside it gRPC's own health service, which says first that no
/// new ones should come.
///
/// # Errors
/// When the connection of the listener breaks.
pub async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ExternalProcessorServer<Processor>>().await;
    let processor = ExternalProcessorServer::new(Processor(shared)).max_decoding_message_size(MAX_MESSAGE);
    let drained = async move {
        shutdown.cancelled().await;
        reporter.set_not_serving::<ExternalProcessorServer<Processor>>().await;
    };
    tonic::transport::Server::builder()
        .add_service(health)
        .add_service(processor)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), drained)
        .await
}
