//! What can be seen from outside: answers of the gateway, and objects as they are.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kube::Client;
use serde_json::{Value, json};

use super::arena::{Arena, fill, fill_text};
use super::file::{self, Fact, Https, Seen};
use super::request::{Place, raw};
use crate::probe::{Answer, Ask, Probe, Served};
use crate::stage::until;
use crate::{Error, Result};

/// For a controller or a data plane to have had its turn.
const LIMIT: Duration = Duration::from_secs(30);
const HTTP: u16 = 80;

/// The gateways of the two tenants, and the certificate that the victim's visitors have seen so far.
pub struct Traffic {
    probe: Probe,
    attacker: SocketAddr,
    victim: SocketAddr,
    certificate: Option<Served>,
    fences: AtomicU32,
}

impl Traffic {
    /// Asks the victim once, for its certificate.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn at(probe: Probe, attacker: SocketAddr, victim: SocketAddr, victim_host: &str) -> Result<Self> {
        let answer = probe.ask(&Ask::get(&format!("https://{victim_host}/"), victim)?).await;
        let answer = answer.map_err(Error::failed(format!("the victim {victim_host}, before any attack")))?;
        let certificate = answer.tls.map(|tls| Served { alpn: None, ..tls });
        Ok(Self { probe, attacker, victim, certificate, fences: AtomicU32::default() })
    }

    /// What a visitor of the victim sees that is not as the file says; nothing when all is well.
    ///
    /// # Errors
    /// When the host is none.
    pub async fn changed(&self, wanted: &file::Probe, host: &str) -> Result<Option<String>> {
        let asked = self.probe.ask(&Ask::get(&format!("https://{host}/"), self.victim)?).await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(failure) => return Ok(Some(format!("{host} answers with {failure}"))),
        };
        let backend = backend(&answer);
        let certificate = answer.tls.map(|tls| Served { alpn: None, ..tls });
        Ok(if answer.code != wanted.code {
            Some(format!("{host} answers {}, not {}", answer.code, wanted.code))
        } else if backend.as_deref() != Some(wanted.backend.backend()) {
            Some(format!("{host} is answered by {backend:?}"))
        } else if certificate == self.certificate {
            None
        } else {
            Some(format!("{host} shows another certificate: {certificate:?}"))
        })
    }

    /// Returns when the data plane serves a route that was written just now: what was written before it, it has seen.
    ///
    /// # Errors
    /// When it is not served in time.
    pub async fn fence(&self, arena: &Arena) -> Result<()> {
        let number = self.fences.fetch_add(1, Ordering::Relaxed);
        let (path, host) = (format!("/fence-{number}"), format!("fence.{}", arena.var("apex")));
        apply(&arena.platform, &fence(arena, &host, &path)).await?;
        let ask = Ask::get(&format!("https://{host}/"), self.attacker)?;
        let wanted = |answer: &Answer| answer.header("location").is_some_and(|to| to.ends_with(&path));
        self.probe.until(&ask, LIMIT, &format!("a redirect to {path}"), wanted).await.map(drop)
    }

    async fn sees(&self, arena: &Arena, https: &Https) -> Result<bool> {
        let text = |text: &str| fill_text(text, &arena.vars).map_err(Error::failed("an effect"));
        let scheme = if https.plain { "http" } else { "https" };
        // Both tenants may share an address; where they do not, the one that the handshake names is meant.
        let host = text(&https.host)?;
        let shown = https.sni.as_deref().map_or(Ok(host.clone()), text)?;
        let mut address = if shown.ends_with(arena.var("victimApex")) { self.victim } else { self.attacker };
        if https.plain {
            address.set_port(HTTP);
        }
        let mut ask = Ask::get(&format!("{scheme}://{host}{}", text(&https.path)?), address)?.sni(&shown);
        for (name, value) in &https.headers {
            ask = ask.header(name, &text(value)?);
        }
        Ok(match self.probe.ask(&ask).await {
            Ok(answer) => shows(&answer, &https.is),
            Err(_) => false,
        })
    }
}

/// Whose backend answered, by its own word.
fn backend(answer: &Answer) -> Option<String> {
    answer.json().ok()?["version"].as_str().map(str::to_owned)
}

fn shows(answer: &Answer, seen: &Seen) -> bool {
    let request_header = |name: &str, text: &str| {
        let body = answer.json().unwrap_or_default();
        let all = body["headers"].as_object().cloned().unwrap_or_default();
        let values = all.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, values)| values.to_string());
        values.into_iter().any(|value| value.contains(text))
    };
    seen.code.is_none_or(|code| code == answer.code)
        && seen.backend.is_none_or(|side| backend(answer).as_deref() == Some(side.backend()))
        && seen.request_header.as_ref().is_none_or(|(name, text)| request_header(name, text))
        && seen.header.as_ref().is_none_or(|(name, text)| answer.header(name).is_some_and(|value| value.contains(text)))
}

fn fence(arena: &Arena, host: &str, path: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "fence", "namespace": arena.var("namespace")},
        "spec": {
            "hostnames": [host],
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "ListenerSet",
                "namespace": arena.var("gatewayNamespace"), "name": arena.var("tenant")}],
            "rules": [{"filters": [{"type": "RequestRedirect", "requestRedirect": {
                "path": {"type": "ReplaceFullPath", "replaceFullPath": path}, "statusCode": 302,
            }}]}],
        },
    })
}

async fn apply(client: &Client, object: &Value) -> Result<()> {
    let params = kube::api::PatchParams::apply("attack-suite").force();
    crate::strict::apply(client, object, &params).await.map(drop)
}

/// Whether it is so; nothing when it cannot be seen here.
///
/// # Errors
/// When the API server does not answer.
pub async fn is_so(arena: &Arena, fact: &Fact) -> Result<Option<bool>> {
    let filled = |value: &Value| fill(value, &arena.vars).map_err(Error::failed("an effect"));
    match fact {
        Fact::Https(https) => match &arena.traffic {
            Some(traffic) => traffic.sees(arena, https).await.map(Some),
            None => Ok(None),
        },
        Fact::Exists(object) => Ok(found(arena, &filled(object)?).await?.map(|found| found.is_some())),
        Fact::Gone(object) => Ok(found(arena, &filled(object)?).await?.map(|found| found.is_none())),
        Fact::Holds(holds) => {
            let object = found(arena, &filled(&holds.object)?).await?.flatten().unwrap_or_default();
            Ok(Some(object.pointer(&holds.pointer) == Some(&filled(&holds.value)?)))
        }
    }
}

/// Waits until all of it is so.
///
/// # Errors
/// When it is not in time.
pub async fn wait_for(arena: &Arena, facts: &[Fact]) -> Result<()> {
    for fact in facts {
        until(&format!("{fact:?}"), LIMIT, async || {
            Ok(if is_so(arena, fact).await? == Some(false) { Err("it is not so") } else { Ok(()) })
        })
        .await?;
    }
    Ok(())
}

/// The object as it is, if it is there; nothing at all when its kind is not served.
pub(super) async fn found(arena: &Arena, object: &Value) -> Result<Option<Option<Value>>> {
    let Some(place) = Place::of(arena, object).await? else { return Ok(None) };
    let path = place.item.unwrap_or_default();
    let reply = raw(&arena.platform, "GET", &path, "application/json", &Value::Null).await?;
    match reply.code {
        200 => Ok(Some(Some(reply.body))),
        404 => Ok(Some(None)),
        code => Err(Error::Failed { what: format!("GET {path}"), detail: format!("{code}: {}", reply.message) }),
    }
}
