//! What stops an attack, known by its name and by what it says when it does.

use serde::Deserialize;

use super::request::Reply;

/// A guard.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
pub enum Guard {
    /// A ValidatingAdmissionPolicy of the chart, by name.
    Policy(String),
    /// No role gives the right.
    Rbac,
    /// The namespace's pod security level.
    PodSecurity,
    /// The namespace's ResourceQuota.
    Quota,
    /// What every API server refuses: schemas, and rules of Kubernetes itself.
    ApiServer,
    /// The request is accepted, and the data plane or a controller does nothing with it.
    DataPlane,
}

impl Guard {
    /// Its name in files, tables and output.
    pub fn name(&self) -> &str {
        match self {
            Self::Policy(name) => name,
            Self::Rbac => "rbac",
            Self::PodSecurity => "pod-security",
            Self::Quota => "quota",
            Self::ApiServer => "api-server",
            Self::DataPlane => "data-plane",
        }
    }

    /// Whether a refusal is this guard's.
    pub fn refused(&self, reply: &Reply) -> bool {
        let said = |text: &str| reply.message.contains(text);
        let by_a_policy = said("ValidatingAdmissionPolicy '");
        match self {
            Self::Policy(name) => said(&format!("ValidatingAdmissionPolicy '{name}'")),
            Self::Rbac => reply.code == 403 && said("User \"") && said(" cannot "),
            Self::PodSecurity => reply.code == 403 && said("violates PodSecurity"),
            Self::Quota => reply.code == 403 && said("exceeded quota"),
            Self::ApiServer => matches!(reply.code, 400 | 403 | 405 | 409 | 422) && !by_a_policy && !said(" cannot "),
            Self::DataPlane => false,
        }
    }

    /// Whether the matrix can take it away from outside.
    pub fn can_be_taken_away(&self) -> bool {
        !matches!(self, Self::ApiServer | Self::DataPlane)
    }
}

impl TryFrom<String> for Guard {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "rbac" => Ok(Self::Rbac),
            "pod-security" => Ok(Self::PodSecurity),
            "quota" => Ok(Self::Quota),
            "api-server" => Ok(Self::ApiServer),
            "data-plane" => Ok(Self::DataPlane),
            policy if policy.starts_with("octroi-") => Ok(Self::Policy(name)),
            _ => Err(format!(
                "there is no guard {name}: name a policy of the chart, or rbac, pod-security, quota, api-server, data-plane"
            )),
        }
    }
}

/// Names in a line.
pub fn names(guards: &[Guard]) -> String {
    guards.iter().map(Guard::name).collect::<Vec<_>>().join(", ")
}
