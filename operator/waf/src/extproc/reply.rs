//! The answers to Envoy.

use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{BodySendMode, HeaderSendMode};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyResponse, GrpcStatus, HeaderMutation, HeadersResponse, ImmediateResponse, ProcessingResponse, TrailersResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;

/// gRPC's `PERMISSION_DENIED` and `INTERNAL`.
const DENIED: u32 = 7;
const INTERNAL: u32 = 13;

/// The headers are fine.
pub fn pass_headers() -> ProcessingResponse {
    made(Response::RequestHeaders(HeadersResponse::default()))
}

/// The headers are fine, and nothing that follows them is sent: a WebSocket's handshake has no body, and what comes behind it never
/// ends. Envoy heeds that only where its filter is set up with `allow_mode_override`.
pub fn pass_handshake() -> ProcessingResponse {
    let skip = HeaderSendMode::Skip.into();
    let mode = ProcessingMode {
        response_header_mode: skip,
        request_body_mode: BodySendMode::None.into(),
        request_trailer_mode: skip,
        response_trailer_mode: skip,
        ..ProcessingMode::default()
    };
    ProcessingResponse { mode_override: Some(mode), ..pass_headers() }
}

/// The body is fine, and so are the headers.
pub fn pass_body() -> ProcessingResponse {
    made(Response::RequestBody(BodyResponse::default()))
}

/// Trailers are not inspected: no rule reads them.
pub fn pass_trailers() -> ProcessingResponse {
    made(Response::RequestTrailers(TrailersResponse::default()))
}

/// The headers of an answer are fine, or nobody asks what is in them.
pub fn pass_response_headers() -> ProcessingResponse {
    made(Response::ResponseHeaders(HeadersResponse::default()))
}

/// As [`pass_response_headers`].
pub fn pass_response_body() -> ProcessingResponse {
    made(Response::ResponseBody(BodyResponse::default()))
}

/// As [`pass_response_headers`].
pub fn pass_response_trailers() -> ProcessingResponse {
    made(Response::ResponseTrailers(TrailersResponse::default()))
}

/// The request ends here. The client learns the id to ask about, and nothing of rules; `details` is for Envoy's access log.
pub fn refused(status: u16, id: &str, is_grpc: bool, details: &'static str) -> ProcessingResponse {
    let why = match status {
        413 => "The body of the request is too large.",
        500.. => "The request cannot be served.",
        _ => "The request was refused by the web application firewall.",
    };
    ended(status, why, id, is_grpc, details)
}

/// The request was served, and the client does not get the answer.
pub fn withheld(id: &str, is_grpc: bool) -> ProcessingResponse {
    let why = "The answer was withheld by the web application firewall.";
    ended(403, why, id, is_grpc, "octroi_waf_answer_blocked")
}

fn ended(status: u16, why: &str, id: &str, is_grpc: bool, details: &'static str) -> ProcessingResponse {
    let plain = HeaderValue {
        key: "content-type".into(),
        raw_value: b"text/plain; charset=utf-8".to_vec(),
        ..HeaderValue::default()
    };
    let headers = HeaderMutation {
        set_headers: vec![HeaderValueOption { header: Some(plain), ..HeaderValueOption::default() }],
        ..HeaderMutation::default()
    };
    let code = if status >= 500 { INTERNAL } else { DENIED };
    made(Response::ImmediateResponse(ImmediateResponse {
        status: Some(HttpStatus { code: status.into() }),
        headers: Some(headers),
        body: format!("{why} Request id: {id}\n").into_bytes(),
        grpc_status: is_grpc.then_some(GrpcStatus { status: code }),
        details: details.to_owned(),
    }))
}

/// Whether nothing may follow it.
pub fn is_last(answer: &ProcessingResponse) -> bool {
    matches!(answer.response, Some(Response::ImmediateResponse(_)))
}

fn made(response: Response) -> ProcessingResponse {
    ProcessingResponse { response: Some(response), ..ProcessingResponse::default() }
}
