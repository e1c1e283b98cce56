//! AWS Lambda as a caller sees it: its Invoke by HTTP/2, and Signature Version 4 (docs.aws.amazon.com, IAM, "Create a signed AWS
//! API request"), verified by the algorithm as it is described there and not by whoever signs.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use ring::{digest, hmac};
use serde_json::{Value, json};

const REGION: &str = "eu-west-3";
/// AWS takes no older signature.
const MAX_SKEW_SECONDS: i64 = 300;

/// Credentials.
#[derive(Clone, Copy)]
pub struct Caller {
    pub access_key: &'static str,
    pub secret_key: &'static str,
    /// Of a role that was taken.
    pub session_token: Option<&'static str>,
}

/// Serves until the test ends.
pub struct Aws {
    /// Where it listens, without TLS.
    pub address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Aws {
    /// Knows these callers.
    pub async fn start(callers: &[Caller]) -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.unwrap_or_else(|error| panic!("{error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let calls = Arc::new(AtomicUsize::new(0));
        let (known, counter): (Arc<[Caller]>, _) = (callers.into(), Arc::clone(&calls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (known, counter) = (Arc::clone(&known), Arc::clone(&counter));
                let service = service_fn(move |request| answer(request, Arc::clone(&known), Arc::clone(&counter)));
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, calls }
    }

    /// Functions that ran.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

async fn answer(
    request: Request<Incoming>,
    known: Arc<[Caller]>,
    calls: Arc<AtomicUsize>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let (code, value) = match verified(&head, &body, &known) {
        Err(why) => (StatusCode::FORBIDDEN, json!({"message": why})),
        Ok(access_key) => {
            calls.fetch_add(1, Ordering::SeqCst);
            (StatusCode::OK, invoked(&head, &body, &access_key))
        }
    };
    let mut response = Response::new(Full::from(value.to_string()));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert("content-type", hyper::http::HeaderValue::from_static("application/json"));
    if text(&head, "x-amz-log-type") == "Tail" {
        headers.insert("x-amz-log-result", hyper::http::HeaderValue::from_static("bG9n"));
    }
    Ok(response)
}

/// The function answers what was seen of the call.
fn invoked(head: &Parts, body: &[u8], access_key: &str) -> Value {
    let mut amz: Vec<&str> = head.headers.keys().map(hyper::http::HeaderName::as_str).collect();
    amz.retain(|name| name.starts_with("x-amz-") && *name != "x-amz-security-token");
    amz.sort_unstable();
    let seen = json!({
        "accessKey": access_key,
        "path": head.uri.path(),
        "authority": authority(head),
        "amzHeaders": amz,
        "invocationType": text(head, "x-amz-invocation-type"),
        "event": serde_json::from_slice::<Value>(body).unwrap_or_default(),
    });
    json!({"statusCode": 200, "headers": {"content-type": "application/json"}, "body": seen.to_string()})
}

/// The access key of who signed.
fn verified(head: &Parts, body: &[u8], known: &[Caller]) -> Result<String, &'static str> {
    let authorization = text(head, "authorization");
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("Missing Authentication Token")?;
    let part = |name: &str| {
        let mut parts = parts.split(',').map(str::trim);
        parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).ok_or("IncompleteSignature")
    };
    let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let [access_key, date, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
        return Err("IncompleteSignature");
    };
    let caller = known.iter().find(|caller| caller.access_key == access_key);
    let caller = caller.ok_or("The security token included in the request is invalid.")?;
    if (region, service) != (REGION, "lambda") {
        return Err("Credential should be scoped to a valid region and service.");
    }
    let time = text(head, "x-amz-date");
    let at = DateTime::strptime("%Y%m%dT%H%M%SZ", &time).ok().and_then(|at| at.to_zoned(TimeZone::UTC).ok());
    let age = at.map(|at| (Timestamp::now().as_second() - at.timestamp().as_second()).abs());
    if !time.starts_with(date) || age.is_none_or(|age| age > MAX_SKEW_SECONDS) {
        return Err("Signature expired");
    }
    if text(head, "x-amz-security-token") != caller.session_token.unwrap_or_default() {
        return Err("The security token included in the request is invalid.");
    }
    let payload = hex(digest::digest(&digest::SHA256, body).as_ref());
    if text(head, "x-amz-content-sha256") != payload {
        return Err("The provided payload hash does not match");
    }
    let signed: Vec<&str> = signed.split(';').collect();
    let must = |name: &str| name.starts_with("x-amz-") && !signed.contains(&name);
    if !signed.contains(&"host") || head.headers.keys().any(|name| must(name.as_str())) {
        return Err("There were headers present in the request which were not signed.");
    }
    let headers =
        signed.iter().fold(String::new(), |text, name| text + name + ":" + &canonical_value(head, name) + "\n");
    let query = head.uri.query().unwrap_or_default();
    let request = format!(
        "{}\n{}\n{query}\n{headers}\n{}\n{payload}",
        head.method,
        canonical_path(head.uri.path()),
        signed.join(";")
    );
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let hashed = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{}", caller.secret_key).into_bytes();
    for step in [date, region, service, "aws4_request"] {
        key = keyed(&key, step);
    }
    let is_same = hex(&keyed(&key, &to_sign)) == signature;
    is_same.then(|| access_key.to_owned()).ok_or("The request signature we calculated does not match.")
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn text(head: &Parts, name: &str) -> String {
    let values = head.headers.get_all(name).iter();
    values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect::<Vec<_>>().join(",")
}

/// HTTP/2 has it beside the headers.
fn authority(head: &Parts) -> String {
    head.uri.authority().map_or_else(|| text(head, "host"), ToString::to_string)
}

fn canonical_value(head: &Parts, name: &str) -> String {
    let value = if name == "host" { authority(head) } else { text(head, name) };
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Of every service but S3, what is in the path already is escaped once more.
fn canonical_path(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().map(|byte| if is_plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") }).collect()
}
