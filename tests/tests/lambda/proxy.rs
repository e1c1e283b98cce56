//! A real Envoy with a listener and a cluster for each tenant, as kgateway 2.4 makes the cluster out of a Backend with `aws.lambda`
//! (`pkg/kgateway/extensions2/plugins/backend/aws.go`): two filters and a codec on the way to it, one for the path and the body, one
//! that signs. Instead of AWS it connects to an address of the test, without TLS.

use std::net::{SocketAddr, TcpStream};

use octroi_tests::manifest;
use serde_json::{Value, json};

use crate::aws::{Aws, Caller};
use crate::envoy::{EXTENSIONS, Envoy, exchange, free_addresses, manager, socket};
use crate::markdown::repository;

const GOLDEN: &str = "tests/golden/kgateway/massive.yaml";

/// A tenant with a function that is called as the tenant is.
pub struct Guest {
    pub name: &'static str,
    /// Without: whoever the proxy is.
    pub caller: Option<Caller>,
    /// Headers that the policy of its entry removes.
    pub removes: Vec<Value>,
}

impl Guest {
    /// With the golden file's policy.
    pub fn new(name: &'static str, caller: Caller) -> Self {
        let policy = golden("TrafficPolicy");
        let removes = policy["spec"]["headerModifiers"]["request"]["remove"].as_array().cloned();
        Self { name, caller: Some(caller), removes: removes.unwrap_or_else(|| panic!("{GOLDEN}: nothing is removed")) }
    }
}

/// Ends when it is dropped.
pub struct Proxy {
    envoy: Envoy,
    listeners: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Proxy {
    /// In an environment that has credentials of the proxy's own.
    pub fn start(aws: &Aws, guests: &[Guest], own: Caller) -> Self {
        let mut listeners = free_addresses(guests.len() + 1);
        let admin = listeners.remove(0);
        let all = guests.iter().enumerate();
        let bootstrap = json!({
            "node": {"id": "test", "cluster": "test"},
            "admin": {"address": socket(admin)},
            "static_resources": {
                "clusters": all.clone().map(|(at, guest)| cluster(at, guest, aws.address)).collect::<Vec<_>>(),
                "listeners": all.map(|(at, guest)| listener(at, guest, listeners[at])).collect::<Vec<_>>(),
            },
        });
        let environment = [
            ("AWS_ACCESS_KEY_ID", own.access_key),
            ("AWS_SECRET_ACCESS_KEY", own.secret_key),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_SESSION_TOKEN", own.session_token.unwrap_or_default()),
        ];
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let mut proxy = Self { envoy: Envoy::start(folder, &bootstrap, &environment), listeners, admin };
        let all: Vec<_> = proxy.listeners.iter().copied().chain([admin]).collect();
        proxy.envoy.until("listens", || all.iter().all(|at| TcpStream::connect(at).is_ok()));
        proxy
    }

    /// Sends these bytes to the listener of this tenant.
    pub fn ask(&self, guest: usize, request: &[u8]) -> String {
        exchange(self.listeners[guest], request)
    }

    /// What its admin interface shows of its configuration.
    pub fn configuration(&mut self) -> String {
        exchange(self.admin, b"GET /config_dump HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    }
}

fn golden(kind: &str) -> Value {
    let documents = manifest::read(&repository().join(GOLDEN)).unwrap_or_else(|error| panic!("{error}"));
    let found = documents.into_iter().find(|document| manifest::kind(&document.object) == kind);
    found.unwrap_or_else(|| panic!("{GOLDEN} has no {kind}")).object
}

fn extension(name: &str, config: &str, fields: &Value) -> Value {
    let mut typed = fields.clone();
    typed["@type"] = json!(format!("{EXTENSIONS}.{config}"));
    json!({"name": name, "typed_config": typed})
}

fn cluster(number: usize, guest: &Guest, aws: SocketAddr) -> Value {
    let backend = golden("Backend");
    let spec = &backend["spec"]["aws"];
    assert_eq!(spec["auth"]["type"], "Secret", "else the proxy's own credentials are used");
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (region, account) = (part(&spec["region"]), part(&spec["lambda"]["accountId"]));
    let arn =
        format!("arn:aws:lambda:{region}:{account}:function:{}:{}", guest.name, part(&spec["lambda"]["qualifier"]));
    let mut signing = json!({"service_name": "lambda", "region": region});
    if let Some(caller) = guest.caller {
        let mut credentials = json!({"access_key_id": caller.access_key, "secret_access_key": caller.secret_key});
        if let Some(token) = caller.session_token {
            credentials["session_token"] = json!(token);
        }
        signing["credential_provider"] = json!({"inline_credential": credentials});
    }
    let filters = [
        extension("envoy.filters.http.aws_lambda", "filters.http.aws_lambda.v3.Config", &json!({"arn": arn})),
        extension(
            "envoy.filters.http.aws_request_signing",
            "filters.http.aws_request_signing.v3.AwsRequestSigning",
            &signing,
        ),
        extension("envoy.filters.http.upstream_codec", "filters.http.upstream_codec.v3.UpstreamCodec", &json!({})),
    ];
    let options = json!({
        "@type": format!("{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"),
        "explicit_http_config": {"http2_protocol_options": {}},
        "common_http_protocol_options": {"idle_timeout": "30s"},
        "http_filters": filters,
    });
    let name = number.to_string();
    let endpoint = json!({"endpoint": {"address": socket(aws)}});
    json!({
        "name": name,
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    })
}

/// The route rewrites the host, as `octroi-entry` has it to paste; headers are removed as a TrafficPolicy has it done.
fn listener(number: usize, guest: &Guest, at: SocketAddr) -> Value {
    let route = json!({
        "match": {"prefix": "/"},
        "route": {"cluster": number.to_string(), "host_rewrite_literal": "lambda.eu-west-3.amazonaws.com"},
    });
    let mutations: Vec<Value> = guest.removes.iter().map(|name| json!({"remove": name})).collect();
    let removal = json!({
        "@type": format!("{EXTENSIONS}.filters.http.header_mutation.v3.HeaderMutation"),
        "mutations": {"request_mutations": mutations},
    });
    let http = manager(guest.name, &route, &[("headers", removal)]);
    json!({
        "name": number.to_string(),
        "address": socket(at),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": http}]}],
    })
}
