//! Tenants that answer, and whose limits hold.

use std::time::{Duration, Instant};

use octroi_api::GatewayStatus;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::demo::backend;
use crate::probe::rate::{self, Connections};
use crate::probe::{Ask, Outcome};
use crate::stage::{Guest, LIMIT, Stage};
use crate::{Error, Result};

/// How much of a second's limit is asked for at once, to see that it holds.
const BEYOND: u32 = 4;
const A_LOOK: Duration = Duration::from_secs(2);

/// A tenant with the sample backend, which answers; with a limit, or without.
pub(super) async fn tenant<'a>(
    stage: &'a Stage,
    class: &str,
    suffix: &str,
    per_second: Option<u32>,
) -> Result<(Guest<'a>, Ask)> {
    let limit = |spec: &mut Value| {
        if let Some(per_second) = per_second {
            spec["rateLimit"] = json!({"requestsPerSecond": per_second});
        }
    };
    let guest = stage.tenant(class, suffix, limit).await?;
    guest.deploy(&backend::deployment(&guest.name, "v1")).await?;
    guest.deploy(&backend::service(&guest.name, "v1")).await?;
    guest.deploy(&backend::route(&guest.name, &guest.www())).await?;
    let ask = guest.ask(&guest.www(), "/").await?;
    stage.probe.until_status(&ask, 200, LIMIT).await?;
    guest.ready().await?;
    Ok((guest, ask))
}

/// Asks more than the limit until something of it is refused: what was applied may still be on its way to the proxies.
pub(super) async fn until_limited(stage: &Stage, ask: &Ask, per_second: u32) -> Result<()> {
    let since = Instant::now();
    loop {
        let stop = CancellationToken::new();
        let run = rate::run(&stage.probe, ask, BEYOND * per_second, Connections::Kept, A_LOOK, &stop).await;
        let seen = run.histogram();
        if seen.contains_key(&Outcome::Code(429)) {
            return Ok(());
        }
        if since.elapsed() > LIMIT {
            return Err(Error::NotInTime {
                what: format!("a limit of {per_second} requests a second refuses some of {}", BEYOND * per_second),
                waited: since.elapsed(),
                state: format!("seen last: {}", rate::counted(&seen)),
            });
        }
    }
}

/// All of them enter by one Gateway, or nothing is measured.
pub(super) async fn share_a_gateway(guests: &[&Guest<'_>]) -> Result<()> {
    let mut places: Vec<String> = Vec::new();
    for guest in guests {
        places.push(guest.until("it is at a Gateway", |status| status.gateway.as_ref().map(place)).await?);
    }
    places.dedup();
    if places.len() == 1 {
        return Ok(());
    }
    let detail = format!("they have {}: no noise would pass from one to the other", places.join(", "));
    Err(Error::Failed { what: "the tenants share no Gateway".into(), detail })
}

fn place(gateway: &GatewayStatus) -> String {
    format!("{}/{}", gateway.namespace, gateway.name)
}
