//! One request, as the messages of its stream: what to answer, and what to inspect. No engine, no network, no clock.

use std::sync::Arc;

use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse};

use super::identity::{Attributes, Unattributed};
use super::received::{Answered, Received};
use super::reply;
use crate::profile::Mode;
use crate::profiles::{Profiles, Tenant};
use crate::rules::MAX_BODY;

/// A request whose tenant is known.
#[derive(Debug)]
pub struct Subject {
    /// Whose it is.
    pub tenant: Arc<Tenant>,
    /// The data plane's name of the route.
    pub route: String,
    /// The request.
    pub request: Received,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Answer, and wait for the next message.
    Reply(Box<ProcessingResponse>),
    /// Inspect; when it passes, this is the answer.
    Inspect(Arc<Subject>, Box<ProcessingResponse>),
    /// Inspect what the upstream answered; when it passes, this is the answer.
    InspectAnswer(Arc<Subject>, Box<Answered>, Box<ProcessingResponse>),
    /// The body is longer than the tenant's cap, which the length already says.
    TooLong(Arc<Subject>),
    /// Refuse: nothing can be said of this request.
    Refuse(Refusal),
}

/// Why a request is refused without having been inspected.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nobody's.
    #[error("it belongs to nobody: {why}; route {route:?}")]
    Unattributed {
        /// Why.
        why: Unattributed,
        /// The data plane's name of the route.
        route: String,
        /// What the client is told.
        request_id: String,
    },
    /// The data plane does not send what has to be inspected.
    #[error("the data plane is not set up to have bodies inspected: {0}")]
    Mode(&'static str),
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    AwaitsBody(Box<Subject>),
    /// The request, where its answer is to be inspected.
    Inspected(Option<Arc<Subject>>),
    AwaitsAnswer(Arc<Subject>, Box<Answered>),
}

/// A stream's state.
#[derive(Debug, Default)]
pub struct Exchange {
    state: State,
    /// Whether the upstream's body comes, and comes whole.
    answers: AnswerBody,
}

/// How the data plane sends the body of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum AnswerBody {
    #[default]
    Whole,
    None,
    Pieces,
}

impl AnswerBody {
    fn of(mode: i32) -> Self {
        match BodySendMode::try_from(mode) {
            Ok(BodySendMode::Buffered) => Self::Whole,
            Ok(BodySendMode::None) => Self::None,
            _ => Self::Pieces,
        }
    }
}

impl Exchange {
    /// Takes the next message.
    pub fn step(&mut self, message: ProcessingRequest, profiles: &Profiles) -> Step {
        let mode = message.protocol_config.map(|config| config.request_body_mode);
        if let Some(config) = &message.protocol_config {
            self.answers = AnswerBody::of(config.response_body_mode);
        }
        let Some(request) = message.request else { return Step::Refuse(Refusal::Mode("a message without content")) };
        match (request, std::mem::take(&mut self.state)) {
            (Request::RequestHeaders(headers), State::Start) => {
                self.headers(headers, &Attributes::of(message.attributes), mode, profiles)
            }
            (Request::RequestBody(body), State::AwaitsBody(subject)) => self.body(body, *subject),
            (Request::ResponseHeaders(headers), State::Inspected(Some(subject))) => self.answer(headers, subject),
            (Request::ResponseBody(body), State::AwaitsAnswer(subject, mut answer)) => {
                self.state = State::Inspected(None);
                answer.body = body.body;
                Step::InspectAnswer(subject, answer, Box::new(reply::pass_response_body()))
            }
            (other, State::Inspected(subject)) => {
                self.state = State::Inspected(subject);
                after(&other)
            }
            _ => Step::Refuse(Refusal::Mode("the body did not come, or the headers did not")),
        }
    }

    fn headers(&mut self, sent: HttpHeaders, attributes: &Attributes, mode: Option<i32>, profiles: &Profiles) -> Step {
        let request = Received::new(sent.headers.unwrap_or_default(), attributes);
        let route = attributes.route().to_owned();
        let tenant = match attributes.tenant(profiles) {
            Ok(tenant) => tenant,
            Err(why) => return Step::Refuse(Refusal::Unattributed { why, route, request_id: request.id() }),
        };
        let subject = Box::new(Subject { tenant, route, request });
        if sent.end_of_stream {
            return self.inspect(*subject, reply::pass_headers());
        }
        if subject.request.is_websocket() {
            let subject = Arc::new(*subject);
            self.state = State::Inspected(None);
            return Step::Inspect(subject, Box::new(reply::pass_handshake()));
        }
        // A streamed body would reach the upstream piece by piece, before its end was seen.
        if mode.is_some_and(|mode| mode != i32::from(BodySendMode::Buffered)) {
            return Step::Refuse(Refusal::Mode("its request body mode has to be Buffered"));
        }
        if subject.announces_too_much() {
            return Step::TooLong(Arc::new(*subject));
        }
        self.state = State::AwaitsBody(subject);
        Step::Reply(Box::new(reply::pass_headers()))
    }

    fn body(&mut self, sent: HttpBody, mut subject: Subject) -> Step {
        subject.request.body = sent.body;
        self.inspect(subject, reply::pass_body())
    }

    /// The request is kept only for an answer that is to be inspected: it holds its body.
    fn inspect(&mut self, subject: Subject, pass: ProcessingResponse) -> Step {
        let subject = Arc::new(subject);
        self.state = State::Inspected(subject.tenant.profile.inspect_answers.then(|| Arc::clone(&subject)));
        Step::Inspect(subject, Box::new(pass))
    }

    fn answer(&mut self, sent: HttpHeaders, subject: Arc<Subject>) -> Step {
        let answer = Box::new(Answered::new(sent.headers.unwrap_or_default()));
        self.state = State::Inspected(None);
        let pass = Box::new(reply::pass_response_headers());
        if sent.end_of_stream {
            return Step::InspectAnswer(subject, answer, pass);
        }
        match self.answers {
            AnswerBody::None => Step::InspectAnswer(subject, answer, pass),
            AnswerBody::Pieces => Step::Refuse(Refusal::Mode("its response body mode has to be Buffered")),
            AnswerBody::Whole => {
                self.state = State::AwaitsAnswer(subject, answer);
                Step::Reply(pass)
            }
        }
    }
}

impl Subject {
    fn announces_too_much(&self) -> bool {
        let profile = &self.tenant.profile;
        let cap = u64::from(profile.max_body.min(MAX_BODY));
        profile.mode == Mode::Block && self.request.content_length().is_some_and(|length| length > cap)
    }
}

/// What follows a verdict: trailers, and what the upstream answered.
fn after(message: &Request) -> Step {
    Step::Reply(Box::new(match message {
        Request::RequestTrailers(_) => reply::pass_trailers(),
        Request::ResponseHeaders(_) => reply::pass_response_headers(),
        Request::ResponseBody(_) => reply::pass_response_body(),
        Request::ResponseTrailers(_) => reply::pass_response_trailers(),
        Request::RequestHeaders(_) => return Step::Refuse(Refusal::Mode("a second request in one stream")),
        // More of a body that was judged already: the mode is a streaming one.
        Request::RequestBody(_) => return Step::Refuse(Refusal::Mode("its request body mode has to be Buffered")),
    }))
}
