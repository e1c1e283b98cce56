//! DomainClaims: one per host that is ours or free.

use octroi_api::{DomainClaim, DomainClaimSpec};

use crate::child::{Child, Metadata};
use crate::resolve::ResolvedTenant;
use crate::resolve::hosts::ClaimState;

/// The claims of a Tenant.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let claimable = tenant.hosts.iter().filter(|h| h.claim != ClaimState::Taken);
    claimable
        .map(|host| {
            let key = host.claim_key();
            let spec = DomainClaimSpec { host: host.host.to_string(), tenant: tenant.name.to_string() };
            let claim = DomainClaim { metadata: metadata.of_child(&key), spec };
            Child::new(key, &claim)
        })
        .collect()
}
