//! A real Envoy, the lab's, with a configuration of a test's own.

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
/// What the types of Envoy's extensions start with.
pub const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions";

/// Stopped when it is dropped.
pub struct Envoy {
    process: Child,
    folder: TempDir,
}

impl Envoy {
    /// With these variables in its environment. What it prints is a file.
    pub fn start(folder: TempDir, bootstrap: &Value, environment: &[(&str, &str)]) -> Self {
        write(&folder, "envoy.json", bootstrap);
        let out = std::fs::File::create(folder.path().join("log")).unwrap_or_else(|error| panic!("{error}"));
        let process = Command::new(binary())
            .args(["--log-level", "error", "--file-flush-interval-msec", "100", "--use-dynamic-base-id", "-c"])
            .arg(folder.path().join("envoy.json"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{error}"));
        Self { process, folder }
    }

    /// What it prints.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Waits, as long as it runs.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        let since = Instant::now();
        while !is_so() {
            assert!(since.elapsed() < LIMIT, "Envoy never {what}");
            let ended = self.process.try_wait().unwrap_or_else(|error| panic!("{error}"));
            assert!(ended.is_none(), "Envoy refuses its configuration, see above");
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
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
pub fn free_addresses(number: usize) -> Vec<SocketAddr> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| panic!("{error}"));
    let held: Vec<TcpListener> = (0..number).map(bind).collect();
    held.iter().map(|one| one.local_addr().unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// Reads until the answer's head has ended, and of an answer that says that it is the last all of it.
pub fn exchange(at: SocketAddr, request: &[u8]) -> String {
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

pub fn write(folder: &TempDir, name: &str, value: &Value) {
    std::fs::write(folder.path().join(name), value.to_string()).unwrap_or_else(|error| panic!("{error}"));
}

pub fn resources(kind: &str, mut resources: Vec<Value>) -> Value {
    for resource in &mut resources {
        resource["@type"] = json!(format!("type.googleapis.com/envoy.config.{kind}"));
    }
    json!({"version_info": "1", "resources": resources})
}

pub fn socket(at: SocketAddr) -> Value {
    json!({"socket_address": {"address": at.ip(), "port_value": at.port()}})
}

/// An HTTP connection manager with one route and these filters.
pub fn manager(name: &str, route: &Value, filters: &[(&str, Value)]) -> Value {
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
