//! A real Envoy with listeners whose filter chains are named as the data planes name them, and with the access log of the golden files.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::markdown::repository;

const LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions";

/// Stopped when it is dropped.
pub struct Proxy {
    envoy: Child,
    folder: TempDir,
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
        write(&folder, "envoy.json", &bootstrap);
        let out = std::fs::File::create(folder.path().join("log")).unwrap_or_else(|error| panic!("{error}"));
        let envoy = Command::new(binary())
            .args(["--log-level", "error", "--file-flush-interval-msec", "100", "--use-dynamic-base-id", "-c"])
            .arg(folder.path().join("envoy.json"))
            .stdin(Stdio::null())
            .stdout(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{error}"));
        let mut proxy = Self { envoy, folder, listeners: free, admin };
        let all: Vec<_> = proxy.listeners.iter().copied().chain([admin, backend]).collect();
        proxy.until("listens", |_| all.iter().all(|at| TcpStream::connect(at).is_ok()));
        proxy
    }

    /// Sends these bytes to the listener of this filter chain and waits for the beginning of an answer.
    pub fn ask(&self, chain: usize, request: &[u8]) -> String {
        exchange(self.listeners[chain], request)
    }

    /// The lines of the access log, once there are so many.
    pub fn lines(&mut self, wanted: usize) -> Vec<Vec<u8>> {
        let log = self.folder.path().join("log");
        let read = || {
            let bytes = std::fs::read(&log).unwrap_or_else(|error| panic!("{error}"));
            bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        self.until("has written its log", |_| read().len() >= wanted);
        read()
    }

    /// As Prometheus scrapes them.
    pub fn metrics(&mut self) -> String {
        // What workers count reaches the main thread by and by.
        let admin = self.admin;
        let scrape = || exchange(admin, b"GET /stats/prometheus HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        self.until("has counted", |_| scrape().contains("envoy_cluster_upstream_rq_time_bucket"));
        scrape()
    }

    fn until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let since = Instant::now();
        while !is_so(self) {
            assert!(since.elapsed() < LIMIT, "Envoy never {what}");
            let ended = self.envoy.try_wait().unwrap_or_else(|error| panic!("{error}"));
            assert!(ended.is_none(), "Envoy refuses its configuration, see above");
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.envoy.kill();
        let _ = self.envoy.wait();
    }
}

/// Of the lab; `lab/lab.sh build envoy` makes it.
fn binary() -> PathBuf {
    let found = Command::new(repository().join("lab/lab.sh")).args(["bin", "envoy"]).output();
    let found = found.unwrap_or_else(|error| panic!("{error}"));
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    PathBuf::from(String::from_utf8_lossy(&found.stdout).trim_end())
}

/// All at once, so that they differ.
fn free_addresses(number: usize) -> Vec<SocketAddr> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| panic!("{error}"));
    let held: Vec<TcpListener> = (0..number).map(bind).collect();
    held.iter().map(|one| one.local_addr().unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// Reads until the answer's head has ended, and of an answer that says that it is the last all of it.
fn exchange(at: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(at).unwrap_or_else(|error| panic!("{at}: {error}"));
    stream.set_read_timeout(Some(LIMIT)).unwrap_or_else(|error| panic!("{error}"));
    stream.write_all(request).unwrap_or_else(|error| panic!("{at}: {error}"));
    let is_last = request.windows(5).any(|window| window == b"close");
    let (mut answer, mut buffer) = (Vec::new(), [0; 16384]);
    while is_last || !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) => panic!("{at}: {error}"),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn write(folder: &TempDir, name: &str, value: &Value) {
    std::fs::write(folder.path().join(name), value.to_string()).unwrap_or_else(|error| panic!("{error}"));
}

fn resources(kind: &str, mut resources: Vec<Value>) -> Value {
    for resource in &mut resources {
        resource["@type"] = json!(format!("type.googleapis.com/envoy.config.{kind}"));
    }
    json!({"version_info": "1", "resources": resources})
}

fn socket(at: SocketAddr) -> Value {
    json!({"socket_address": {"address": at.ip(), "port_value": at.port()}})
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

fn manager(name: &str, route: &Value, filters: &[(&str, Value)]) -> Value {
    let router = ("router", json!({"@type": format!("{EXTENSIONS}.filters.http.router.v3.Router")}));
    let filters = filters.iter().chain([&router]).map(|(name, config)| json!({"name": name, "typed_config": config}));
    json!({
        "@type": format!("{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        // Envoy Gateway's. kgateway's is the name of the filter chain, which has dots.
        "stat_prefix": "https-10443",
        "http_filters": filters.collect::<Vec<_>>(),
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}]},
    })
}
