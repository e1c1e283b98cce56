//! What a tenant's edge refuses whatever its routes say.

use super::tenant::Served;
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
}

/// Greets the edge in versions that have been broken for years, and in one that has not.
///
/// # Errors
/// When a broken one is accepted.
pub(super) async fn show(served: &Served) -> Result<Edge> {
    let mut edge = Edge { tenant: served.name.clone(), refused: Vec::new(), accepted: Vec::new() };
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
