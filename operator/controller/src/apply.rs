//! Carries out the writes of a plan: stage after stage, several at once within a stage, and past a child that fails.

use futures::{StreamExt, stream};
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use octroi_api::labels::FIELD_MANAGER;
use octroi_plan::ChildKey;
use octroi_plan::diff::{Action, Change, Precondition};
use octroi_plan::kind::Stage;
use octroi_plan::status::Failure;
use serde_json::Value;

use crate::metrics::Metrics;
use crate::state::State;
use crate::{apis, watch};

/// Writes at once for one Tenant.
const CONCURRENCY: usize = 8;

/// What a write came to.
enum Outcome {
    Stored(Box<DynamicObject>),
    Gone,
    /// Somebody else was quicker; the watch tells what is there now.
    Overtaken,
}

/// What carrying out writes came to.
#[derive(Default)]
pub struct Applied {
    /// What failed.
    pub failures: Vec<Failure>,
    /// Whether somebody else was quicker somewhere: the world is behind, and the watch has to tell first.
    pub is_overtaken: bool,
}

/// Carries out writes, and tells what came of it.
pub async fn all(client: &Client, writes: &[Change], state: &State, metrics: &Metrics) -> Applied {
    let mut applied = Applied::default();
    for group in writes.chunk_by(|a, b| step(a) == step(b)) {
        if step(&group[0]) == (false, Stage::Entry) && !applied.failures.is_empty() {
            // What guards the routes must stand before the entry that lets them be served.
            break;
        }
        let safe: Vec<_> = group.iter().filter(|change| !lacks_its_guard(change, &applied.failures)).collect();
        let attempts: Vec<_> = safe.iter().map(|change| one(client, change)).collect();
        let results: Vec<_> = stream::iter(attempts).buffered(CONCURRENCY).collect().await;
        for (change, result) in safe.into_iter().zip(results) {
            metrics.wrote(change.key.kind, verb(&change.action), result.is_ok());
            match result {
                Ok(Outcome::Overtaken) => applied.is_overtaken = true,
                Ok(outcome) => note(&change.key, outcome, state),
                Err(error) => {
                    applied.failures.push(Failure { key: change.key.clone(), message: explain(change, &error) });
                }
            }
        }
    }
    applied
}

/// Whether the object that makes this one safe was refused just now: without its policy a Backend would be spoken to in the clear.
fn lacks_its_guard(change: &Change, failures: &[Failure]) -> bool {
    change.key.guard().is_some_and(|guard| failures.iter().any(|failure| failure.key == guard))
}

fn step(change: &Change) -> (bool, Stage) {
    (matches!(change.action, Action::Delete(_) | Action::Release(_)), change.key.kind.stage())
}

fn verb(action: &Action) -> &'static str {
    match action {
        Action::Create(_) => "create",
        Action::Apply(_) | Action::Adopt(..) | Action::Reclaim(_) | Action::Release(_) => "patch",
        Action::Delete(_) => "delete",
    }
}

fn note(key: &ChildKey, outcome: Outcome, state: &State) {
    match outcome {
        Outcome::Stored(object) => watch::seen(key.kind, &object, state),
        Outcome::Gone => watch::gone(key, None, state),
        Outcome::Overtaken => {}
    }
}

async fn one(client: &Client, change: &Change) -> Result<Outcome, kube::Error> {
    let api = apis::of(client, &change.key);
    let name = &change.key.name;
    let result = match &change.action {
        Action::Create(body) => match serde_json::from_value::<DynamicObject>(body.clone()) {
            Ok(object) => {
                let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
                api.create(&params, &object).await.map(stored)
            }
            Err(error) => Err(kube::Error::SerdeError(error)),
        },
        Action::Apply(body) => {
            let params = PatchParams::apply(FIELD_MANAGER).force().validation_strict();
            match api.patch(name, &params, &Patch::Apply(body)).await {
                Err(refusal) if has_code(&refusal, 422) => reclaim_refused(&api, name, body, refusal).await,
                result => result.map(stored),
            }
        }
        Action::Adopt(body, precondition) => {
            let params = PatchParams::apply(FIELD_MANAGER).force().validation_strict();
            api.patch(name, &params, &Patch::Apply(&as_judged(body, precondition))).await.map(stored)
        }
        Action::Reclaim(body) => reclaim(&api, name, body).await,
        Action::Release(patch) => api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(stored),
        Action::Delete(precondition) => {
            let preconditions = Preconditions {
                uid: Some(precondition.uid.clone()),
                resource_version: Some(precondition.resource_version.clone()),
            };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            api.delete(name, &params).await.map(|reply| reply.either(stored, |_| Outcome::Gone))
        }
    };
    match (result, &change.action) {
        (Err(kube::Error::Api(status)), Action::Delete(_) | Action::Release(_)) if status.code == 404 => {
            Ok(Outcome::Gone)
        }
        (Err(kube::Error::Api(status)), Action::Delete(_) | Action::Create(_) | Action::Adopt(..))
            if status.code == 409 =>
        {
            Ok(Outcome::Overtaken)
        }
        (result, _) => result,
    }
}

/// The body, for the object that was judged and no other: the API server refuses it with 409 once that has changed.
fn as_judged(body: &Value, precondition: &Precondition) -> Value {
    let mut body = body.clone();
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("uid".into(), precondition.uid.clone().into());
        metadata.insert("resourceVersion".into(), precondition.resource_version.clone().into());
    }
    body
}

/// What somebody left in a list may contradict what is ours, so that both cannot be there. Where nothing is there, what was
/// refused is ours, and the refusal says why.
async fn reclaim_refused(
    api: &Api<DynamicObject>,
    name: &str,
    body: &Value,
    refusal: kube::Error,
) -> Result<Outcome, kube::Error> {
    match reclaim(api, name, body).await {
        Err(error) if has_code(&error, 404) => Err(refusal),
        result => result,
    }
}

fn has_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// Merges our body over what is there: lists hold again what is ours and nothing else. The next plan applies it, so that
/// every field is ours too.
async fn reclaim(api: &Api<DynamicObject>, name: &str, body: &Value) -> Result<Outcome, kube::Error> {
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    api.patch(name, &params.validation_strict(), &Patch::Merge(body)).await.map(stored)
}

fn stored(object: DynamicObject) -> Outcome {
    Outcome::Stored(Box::new(object))
}

/// What the API server said, and what to do about it.
fn explain(change: &Change, error: &kube::Error) -> String {
    let kube::Error::Api(status) = error else {
        return format!("the API server did not answer: {error}; it is tried again");
    };
    let next = match status.code {
        403 => format!(
            "Octroi may not {} {}: upgrade its chart, or see which admission policy refused it",
            verb(&change.action),
            change.key.kind.api().plural
        ),
        404 => "its namespace or its API is not there yet; it is tried again".into(),
        400 | 422 => "the installed CustomResourceDefinition does not take it: compare its version with the ones in Octroi's README".into(),
        _ => "it is tried again".into(),
    };
    format!("{}; {next}", status.message)
}
