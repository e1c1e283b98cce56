//! What Octroi relies on in other projects' APIs, checked against the real CRDs on a real API server: that it takes what
//! Octroi sends, and that a digest of what Octroi owns tells exactly whether somebody changed it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

#[path = "contracts/change.rs"]
mod change;
#[path = "golden/example.rs"]
mod example;
mod helm;
#[path = "contracts/owned.rs"]
mod owned;
#[path = "contracts/quantities.rs"]
mod quantities;
#[path = "contracts/rights.rs"]
mod rights;

use example::{PLANES, Plane, examples, examples_of, golden};
use kube::api::DeleteParams;
use octroi_plan::ChildKind;
use octroi_tests::crds::{self, Project};
use octroi_tests::light::LightLab;
use octroi_tests::strict::apply_strict;
use octroi_tests::{manifest, strict};
use owned::Stored;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// A lab with the CRDs of every project that this machine has, one for each data plane: both name their objects alike.
struct Stage {
    lab: LightLab,
    installed: crds::Installed,
}

impl Stage {
    async fn of(plane: Plane) -> &'static Self {
        static STAGES: [OnceCell<Stage>; 2] = [const { OnceCell::const_new() }; 2];
        let index = PLANES.iter().position(|known| *known == plane).unwrap();
        let make = async || {
            let lab = LightLab::start().await.unwrap_or_else(|error| panic!("{error}"));
            let client = lab.client().unwrap();
            let installed = crds::install(&client, &Project::ALL).await.unwrap_or_else(|error| panic!("{error}"));
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "octroi-gateways"}});
            helm::apply(&client, &namespace).await;
            Self { lab, installed }
        };
        STAGES[index].get_or_init(make).await
    }

    /// Every golden object of a data plane, stored as the operator stores it; nothing where its CRDs are absent.
    async fn golden(plane: Plane) -> Option<(kube::Client, &'static [Stored])> {
        static STORED: [OnceCell<Vec<Stored>>; 2] = [const { OnceCell::const_new() }; 2];
        let stage = Self::of(plane).await;
        let client = stage.lab.client().unwrap();
        if let Some(absent) = stage.installed.absent(Project::Kgateway).filter(|_| plane.name == "kgateway") {
            println!("skipped: {absent}");
            return None;
        }
        let index = PLANES.iter().position(|known| *known == plane).unwrap();
        let store = async || {
            let mut stored = Vec::new();
            for object in golden_objects(plane) {
                stored.push(owned::store(&client, object).await);
            }
            stored
        };
        Some((client.clone(), STORED[index].get_or_init(store).await))
    }
}

/// Classes first, as `examples` has them.
fn golden_objects(plane: Plane) -> Vec<Value> {
    let read = |path: std::path::PathBuf| manifest::read(&path).unwrap_or_else(|error| panic!("{error}"));
    examples_of(plane).iter().flat_map(|example| read(golden(plane, example))).map(|document| document.object).collect()
}

#[tokio::test]
async fn the_crds_of_the_pinned_versions_install() {
    let stage = Stage::of(PLANES[0]).await;
    println!("installed: {:?}", stage.installed.crds);
    for project in Project::ALL {
        match stage.installed.absent(project) {
            Some(absent) => println!("skipped: {absent}"),
            None => assert!(stage.installed.crds[&project] > 0, "{project:?} brought no CRD"),
        }
    }
}

#[tokio::test]
async fn a_listener_set_is_accepted_and_a_misspelt_field_of_it_is_refused() {
    let client = Stage::of(PLANES[0]).await.lab.client().unwrap();
    let mut entry = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ListenerSet",
        "metadata": {"name": "acme", "namespace": "default"},
        "spec": {
            "parentRef": {"name": "shared", "namespace": "octroi-gateways"},
            "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.acme.apps.test",
                "tls": {"certificateRefs": [{"name": "acme-tls"}]}}],
        },
    });
    let stored = apply_strict(&client, &entry).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(stored.metadata.name.as_deref(), Some("acme"));

    entry["spec"]["listener"] = json!([]);
    let refused = apply_strict(&client, &entry).await.unwrap_err();
    assert!(refused.to_string().contains("listener"), "{refused}");
}

#[tokio::test]
async fn every_example_is_accepted_as_its_author_wrote_it() {
    let client = Stage::of(PLANES[0]).await.lab.client().unwrap();
    for example in examples() {
        let stored = apply_strict(&client, &example.object).await.unwrap_or_else(|error| panic!("{error}"));
        let again = apply_strict(&client, &example.object).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(stored.metadata.resource_version, again.metadata.resource_version, "{}", example.name);
    }
}

/// What the operator writes on each data plane. Of both together, every kind there is.
#[test]
fn the_golden_files_hold_every_kind_that_octroi_writes() {
    let found: Vec<ChildKind> =
        PLANES.into_iter().flat_map(golden_objects).map(|object| owned::kind_of(&object)).collect();
    let absent: Vec<_> = ChildKind::ALL.into_iter().filter(|kind| !found.contains(kind)).collect();
    assert!(absent.is_empty(), "no example makes {absent:?}");
}

#[tokio::test]
async fn on_envoy_gateway_what_is_owned_is_what_was_sent() {
    what_is_owned_is_what_was_sent(PLANES[0]).await;
}

#[tokio::test]
async fn on_kgateway_what_is_owned_is_what_was_sent() {
    what_is_owned_is_what_was_sent(PLANES[1]).await;
}

/// The steady state writes nothing: the digest of what is observed is the digest of what is wanted, and an apply that is
/// sent all the same changes nothing.
async fn what_is_owned_is_what_was_sent(plane: Plane) {
    let Some((client, stored)) = Stage::golden(plane).await else { return };
    let mut wrong: Vec<String> = stored.iter().filter_map(owned::mismatch).collect();
    for one in stored.iter().filter(|one| one.is_applied()) {
        wrong.extend(owned::changes_when_applied_again(&client, one).await);
    }
    println!("{}: {} objects accepted", plane.name, stored.len());
    assert!(wrong.is_empty(), "{} on {}:\n{}", wrong.len(), plane.name, wrong.join("\n"));
}

#[tokio::test]
async fn on_envoy_gateway_a_digest_tells_every_change_of_what_is_owned() {
    a_digest_tells_every_change(PLANES[0]).await;
}

#[tokio::test]
async fn on_kgateway_a_digest_tells_every_change_of_what_is_owned() {
    a_digest_tells_every_change(PLANES[1]).await;
}

/// Each field that Octroi sends is changed, and taken away, by somebody else (dry, so that one does not hide the other):
/// the digest differs if and only if the object does. Where the API server refuses the change, nothing is to be told.
async fn a_digest_tells_every_change(plane: Plane) {
    let Some((client, stored)) = Stage::golden(plane).await else { return };
    for one in owned::largest_of_each_kind(stored) {
        let api = strict::endpoint(&client, &one.object).await.unwrap();
        let (mut told, mut refused, mut wrong) = (0, 0, Vec::new());
        for edit in change::edits(&one.body) {
            match owned::edited(&api, one, &edit).await {
                None => refused += 1,
                Some(edited) if owned::tells(one, &edited) => told += 1,
                Some(edited) => wrong.push(format!("{}: {edit:?} is not told\n{}", one.title(), owned::shown(&edited))),
            }
        }
        println!("{}: {}: {told} changes told, {refused} refused", plane.name, one.title());
        assert!(wrong.is_empty(), "{} changes:\n{}", wrong.len(), wrong.join("\n"));
        assert!(told > 0, "{}: every change is refused", one.title());
    }
}

#[tokio::test]
async fn on_envoy_gateway_what_others_add_is_none_of_its_business() {
    what_others_add(PLANES[0]).await;
}

#[tokio::test]
async fn on_kgateway_what_others_add_is_none_of_its_business() {
    what_others_add(PLANES[1]).await;
}

async fn what_others_add(plane: Plane) {
    let Some((client, stored)) = Stage::golden(plane).await else { return };
    for one in owned::largest_of_each_kind(stored) {
        let api = strict::endpoint(&client, &one.object).await.unwrap();
        for edit in change::additions() {
            let edited = owned::edited(&api, one, &edit).await.unwrap_or_else(|| panic!("{edit:?} of {}", one.title()));
            assert_ne!(edited["metadata"][edit.field()], one.object["metadata"][edit.field()], "{}", one.title());
            assert_eq!(owned::digest(&edited), owned::digest(&one.object), "{edit:?} of {}", one.title());
        }
    }
}

#[tokio::test]
async fn one_apply_repairs_what_somebody_changed() {
    one_apply_repairs("gw-repaired", |body| change::edits(body).into_iter().filter(|edit| !edit.renames()).collect())
        .await;
}

#[tokio::test]
async fn one_apply_repairs_what_somebody_added_to_a_list_of_ours() {
    one_apply_repairs("gw-intruded", |body| {
        let renames = change::edits(body).into_iter().filter(change::Edit::renames);
        renames.chain(change::more_items(body)).collect()
    })
    .await;
}

#[tokio::test]
async fn a_digest_tells_what_somebody_added_to_a_list_of_ours() {
    let Some((client, stored)) = Stage::golden(PLANES[0]).await else { return };
    let mut wrong = Vec::new();
    for one in owned::largest_of_each_kind(stored) {
        let api = strict::endpoint(&client, &one.object).await.unwrap();
        for edit in change::more_items(&one.body) {
            let edited = owned::edited(&api, one, &edit).await.unwrap_or_else(|| panic!("{edit:?} of {}", one.title()));
            if !owned::tells(one, &edited) {
                wrong.push(format!("{}: {edit:?}", one.title()));
            }
        }
    }
    assert!(wrong.is_empty(), "not told:\n{}", wrong.join("\n"));
}

async fn one_apply_repairs(namespace: &str, edits: impl Fn(&Value) -> Vec<change::Edit>) {
    let client = Stage::of(PLANES[0]).await.lab.client().unwrap();
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    helm::apply(&client, &object).await;
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    for mut body in golden_objects(PLANES[0]) {
        let kind = owned::kind_of(&body);
        if seen.contains(&kind) || !kind.namespaced() {
            continue;
        }
        body["metadata"]["namespace"] = json!(namespace);
        seen.push(kind);
        let api = strict::endpoint(&client, &body).await.unwrap();
        let one = owned::store(&client, body).await;
        for edit in edits(&one.body) {
            if let Err(why) = owned::edit_and_repair(&client, &api, &one, &edit).await {
                wrong.push(format!("{}: {edit:?}: {why}", one.title()));
                api.delete(manifest::name(&one.body), &DeleteParams::default()).await.unwrap();
                owned::store(&client, one.body.clone()).await;
            }
        }
    }
    assert!(wrong.is_empty(), "{} edits are not repaired:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn quantities_are_written_as_the_api_server_stores_them() {
    quantities::are_written_as_stored(&Stage::of(PLANES[0]).await.lab.client().unwrap()).await;
}

#[test]
fn the_operators_cluster_role_is_exactly_what_the_code_needs() {
    let rendered = rights::of(&helm::render(""), "ClusterRole");
    rights::assert_same(&rendered, &rights::needed());
}

#[test]
fn the_operators_role_is_exactly_what_its_lease_needs() {
    rights::assert_same(&rights::of(&helm::render(""), "Role"), &rights::needed_for_the_lease());
}
