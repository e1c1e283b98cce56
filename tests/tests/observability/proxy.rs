//! A real Envoy with listeners whose filter chains are named as the data planes name them, and with the access log of the golden files.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::envoy::{EXTENSIONS, Envoy, exchange, free_addresses, manager, resources, socket, write};

/// Ends when it is dropped.
pub struct Proxy {
    envoy: Envoy,
    listeners: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Proxy {
    /// A listener for each filter chain. `/shop` has a backend, `/none` has no route.
    pub fn start(chains: &[&str], format: &BTreeMap<String, Value>) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let mut free = free_addresses(chains.len() + 3);
        let (admin, backend, nobody) = (free.remove(0), free.remove(0), free.remove(0));
        let mut listeners: Vec<Value> =
            chains.iter().zip(&free).map(|(chain, at)| listener(chain, *at, &http(chain, format))).collect();
        listeners.push(listener("backend", backend, &answers()));
        let clusters = [cluster("httproute/acme/shop.v1/rule/0", backend), cluster("nobody", nobody)];
        write(&folder, "listeners.json", &resources("listener.v3.Listener", listeners));
        write(&folder, "clusters.json", &resources("cluster.v3.Cluster", clusters.to_vec()));
        let source = |name: &str| json!({"path_config_source": {"path": folder.path().join(name)}});
        let bootstrap = json!({
            "node": {"id": "test", "cluster": "test"},
            "admin": {"address": socket(admin)},
            "dynamic_resources": {"lds_config": source("listeners.json"), "cds_config": source("clusters.json")},
        });
        let envoy = Envoy::start(folder, &bootstrap, &[]);
        let mut proxy = Self { envoy, listeners: free, admin };
        let all: Vec<_> = proxy.listeners.iter().copied().chain([admin, backend]).collect();
        proxy.envoy.until("listens", || all.iter().all(|at| TcpStream::connect(at).is_ok()));
        proxy
    }

    /// Sends these bytes to the listener of this filter chain and waits for the beginning of an answer.
    pub fn ask(&self, chain: usize, request: &[u8]) -> String {
        exchange(self.listeners[chain], request)
    }

    /// The lines of the access log, once there are so many.
    pub fn lines(&mut self, wanted: usize) -> Vec<Vec<u8>> {
        let log = self.envoy.log();
        let read = || {
            let bytes = std::fs::read(&log).unwrap_or_else(|error| panic!("{error}"));
            bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        self.envoy.until("has written its log", || read().len() >= wanted);
        read()
    }

    /// As Prometheus scrapes them.
    pub fn metrics(&mut self) -> String {
        // What workers count reaches the main thread by and by.
        let admin = self.admin;
        let scrape = || exchange(admin, b"GET /stats/prometheus HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        self.envoy.until("has counted", || scrape().contains("envoy_cluster_upstream_rq_time_bucket"));
        scrape()
    }
}

fn listener(chain: &str, at: SocketAddr, http: &Value) -> Value {
    json!({
        "name": chain,
        "address": socket(at),
        "filter_chains": [{"name": chain, "filters": [{"name": "http", "typed_config": http}]}],
    })
}

fn cluster(name: &str, at: SocketAddr) -> Value {
    let endpoint = json!({"endpoint": {"address": socket(at)}});
    json!({
        "name": name,
        // As EnvoyProxy.spec.telemetry.metrics.clusterStatName has Envoy Gateway write it.
        "alt_stat_name": name.strip_suffix("/shop.v1/rule/0").unwrap_or(name),
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    })
}

/// With a firewall that is away and lets everything pass, and a rate limit of kgateway's kind that nobody reaches.
fn http(chain: &str, format: &BTreeMap<String, Value>) -> Value {
    let without_query = json!({"@type": format!("{EXTENSIONS}.formatter.req_without_query.v3.ReqWithoutQuery")});
    let log = json!({
        "@type": format!("{EXTENSIONS}.access_loggers.file.v3.FileAccessLog"),
        "path": "/dev/stdout",
        "log_format": {
            "json_format": format,
            "formatters": [{"name": "envoy.formatter.req_without_query", "typed_config": without_query}],
        },
    });
    let firewall = json!({
        "@type": format!("{EXTENSIONS}.filters.http.ext_proc.v3.ExternalProcessor"),
        "failure_mode_allow": true,
        "grpc_service": {"envoy_grpc": {"cluster_name": "nobody"}},
    });
    let all = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    let rate_limit = json!({
        "@type": format!("{EXTENSIONS}.filters.http.local_ratelimit.v3.LocalRateLimit"),
        "stat_prefix": "http_local_rate_limiter",
        "token_bucket": {"max_tokens": 1000, "tokens_per_fill": 1000, "fill_interval": "1s"},
        "filter_enabled": all,
        "filter_enforced": all,
    });
    let route = json!({"match": {"path": "/shop"}, "route": {"cluster": "httproute/acme/shop.v1/rule/0"}});
    let mut manager = manager(chain, &route, &[("firewall", firewall), ("rate limit", rate_limit)]);
    manager["access_log"] = json!([{"name": "file", "typed_config": log}]);
    manager
}

fn answers() -> Value {
    manager("backend", &json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}}), &[])
}
