//! `octroi suspend` and `octroi resume`: the annotations that hold a Tenant, whatever its spec says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Client, ResourceExt};
use octroi_api::{Tenant, TenantState, labels};
use octroi_plan::resolve::state::{self, Hold};
use serde::Serialize;

use crate::cluster::{self, Cluster, explain};
use crate::screen::plain;

const MANAGER: &str = "octroi-cli";
/// Longest reason: annotations of an object share 256 KiB, and this one is shown in a status.
const MAX_REASON: usize = 500;

/// Takes a Tenant out of service at once, whatever its spec says. Nothing is deleted.
#[derive(clap::Args)]
pub struct Suspend {
    /// The Tenant.
    #[arg(value_name = "TENANT")]
    name: String,
    /// Only refuse what is new: its routes are served as they are.
    #[arg(long)]
    cordon: bool,
    /// Why. Whoever reads the Tenant reads this, its members among them.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Until when. Default: until it is resumed.
    #[arg(long, value_name = "RFC3339", conflicts_with = "period", value_parser = time)]
    until: Option<Timestamp>,
    /// For how long, such as 90m, 2h or 3d. Default: until it is resumed.
    #[arg(long = "for", id = "period", value_name = "DURATION", value_parser = period)]
    period: Option<SignedDuration>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    cluster: Cluster,
}

/// Takes the hold off a Tenant.
#[derive(clap::Args)]
pub struct Resume {
    /// The Tenant.
    #[arg(value_name = "TENANT")]
    name: String,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    cluster: Cluster,
}

/// Whether to wait for the operator.
#[derive(clap::Args)]
struct Wait {
    /// Do not wait until the operator has carried it out.
    #[arg(long)]
    no_wait: bool,
    /// How long to wait, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

fn reason(text: &str) -> Result<String, String> {
    let reason = plain(text);
    match reason.chars().count() {
        0 => Err("say why: whoever is woken by it reads this".into()),
        length if length > MAX_REASON => Err(format!("it has {length} characters: at most {MAX_REASON} are kept")),
        _ => Ok(reason),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write it as 2026-12-31T18:00:00Z, or as 2026-12-31T19:00:00+01:00".into())
}

fn period(text: &str) -> Result<SignedDuration, String> {
    let span: Span = text.parse().map_err(|_| "write it as 90m, 2h or 3d")?;
    let long =
        span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| "write it in minutes, hours or days")?;
    if long.is_positive() { Ok(long) } else { Err("it must be longer than nothing".into()) }
}

/// The time at which a hold ends.
fn end(until: Option<Timestamp>, period: Option<SignedDuration>, now: Timestamp) -> Result<Option<Timestamp>> {
    let until = match period {
        Some(period) => {
            let end = now.checked_add(period).context("--for ends after the year 9999: leave it out")?;
            Some(Timestamp::from_second(end.as_second())?)
        }
        None => until,
    };
    match until {
        Some(until) if until <= now => bail!("--until {until} is over: it is {now:.0} now"),
        until => Ok(until),
    }
}

/// A merge patch of annotations: those that are `None` go, others stay.
#[derive(Serialize, Debug)]
struct Change {
    metadata: Metadata,
}

#[derive(Serialize, Debug)]
struct Metadata {
    annotations: BTreeMap<&'static str, Option<String>>,
}

async fn write(api: &Api<Tenant>, name: &str, hold: Option<&Hold>) -> Result<Tenant> {
    let annotations = BTreeMap::from([
        (labels::HOLD, hold.map(|hold| hold.state.as_str().to_owned())),
        (labels::HOLD_REASON, hold.and_then(|hold| hold.reason.clone())),
        (labels::HOLD_UNTIL, hold.and_then(|hold| hold.until).map(|until| until.to_string())),
    ]);
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    let change = Change { metadata: Metadata { annotations } };
    api.patch(name, &params, &Patch::Merge(&change)).await.map_err(|error| explain(error, "hold or resume", name))
}

/// Runs `octroi suspend`.
///
/// # Errors
/// When there is no such Tenant, the end is over already, or the operator does not follow in time.
pub async fn suspend(args: Suspend) -> Result<()> {
    let now = Timestamp::now();
    let until = end(args.until, args.period, now)?;
    let client = args.cluster.client().await?;
    let api: Api<Tenant> = Api::all(client.clone());
    let before = cluster::tenant(&api, &args.name).await?;
    let state = if args.cordon { TenantState::Cordoned } else { TenantState::Suspended };
    let hold = Hold { state, reason: Some(args.reason), until };
    let stored = write(&api, &args.name, Some(&hold)).await?;
    println!("Tenant {} is held: {}.", args.name, in_words(&hold));
    if let Some(old) = held(&before, now) {
        println!("This replaces: {}.", in_words(&old));
    }
    let in_force = state.max(stored.spec.state.unwrap_or_default());
    if in_force != state {
        println!("spec.state says {}, which is stricter and stays in force.", in_force.as_str());
    }
    println!("To take it back: octroi resume {}", args.name);
    args.wait.until(&client, &stored, in_force).await
}

/// Runs `octroi resume`.
///
/// # Errors
/// When there is no such Tenant, or the operator does not follow in time.
pub async fn resume(args: Resume) -> Result<()> {
    let client = args.cluster.client().await?;
    let api: Api<Tenant> = Api::all(client.clone());
    let before = cluster::tenant(&api, &args.name).await?;
    let stored = write(&api, &args.name, None).await?;
    match (held(&before, Timestamp::now()), before.annotations().contains_key(labels::HOLD)) {
        (Some(old), _) => println!("Tenant {} is not held any more. It was: {}.", args.name, in_words(&old)),
        (None, true) => println!("Tenant {}: a hold that was over, or unreadable, is gone.", args.name),
        (None, false) => println!("Tenant {} was not held.", args.name),
    }
    let state = stored.spec.state.unwrap_or_default();
    if state != TenantState::Active {
        println!("spec.state still says {}. To end that too: {}", state.as_str(), to_activate(&args.name));
    }
    args.wait.until(&client, &stored, state).await
}

fn held(tenant: &Tenant, now: Timestamp) -> Option<Hold> {
    state::resolve(tenant, now).ok()?.hold
}

/// A hold in words: state, end and reason.
pub fn in_words(hold: &Hold) -> String {
    let until = hold.until.map(|until| format!(" until {until}")).unwrap_or_default();
    let reason = hold.reason.as_ref().map(|reason| format!(", because: {}", plain(reason))).unwrap_or_default();
    format!("{}{until}{reason}", hold.state.as_str())
}

/// The command that sets `spec.state` back.
pub fn to_activate(name: &str) -> String {
    format!("kubectl patch tenant {name} --type=merge -p '{{\"spec\":{{\"state\":\"Active\"}}}}'")
}

fn effect(state: TenantState) -> &'static str {
    match state {
        TenantState::Active => "its routes may change and are served.",
        TenantState::Cordoned => "its routes are served as they are and take nothing new.",
        TenantState::Suspended => "every host answers 503 with the platform's page; nothing was deleted.",
    }
}

impl Wait {
    /// Waits until the operator has carried a state out: admission reads it on the namespaces, and the status tells when
    /// the data plane has followed.
    async fn until(&self, client: &Client, tenant: &Tenant, state: TenantState) -> Result<()> {
        let (name, since) = (tenant.name_any(), Instant::now());
        if self.no_wait {
            println!("Not waited for: octroi status {name} tells how far the operator is.");
            return Ok(());
        }
        let waited = tokio::time::timeout(Duration::from_secs(self.timeout), follow(client, &name, state)).await;
        match waited {
            Ok(followed) => {
                followed.context("it is written, but whether the operator follows cannot be seen")?;
                println!("In force after {:.1} s: {}", since.elapsed().as_secs_f64(), effect(state));
                Ok(())
            }
            Err(_) => bail!(
                "it is written, but not in force after {} s: does the operator run (kubectl get leases -A), and what does octroi status {name} say?",
                self.timeout
            ),
        }
    }
}

async fn follow(client: &Client, name: &str, state: TenantState) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let place = format!("{}{name}", labels::GATEWAY_NAMESPACE_PREFIX);
    let is_labelled = |namespace: Option<&Namespace>| {
        namespace.and_then(|n| n.labels().get(labels::STATE)).is_some_and(|label| label == state.as_str())
    };
    await_condition(namespaces, &place, is_labelled).await?;
    let tenants: Api<Tenant> = Api::all(client.clone());
    await_condition(tenants, name, |tenant: Option<&Tenant>| tenant.is_none_or(|tenant| says(tenant, state))).await?;
    Ok(())
}

/// Whether the condition Ready speaks of this state. One that is not ready for another reason says no more.
fn says(tenant: &Tenant, state: TenantState) -> bool {
    let conditions = tenant.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let Some(ready) = conditions.iter().find(|condition| condition.type_ == "Ready") else { return false };
    match ready.reason.as_str() {
        "Held" => ready.message.starts_with(state.as_str()),
        "Ready" => state == TenantState::Active,
        "Progressing" => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_that_nobody_means_are_refused() {
        for text in ["", "2", "h", "-2h", "0s", "tomorrow", "1month"] {
            assert!(period(text).is_err(), "{text:?}: {:?}", period(text));
        }
        for (text, seconds) in [("90m", 5400), ("2h", 7200), ("1h30m", 5400), ("3d", 259_200)] {
            assert_eq!(period(text).map(|long| long.as_secs()), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn an_end_must_be_ahead() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let at = |text: &str| Some(time(text).unwrap());
        for over in ["2026-06-01T12:00:00Z", "2026-06-01T13:59:59+02:00"] {
            let said = end(at(over), None, now).unwrap_err().to_string();
            assert!(said.contains("is over: it is 2026-06-01T12:00:00Z now"), "{said}");
        }
        assert_eq!(end(at("2026-06-01T14:00:01+02:00"), None, now).unwrap(), at("2026-06-01T12:00:01Z"));
        assert_eq!(end(None, Some(SignedDuration::from_hours(2)), now).unwrap(), at("2026-06-01T14:00:00Z"));
        assert_eq!(end(None, None, now).unwrap(), None);
    }

    #[test]
    fn a_reason_is_one_plain_line_of_some_length() {
        assert_eq!(reason(" phishing\n\u{1b}[31m page "), Ok("phishing [31m page".into()));
        assert!(reason(" \n").is_err() && reason(&"x".repeat(501)).is_err());
    }
}
