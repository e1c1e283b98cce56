//! Adoption judges what is in a namespace as admission would: every new object of the tables gets the same verdict from
//! both. That admission gives the verdict of the table, the tables' own tests show.

use std::collections::BTreeSet;

use octroi_api::names::TenantName;
use octroi_plan::adoption::{Found, INSPECTED, Rules, objections};
use octroi_tests::manifest;

use crate::case::{Case, HOME};
use crate::tables;
use crate::world::HOSTS;

/// Guards that judge a new object by what it is; the others ask who writes it, or what it was before.
const GUARDS: [&str; 9] = [
    "octroi-endpoints",
    "octroi-platform-kinds",
    "octroi-route-backends",
    "octroi-route-filters",
    "octroi-route-hosts",
    "octroi-route-metadata",
    "octroi-route-parents",
    "octroi-route-size",
    "octroi-services",
];

#[test]
fn what_admission_refuses_is_not_adopted_and_what_it_admits_is() {
    let (mut wrong, mut refused, mut admitted) = (Vec::new(), 0, 0);
    for case in tables::all() {
        let Some(found) = found(&case) else { continue };
        let told = judged(found);
        match &case.guard {
            Some(guard) if GUARDS.contains(&guard.as_str()) => {
                refused += 1;
                if told.is_empty() {
                    wrong.push(format!("- {}: {guard} refuses it, and it is adopted", case.about));
                }
            }
            Some(_) => {}
            None => {
                admitted += 1;
                wrong.extend(told.iter().map(|told| format!("- {}: it is admitted, and: {told}", case.about)));
            }
        }
    }
    println!("{refused} refused, {admitted} admitted");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 60 && admitted > 10, "{refused} refused and {admitted} admitted are too few to say anything");
}

/// A new object of a developer's, of a kind that adoption looks at, in the tenant's namespace.
fn found(case: &Case) -> Option<Found> {
    let object = case.object.clone().filter(|_| case.was.is_none() && case.subresource.is_none())?;
    let is_developers = case.user == "dev" && object["metadata"]["namespace"] == HOME;
    let group = object["apiVersion"].as_str()?.rsplit_once('/').map_or("", |(group, _)| group);
    let is_it =
        |kind: &&octroi_plan::adoption::Inspected| kind.api.kind == manifest::kind(&object) && kind.api.group == group;
    let kind = *INSPECTED.iter().find(is_it).filter(|_| is_developers)?;
    Some(Found { kind, name: manifest::name(&object).to_owned(), object })
}

fn judged(found: Found) -> Vec<String> {
    let tenant = TenantName::parse("acme").unwrap();
    let rules =
        Rules { tenant: &tenant, hosts: HOSTS.split(',').collect(), namespace: HOME, may_name: BTreeSet::new() };
    objections(&[found], &rules)
}
