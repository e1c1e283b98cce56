//! What a tenant's edge refuses whatever its routes say.

use super::tenant::Served;
use crate::probe::Ask;
use crate::probe::tls_hello::{Version, is_accepted};
use crate::{Error, Result};

/// What came of it.
pub struct Edge {
    /// Whose edge.
    pub tenant: String,
    /// TLS versions that were refused.
    pub refused: Vec<&'static str>,
    /// TLS versions that were accepted.
    pub accepted: Vec<&'static str>,
    /// Queries, and the codes of their answers.
    pub queries: [(&'static str, u16); 2],
}

/// An attack, and an honest name that looks a little like it, with the codes that they must get: as a reader writes them, and as a
/// URL has them.
const QUERIES: [(&str, &str, u16); 2] = [("' OR 1=1", "%27%20OR%201%3D1", 403), ("O'Brien", "O%27Brien", 200)];

/// Greets the edge in versions that have been broken for years, and in one that has not; sends it an attack, and something honest.
///
/// # Errors
/// When a broken one is accepted, the attack is not refused or the honest query is.
pub(super) async fn show(served: &Served) -> Result<Edge> {
    let queries = [queried(served, 0).await?, queried(served, 1).await?];
    let mut edge = Edge { tenant: served.name.clone(), refused: Vec::new(), accepted: Vec::new(), queries };
    for (name, version) in [("1.0", Version::Tls10), ("1.1", Version::Tls11), ("1.2", Version::Tls12)] {
        let is_accepted = is_accepted(served.address, &served.host, version).await?;
        if is_accepted { &mut edge.accepted } else { &mut edge.refused }.push(name);
    }
    if edge.refused.starts_with(&["1.0", "1.1"]) {
        return Ok(edge);
    }
    let detail = format!("it accepts TLS {}", edge.accepted.join(" and "));
    Err(Error::Failed { what: format!("the edge of {}", edge.tenant), detail })
}

async fn queried(served: &Served, index: usize) -> Result<(&'static str, u16)> {
    let (shown, query, wanted) = QUERIES[index];
    let what = format!("GET {}/?q={query}", served.url);
    let ask = Ask::get(&format!("{}/?q={query}", served.url), served.address)?;
    let code = served.probe.ask(&ask).await.map_err(Error::failed(what.clone()))?.code;
    if code == wanted {
        Ok((shown, code))
    } else {
        Err(Error::Failed { what, detail: format!("code {code}, not {wanted}") })
    }
}
