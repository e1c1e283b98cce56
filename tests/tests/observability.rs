//! What the platform's people see of the edge: the access log as a real Envoy writes it, and rules, alerts and dashboard of the chart,
//! whose every metric is one that exists. Needs no cluster.
#![cfg(test)]

#[path = "observability/envoy.rs"]
mod envoy;
#[path = "docs/markdown.rs"]
#[allow(dead_code, reason = "the tests of the documentation use the rest")]
mod markdown;
#[path = "observability/proxy.rs"]
mod proxy;
#[path = "observability/rules.rs"]
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use markdown::{Page, repository};
use octroi_tests::manifest;
use proxy::Proxy;
use serde_json::Value;

const DOCS: &str = "docs/observability.md";
const OPERATIONS: &str = "docs/operations.md";
/// Made by Envoy when it first refuses a request (source/extensions/filters/http/ratelimit), which takes a rate limit service.
const MADE_LATER: &str = "envoy_cluster_ratelimit_over_limit";
/// Filter chains as the data planes name them, and whose requests they take.
const CHAINS: [(&str, Option<&str>); 6] = [
    ("octroi-gateways/standard-0/gw-acme/acme/www.acme.example", Some("acme")),
    ("gw-acme/acme/www.acme.example", Some("acme")),
    ("gw-acme/acme/gw-acme/acme/wc--any.acme.example", Some("acme")),
    ("gw-acme/acme/http", Some("acme")),
    ("octroi-gateways/standard-0/http", None),
    ("octroi-gateways/standard-0/globex/acme/x", None),
];

#[test]
fn every_expression_is_promql_of_metrics_that_are_described() {
    let described = described();
    let mut recorded = BTreeSet::new();
    for rule in rules::all() {
        for name in rules::names(&rule.expression) {
            let is_known = described.contains(&name) || recorded.contains(&name);
            assert!(is_known, "{}: {DOCS} has no row for {name}, and no rule before it records it", rule.name);
        }
        recorded.insert(rule.name);
    }
    for (panel, expression) in rules::panels() {
        for name in rules::names(&expression) {
            assert!(described.contains(&name) || recorded.contains(&name), "{panel}: nothing makes {name}");
        }
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let operations = Page::read(OPERATIONS);
    let alerts: BTreeSet<String> =
        rules::all().into_iter().filter(|rule| rule.is_alert).map(|rule| rule.name).collect();
    for rule in rules::all().iter().filter(|rule| rule.is_alert) {
        let anchor = rule.name.to_lowercase();
        let annotations = &rule.object["annotations"];
        assert_eq!(annotations["runbook_url"], format!("{OPERATIONS}#{anchor}"), "{}", rule.name);
        assert!(operations.anchors().contains(&anchor), "{OPERATIONS} has no heading {}", rule.name);
        assert!(annotations["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{}", rule.name);
        let severity = rule.object["labels"]["severity"].as_str().unwrap_or_default();
        assert!(["critical", "warning", "info"].contains(&severity), "{}: {severity:?}", rule.name);
    }
    let told = operations.text.lines().filter_map(|line| line.strip_prefix("### Octroi"));
    let told: BTreeSet<String> = told.map(|rest| format!("Octroi{rest}")).collect();
    assert_eq!(told, alerts);
}

#[test]
fn every_field_of_a_line_is_described_and_both_data_planes_have_the_same() {
    let fields: BTreeSet<String> = format().keys().cloned().collect();
    assert_eq!(Page::read(DOCS).section("The access log").first_cells(), fields);
}

#[test]
fn a_line_is_its_tenants_and_no_client_breaks_or_forges_it() {
    let (names, of): (Vec<_>, Vec<_>) = CHAINS.into_iter().unzip();
    let format = format();
    let mut proxy = Proxy::start(&names, &format);
    let long = "a".repeat(3000);
    let odd = [
        "GET /shop?token=secret HTTP/1.1\r\nHost: globex.example\r\nx-octroi-tenant: globex\r\n\r\n"
            .as_bytes()
            .to_vec(),
        format!("GET /{long}?token=secret HTTP/1.1\r\nHost: {long}\r\nUser-Agent: {long}\r\n\r\n").into_bytes(),
        b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \"},\\u0000\"\tx\xff\xfe{\"tenant\":\"globex\"}\r\n\r\n".to_vec(),
        b"GET /none HTTP/1.1\r\nHost: a\r\ntraceparent: \",\"tenant\":\"globex\r\n\r\n".to_vec(),
        b"this is no HTTP\r\n\r\n".to_vec(),
    ];
    for number in 0..names.len() {
        for request in &odd {
            proxy.ask(number, request);
        }
    }
    let lines = proxy.lines(names.len() * odd.len());
    for line in &lines {
        let text = String::from_utf8(line.clone()).unwrap_or_else(|error| panic!("{error}"));
        let line: BTreeMap<String, Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(line.keys().eq(format.keys()), "{text}");
        let known = names.iter().position(|name| line["listener"] == *name).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(line["tenant"].as_str(), of[known], "{text}");
        assert!(!text.contains("secret"), "{text}");
        let length = |name: &str| line[name].as_str().map_or(0, str::len);
        assert!(length("path") <= 1024 && length("authority") <= 256 && length("user_agent") <= 256, "{text}");
    }
    assert_eq!(lines.len(), names.len() * odd.len());
}

#[test]
fn every_metric_of_envoy_exists() {
    let mut proxy = Proxy::start(&["gw-acme/acme/www.acme.example"], &format());
    proxy.ask(0, b"GET /shop HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let scraped = proxy.metrics();
    let exist: BTreeSet<&str> =
        scraped.lines().filter_map(|line| line.split(['{', ' ']).next()).filter(|name| !name.is_empty()).collect();
    let of_rules = rules::all().into_iter().map(|rule| rule.expression);
    let used = of_rules.chain(rules::panels().into_iter().map(|(_, expression)| expression));
    let used: BTreeSet<String> = used.flat_map(|expression| rules::names(&expression)).collect();
    let used: Vec<&String> = used.iter().filter(|name| name.starts_with("envoy_") && *name != MADE_LATER).collect();
    assert!(used.len() > 5, "{used:?}");
    for name in used {
        assert!(exist.contains(name.as_str()), "Envoy has no metric {name}");
    }
    // What the rules read the tenant's namespace from.
    let counted =
        r#"envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="httproute/acme"} 1"#;
    assert!(scraped.lines().any(|line| line == counted), "{scraped}");
}

/// The rows of all tables of metrics.
fn described() -> BTreeSet<String> {
    Page::read(DOCS).section("Metrics").first_cells()
}

/// What is in a line, of the golden files: the same on both data planes.
fn format() -> BTreeMap<String, Value> {
    let object = |plane: &str, kind: &str| {
        let file = repository().join("tests/golden").join(plane).join("standard.yaml");
        let documents = manifest::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let found = documents.into_iter().map(|document| document.object).find(|object| manifest::kind(object) == kind);
        found.unwrap_or_else(|| panic!("{} has no {kind}", file.display()))
    };
    let envoy_gateway =
        &object("envoy-gateway", "EnvoyProxy")["spec"]["telemetry"]["accessLog"]["settings"][0]["format"]["json"];
    let policy = object("kgateway", "ListenerPolicy");
    assert_eq!(*envoy_gateway, policy["spec"]["default"]["httpSettings"]["accessLog"][0]["fileSink"]["jsonFormat"]);
    serde_json::from_value(envoy_gateway.clone()).unwrap_or_else(|error| panic!("{error}"))
}
