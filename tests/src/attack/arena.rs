//! Where attacks happen: two tenants that serve, a third that is cordoned, and who tries. How it came to be is not known
//! here; [`super::lab`] sets one up on the lab, and a test one on a control plane without pods.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use kube::Client;
use kube::core::{GroupVersionKind, TypeMeta};
use kube::discovery::{ApiResource, Scope, pinned_kind};
use serde::Deserialize;
use serde_json::{Value, json};

use super::observe::Traffic;
use crate::{Error, Result};

/// The names that `${…}` may stand for in a file.
pub const VARS: [&str; 22] = [
    "tenant",           // the attacker
    "namespace",        // its one namespace, with Service web-attacker and HTTPRoute www
    "gatewayNamespace", // gw-<tenant>
    "apex",             // <tenant>.<base>
    "host",             // www.<apex>
    "base",
    "victim",
    "victimNamespace", // with Service web-victim and HTTPRoute www
    "victimGatewayNamespace",
    "victimApex",
    "victimHost",
    "victimRouteUid",
    "victimTenantUid",
    "cordoned", // a tenant in state Cordoned, of which the attacker is a member; HTTPRoute www is there
    "cordonedNamespace",
    "cordonedHost",
    "gatewayClass",
    "gateway", // the shared Gateway
    "gatewaysNamespace",
    "operatorNamespace",
    "class", // the TenantClass
    "n",     // the number of the try, where there are several
];

/// Who tries.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "camelCase")]
pub enum User {
    /// A member with role Edit.
    Developer,
    /// A member with role Admin.
    Admin,
    /// A member with role View.
    Viewer,
    /// Has, by a mistake of the run team, every right in the tenant's namespace.
    Powerful,
    /// Has, by a mistake of the run team, every right in `gw-<tenant>`.
    GatewayPowerful,
    /// Has, by a mistake of the run team, every right on Octroi's kinds and on Namespaces, in the whole cluster.
    ClusterPowerful,
    /// Somebody who took over the operator.
    Operator,
    /// Anybody who can send a request to a gateway.
    Visitor,
}

impl User {
    /// All that talk to the API server.
    pub const OF_THE_API: [Self; 7] = [
        Self::Developer,
        Self::Admin,
        Self::Viewer,
        Self::Powerful,
        Self::GatewayPowerful,
        Self::ClusterPowerful,
        Self::Operator,
    ];

    /// In words, for the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::Admin => "admin",
            Self::Viewer => "viewer",
            Self::Powerful => "all rights in the namespace",
            Self::GatewayPowerful => "all rights in gw-*",
            Self::ClusterPowerful => "all rights on Octroi's kinds",
            Self::Operator => "the operator, taken over",
            Self::Visitor => "visitor",
        }
    }
}

/// What `${…}` stands for.
pub type Vars = BTreeMap<String, String>;
/// Who can be acted as.
pub type Clients = BTreeMap<User, Client>;

/// A kind that is served: its API, and whether it is namespaced.
pub(super) type Served = Option<(ApiResource, bool)>;

/// Where attacks happen.
pub struct Arena {
    /// What `${…}` stands for.
    pub vars: Vars,
    /// The run team, in its break-glass group.
    pub platform: Client,
    /// The gateway, where there is one that serves.
    pub traffic: Option<Traffic>,
    clients: Clients,
    kinds: Mutex<HashMap<(String, String), Served>>,
}

impl Arena {
    /// An arena of these.
    pub fn new(vars: Vars, platform: Client, clients: Clients, traffic: Option<Traffic>) -> Self {
        Self { vars, platform, traffic, clients, kinds: Mutex::default() }
    }

    /// Notes the uids of the victim's objects: an attacker may have seen them somewhere.
    ///
    /// # Errors
    /// When they are not there.
    pub async fn note_uids(&mut self) -> Result<()> {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "www", "namespace": self.var("victimNamespace")},
        });
        let tenant = json!({
            "apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": self.var("victim")},
        });
        for (name, object) in [("victimRouteUid", route), ("victimTenantUid", tenant)] {
            let found = super::observe::found(self, &object).await?.flatten().unwrap_or_default();
            let uid = found["metadata"]["uid"]
                .as_str()
                .ok_or_else(|| Error::Failed { what: name.into(), detail: format!("{object} is not there") })?;
            self.vars.insert(name.into(), uid.into());
        }
        Ok(())
    }

    /// The client of a user.
    ///
    /// # Errors
    /// When the user does not talk to the API server.
    pub fn client(&self, user: User) -> Result<&Client> {
        self.clients.get(&user).ok_or_else(|| Error::Failed {
            what: format!("a request as {}", user.title()),
            detail: "this arena has no such user".into(),
        })
    }

    /// A variable's value.
    pub fn var(&self, name: &str) -> &str {
        self.vars.get(name).map_or("", String::as_str)
    }

    /// The API of an object's kind; nothing when it is not served here.
    pub(super) async fn kind(&self, object: &Value) -> Result<Served> {
        let types: TypeMeta = serde_json::from_value(object.clone()).map_err(Error::failed("a manifest"))?;
        let key = (types.api_version.clone(), types.kind.clone());
        if let Some(known) = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let kind = GroupVersionKind::try_from(types).map_err(Error::failed("a manifest"))?;
        let found = match pinned_kind(&self.platform, &kind).await {
            Ok((resource, capabilities)) => Some((resource, capabilities.scope == Scope::Namespaced)),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(kube::Error::Discovery(_)) => None,
            Err(error) => return Err(Error::kube(format!("finding the API of {}", kind.kind))(error)),
        };
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        Ok(found)
    }
}

/// The value with every `${…}` of its strings, keys included, replaced.
///
/// # Errors
/// When there is no such variable.
pub fn fill(value: &Value, vars: &Vars) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(fill_text(text, vars)?),
        Value::Array(items) => Value::Array(items.iter().map(|item| fill(item, vars)).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let filled = fields.iter().map(|(key, inner)| Ok((fill_text(key, vars)?, fill(inner, vars)?)));
            Value::Object(filled.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

pub(super) fn fill_text(text: &str, vars: &Vars) -> Result<String, String> {
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').ok_or_else(|| format!("a placeholder without an end in {text}"))?;
        let value = vars.get(name).ok_or_else(|| format!("there is no placeholder ${{{name}}}, in {text}"))?;
        filled += value;
        filled += rest;
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_everywhere_or_refused() {
        let vars = Vars::from([("tenant".to_owned(), "red".to_owned())]);
        let filled = fill(&json!({"a-${tenant}": ["x.${tenant}.y", 1, null]}), &vars).unwrap();
        assert_eq!(filled, json!({"a-red": ["x.red.y", 1, null]}));
        assert!(fill(&json!("${nobody}"), &vars).unwrap_err().contains("${nobody}"));
        assert!(fill(&json!("${tenant"), &vars).is_err());
    }
}
