//! One request, as the messages of its stream: what to answer, and what to inspect. No engine, no network, no clock.

use std::sync::Arc;

use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse};

use super::identity::{Attributes, Unattributed};
use super::received::Received;
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
    Inspect(Box<Subject>, Box<ProcessingResponse>),
    /// The body is longer than the tenant's cap, which the length already says.
    TooLong(Box<Subject>),
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
    Inspected,
}

/// A stream's state.
#[derive(Debug, Default)]
pub struct Exchange {
    state: State,
}

impl Exchange {
    /// Takes the next message.
    pub fn step(&mut self, message: ProcessingRequest, profiles: &Profiles) -> Step {
        let mode = message.protocol_config.map(|config| config.request_body_mode);
        let Some(request) = message.request else { return Step::Refuse(Refusal::Mode("a message without content")) };
        match (request, std::mem::take(&mut self.state)) {
            (Request::RequestHeaders(headers), State::Start) => {
                self.headers(headers, &Attributes::of(message.attributes), mode, profiles)
            }
            (Request::RequestBody(body), State::AwaitsBody(subject)) => self.body(body, *subject),
            (other, State::Inspected) => {
                self.state = State::Inspected;
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
            self.state = State::Inspected;
            return Step::Inspect(subject, Box::new(reply::pass_headers()));
        }
        if subject.request.is_websocket() {
            self.state = State::Inspected;
            return Step::Inspect(subject, Box::new(reply::pass_handshake()));
        }
        // A streamed body would reach the upstream piece by piece, before its end was seen.
        if mode.is_some_and(|mode| mode != i32::from(BodySendMode::Buffered)) {
            return Step::Refuse(Refusal::Mode("its request body mode has to be Buffered"));
        }
        if subject.announces_too_much() {
            return Step::TooLong(subject);
        }
        self.state = State::AwaitsBody(subject);
        Step::Reply(Box::new(reply::pass_headers()))
    }

    fn body(&mut self, sent: HttpBody, mut subject: Subject) -> Step {
        self.state = State::Inspected;
        subject.request.body = sent.body;
        Step::Inspect(Box::new(subject), Box::new(reply::pass_body()))
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
