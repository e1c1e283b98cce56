//! Every example on both data planes, against the files in `tests/golden`. Needs no cluster.
//!
//! `UPDATE_GOLDEN=1 cargo test -p octroi-tests --test golden` writes them: read the change before it is committed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

#[path = "golden/example.rs"]
mod example;
#[path = "schema/walk.rs"]
mod walk;

use std::collections::BTreeSet;
use std::path::Path;

use example::{Example, PLANES, Plane, examples, examples_of, golden, render, repository};
use octroi_tests::manifest;
use serde_json::Value;
use similar::TextDiff;

const UPDATE_SETTING: &str = "UPDATE_GOLDEN";
const HOW: &str = "UPDATE_GOLDEN=1 cargo test -p octroi-tests --test golden";

#[test]
fn every_example_is_rendered_as_the_golden_file_says() {
    let update = std::env::var_os(UPDATE_SETTING).is_some();
    let mut wrong = Vec::new();
    for plane in PLANES {
        for example in examples_of(plane) {
            let (path, text) = (golden(plane, &example), as_text(&render(plane, &example)));
            if update {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &text).unwrap();
                continue;
            }
            let known = std::fs::read_to_string(&path).unwrap_or_default();
            if known != text {
                wrong.push(difference(&path, &known, &text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\nIf that is as it should be: {HOW}", wrong.join("\n"));
}

#[test]
fn no_golden_file_is_left_over() {
    for plane in PLANES {
        let wanted: BTreeSet<_> = examples_of(plane).iter().map(|example| golden(plane, example)).collect();
        let folder = repository().join("tests/golden").join(plane.name);
        let found: BTreeSet<_> = manifest::files(&folder).unwrap_or_default().into_iter().collect();
        assert_eq!(found, wanted, "{HOW}");
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    for plane in PLANES {
        for example in examples_of(plane) {
            assert_eq!(as_text(&render(plane, &example)), as_text(&render(plane, &example)), "{}", example.name);
        }
    }
}

#[test]
fn both_data_planes_get_the_same_but_for_what_is_their_own() {
    const OWN: [&str; 12] = [
        "BackendTLSPolicy",
        "EnvoyProxy",
        "EnvoyExtensionPolicy",
        "GatewayExtension",
        "BackendTrafficPolicy",
        "ClientTrafficPolicy",
        "HTTPRouteFilter",
        "GatewayParameters",
        "ListenerPolicy",
        "SecurityPolicy",
        "TrafficPolicy",
        "DirectResponse",
    ];
    let titles = |plane: Plane, example: &Example| -> BTreeSet<String> {
        let rendered = render(plane, example);
        // The Backend by which kgateway's proxies find the collector of traces; tenants' upstreams are Backends on both.
        let is_own =
            |object: &&Value| OWN.contains(&manifest::kind(object)) || manifest::name(object).ends_with(".traces");
        let common = rendered.iter().filter(|object| !is_own(object));
        common.map(|object| format!("{}/{}", manifest::kind(object), manifest::name(object))).collect()
    };
    for example in examples().iter().filter(|example| example.is_for_both()) {
        assert_eq!(titles(PLANES[0], example), titles(PLANES[1], example), "{}", example.name);
    }
}

#[test]
fn every_field_of_the_api_is_in_some_example() {
    let mut shown = BTreeSet::new();
    for example in examples() {
        paths(example.kind(), &example.object, &mut shown);
    }
    let mut absent = Vec::new();
    for file in octroi_api::crds::all() {
        let kind = &file.crd.spec.names.kind;
        let crd = serde_json::to_value(&file.crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let written_by_users = !["DomainClaim", "PortClaim"].contains(&kind.as_str());
        let fields = walk::fields(kind, schema).into_iter().filter(|field| written_by_users && field.is_spec());
        absent.extend(fields.map(|field| field.path).filter(|path| !shown.contains(path)));
    }
    assert!(absent.is_empty(), "add to examples/more what shows {absent:?}");
}

#[test]
fn every_choice_that_is_no_default_and_safe_is_in_some_example() {
    const NOT_SHOWN: [&str; 6] = ["privileged", "restricted", "NodePort", "PerTenant", "Retain", "Active"];
    let text = examples().iter().map(|example| example.text.clone()).collect::<String>();
    for file in octroi_api::crds::all() {
        let crd = serde_json::to_value(&file.crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for field in walk::fields(&file.crd.spec.names.kind, schema).iter().filter(|field| field.is_spec()) {
            for choice in field.schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                assert!(NOT_SHOWN.contains(&choice) || text.contains(choice), "{}: {choice}", field.path);
            }
        }
    }
}

#[test]
fn further_examples_start_with_a_line_that_says_what_they_show() {
    for example in examples().iter().filter(|example| example.path.starts_with(repository().join("examples/more"))) {
        let mut lines = example.text.lines();
        let first = lines.next().unwrap_or_default();
        assert!(first.starts_with("# ") && first.ends_with('.') && first.len() <= 130, "{}", example.path.display());
        assert!(lines.all(|line| !line.starts_with('#')), "one line is enough: {}", example.path.display());
    }
}

/// As `octroi render` prints it.
fn as_text(objects: &[Value]) -> String {
    objects.iter().fold(String::new(), |text, object| text + "---\n" + &serde_saphyr::to_string(object).unwrap())
}

fn difference(path: &Path, known: &str, text: &str) -> String {
    let name = path.strip_prefix(repository()).unwrap().display().to_string();
    TextDiff::from_lines(known, text).unified_diff().header(&name, "rendered now").context_radius(3).to_string()
}

/// The paths of a value, written as the schema's walk writes them.
fn paths(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    found.insert(path.to_owned());
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                paths(&format!("{path}.{key}"), inner, found);
            }
            // As the values of a map.
            for inner in object.values() {
                paths(&format!("{path}{{}}"), inner, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(&format!("{path}[]"), item, found)),
        _ => {}
    }
}
