//! The documentation says what is: examples are files, links resolve, names exist, and the reference of the API is
//! generated from the schema. Needs no cluster.

#![cfg(test)]

#[path = "docs/markdown.rs"]
mod markdown;
#[path = "docs/reference.rs"]
mod reference;
#[path = "docs/roles.rs"]
mod roles;

use std::collections::BTreeSet;
use std::path::PathBuf;

use markdown::{Page, pages, repository};
use octroi_api::RouteProblem;
use octroi_api::conditions::Reason;
use octroi_tests::{attack, manifest};
use serde_json::Value;

const UPDATE_SETTING: &str = "UPDATE_DOCS";
const OPERATIONS: &str = "docs/operations.md";
const SECURITY: &str = "docs/security.md";
const TENANT_API: &str = "docs/tenant-api.md";
const HOW: &str = "UPDATE_DOCS=1 cargo test -p octroi-tests --test docs";

#[test]
fn the_reference_of_the_api_is_generated_from_the_schema() {
    let wanted = reference::page(&read("docs/tenant-api.intro.md"), &read("charts/octroi/templates/_tenant_rules.tpl"));
    let file = path(TENANT_API);
    if std::env::var_os(UPDATE_SETTING).is_some() {
        std::fs::write(&file, wanted).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == wanted, "{TENANT_API} is not what the schema and its introduction say; write it anew: {HOW}");
}

#[test]
fn the_table_of_attacks_is_generated_from_their_files() {
    let attacks = attack::load::all().unwrap_or_else(|error| panic!("{error}"));
    let found = read(SECURITY);
    let wanted = attack::table::within(&found, &attacks).unwrap_or_else(|| panic!("{SECURITY} has no place for it"));
    if std::env::var_os(UPDATE_SETTING).is_some() {
        std::fs::write(path(SECURITY), wanted).unwrap();
        return;
    }
    assert!(found == wanted, "{SECURITY} is not what the files of tests/attacks say; write it anew: {HOW}");
}

#[test]
fn a_marked_example_is_the_file_that_it_names() {
    let mut marked = BTreeSet::new();
    for page in pages() {
        for fence in page.fences() {
            let Some(name) = fence.marker else { continue };
            let file = read(&name);
            assert_eq!(
                fence.text.trim_end(),
                file.trim_end(),
                "{}:{}: the example is not the file {name}",
                page.name,
                fence.line
            );
            marked.insert(name);
        }
    }
    for needed in ["examples/tenants/acme.yaml", "examples/classes/standard.yaml"] {
        assert!(marked.contains(needed), "{needed} is shown nowhere");
    }
}

#[test]
fn every_yaml_example_is_yaml_and_has_only_fields_that_exist() {
    for page in pages() {
        for fence in page.fences().into_iter().filter(|fence| fence.language == "yaml") {
            let place = format!("{}:{}", page.name, fence.line);
            let documents = manifest::parse(&fence.text).unwrap_or_else(|error| panic!("{place}: {error}"));
            for document in documents {
                let Some(schema) = reference::schema_of(manifest::kind(&document.object)) else { continue };
                let unknown = unknown_field(&document.object["spec"], &schema["properties"]["spec"], "spec");
                assert_eq!(unknown, None, "{place}: no such field");
            }
        }
    }
}

/// The first field of a value that its schema does not have.
fn unknown_field(value: &Value, schema: &Value, at: &str) -> Option<String> {
    match value {
        Value::Object(object) => object.iter().find_map(|(key, inner)| {
            let at = format!("{at}.{key}");
            match schema["properties"].get(key) {
                Some(inner_schema) => unknown_field(inner, inner_schema, &at),
                None => schema["additionalProperties"].is_null().then_some(at),
            }
        }),
        Value::Array(items) => items.iter().find_map(|item| unknown_field(item, &schema["items"], at)),
        _ => None,
    }
}

#[test]
fn the_route_of_the_readme_has_seven_lines_and_no_parent() {
    let page = Page::read("README.md");
    let fences = page.fences();
    let route = fences.iter().find(|fence| fence.text.contains("kind: HTTPRoute")).unwrap();
    assert_eq!(route.text.trim_end().lines().count(), 7, "{}", route.text);
    let documents = manifest::parse(&route.text).unwrap();
    assert!(documents[0].object["spec"]["parentRefs"].is_null());
}

#[test]
fn every_relative_link_resolves() {
    for page in pages() {
        for (line, target) in page.links() {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').map_or((target.as_str(), None), |(f, a)| (f, Some(a)));
            let there = if file.is_empty() { page.path() } else { page.path().parent().unwrap().join(file) };
            assert!(there.exists(), "{}:{line}: {target} is not there", page.name);
            if let Some(anchor) = anchor {
                let anchors = Page::at(&there).anchors();
                assert!(anchors.contains(anchor), "{}:{line}: {target} has no such heading: {anchors:?}", page.name);
            }
        }
    }
}

#[test]
fn every_reason_has_a_row_for_the_one_who_is_woken_by_it() {
    let rows = Page::read(OPERATIONS).first_cells();
    for reason in Reason::ALL {
        assert!(rows.contains(reason.as_str()), "{OPERATIONS} has no row for {}", reason.as_str());
    }
}

#[test]
fn every_problem_of_a_route_has_a_row() {
    let rows = Page::read(OPERATIONS).section("What a tenant's routes say").first_cells();
    for problem in RouteProblem::ALL {
        assert!(rows.contains(problem.as_str()), "{OPERATIONS} has no row for {}", problem.as_str());
    }
}

#[test]
fn every_make_target_exists() {
    let makefile = read("Makefile");
    let targets: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.split_once(": ## ")).map(|(t, _)| t).collect();
    for page in pages() {
        for (line, code) in page.code() {
            let mut words = code.split_whitespace().map(|word| word.trim_matches(|c: char| "$()\"'".contains(c)));
            while let Some(word) = words.next() {
                if word != "make" {
                    continue;
                }
                let target = words.by_ref().find(|word| !word.starts_with('-')).unwrap_or_default();
                assert!(
                    targets.contains(target),
                    "{}:{line}: there is no target {target:?} in the Makefile",
                    page.name
                );
            }
        }
    }
}

#[test]
fn every_value_of_the_chart_is_described_and_none_that_is_not_there() {
    let values = manifest::parse(&read("charts/octroi/values.yaml")).unwrap().remove(0).object;
    let page = Page::read(OPERATIONS);
    let described = page.section("Values of the chart").first_cells();
    for name in &described {
        assert!(value_at(&values, name).is_some(), "{OPERATIONS} describes {name}, which values.yaml does not have");
    }
    for name in leaves(&values, "") {
        let is_known = described.iter().any(|d| name == *d || name.starts_with(&format!("{d}.")));
        assert!(is_known, "{OPERATIONS} does not describe the value {name}");
    }
    for page in pages() {
        for (line, name) in page.chart_settings() {
            assert!(value_at(&values, &name).is_some(), "{}:{line}: the chart has no value {name}", page.name);
        }
    }
}

fn value_at<'a>(values: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(values, |value, part| value.get(part))
}

fn leaves(value: &Value, at: &str) -> Vec<String> {
    match value.as_object().filter(|object| !object.is_empty()) {
        None => vec![at.to_owned()],
        Some(object) => {
            let join = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
            object.iter().flat_map(|(key, inner)| leaves(inner, &join(key))).collect()
        }
    }
}

#[test]
fn every_metric_is_listed() {
    let source = read("operator/controller/src/metrics.rs");
    let operations = read(OPERATIONS);
    let calls = source.split("registry.register").skip(1);
    let names: Vec<&str> = calls.filter_map(|call| call.split('"').nth(1)).collect();
    assert!(names.len() >= 4, "metrics are no longer registered as this test thinks: {names:?}");
    for name in names {
        assert!(operations.contains(&format!("`octroi_{name}")), "{OPERATIONS} does not list octroi_{name}");
    }
}

#[test]
fn every_member_of_the_workspace_is_in_the_code_map() {
    let architecture = read("docs/architecture.md");
    for member in ["operator/api", "operator/external", "operator/plan", "operator/controller", "operator/cli", "tests"]
    {
        assert!(read("Cargo.toml").contains(&format!("\"{member}\"")), "{member} is no member any more");
        assert!(architecture.contains(&format!("`{member}/`")), "docs/architecture.md does not name {member}/");
    }
}

#[test]
fn nothing_points_at_the_machine_it_was_written_on() {
    for page in pages() {
        for forbidden in ["../shared", "/work/", "/root/", "/home/"] {
            assert!(!page.text.contains(forbidden), "{} names {forbidden}", page.name);
        }
    }
}

fn path(name: &str) -> PathBuf {
    repository().join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
