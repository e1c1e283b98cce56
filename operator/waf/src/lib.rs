//! The web application firewall: the OWASP Core Rule Set, a [`Profile`] per tenant, a [`Request`] in and a [`Verdict`] out.
//!
//! One [`Rules`] serves all tenants: what is a tenant's own is given with each request. Nothing here knows of Kubernetes. Only
//! [`extproc`], the service that Envoy asks, knows of a proxy, reads a clock, waits, or keeps a thread.

#![warn(missing_docs)]

mod exclusion;
pub mod extproc;
mod mask;
mod profile;
mod profiles;
mod reading;
mod request;
mod rules;
mod self_test;
mod sources;
mod verdict;

pub use octroi_coraza::{MatchedRule, Outcome, Response};

pub use exclusion::{Exclusion, InvalidExclusion, Parameter, PathPrefix, RuleId};
pub use profile::{Mode, Paranoia, Profile};
pub use profiles::{Holding, Profiles, ProfilesError, Tenant};
pub use request::Request;
pub use rules::{InspectError, MAX_BODY, RuleSet, Rules, RulesError};
pub use sources::{SourceError, Sources};
pub use verdict::{Findings, Matched, Place, Verdict};
