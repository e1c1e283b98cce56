//! Condition types and reasons. One closed list of reasons serves conditions, Events and metric labels.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

/// The types of the conditions of a Tenant; a TenantClass has [`ConditionType::Accepted`], [`ConditionType::Ready`] and
/// [`ConditionType::CapabilitiesSupported`] of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// The spec is valid, and everything it names may be had.
    Accepted,
    /// Every child of this generation was seen in place and serving.
    Ready,
    /// Namespaces and rights are in place.
    NamespacesReady,
    /// The data plane has the tenant's entry.
    GatewayProgrammed,
    /// Every certificate was issued.
    CertificatesReady,
    /// The data plane can do everything that is set, in the class or in the tenant.
    CapabilitiesSupported,
    /// Of a class: nothing in its data plane's own settings weakens what keeps tenants apart.
    DataPlaneHardened,
}

impl ConditionType {
    /// The word in `conditions[].type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Ready => "Ready",
            Self::NamespacesReady => "NamespacesReady",
            Self::GatewayProgrammed => "GatewayProgrammed",
            Self::CertificatesReady => "CertificatesReady",
            Self::CapabilitiesSupported => "CapabilitiesSupported",
            Self::DataPlaneHardened => "DataPlaneHardened",
        }
    }
}

/// Why something is as it is. Few, so that an alert can name them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// As it should be.
    Ready,
    /// On its way; nothing to do but wait.
    Progressing,
    /// The spec contradicts itself or its class.
    Invalid,
    /// Something that is asked for is less strict than the class: the class holds.
    Clamped,
    /// The class does not exist, or none is the default.
    ClassNotFound,
    /// The class exists, but is not accepted itself.
    ClassNotAccepted,
    /// A host belongs to somebody else.
    HostTaken,
    /// What a port takes is a host that is not this tenant's.
    HostNotOwned,
    /// A port belongs to somebody else.
    PortTaken,
    /// The class does not offer a port, or not for this.
    PortNotOffered,
    /// The class does not offer an upstream of this kind, or not on this port.
    UpstreamNotOffered,
    /// A namespace exists and is not this tenant's.
    NamespaceTaken,
    /// What is in a namespace that is to be adopted breaks the rules for tenants.
    AdoptionRefused,
    /// The data plane cannot do what is set.
    Unsupported,
    /// A setting of the data plane itself weakens what keeps tenants apart.
    NotHardened,
    /// The settings of the data plane itself were not seen.
    SettingsUnknown,
    /// The tenant is Cordoned or Suspended.
    Held,
    /// An API that is needed is not installed.
    MissingApi,
    /// The data plane has not taken the entry.
    NotProgrammed,
    /// A certificate was not issued.
    CertificateNotReady,
    /// A certificate waits until its issuer may be asked for it.
    IssuanceQueued,
    /// The certificate of a domain is not issued, and the domain's DNS does not point at the tenant's gateway.
    DnsNotPointing,
    /// A certificate serves, and its renewal is overdue.
    RenewalFailing,
    /// A move to another gateway waits for somebody to accept the gap.
    GapNotAccepted,
    /// The API server refused a write of the operator.
    ApplyFailed,
    /// Being deleted.
    Terminating,
}

impl Reason {
    /// Every reason, for tables and metrics.
    pub const ALL: [Self; 26] = [
        Self::Ready,
        Self::Progressing,
        Self::Invalid,
        Self::Clamped,
        Self::ClassNotFound,
        Self::ClassNotAccepted,
        Self::HostTaken,
        Self::HostNotOwned,
        Self::PortTaken,
        Self::PortNotOffered,
        Self::UpstreamNotOffered,
        Self::NamespaceTaken,
        Self::AdoptionRefused,
        Self::Unsupported,
        Self::NotHardened,
        Self::SettingsUnknown,
        Self::Held,
        Self::MissingApi,
        Self::NotProgrammed,
        Self::CertificateNotReady,
        Self::IssuanceQueued,
        Self::DnsNotPointing,
        Self::RenewalFailing,
        Self::GapNotAccepted,
        Self::ApplyFailed,
        Self::Terminating,
    ];

    /// The word in `conditions[].reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Progressing => "Progressing",
            Self::Invalid => "Invalid",
            Self::Clamped => "Clamped",
            Self::ClassNotFound => "ClassNotFound",
            Self::ClassNotAccepted => "ClassNotAccepted",
            Self::HostTaken => "HostTaken",
            Self::HostNotOwned => "HostNotOwned",
            Self::PortTaken => "PortTaken",
            Self::PortNotOffered => "PortNotOffered",
            Self::UpstreamNotOffered => "UpstreamNotOffered",
            Self::NamespaceTaken => "NamespaceTaken",
            Self::AdoptionRefused => "AdoptionRefused",
            Self::Unsupported => "Unsupported",
            Self::NotHardened => "NotHardened",
            Self::SettingsUnknown => "SettingsUnknown",
            Self::Held => "Held",
            Self::MissingApi => "MissingApi",
            Self::NotProgrammed => "NotProgrammed",
            Self::CertificateNotReady => "CertificateNotReady",
            Self::IssuanceQueued => "IssuanceQueued",
            Self::DnsNotPointing => "DNSNotPointing",
            Self::RenewalFailing => "RenewalFailing",
            Self::GapNotAccepted => "GapNotAccepted",
            Self::ApplyFailed => "ApplyFailed",
            Self::Terminating => "Terminating",
        }
    }
}

/// One condition before it has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which aspect.
    pub kind: ConditionType,
    /// Whether it holds; `None` when that is not known.
    pub holds: Option<bool>,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, and what to do.
    pub message: String,
}

/// The conditions of `verdicts` for `generation`: the time of an old condition is kept while its status is the same.
pub fn stamp(verdicts: Vec<Verdict>, old: &[Condition], generation: i64, now: Timestamp) -> Vec<Condition> {
    verdicts
        .into_iter()
        .map(|verdict| {
            let status = match verdict.holds {
                Some(true) => "True",
                Some(false) => "False",
                None => "Unknown",
            };
            let kept = old.iter().find(|c| c.type_ == verdict.kind.as_str() && c.status == status);
            Condition {
                type_: verdict.kind.as_str().into(),
                status: status.into(),
                observed_generation: Some(generation),
                last_transition_time: kept.map_or(Time(now), |c| c.last_transition_time.clone()),
                reason: verdict.reason.as_str().into(),
                message: verdict.message,
            }
        })
        .collect()
}

/// The reason of one condition, if it is there.
pub fn reason_of(conditions: &[Condition], kind: ConditionType) -> Option<&str> {
    conditions.iter().find(|c| c.type_ == kind.as_str()).map(|c| c.reason.as_str())
}
