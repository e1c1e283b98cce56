//! The noisy neighbour.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use octroi_load::open_loop::{self, Schedule};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::probe::rate::{self, Connections};
use crate::probe::{Ask, Outcome, Probe};
use crate::{Error, Result};

/// The longest that noise goes on when nobody stops it.
const LONGEST: Duration = Duration::from_hours(2);
const BODY: usize = 1 << 20;
const FORM: &str = "application/x-www-form-urlencoded";
/// Ordinary words, so that rules have something to look through.
const WORDS: &str = "The+table+is+of+solid+oak+and+seats+six+to+eight+people.+";

/// What is sent too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// GET.
    Requests,
    /// A new connection and a whole handshake; no request.
    Handshakes,
    /// POST of a form of 1 MiB.
    Bodies,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Requests, Self::Handshakes, Self::Bodies];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Handshakes => "handshakes",
            Self::Bodies => "bodies",
        }
    }
}

/// How often each came.
pub(super) type Seen = BTreeMap<String, usize>;

/// Noise that goes on, on a thread of its own: what is measured beside it must not wait for it within this program. It ends when
/// this is dropped.
pub(super) struct Noise {
    stop: DropGuard,
    thread: JoinHandle<std::io::Result<Seen>>,
}

impl Noise {
    pub(super) fn start(kind: Kind, probe: &Probe, ask: &Ask, per_second: u32) -> Self {
        let stop = CancellationToken::new();
        let (probe, ask, told) = (probe.clone(), ask.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(make(kind, &probe, ask, per_second, &told)))
        });
        Self { stop: stop.drop_guard(), thread }
    }

    /// Ends it, and says what came of it.
    pub(super) async fn end(self) -> Result<Seen> {
        let Self { thread, stop } = self;
        drop(stop);
        let ended = tokio::task::spawn_blocking(move || thread.join()).await.map_err(Error::failed("the noise"))?;
        let seen = ended.map_err(|_| Error::Failed { what: "the noise".into(), detail: "it panicked".into() })?;
        seen.map_err(Error::io("the noise"))
    }
}

async fn make(kind: Kind, probe: &Probe, ask: Ask, per_second: u32, stop: &CancellationToken) -> Seen {
    match kind {
        Kind::Requests => requests(probe, &ask, per_second, stop).await,
        Kind::Bodies => requests(probe, &with_body(ask), per_second, stop).await,
        Kind::Handshakes => handshakes(probe, &ask, per_second, stop).await,
    }
}

async fn requests(probe: &Probe, ask: &Ask, per_second: u32, stop: &CancellationToken) -> Seen {
    let run = rate::run(probe, ask, per_second, Connections::Kept, LONGEST, stop).await;
    run.histogram().into_iter().map(|(outcome, count)| (outcome.to_string(), count)).collect()
}

async fn handshakes(probe: &Probe, ask: &Ask, per_second: u32, stop: &CancellationToken) -> Seen {
    let probe = probe.clone().without_resumption();
    let done = open_loop::run(Schedule::lasting(per_second, LONGEST), stop, || {
        let (probe, ask) = (probe.clone(), ask.clone());
        async move { probe.connect(&ask).await }
    })
    .await;
    let mut seen = Seen::new();
    for one in done {
        let came = one.came.map_or_else(|failure| Outcome::of(&Err(failure)).to_string(), |()| "handshake".into());
        *seen.entry(came).or_default() += 1;
    }
    seen
}

/// A form whose one field makes it 1 MiB long.
pub(super) fn with_body(ask: Ask) -> Ask {
    ask.method(Method::POST).header("content-type", FORM).body(form())
}

fn form() -> Bytes {
    "text=".bytes().chain(WORDS.bytes().cycle()).take(BODY).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_as_long_as_the_firewall_takes() {
        let body = form();
        assert_eq!(body.len(), 1024 * 1024);
        assert!(body.starts_with(b"text=The+table"));
    }

    #[tokio::test]
    async fn noise_ends_when_it_is_told() {
        let nobody = "127.0.0.1:1".parse().unwrap();
        let ask = Ask::get("http://a.example/", nobody).unwrap();
        let authority = rcgen::generate_simple_self_signed(vec!["a.example".into()]).unwrap();
        let probe = Probe::trusting(&authority.cert.pem()).unwrap();
        for kind in Kind::ALL {
            let noise = Noise::start(kind, &probe, &ask, 100);
            tokio::time::sleep(Duration::from_millis(100)).await;
            let seen = noise.end().await.unwrap();
            assert!(
                seen.get("no connection").is_some_and(|count| *count >= 2) && seen.len() == 1,
                "{kind:?}: {seen:?}"
            );
        }
    }
}
