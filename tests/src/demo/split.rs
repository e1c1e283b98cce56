//! A traffic split and a header rewrite by the tenant's own developer, counted from what the backend saw.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use serde_json::Value;

use super::backend::{self, CANARY_PATH, HEADER, VERSIONS};
use super::tenant::Served;
use crate::probe::{Answer, Ask};
use crate::{Error, Result};

const REQUESTS: usize = 100;
const CONCURRENCY: usize = 8;
/// For a change of a route to reach the proxy.
const LIMIT: Duration = Duration::from_mins(1);

/// What came of the split.
pub struct Split {
    /// Whose developer wrote it.
    pub tenant: String,
    /// The requests that each version got, the stable one first; all of them carried the header.
    pub counts: [usize; 2],
}

/// Applies the route as the developer and counts who answered.
pub(super) async fn measure(served: &Served) -> Result<Split> {
    served.developer.apply(&backend::canary(&served.namespace, &served.host, &served.name)).await?;
    let ask = Ask::get(&format!("{}{CANARY_PATH}", served.url), served.address)?;
    // The rarer version answers only once its pod is ready and the proxy knows it: before that the split is not in force.
    let canary = |answer: &Answer| answer.code == 200 && version(answer, &served.name).as_deref() == Some(VERSIONS[1]);
    served.probe.until(&ask, LIMIT, &format!("{} with the header {HEADER}", VERSIONS[1]), canary).await?;

    let asked = stream::iter(0..REQUESTS).map(async |_| served.probe.ask(&ask).await).buffer_unordered(CONCURRENCY);
    let answers: Vec<_> = asked.collect().await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for answer in answers {
        let answer = answer.map_err(Error::failed(format!("GET {}{CANARY_PATH}", served.url)))?;
        let version = version(&answer, &served.name).ok_or_else(|| Error::Failed {
            what: format!("GET {}{CANARY_PATH}", served.url),
            detail: format!("code {}, and the backend did not see {HEADER}: {}", answer.code, served.name),
        })?;
        *counts.entry(version).or_default() += 1;
    }
    let counts = VERSIONS.map(|version| counts.get(version).copied().unwrap_or_default());
    Ok(Split { tenant: served.name.clone(), counts })
}

/// Which version answered; nothing when the backend did not get the header that the route sets.
fn version(answer: &Answer, expected: &str) -> Option<String> {
    let seen: Value = answer.json().ok()?;
    let header = seen["headers"][HEADER][0].as_str()?;
    (header == expected).then(|| seen["version"].as_str().map(str::to_owned))?
}
