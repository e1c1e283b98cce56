//! The files themselves: complete, without duplicates, and about guards that exist.

use std::collections::{BTreeMap, BTreeSet};

use octroi_tests::attack::{Guard, load};
use octroi_tests::manifest;

use crate::helm;

/// The escapes of the design.
const ROWS: u8 = 26;
const LEAST: usize = 110;

#[test]
fn every_row_is_attacked_and_more() {
    let attacks = load::all().unwrap_or_else(|error| panic!("{error}"));
    let rows: BTreeSet<u8> = attacks.iter().map(|attack| attack.row).collect();
    let missing: Vec<u8> = (1..=ROWS).filter(|row| !rows.contains(row)).collect();
    assert!(missing.is_empty(), "no attack of row {missing:?}");
    assert!(rows.iter().filter(|row| **row > ROWS).count() >= 3, "escapes that the design lacks: {rows:?}");
    assert!(attacks.len() >= LEAST, "{} attacks", attacks.len());
}

#[test]
fn no_attack_is_there_twice() {
    let attacks = load::all().unwrap();
    let (mut titles, mut bodies) = (BTreeMap::new(), BTreeMap::new());
    for attack in &attacks {
        let who = attack.user.title();
        if let Some(other) = titles.insert((attack.title.clone(), who), &attack.name) {
            panic!("{other} and {} have one title and one user", attack.name);
        }
        let body = format!(
            "{:?} {:?} {:?} {:?} {} {:?} {:?}",
            attack.user, attack.verb, attack.subresource, attack.options, attack.manifest, attack.patch, attack.effect
        );
        if let Some(other) = bodies.insert(body, &attack.name) {
            panic!("{other} and {} do the same", attack.name);
        }
    }
}

#[test]
fn every_policy_that_is_named_is_in_the_chart_and_every_policy_of_the_chart_is_named() {
    let chart: BTreeSet<String> = helm::render("admission.breakGlassGroup=platform-emergency")
        .iter()
        .filter(|object| manifest::kind(object) == "ValidatingAdmissionPolicy")
        .map(|object| manifest::name(object).to_owned())
        .collect();
    let attacks = load::all().unwrap();
    let guards = attacks.iter().flat_map(|attack| &attack.guards);
    let named: BTreeSet<String> = guards
        .filter_map(|guard| match guard {
            Guard::Policy(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(named, chart, "left: named by attacks, right: in the chart");
}
