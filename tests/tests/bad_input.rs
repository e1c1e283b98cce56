//! Bad input: what the API server says to a user, case by case, and the near misses that it must let pass.
//!
//! The cases are `bad_input/tenants.yaml` and `bad_input/classes.yaml`. No operator and no chart: the rules are in the
//! CustomResourceDefinitions. `cargo test -p octroi-tests --test bad_input -- --nocapture` prints every message.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

#[path = "bad_input/table.rs"]
mod table;

use std::path::Path;

use futures::{StreamExt as _, stream};
use kube::Client;
use kube::api::{Patch, PatchParams};
use octroi_api::names::{Hostname, MAX_NAME, NameError, TenantName};
use octroi_tests::crds::{self, Project};
use octroi_tests::light::LightLab;
use octroi_tests::{manifest, strict};
use serde_json::{Value, json};
use table::{Case, Table};
use tokio::sync::OnceCell;

/// What the issue asks for at least.
const FEWEST: usize = 60;
const AT_ONCE: usize = 4;
/// What no user should have to read: the API server's words where a rule has no message of its own, and a value that is
/// offered and refused.
const NEVER: [&str; 5] = ["failed rule", "no such key", "in body should match", "exceeds budget", "\"null\""];
/// Longest host that the schema lets pass; the operator's own bound is wider.
const MAX_HOST: usize = 200;

#[tokio::test]
async fn wrong_tenants_are_refused_and_near_misses_accepted() {
    check("tenants.yaml").await;
}

#[tokio::test]
async fn wrong_classes_are_refused_and_near_misses_accepted() {
    check("classes.yaml").await;
}

#[test]
fn there_are_enough_cases_and_each_expects_a_field_and_a_next_step() {
    let tables = [table::read(&file("tenants.yaml")), table::read(&file("classes.yaml"))];
    let refused: Vec<&Case> = tables.iter().flat_map(|table| &table.refused).collect();
    println!("{} wrong, {} near misses", refused.len(), tables.iter().map(|table| table.accepted.len()).sum::<usize>());
    assert!(refused.len() >= FEWEST, "only {} wrong cases", refused.len());
    for case in refused {
        assert!(case.says.len() >= 2, "'{}' must expect the field and what to do", case.what);
    }
    for case in tables.iter().flat_map(|table| &table.accepted) {
        assert!(case.says.is_empty(), "'{}' is accepted and expects a message", case.what);
    }
}

/// The rules stand twice, in CEL and in Rust: what the API server takes, the operator must be able to parse, and a host
/// that one of them refuses, the other refuses too.
#[test]
fn the_api_server_and_the_operator_read_names_alike() {
    for (file_name, refused_for) in [("tenants.yaml", "spec.domains[0].host"), ("classes.yaml", "spec.baseDomain")] {
        let table = table::read(&file(file_name));
        for (index, case) in table.accepted.iter().enumerate() {
            let unparsed = unparsed(&table.object(case, index));
            assert!(unparsed.is_empty(), "'{}' is accepted, and the operator cannot read {unparsed:?}", case.what);
        }
        let one_host = |case: &&Case| case.says.first().is_some_and(|field| field == refused_for) && case.was.is_none();
        for case in table.refused.iter().filter(one_host) {
            let object = table.object(case, 0);
            let too_long = object.to_string().len() > MAX_HOST;
            let missing = object["spec"]["baseDomain"].is_null() && file_name == "classes.yaml";
            assert!(too_long || missing || !unparsed(&object).is_empty(), "'{}' is refused, and parsed", case.what);
        }
    }
}

/// The names in an object that the operator's own parsers refuse.
fn unparsed(object: &Value) -> Vec<(String, NameError)> {
    let name = manifest::name(object);
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let list = |key: &str| object["spec"][key].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    if manifest::kind(object) == "TenantClass" {
        // The longest name a tenant can have, and its wildcard host.
        let host = format!("*.{}.{}", "a".repeat(MAX_NAME), text(&object["spec"], "baseDomain"));
        found.extend(Hostname::parse(&host).err().map(|error| ("baseDomain".to_owned(), error)));
        return found;
    }
    found.extend(TenantName::parse(name).err().map(|error| ("name".to_owned(), error)));
    for namespace in list("namespaces") {
        found.extend(TenantName::parse(&text(&namespace, "name")).err().map(|error| ("namespace".to_owned(), error)));
    }
    for domain in list("domains") {
        found.extend(Hostname::parse(&text(&domain, "host")).err().map(|error| ("host".to_owned(), error)));
    }
    found
}

async fn check(name: &str) {
    let lab = lab().await;
    let client = lab.client().unwrap();
    let table = table::read(&file(name));
    let wrong = table.refused.iter().map(|case| (case, true)).chain(table.accepted.iter().map(|case| (case, false)));
    let verdicts = stream::iter(wrong.enumerate())
        .map(|(index, (case, refused))| verdict(&client, &table, index, case, refused))
        .buffered(AT_ONCE)
        .filter_map(async |verdict| verdict.err());
    let failures: Vec<String> = verdicts.collect().await;
    assert!(failures.is_empty(), "{} of {name}:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// Applies one case and compares the answer with what it expects.
async fn verdict(client: &Client, table: &Table, index: usize, case: &Case, refused: bool) -> Result<(), String> {
    let object = table.object(case, index);
    if let Some(before) = table.before(case, &object) {
        store(client, &before).await;
    }
    let answer = submit(client, &object, case.was.is_some()).await;
    let missing = |message: &str| case.says.iter().filter(|part| !message.contains(*part)).cloned().collect::<Vec<_>>();
    match (answer, refused) {
        (Ok(()), false) => Ok(()),
        (Ok(()), true) => Err(format!("accepted: {}\n  {object}", case.what)),
        (Err(message), false) => Err(format!("refused: {}\n  {message}", case.what)),
        (Err(message), true) => {
            println!("{}:\n  {}", case.what, message.trim().replace('\n', "\n  "));
            let never = NEVER.iter().find(|words| message.contains(*words));
            match (missing(&message).as_slice(), never) {
                ([], None) => Ok(()),
                (missing, never) => {
                    Err(format!("{}: lacks {missing:?}, must not have {never:?}\n  {message}", case.what))
                }
            }
        }
    }
}

/// As `kubectl apply` does it, up to the point where it would be stored.
async fn submit(client: &Client, object: &Value, exists: bool) -> Result<(), String> {
    let answer = if exists {
        let params = PatchParams::default().validation_strict().dry_run();
        let api = strict::endpoint(client, object).await.unwrap();
        api.patch(manifest::name(object), &params, &Patch::Merge(object)).await.map(drop)
    } else {
        let plural = format!("{}s", manifest::kind(object).to_lowercase()).replace("classs", "classes");
        let url = format!("/apis/octroi.dev/v1alpha1/{plural}?dryRun=All&fieldValidation=Strict&fieldManager=kubectl");
        let request = hyper::Request::post(url).header("content-type", "application/json");
        client.request::<Value>(request.body(object.to_string().into_bytes()).unwrap()).await.map(drop)
    };
    match answer {
        Ok(()) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message.clone()),
        Err(error) => panic!("{}: the API server did not answer: {error}", manifest::name(object)),
    }
}

/// What there was before: stored for good, with its status.
async fn store(client: &Client, object: &Value) {
    strict::apply_strict(client, object).await.unwrap_or_else(|error| panic!("{error}"));
    let api = strict::endpoint(client, object).await.unwrap();
    let status = json!({"status": object["status"]});
    api.patch_status(manifest::name(object), &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input").join(name)
}

async fn lab() -> &'static LightLab {
    static READY: OnceCell<()> = OnceCell::const_new();
    let lab = LightLab::shared().await.unwrap_or_else(|error| panic!("{error}"));
    let install = async || {
        crds::install(&lab.client().unwrap(), &[Project::Octroi]).await.unwrap_or_else(|error| panic!("{error}"));
    };
    READY.get_or_init(install).await;
    lab
}
