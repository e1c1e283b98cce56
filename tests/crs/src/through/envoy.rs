//! An Envoy of our own on the loopback, set up as Envoy Gateway sets it up for a tenant of Octroi.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::client;

/// How long a start may take.
const START: Duration = Duration::from_mins(1);
/// Between two looks at a process that starts.
const LOOK: Duration = Duration::from_millis(50);
/// What a request may be of, as the class sets the listener's limit: as long as the longest body that a profile may have inspected.
const BUFFER: u32 = 8 << 20;

/// What a tenant is reached by.
pub struct Entry {
    /// The tenant.
    pub name: &'static str,
    /// The service that is asked about each request; nobody.
    pub asks: Option<&'static str>,
    /// Whether answers are sent to the firewall, too.
    pub answers: bool,
}

/// The service that is the firewall, among those that an entry may ask.
pub const FIREWALL: &str = "firewall";
/// The filter, by a name of its own as Envoy Gateway gives one.
const FILTER: &str = "envoy.filters.http.ext_proc/firewall";

/// A running Envoy. It ends with this.
pub struct Envoy {
    process: Child,
    folder: TempDir,
}

impl Envoy {
    /// Starts it: one listener for each tenant, on any port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(
        binary: &Path,
        asked: &[(&str, SocketAddr)],
        upstream: SocketAddr,
        tenants: &[Entry],
    ) -> io::Result<(Self, Vec<SocketAddr>)> {
        let folder = tempfile::tempdir()?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let process = Command::new(binary)
            .args(["--disable-hot-restart", "--concurrency", "2", "--log-level", "error", "--admin-address-path"])
            .arg(folder.path().join("admin"))
            .args(["--config-yaml", &bootstrap(asked, upstream, tenants).to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let mut envoy = Self { process, folder };
        let admin = envoy.admin().await?;
        let mut ports = Vec::new();
        for tenant in tenants {
            ports.push(envoy.port(admin, tenant.name).await?);
        }
        Ok((envoy, ports))
    }

    /// Its process, for those who measure it.
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Where it can be asked, once it is ready.
    async fn admin(&mut self) -> io::Result<SocketAddr> {
        let end = Instant::now() + START;
        while Instant::now() < end {
            if let Some(status) = self.process.try_wait()? {
                let said = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("envoy ended by {status}: {said}")));
            }
            let address = std::fs::read_to_string(self.folder.path().join("admin")).unwrap_or_default();
            if let Ok(address) = address.trim().parse() {
                let ready = ask(address, "/ready").await;
                if ready.is_ok_and(|answer| answer.status == 200) {
                    return Ok(address);
                }
            }
            sleep(LOOK).await;
        }
        Err(io::Error::other("envoy is not ready"))
    }

    async fn port(&self, admin: SocketAddr, name: &str) -> io::Result<SocketAddr> {
        let answer = ask(admin, "/listeners?format=json").await?;
        let text = String::from_utf8_lossy(&answer.body);
        // The body may come in chunks: what lies between the outer braces is the document.
        let document = text.find('{').zip(text.rfind('}')).map_or("", |(first, last)| &text[first..=last]);
        let document: Value = serde_json::from_str(document)?;
        let all = document["listener_statuses"].as_array().cloned().unwrap_or_default();
        let port = all.iter().find(|one| one["name"] == name);
        let port = port.and_then(|one| one["local_address"]["socket_address"]["port_value"].as_u64());
        let port = port.and_then(|port| u16::try_from(port).ok()).ok_or_else(|| io::Error::other("no listener"))?;
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }
}

async fn ask(admin: SocketAddr, path: &str) -> io::Result<client::Answer> {
    // HTTP/1.0 would be refused; the connection is closed behind the answer.
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = client::exchange(admin, request.as_bytes(), true).await?;
    answer.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}

fn bootstrap(asked: &[(&str, SocketAddr)], upstream: SocketAddr, tenants: &[Entry]) -> Value {
    let listeners: Vec<_> = tenants.iter().map(listener).collect();
    let http2 = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}}
    }});
    let mut clusters = vec![cluster("upstream", upstream)];
    for (name, at) in asked {
        let mut cluster = cluster(name, *at);
        cluster["typed_extension_protocol_options"] = http2.clone();
        clusters.push(cluster);
    }
    json!({
        "admin": {"address": address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))},
        "static_resources": {"listeners": listeners, "clusters": clusters}
    })
}

fn address(of: SocketAddr) -> Value {
    json!({"socket_address": {"address": of.ip().to_string(), "port_value": of.port()}})
}

fn cluster(name: &str, at: SocketAddr) -> Value {
    json!({
        "name": name, "type": "STATIC", "connect_timeout": "10s", "per_connection_buffer_limit_bytes": BUFFER,
        "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address(at)}}]}
        ]}
    })
}

/// A listener, with the name of its tenant in its route as Envoy Gateway puts it there.
fn listener(entry: &Entry) -> Value {
    let tenant = entry.name;
    let mut filters = vec![json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    }})];
    let mut route = json!({
        "name": format!("httproute/{tenant}/web/rule/0/match/0/*"),
        "match": {"prefix": "/"},
        "route": {"cluster": "upstream", "timeout": "60s"}
    });
    if let Some(service) = entry.asks {
        filters.insert(0, processor(service, entry.answers));
        route["typed_per_filter_config"] = json!({FILTER: {
            "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}
        }});
    }
    let connections = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": tenant,
        "codec_type": "AUTO",
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "use_remote_address": true,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        // The rest of a request that never comes is not waited for.
        "request_timeout": "3s",
        "always_set_request_id_in_response": true,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": filters
    });
    json!({
        "name": tenant,
        "address": address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        "per_connection_buffer_limit_bytes": BUFFER,
        "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}
        ]}]
    })
}

/// As an EnvoyExtensionPolicy asks for it: on its routes only, fail closed, bodies whole, and whose a request is.
fn processor(service: &str, answers: bool) -> Value {
    let (headers, body) = if answers { ("SEND", "BUFFERED") } else { ("SKIP", "NONE") };
    json!({"name": FILTER, "disabled": true, "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": service}, "timeout": "60s"},
        "message_timeout": "60s",
        "failure_mode_allow": false,
        "allow_mode_override": true,
        "request_attributes": ["xds.route_name", "source.address", "request.protocol"],
        "processing_mode": {
            "request_header_mode": "SEND", "request_body_mode": "BUFFERED", "request_trailer_mode": "SKIP",
            "response_header_mode": headers, "response_body_mode": body, "response_trailer_mode": "SKIP"
        }
    }})
}
