//! What the tenants' roles may do, from the chart's own template: the table cannot say anything else.

use std::collections::{BTreeMap, BTreeSet};

use octroi_tests::manifest;
use serde_json::Value;

type Rights = BTreeMap<(String, String), BTreeSet<String>>;

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// The table of the three roles, and that of the role in `gw-<tenant>`.
pub fn tables(template: &str) -> String {
    let view = rights(template, "view");
    let edit = over(&view, rights(template, "edit"));
    let admin = over(&edit, rights(template, "admin"));
    let mut text = String::from("| API group | resources | View | Edit | Admin |\n|---|---|---|---|---|\n");
    text += &rows(&admin, &[&view, &edit, &admin]);
    text += "\nIn `gw-<tenant>` every member, of whatever role, has the ClusterRole `octroi-gateway-view`:\n\n";
    let gateway = rights(template, "gateway");
    text += "| API group | resources | every member |\n|---|---|---|\n";
    text + &rows(&gateway, &[&gateway])
}

/// The rules that a role adds to the one below it.
fn rights(template: &str, role: &str) -> Rights {
    let start = format!("{{{{- define \"octroi.rules.{role}\" -}}}}");
    let body = template.split_once(&start).and_then(|(_, rest)| rest.split_once("{{- end -}}"));
    let (body, _) = body.unwrap_or_else(|| panic!("the chart has no rules for {role}"));
    let own = body.lines().filter(|line| !line.starts_with("{{")).collect::<Vec<_>>().join("\n");
    let rules = manifest::parse(&own).unwrap().remove(0).object;
    let mut found = Rights::new();
    for rule in rules.as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                found.entry((group.clone(), resource)).or_default().extend(texts(&rule["verbs"]));
            }
        }
    }
    found
}

fn over(below: &Rights, own: Rights) -> Rights {
    let mut all = below.clone();
    for (what, verbs) in own {
        all.entry(what).or_default().extend(verbs);
    }
    all
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// One row for all resources of a group that are treated alike; a status is read with its resource.
fn rows(all: &Rights, roles: &[&Rights]) -> String {
    let mut alike = BTreeMap::<(String, Vec<String>), Vec<String>>::new();
    for what in all.keys().filter(|(_, resource)| !resource.ends_with("/status")) {
        let words = roles.iter().map(|role| role.get(what).map_or_else(|| "-".into(), in_words)).collect();
        alike.entry((what.0.clone(), words)).or_default().push(format!("`{}`", what.1));
    }
    let row = |((group, words), resources): (&(String, Vec<String>), &Vec<String>)| {
        let group = if group.is_empty() { "core".into() } else { format!("`{group}`") };
        format!("| {group} | {} | {} |\n", resources.join(", "), words.join(" | "))
    };
    alike.iter().map(row).collect()
}

fn in_words(verbs: &BTreeSet<String>) -> String {
    let has_all = |some: &[&str]| some.iter().all(|verb| verbs.contains(*verb));
    let mut words = Vec::new();
    let mut left: BTreeSet<&str> = verbs.iter().map(String::as_str).collect();
    for (word, group) in [("read", &READ[..]), ("write", &WRITE[..])] {
        if has_all(group) {
            words.push(word);
            left.retain(|verb| !group.contains(verb));
        }
    }
    words.extend(left);
    words.join(", ")
}
