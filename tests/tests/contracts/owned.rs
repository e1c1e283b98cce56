//! Objects as the operator stores them, and what it owns of them.

use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use octroi_api::labels::FIELD_MANAGER;
use octroi_plan::kind::Creation;
use octroi_plan::{ChildKind, digest as plan_digest};
use octroi_tests::manifest;
use octroi_tests::strict::{self, apply_strict};
use serde_json::Value;
use similar::TextDiff;

use super::change::Edit;

/// Who changes what is not theirs.
const SOMEBODY: &str = "kubectl-edit";
/// Of what Kubernetes itself may be in the way of, by a status that it writes.
const ATTEMPTS: usize = 5;

/// An object that was sent, and what came back.
#[derive(Clone)]
pub struct Stored {
    /// As it was sent.
    pub body: Value,
    /// As it is observed.
    pub object: Value,
}

impl Stored {
    /// Kind, namespace and name.
    pub fn title(&self) -> String {
        let namespace = self.body["metadata"]["namespace"].as_str().unwrap_or_default();
        format!("{} {namespace}/{}", manifest::kind(&self.body), manifest::name(&self.body))
    }

    /// Whether it is applied: a lock is only created, and its digest counts for nothing.
    pub fn is_applied(&self) -> bool {
        kind_of(&self.body).creation() != Creation::Lock
    }
}

/// The kind of an object.
pub fn kind_of(object: &Value) -> ChildKind {
    let (group, kind) = (object["apiVersion"].as_str().unwrap_or_default(), manifest::kind(object));
    let version = |k: &ChildKind| match k.api().group {
        "" => k.api().version.to_owned(),
        group => format!("{group}/{}", k.api().version),
    };
    let found = ChildKind::ALL.into_iter().find(|k| k.api().kind == kind && version(k) == group);
    found.unwrap_or_else(|| panic!("{group} {kind} is no kind that Octroi writes"))
}

/// Stores an object as the operator does: created where creating it is the point, applied otherwise.
pub async fn store(client: &Client, body: Value) -> Stored {
    let (creation, api) = (kind_of(&body).creation(), strict::endpoint(client, &body).await.unwrap());
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), dry_run: false };
    let fail =
        |error: &dyn std::fmt::Display| -> ! { panic!("{} {}: {error}", manifest::kind(&body), manifest::name(&body)) };
    let created = if creation == Creation::Apply {
        None
    } else {
        let object: DynamicObject = serde_json::from_value(body.clone()).unwrap();
        Some(api.create(&params, &object).await.unwrap_or_else(|error| fail(&error)))
    };
    let object = match (creation, created) {
        (Creation::Lock, Some(created)) => created,
        _ => apply_strict(client, &body).await.unwrap_or_else(|error| fail(&error)),
    };
    let mut stored = Stored { object: value(object), body };
    if stored.is_applied() {
        // Where a CRD has defaults in its status, the second write of any kind stores them, and counts as a change.
        let again = apply(client, &stored.body).await;
        assert_eq!(again["metadata"]["generation"], stored.object["metadata"]["generation"], "{}", stored.title());
        assert_eq!(digest(&again), digest(&stored.object), "{}", stored.title());
        stored.object = again;
    }
    stored
}

/// Applies a body as the operator does.
pub async fn apply(client: &Client, body: &Value) -> Value {
    value(apply_strict(client, body).await.unwrap_or_else(|error| panic!("{error}")))
}

/// Whether an apply of what is there already changes nothing. Kubernetes writes its counts into a quota's status when it
/// likes, so a change counts when each of several applies makes one.
pub async fn changes_when_applied_again(client: &Client, one: &Stored) -> Option<String> {
    let mut before = one.object.clone();
    for _ in 0..ATTEMPTS {
        let again = apply(client, &one.body).await;
        if again["metadata"]["generation"] != before["metadata"]["generation"] {
            return Some(format!("{}: another apply changes its generation", one.title()));
        }
        if again["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"] {
            return None;
        }
        if kind_of(&one.body) != ChildKind::ResourceQuota {
            break;
        }
        before = again;
    }
    Some(format!("{}: another apply changes its resourceVersion", one.title()))
}

/// The digest of what Octroi owns.
pub fn digest(object: &Value) -> Option<u64> {
    plan_digest::of_observed(object)
}

/// How what is owned differs from what was sent; nothing when it does not, or when it does not count.
pub fn mismatch(one: &Stored) -> Option<String> {
    if !one.is_applied() || digest(&one.object) == Some(plan_digest::of_desired(&one.body)) {
        return None;
    }
    let sent = yaml(&plan_digest::applied(&one.body));
    let diff = TextDiff::from_lines(&sent, &shown(&one.object)).unified_diff().header("sent", "owned").to_string();
    Some(format!("{}: what is owned is not what was sent:\n{diff}", one.title()))
}

/// What Octroi owns, to be read.
pub fn shown(object: &Value) -> String {
    plan_digest::owned(object).map_or_else(|| "nothing is owned".to_owned(), |owned| yaml(&owned))
}

/// One object of each kind that is applied, the one with the most in it.
pub fn largest_of_each_kind(stored: &[Stored]) -> Vec<&Stored> {
    let of_kind = |kind: ChildKind| stored.iter().filter(move |one| one.is_applied() && kind_of(&one.body) == kind);
    ChildKind::ALL.into_iter().filter_map(|kind| of_kind(kind).max_by_key(|one| one.body.to_string().len())).collect()
}

/// The object as it would be after somebody's edit; nothing when the API server refuses it.
pub async fn edited(api: &Api<DynamicObject>, one: &Stored, edit: &Edit) -> Option<Value> {
    send(api, one, edit, true).await
}

/// Makes an edit for good, where the API server lets it, and says why one apply does not repair it.
pub async fn edit_and_repair(
    client: &Client,
    api: &Api<DynamicObject>,
    one: &Stored,
    edit: &Edit,
) -> Result<(), String> {
    let current = value(api.get(manifest::name(&one.body)).await.unwrap());
    let before = content(&current);
    let Some(edited) = send(api, &Stored { object: current, ..one.clone() }, edit, false).await else { return Ok(()) };
    if content(&edited) == before {
        return Ok(());
    }
    let repaired = value(repair(client, api, &one.body, &edited).await.map_err(|error| error.to_string())?);
    match mismatch(&Stored { object: repaired.clone(), ..one.clone() }) {
        Some(mismatch) => Err(mismatch),
        None if content(&repaired) != before => Err("the digest is right, and something is left over".into()),
        None => Ok(()),
    }
}

/// As the operator does it: merged over first where somebody left items in our lists, or where those keep ours out.
async fn repair(
    client: &Client,
    api: &Api<DynamicObject>,
    body: &Value,
    edited: &Value,
) -> octroi_tests::Result<DynamicObject> {
    let merge = async || {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        api.patch(manifest::name(body), &params, &Patch::Merge(body)).await.unwrap();
    };
    if plan_digest::has_foreign_items(edited) {
        merge().await;
    }
    let must_merge = match apply_strict(client, body).await {
        Ok(object) if !plan_digest::has_foreign_items(&value(object.clone())) => return Ok(object),
        Ok(_) => true,
        Err(error) => error.code() == Some(422),
    };
    if must_merge {
        merge().await;
    }
    apply_strict(client, body).await
}

async fn send(api: &Api<DynamicObject>, one: &Stored, edit: &Edit, dry_run: bool) -> Option<Value> {
    let mut object: DynamicObject = serde_json::from_value(edit.on(&one.object)?).unwrap();
    let params = PostParams { field_manager: Some(SOMEBODY.into()), dry_run };
    for _ in 0..ATTEMPTS {
        match api.replace(manifest::name(&one.body), &params, &object).await {
            Ok(object) => return Some(value(object)),
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => return None,
            // Kubernetes counted something in between.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let current = api.get(manifest::name(&one.body)).await.unwrap();
                object.metadata.resource_version = current.metadata.resource_version;
            }
            Err(error) => panic!("{}: {error}", one.title()),
        }
    }
    panic!("{}: it never stands still", one.title())
}

/// Whether the digest differs exactly when the object does.
pub fn tells(one: &Stored, edited: &Value) -> bool {
    let changed = content(&one.object) != content(edited);
    changed == (digest(edited) != digest(&one.object))
}

/// An object without what Kubernetes keeps for itself.
fn content(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| matches!(key.as_str(), "labels" | "annotations"));
    }
    object
}

/// As JSON.
pub fn value(object: DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}

fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap()
}
