//! Takes guards away, so that what they stop can be seen to work without them, and puts them back.

use serde_json::{Value, json};

use super::arena::Arena;
use super::guard::Guard;
use super::request::raw;
use super::undo::Undo;
use crate::{Error, Result};

/// The roles of a tenant's members.
const ROLES: [&str; 4] = ["octroi-tenant-view", "octroi-tenant-edit", "octroi-tenant-admin", "octroi-gateway-view"];

/// What was taken away. Losing it would leave the cluster unguarded.
#[must_use = "it has to be put back"]
pub struct Taken(Undo);

impl Taken {
    /// Puts everything back.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn put_back(self, arena: &Arena) -> Result<()> {
        self.0.all(arena).await
    }
}

/// Takes a guard away. Nothing may run beside the operator that puts it back: it is to be stopped before.
///
/// # Errors
/// When it cannot be taken away; it is back then.
pub async fn take(arena: &Arena, guard: &Guard) -> Result<Taken> {
    let mut undo = Undo::default();
    let done = match guard {
        Guard::Policy(name) => without_bindings(arena, name, &mut undo).await,
        Guard::Rbac => widen_roles(arena, &mut undo).await,
        Guard::PodSecurity => without_level(arena, &mut undo).await,
        Guard::Quota => without_quota(arena, &mut undo).await,
        Guard::ApiServer | Guard::DataPlane => {
            let detail = "it cannot be taken away from outside".into();
            Err(Error::Failed { what: guard.name().into(), detail })
        }
    };
    match done {
        Ok(()) => Ok(Taken(undo)),
        Err(error) => {
            undo.all(arena).await?;
            Err(error)
        }
    }
}

/// A policy may have several bindings.
async fn without_bindings(arena: &Arena, policy: &str, undo: &mut Undo) -> Result<()> {
    let collection = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";
    let all = raw(&arena.platform, "GET", collection, "application/json", &Value::Null).await?;
    let bindings = all.body["items"].as_array().cloned().unwrap_or_default();
    let bindings: Vec<_> = bindings.iter().filter(|binding| binding["spec"]["policyName"] == policy).collect();
    if bindings.is_empty() {
        let detail = "no ValidatingAdmissionPolicyBinding names it".into();
        return Err(Error::Failed { what: format!("taking {policy} away"), detail });
    }
    for binding in bindings {
        let name = crate::manifest::name(binding);
        let like = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
        });
        undo.note(arena, &like).await?;
        let path = format!("{collection}/{name}");
        done(raw(&arena.platform, "DELETE", &path, "application/json", &Value::Null).await?, &path)?;
    }
    Ok(())
}

async fn widen_roles(arena: &Arena, undo: &mut Undo) -> Result<()> {
    let everything = json!({"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    for name in ROLES {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
        });
        undo.note(arena, &role).await?;
        let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}");
        done(raw(&arena.platform, "PATCH", &path, "application/merge-patch+json", &everything).await?, &path)?;
    }
    Ok(())
}

async fn without_level(arena: &Arena, undo: &mut Undo) -> Result<()> {
    let name = arena.var("namespace");
    undo.note(arena, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await?;
    let path = format!("/api/v1/namespaces/{name}");
    let none = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": null}}});
    done(raw(&arena.platform, "PATCH", &path, "application/merge-patch+json", &none).await?, &path)
}

async fn without_quota(arena: &Arena, undo: &mut Undo) -> Result<()> {
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"namespace": arena.var("namespace")},
    });
    undo.note_all(arena, &quota).await?;
    let path = format!("/api/v1/namespaces/{}/resourcequotas", arena.var("namespace"));
    done(raw(&arena.platform, "DELETE", &path, "application/json", &Value::Null).await?, &path)
}

fn done(reply: super::request::Reply, path: &str) -> Result<()> {
    if reply.accepted() {
        return Ok(());
    }
    Err(Error::Failed { what: format!("taking a guard away at {path}"), detail: reply.message })
}
