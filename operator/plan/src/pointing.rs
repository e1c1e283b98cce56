//! Whether the DNS of clients' domains points at the gateways that serve them: what an authority looks at before it issues a
//! certificate by HTTP-01 (RFC 8555, section 8.3). It is looked up elsewhere, and decides nothing; it is said.

use std::collections::BTreeMap;

use octroi_api::names::Hostname;

use crate::world::GatewayRef;

/// What DNS says of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointing {
    /// One of its addresses is the Gateway's.
    Here,
    /// It has none, or only others.
    Elsewhere,
}

/// What is known of the DNS of domains whose certificate is not issued yet; a part of the World. A domain of which nothing is
/// known is not here: nobody looked yet, or the name server did not answer.
#[derive(Clone, Debug, Default)]
pub struct Pointings {
    wanted: BTreeMap<String, Vec<(Hostname, GatewayRef)>>,
    known: BTreeMap<String, Pointing>,
}

impl Pointings {
    /// Takes note of the domains of a tenant that wait for their certificate, and of the Gateway that each should point at.
    pub fn note(&mut self, tenant: &str, domains: Vec<(Hostname, GatewayRef)>) {
        if domains.is_empty() {
            self.wanted.remove(tenant);
        } else {
            self.wanted.insert(tenant.to_owned(), domains);
        }
    }

    /// The domains that wait: tenant, domain, and the Gateway that it should point at.
    pub fn wanted(&self) -> impl Iterator<Item = (&str, &Hostname, &GatewayRef)> {
        let all = self.wanted.iter();
        all.flat_map(|(tenant, domains)| domains.iter().map(move |(host, gateway)| (tenant.as_str(), host, gateway)))
    }

    /// Takes note of what DNS says, `None` when it did not answer. Whether that is news.
    pub fn learn(&mut self, host: &str, said: Option<Pointing>) -> bool {
        match said {
            Some(said) => self.known.insert(host.to_owned(), said) != Some(said),
            // No answer is no news: what it said last may still be so.
            None => false,
        }
    }

    /// Forgets domains that nobody waits for any more.
    pub fn forget_others(&mut self) {
        let wanted = &self.wanted;
        let is_wanted = |host: &str| wanted.values().flatten().any(|(wanted, _)| wanted.to_string() == host);
        self.known.retain(|host, _| is_wanted(host));
    }

    /// What DNS says of a domain.
    pub fn of(&self, host: &Hostname) -> Option<Pointing> {
        self.known.get(&host.to_string()).copied()
    }
}
