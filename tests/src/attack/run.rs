//! One attack from its preparation to the last trace of it.

use std::fmt;

use serde_json::Value;

use super::arena::{Arena, Vars, fill};
use super::file::{Attack, Expect, Fact, Maker, Setup, Verb};
use super::guard;
use super::observe::{is_so, wait_for};
use super::request::{Place, Reply, raw, send};
use super::undo::Undo;
use crate::{Error, Result};

/// How often an update that came too late is sent again.
const CONFLICTS: usize = 20;

/// What became of an attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing came of it, because of that guard.
    Stopped(String),
    /// It worked, so far.
    Effect(String),
    /// Nothing came of it, but not for a reason that the file gives: it proves nothing.
    Unproved(String),
    /// It cannot be tried here.
    NotHere(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(by) => write!(f, "stopped by {by}"),
            Self::Effect(what) => write!(f, "EFFECT: {what}"),
            Self::Unproved(why) => write!(f, "UNPROVED: {why}"),
            Self::NotHere(why) => write!(f, "not here: {why}"),
        }
    }
}

/// Runs an attack, and takes away what it left.
///
/// # Errors
/// When the suite itself fails: nothing was prepared, or something cannot be taken away.
pub async fn run(arena: &Arena, attack: &Attack) -> Result<Outcome> {
    let mut undo = Undo::default();
    let outcome = attempt(arena, attack, &mut undo).await;
    undo.all(arena).await?;
    outcome
}

async fn attempt(arena: &Arena, attack: &Attack, undo: &mut Undo) -> Result<Outcome> {
    if let Some(why) = not_here(arena, attack).await? {
        return Ok(Outcome::NotHere(why));
    }
    if let Err(error) = prepare(arena, attack, undo).await {
        return Ok(Outcome::Unproved(error.to_string()));
    }
    let outcome = if attack.verb == Verb::Traffic {
        effects(arena, attack).await?
    } else {
        let replies = requests(arena, attack, undo).await?;
        // A collection is deleted one by one: a refusal in the end does not mean that nothing went before.
        let gone = if attack.verb == Verb::DeleteCollection { undo.gone(arena).await? } else { Vec::new() };
        if gone.is_empty() { judge(arena, attack, replies).await? } else { Outcome::Effect(format!("gone: {gone:?}")) }
    };
    match victim(arena, attack).await? {
        Some(change) => Ok(Outcome::Effect(change)),
        None => Ok(outcome),
    }
}

/// Why it cannot be tried: a kind that nobody installed, or no gateway to ask.
async fn not_here(arena: &Arena, attack: &Attack) -> Result<Option<String>> {
    let objects = attack.setup.iter().map(|setup| &setup.apply).chain(Some(&attack.manifest));
    for object in objects.filter(|object| !object.is_null()) {
        if arena.kind(object).await?.is_none() {
            return Ok(Some(format!("{} {} is not served", object["apiVersion"], object["kind"]).replace('"', "")));
        }
    }
    let needs_traffic = !attack.effect.is_empty() && attack.effect.iter().all(|fact| matches!(fact, Fact::Https(_)));
    Ok((needs_traffic && arena.traffic.is_none()).then(|| "it needs a gateway that serves".to_owned()))
}

async fn prepare(arena: &Arena, attack: &Attack, undo: &mut Undo) -> Result<()> {
    for Setup { by, apply } in &attack.setup {
        let object = filled(attack, apply, &arena.vars)?;
        undo.note(arena, &object).await?;
        let client = match by {
            Maker::Platform => &arena.platform,
            Maker::Attacker => arena.client(attack.user)?,
        };
        let place = Place::of(arena, &object).await?.and_then(|place| place.item).unwrap_or_default();
        let path = format!("{place}?fieldManager=attack-setup&force=true");
        let reply = raw(client, "PATCH", &path, "application/apply-patch+yaml", &object).await?;
        if !reply.accepted() {
            return Err(Error::Failed { what: format!("preparing {}", attack.name), detail: reply.message });
        }
    }
    Ok(())
}

/// Sends it as often as the file says, up to the first refusal.
async fn requests(arena: &Arena, attack: &Attack, undo: &mut Undo) -> Result<Vec<Reply>> {
    let mut replies = Vec::new();
    for n in 1..=attack.options.times.unwrap_or(1) {
        let (manifest, patch) = bodies(arena, attack, n)?;
        note(arena, attack, &manifest, undo).await?;
        let Some(reply) = insist(arena, attack, &manifest, &patch).await? else { break };
        note_generated(arena, &manifest, &reply, undo).await?;
        let refused = !reply.accepted();
        replies.push(reply);
        if refused {
            break;
        }
    }
    Ok(replies)
}

/// A data plane may write a status between an attacker's look and its update: whoever means it tries again.
async fn insist(arena: &Arena, attack: &Attack, manifest: &Value, patch: &Value) -> Result<Option<Reply>> {
    let mut reply = send(arena, attack, manifest, patch).await?;
    for _ in 0..CONFLICTS {
        if attack.verb != Verb::Update || reply.as_ref().is_none_or(|reply| reply.code != 409) {
            break;
        }
        reply = send(arena, attack, manifest, patch).await?;
    }
    Ok(reply)
}

/// The manifest and the patch of the n-th try.
fn bodies(arena: &Arena, attack: &Attack, n: u32) -> Result<(Value, Value)> {
    let mut vars = arena.vars.clone();
    vars.insert("n".into(), n.to_string());
    let manifest = filled(attack, &attack.manifest, &vars)?;
    let patch = attack.patch.as_ref().map_or(Ok(Value::Null), |patch| filled(attack, &patch.body, &vars))?;
    Ok((manifest, patch))
}

fn filled(attack: &Attack, value: &Value, vars: &Vars) -> Result<Value> {
    fill(value, vars).map_err(Error::failed(attack.name.clone()))
}

async fn note(arena: &Arena, attack: &Attack, manifest: &Value, undo: &mut Undo) -> Result<()> {
    match attack.verb {
        Verb::Create | Verb::Update | Verb::Patch | Verb::Apply | Verb::Delete => {
            undo.note_with(arena, manifest, attack.subresource.as_deref()).await
        }
        Verb::DeleteCollection => undo.note_all(arena, manifest).await,
        Verb::Get | Verb::List | Verb::Watch | Verb::Connect | Verb::Traffic => Ok(()),
    }
}

async fn note_generated(arena: &Arena, manifest: &Value, reply: &Reply, undo: &mut Undo) -> Result<()> {
    let made = crate::manifest::name(&reply.body);
    if !reply.accepted() || manifest["metadata"]["generateName"].is_null() || made.is_empty() {
        return Ok(());
    }
    if let Some(place) = Place::of(arena, manifest).await? {
        undo.note_made(&place.collection, made);
    }
    Ok(())
}

async fn judge(arena: &Arena, attack: &Attack, replies: Vec<Reply>) -> Result<Outcome> {
    let Some(last) = replies.last() else { return Ok(Outcome::Unproved("nothing was sent".into())) };
    Ok(match &attack.expect {
        Expect::Refused(text) => refusal(attack, last, text),
        Expect::NotFound if last.code == 404 => Outcome::Stopped(guard::names(&attack.guards)),
        Expect::NotFound if last.accepted() => Outcome::Effect("it is there, and was given away".into()),
        Expect::NotFound => Outcome::Unproved(format!("{}: {}", last.code, last.message)),
        Expect::NoEffect if last.accepted() => effects(arena, attack).await?,
        Expect::NoEffect => Outcome::Unproved(format!("it was not accepted, {}: {}", last.code, last.message)),
    })
}

/// Whether a reply is the refusal that the file promises.
fn refusal(attack: &Attack, reply: &Reply, text: &str) -> Outcome {
    if reply.accepted() || (attack.verb == Verb::Connect && !matches!(reply.code, 403 | 422)) {
        return Outcome::Effect(format!("the request was not refused ({})", reply.code));
    }
    let by = attack.guards.iter().find(|guard| guard.refused(reply));
    let said = || format!("{}: {}", reply.code, reply.message);
    match by {
        None => Outcome::Unproved(format!("refused by none of {}: {}", guard::names(&attack.guards), said())),
        Some(_) if !reply.message.contains(text) => {
            Outcome::Unproved(format!("the message lacks '{text}': {}", said()))
        }
        Some(guard) => Outcome::Stopped(guard.name().to_owned()),
    }
}

/// What an accepted request, or traffic alone, came to.
async fn effects(arena: &Arena, attack: &Attack) -> Result<Outcome> {
    settle(arena, attack).await?;
    for fact in &attack.effect {
        if is_so(arena, fact).await? == Some(true) {
            return Ok(Outcome::Effect(format!("{fact:?}")));
        }
    }
    Ok(Outcome::Stopped(guard::names(&attack.guards)))
}

async fn settle(arena: &Arena, attack: &Attack) -> Result<()> {
    wait_for(arena, &attack.settled).await?;
    match &arena.traffic {
        Some(traffic) => traffic.fence(arena).await,
        None => Ok(()),
    }
}

/// What the victim's visitors see that they should not.
async fn victim(arena: &Arena, attack: &Attack) -> Result<Option<String>> {
    let Some(traffic) = &arena.traffic else { return Ok(None) };
    let host = super::arena::fill_text(&attack.probe.host, &arena.vars).map_err(Error::failed(attack.name.clone()))?;
    traffic.changed(&attack.probe, &host).await
}
