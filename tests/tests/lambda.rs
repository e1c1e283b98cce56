//! Functions of AWS Lambda through a real Envoy, configured as kgateway 2.4 turns the golden file's Backend into a cluster, against
//! a server that speaks Lambda's Invoke and verifies every signature. Needs no cluster.
//!
//! What is not seen: kgateway's own translator, and TLS to AWS; `docs/upstreams.md` has what its source says of both.
#![cfg(test)]

#[path = "lambda/aws.rs"]
mod aws;
#[path = "observability/envoy.rs"]
#[allow(dead_code, reason = "the tests of observability use the rest")]
mod envoy;
#[path = "docs/markdown.rs"]
#[allow(dead_code, reason = "the tests of the documentation use the rest")]
mod markdown;
#[path = "lambda/proxy.rs"]
mod proxy;

use aws::{Aws, Caller};
use proxy::{Guest, Proxy};
use serde_json::{Value, json};

const ACME: Caller = Caller { access_key: "AKIAACME", secret_key: "acme/secret+key", session_token: None };
const GLOBEX: Caller =
    Caller { access_key: "ASIAGLOBEX", secret_key: "globex-secret-key", session_token: Some("globex-token") };
/// What the proxy's own pod would have.
const OWN: Caller =
    Caller { access_key: "ASIAPROXY", secret_key: "proxy-secret-key", session_token: Some("proxy-token") };

/// The answer's code and body.
fn read(answer: &str) -> (u16, Value) {
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{answer}"));
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (code, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: www.example\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tenants_function_is_called_with_its_own_credentials_and_never_with_the_proxys() {
    // AWS would take the proxy's own role, which makes it the worse if it is used.
    let aws = Aws::start(&[ACME, GLOBEX, OWN]).await;
    let guests = [Guest::new("acme", ACME), Guest::new("globex", GLOBEX)];
    let mut proxy = Proxy::start(&aws, &guests, OWN);
    for (number, (guest, caller)) in guests.iter().zip([ACME, GLOBEX]).enumerate() {
        let (code, seen) = read(&proxy.ask(number, &get("/thumb?size=2", "")));
        assert_eq!((code, &seen["accessKey"]), (200, &json!(caller.access_key)), "{}: {seen}", guest.name);
        let arn = format!("arn:aws:lambda:eu-west-3:123456789012:function:{}:live", guest.name);
        assert_eq!(seen["path"], json!(format!("/2015-03-31/functions/{arn}/invocations")));
        assert_eq!(seen["authority"], "lambda.eu-west-3.amazonaws.com");
        assert_eq!((&seen["event"]["raw_path"], &seen["event"]["method"]), (&json!("/thumb?size=2"), &json!("GET")));
    }
    let dump = proxy.configuration();
    for caller in [ACME, GLOBEX] {
        assert!(dump.contains(caller.access_key), "the dump has the credentials at all");
        assert!(!dump.contains(caller.secret_key), "the admin interface shows a secret key");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_call_nothing_and_are_not_answered() {
    let aws = Aws::start(&[ACME, OWN]).await;
    let wrong = [
        Caller { secret_key: "another-secret", ..ACME },
        Caller { access_key: "AKIANOBODY", ..ACME },
        Caller { session_token: Some("stale-token"), ..ACME },
    ];
    let proxy = Proxy::start(&aws, &wrong.map(|caller| Guest::new("acme", caller)), OWN);
    for (number, caller) in wrong.iter().enumerate() {
        let answer = proxy.ask(number, &get("/", ""));
        let (code, _) = read(&answer);
        assert_eq!(code, 403, "{number}: {answer}");
        assert!(!answer.contains(caller.secret_key), "{answer}");
    }
    assert_eq!(aws.calls(), 0, "nothing ran");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_sends_changes_neither_the_caller_nor_what_is_called() {
    let aws = Aws::start(&[ACME, GLOBEX, OWN]).await;
    let proxy = Proxy::start(&aws, &[Guest::new("acme", ACME)], OWN);
    let forged = "Authorization: AWS4-HMAC-SHA256 Credential=ASIAPROXY/20260101/eu-west-3/lambda/aws4_request, SignedHeaders=host, Signature=00\r\n\
        X-Amz-Date: 20000101T000000Z\r\nX-Amz-Security-Token: proxy-token\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n\
        X-Amz-Invocation-Type: Event\r\nX-Amz-Log-Type: Tail\r\nX-Amz-Client-Context: e30=\r\nX-Amz-Tenant-Id: globex\r\n\
        X-Amz-Durable-Execution-Name: x\r\n";
    for path in ["/", "/../../functions/other/invocations", "/2015-03-31/functions/other/invocations?Qualifier=1"] {
        let (code, seen) = read(&proxy.ask(0, &get(path, forged)));
        assert_eq!((code, &seen["accessKey"]), (200, &json!(ACME.access_key)), "{path}: {seen}");
        let called = seen["path"].as_str().unwrap_or_default();
        assert!(called.ends_with(":function:acme:live/invocations"), "{path}: {called}");
        let ours = ["x-amz-content-sha256", "x-amz-date", "x-amz-invocation-type"];
        assert_eq!(seen["amzHeaders"], json!(ours), "{path}: nothing of the client's is left");
        assert_eq!(seen["invocationType"], "RequestResponse", "{path}");
    }
}

/// Why a Backend without `auth` is never written: this is what kgateway makes of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credentials_of_its_own_a_function_would_be_called_as_the_proxy() {
    let aws = Aws::start(&[ACME, OWN]).await;
    let nobody = Guest { caller: None, ..Guest::new("acme", ACME) };
    let proxy = Proxy::start(&aws, &[nobody], OWN);
    let (code, seen) = read(&proxy.ask(0, &get("/", "")));
    assert_eq!((code, &seen["accessKey"]), (200, &json!(OWN.access_key)), "{seen}");
}

/// Why the policy of the entry removes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_policy_a_client_would_be_answered_the_functions_log() {
    let aws = Aws::start(&[ACME]).await;
    let open = Guest { removes: Vec::new(), ..Guest::new("acme", ACME) };
    let proxy = Proxy::start(&aws, &[open, Guest::new("acme", ACME)], OWN);
    let asks = get("/", "X-Amz-Log-Type: Tail\r\n");
    assert!(proxy.ask(0, &asks).contains("x-amz-log-result"));
    assert!(!proxy.ask(1, &asks).contains("x-amz-log-result"));
}
