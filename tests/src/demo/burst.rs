//! More requests at once than a tenant is sold: what is beyond is refused, and told so.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use futures::stream;

use super::tenant::Served;
use crate::probe::{Ask, Outcome};
use crate::{Error, Result};

const REQUESTS: usize = 200;
const CONCURRENCY: usize = 16;
const TOO_MANY: Outcome = Outcome::Code(429);

/// What came of it.
pub struct Burst {
    /// Whose edge.
    pub tenant: String,
    /// How many requests were sent.
    pub requests: usize,
    /// How often each outcome was seen.
    pub counts: BTreeMap<Outcome, usize>,
}

/// Sends as many requests at once as the tenant's limit does not allow.
///
/// # Errors
/// When none is refused, or something else than 200 and 429 comes.
pub(super) async fn show(served: &Served) -> Result<Burst> {
    let ask = Ask::get(&served.url, served.address)?;
    let asked = stream::iter(0..REQUESTS).map(async |_| Outcome::of(&served.probe.ask(&ask).await));
    let mut counts = BTreeMap::new();
    for outcome in asked.buffer_unordered(CONCURRENCY).collect::<Vec<_>>().await {
        *counts.entry(outcome).or_default() += 1;
    }
    let known = [Outcome::Code(200), TOO_MANY];
    if counts.contains_key(&TOO_MANY) && counts.keys().all(|outcome| known.contains(outcome)) {
        return Ok(Burst { tenant: served.name.clone(), requests: REQUESTS, counts });
    }
    let detail = crate::probe::rate::counted(&counts);
    Err(Error::Failed { what: format!("a burst of {REQUESTS} requests to {}", served.url), detail })
}
