//! `octroi render` prints what the golden files say; `tests/tests/golden.rs` makes them from the plan.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CLASSES: [&str; 2] = ["examples/classes", "examples/more/classes"];
const TENANTS: [&str; 2] = ["examples/tenants", "examples/more/tenants"];

#[test]
fn on_envoy_gateway_it_prints_the_golden_files() {
    let folders = [CLASSES, TENANTS].concat();
    let printed = render(&folders.iter().map(|folder| repository().join(folder)).collect::<Vec<_>>());
    assert!(printed == golden("envoy-gateway"), "see cargo test -p octroi-tests --test golden:\n{printed}");
}

#[test]
fn on_kgateway_it_prints_the_golden_files() {
    let copies = Path::new(env!("CARGO_TARGET_TMPDIR")).join("render-kgateway");
    fs::create_dir_all(&copies).unwrap();
    let on_kgateway = |file: &PathBuf| {
        let copy = copies.join(file.file_name().unwrap());
        let text = fs::read_to_string(file).unwrap().replace("octroi-envoy-gateway", "octroi-kgateway");
        fs::write(&copy, text).unwrap();
        copy
    };
    let files: Vec<PathBuf> = [CLASSES, TENANTS].concat().iter().flat_map(|folder| yaml(folder)).collect();
    let printed = render(&files.iter().map(on_kgateway).collect::<Vec<_>>());
    assert!(printed == golden("kgateway"), "see cargo test -p octroi-tests --test golden:\n{printed}");
}

#[test]
fn a_tenant_that_would_be_refused_is_refused_with_every_reason() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused.yaml");
    let tenant = "apiVersion: octroi.dev/v1alpha1\nkind: Tenant\nmetadata: {name: wrong}\nspec:\n  members: []\n  \
        namespaces: [{name: kube-x}]\n  domains: [{host: www.apps.test}]\n";
    fs::write(&file, tenant).unwrap();
    let ran = run(&[repository().join(CLASSES[0]), file]);
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(!ran.status.success() && ran.stdout.is_empty());
    for part in ["Tenant wrong would be refused", "spec.namespaces[0].name (Invalid)", "spec.domains[0].host (Invalid)"]
    {
        assert!(said.contains(part), "lacks {part:?}: {said}");
    }
}

/// The golden files of a data plane in the order in which the examples are named to `octroi render`.
fn golden(plane: &str) -> String {
    let folder = repository().join("tests/golden").join(plane);
    let files = [CLASSES, TENANTS].concat().iter().flat_map(|folder| yaml(folder)).collect::<Vec<_>>();
    files.iter().map(|file| fs::read_to_string(folder.join(file.file_name().unwrap())).unwrap()).collect()
}

fn render(paths: &[PathBuf]) -> String {
    let ran = run(paths);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

fn run(paths: &[PathBuf]) -> std::process::Output {
    let mut octroi = Command::new(env!("CARGO_BIN_EXE_octroi"));
    octroi.arg("render").env("KUBECONFIG", "/nowhere");
    for path in paths {
        octroi.arg("-f").arg(path);
    }
    octroi.output().unwrap()
}

fn yaml(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
