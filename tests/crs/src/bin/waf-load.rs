//! `make bench-waf`: what the firewall adds to a request on its way through a real Envoy, in an open loop: requests go out when they
//! are due, whether those before them were answered or not, and each one's time counts from when it was due.
//!
//! Every process is one of its own: Envoy, the service, a service that does nothing, and the server behind them. The time of a core is
//! taken from the system's own count.

use std::error::Error;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyResponse, HeadersResponse, ProcessingRequest, ProcessingResponse,
};
use futures::{Stream, StreamExt};
use octroi_crs::through::envoy::{Entry, Envoy, FIREWALL};
use octroi_load::cpu;
use octroi_load::figures::{millis, percentile};
use octroi_load::open_loop::{self, Schedule};
use octroi_waf::extproc::{AuditLog, Limits, Shared, serve};
use octroi_waf::{Profiles, RuleSet, Sources};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// Measures the firewall behind Envoy.
#[derive(Parser)]
struct Args {
    /// A folder with `rules`, as `lab/lab.sh dir coreruleset` names it.
    #[arg(long, value_name = "FOLDER")]
    coreruleset: PathBuf,
    /// An Envoy, as `lab/lab.sh bin envoy` names it.
    #[arg(long, value_name = "FILE")]
    envoy: PathBuf,
    /// Requests a second.
    #[arg(long, value_delimiter = ',', default_value = "200,1000")]
    rates: Vec<u32>,
    /// How long each is kept up, in seconds.
    #[arg(long, default_value = "20")]
    seconds: u32,
    /// Only for the processes that it starts itself.
    #[arg(long, hide = true)]
    serve: Option<Part>,
}

/// A process that is measured, or stands behind one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Firewall,
    Null,
    Upstream,
}

const NULL: &str = "null";
const ENTRIES: [Entry; 4] = [
    Entry { name: "none", asks: None, answers: false },
    Entry { name: "nothing", asks: Some(NULL), answers: false },
    Entry { name: "paranoia-1", asks: Some(FIREWALL), answers: false },
    Entry { name: "paranoia-2", asks: Some(FIREWALL), answers: false },
];
const PROFILES: &str = "
tenants:
  paranoia-1: {namespaces: [paranoia-1], waf: {paranoiaLevel: 1}}
  paranoia-2: {namespaces: [paranoia-2], waf: {paranoiaLevel: 2}}
";
/// As `octroi waf` has it when nothing else is said.
const IN_FLIGHT: usize = 256;
/// An answer that takes longer counts as none.
const PATIENCE: Duration = Duration::from_secs(30);

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    match args.serve {
        Some(part) => serve_as(part, &args.coreruleset).await,
        None => measure(&args).await,
    }
}

async fn measure(args: &Args) -> Result<(), Failure> {
    let started = |part| Started::new(args, part);
    let (firewall, null, upstream) = (started(Part::Firewall)?, started(Part::Null)?, started(Part::Upstream)?);
    let asked = [(FIREWALL, firewall.at), (NULL, null.at)];
    let (envoy, ports) = Envoy::start(&args.envoy, &asked, upstream.at, &ENTRIES).await?;
    let envoy = envoy.pid().ok_or("envoy has ended")?;
    println!(
        "{:<12} {:>6} {:<11} {:>16} {:>16} {:>16} {:>10} {:>12}",
        "request", "per s", "filter", "p50 / p99 in ms", "envoy ms/req", "service ms/req", "MiB", "no 200"
    );
    for (name, bytes) in cases() {
        for rate in &args.rates {
            for (entry, port) in ENTRIES.iter().zip(&ports) {
                let service = match entry.asks {
                    None => None,
                    Some(NULL) => Some(null.pid()),
                    Some(_) => Some(firewall.pid()),
                };
                let before = (core(envoy), service.map_or(0.0, core));
                let load = Load { to: *port, bytes: Arc::clone(&bytes), rate: *rate, count: rate * args.seconds };
                let (times, failed) = load.run().await;
                let each = |passed: f64| passed / f64::from(load.count);
                println!(
                    "{name:<12} {rate:>6} {:<11} {:>16} {:>16.2} {:>16.2} {:>10.0} {failed:>12}",
                    entry.name,
                    quantiles(&times),
                    each(core(envoy) - before.0),
                    each(service.map_or(0.0, core) - before.1),
                    service.map_or(0.0, memory),
                );
            }
        }
    }
    Ok(())
}

/// A process of this program's own; it ends with this.
struct Started {
    child: Child,
    at: SocketAddr,
}

impl Started {
    /// Its first line says where it listens.
    fn new(args: &Args, part: Part) -> Result<Self, Failure> {
        let name = part.to_possible_value().ok_or("no such part")?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--serve", name.get_name(), "--coreruleset"])
            .arg(&args.coreruleset)
            .arg("--envoy")
            .arg(&args.envoy)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        let at = read.transpose()?.and_then(|_| line.trim().parse().ok());
        // Held from here on, so that it ends also when it said nothing.
        let started = Self { child, at: at.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))) };
        if at.is_none() { Err(format!("{part:?} did not start").into()) } else { Ok(started) }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing else to do about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The time that a process has had of a core, in milliseconds.
fn core(pid: u32) -> f64 {
    cpu::of_process(pid).unwrap_or_default() * 1e3
}

/// What a process holds of the memory, in MiB.
fn memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

fn quantiles(times: &[Duration]) -> String {
    let at = |percent| percentile(times.to_vec(), percent).map_or(f64::NAN, millis);
    format!("{:.2} / {:.2}", at(50), at(99))
}

/// Ordinary requests, as bytes.
fn cases() -> [(&'static str, Arc<[u8]>); 3] {
    let json = |length: usize| {
        let note = "The table is of solid oak and seats six to eight people. ".chars().cycle();
        let lines: Vec<_> = (0..length / 640)
            .map(|number| serde_json::json!({"sku": format!("CH-{number}"), "note": note.clone().take(600).collect::<String>()}))
            .collect();
        let body = serde_json::json!({"customer": "c_812", "lines": lines}).to_string();
        let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        request("POST /v1/orders", &head, &body)
    };
    let get = request("GET /products?category=shoes&size=42&colour=black&page=3", "", "");
    [("GET", get), ("JSON 4 KiB", json(4 << 10)), ("JSON 64 KiB", json(64 << 10))]
}

fn request(line: &str, head: &str, body: &str) -> Arc<[u8]> {
    let common = "Host: www.shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
                  Accept: */*\r\nAccept-Language: en-GB,en;q=0.5\r\nCookie: session=0123456789abcdef; lang=en\r\n";
    format!("{line} HTTP/1.1\r\n{common}{head}\r\n{body}").into_bytes().into()
}

/// So many requests, so many a second.
struct Load {
    to: SocketAddr,
    bytes: Arc<[u8]>,
    rate: u32,
    count: u32,
}

impl Load {
    /// The times of those that were answered by 200, and how many were not.
    async fn run(&self) -> (Vec<Duration>, usize) {
        let idle = Arc::new(Mutex::new(Vec::new()));
        let done = open_loop::run(Schedule::of(self.rate, self.count), &CancellationToken::new(), || {
            let (to, bytes, idle) = (self.to, Arc::clone(&self.bytes), Arc::clone(&idle));
            async move { tokio::time::timeout(PATIENCE, answered(to, &bytes, &idle)).await }
        })
        .await;
        let answered = done.iter().filter(|one| matches!(one.came, Ok(Ok(200))));
        let times: Vec<_> = answered.map(|one| one.took).collect();
        let failed = done.len().saturating_sub(times.len());
        (times, failed)
    }
}

/// Sends on a connection that nobody uses, or a new one.
async fn answered(to: SocketAddr, bytes: &[u8], idle: &Mutex<Vec<TcpStream>>) -> io::Result<u16> {
    let free = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut stream = match free {
        Some(stream) => stream,
        None => TcpStream::connect(to).await?,
    };
    stream.set_nodelay(true)?;
    stream.write_all(bytes).await?;
    let mut received = Vec::new();
    loop {
        if let Some((status, length)) = answer(&received)?
            && received.len() >= length
        {
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
            return Ok(status);
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Its status and its whole length, once its head is there.
fn answer(bytes: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes).map_err(io::Error::other)? else { return Ok(None) };
    Ok(Some((head.code.unwrap_or_default(), length + announced(head.headers))))
}

fn announced(headers: &[httparse::Header<'_>]) -> usize {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    header.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok()).unwrap_or(0)
}

async fn serve_as(part: Part, coreruleset: &Path) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let at = listener.local_addr()?;
    match part {
        Part::Firewall => {
            let rules = RuleSet::new(&Sources::read(&coreruleset.join("rules"))?)?;
            let limits = Limits { workers: available_parallelism()?.get(), in_flight: IN_FLIGHT };
            let audit = AuditLog::new(io::sink())?;
            let shared = Arc::new(Shared::new(rules, Profiles::parse(PROFILES)?, audit, limits));
            println!("{at}");
            serve(listener, shared, CancellationToken::new()).await?;
        }
        Part::Null => {
            println!("{at}");
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let service = ExternalProcessorServer::new(Null).max_decoding_message_size(16 << 20);
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await?;
        }
        Part::Upstream => {
            println!("{at}");
            loop {
                let (stream, _) = listener.accept().await?;
                // A connection that breaks off is Envoy's to report.
                tokio::spawn(upstream(stream));
            }
        }
    }
    Ok(())
}

/// Answers every request by two letters, once all of it is there.
async fn upstream(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::new();
    loop {
        let whole = {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Request::new(&mut headers);
            match head.parse(&bytes).map_err(io::Error::other)? {
                httparse::Status::Complete(length) => length + announced(head.headers),
                httparse::Status::Partial => usize::MAX,
            }
        };
        if bytes.len() >= whole {
            bytes.drain(..whole);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await?;
        } else if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}

/// A service that says "go on" to everything.
struct Null;

#[tonic::async_trait]
impl ExternalProcessor for Null {
    type ProcessStream = Pin<Box<dyn Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let answers = request.into_inner().map(|message| {
            let response = match message?.request {
                Some(Message::RequestBody(_)) => Answer::RequestBody(BodyResponse::default()),
                _ => Answer::RequestHeaders(HeadersResponse::default()),
            };
            Ok(ProcessingResponse { response: Some(response), ..ProcessingResponse::default() })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
