//! The tables: what is refused, with the words, and what legitimate work passes.

use octroi_tests::manifest;

use crate::case::Case;
use crate::world::{World, versions};

const FILES: [&str; 5] = ["routes.yaml", "route-filters.yaml", "objects.yaml", "octroi.yaml", "cordon.yaml"];

/// Every case of every table.
pub fn all() -> Vec<Case> {
    FILES.iter().flat_map(|file| Case::read(file)).collect()
}

#[tokio::test]
async fn routes() {
    check("routes.yaml").await;
}

#[tokio::test]
async fn filters_and_sizes_of_routes() {
    check("route-filters.yaml").await;
}

#[tokio::test]
async fn other_objects_of_a_tenant() {
    check("objects.yaml").await;
}

#[tokio::test]
async fn objects_of_the_platform() {
    check("octroi.yaml").await;
}

#[tokio::test]
async fn what_a_cordon_stops() {
    check("cordon.yaml").await;
}

/// Runs a table to its end, and fails with all that is wrong in it.
async fn check(file: &str) {
    let world = World::shared().await;
    let (mut wrong, mut ran) = (Vec::new(), 0);
    for case in Case::read(file) {
        for case in in_each_version(&world, &case).await {
            ran += 1;
            wrong.extend(verdict(&case, case.run(&world).await).err());
        }
    }
    println!("{file}: {ran} cases");
    assert!(wrong.is_empty(), "{} of {ran} cases of {file} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Routes in each version in which their kind is served.
async fn in_each_version(world: &World, case: &Case) -> Vec<Case> {
    let kind = manifest::kind(case.subject());
    if !kind.ends_with("Route") {
        return vec![case.clone()];
    }
    versions(&world.rescue, kind).await.iter().map(|version| case.in_version(version)).collect()
}

fn verdict(case: &Case, outcome: Result<(), String>) -> Result<(), String> {
    let title = format!("- {} ({})", case.about, case.subject()["apiVersion"].as_str().unwrap_or_default());
    match (&case.guard, outcome) {
        (None, Ok(())) => Ok(()),
        (None, Err(said)) => Err(format!("{title}: must pass, and the API server said: {said}")),
        (Some(guard), Ok(())) => Err(format!("{title}: {guard} let it through")),
        (Some(guard), Err(said)) => {
            let says = case.says.as_deref().unwrap_or_default();
            let by_it = said.contains(&format!("ValidatingAdmissionPolicy '{guard}'"));
            let names_others = said.contains("globex");
            if by_it && said.contains(says) && !says.is_empty() && (!names_others || says.contains("globex")) {
                return Ok(());
            }
            Err(format!("{title}: wanted {guard} to say {says:?}, and the API server said: {said}"))
        }
    }
}

#[test]
fn every_guard_has_a_case_and_every_case_a_guard_of_the_chart() {
    let in_chart = |o: &serde_json::Value| manifest::kind(o) == "ValidatingAdmissionPolicy";
    let guards = crate::helm::render("").into_iter().filter(in_chart).map(|o| manifest::name(&o).to_owned());
    // Those two have tests of their own (admission.rs).
    let others = ["octroi-tenant-deletion", "octroi-tenantclass-deletion"];
    let guards: std::collections::BTreeSet<_> = guards.filter(|name| !others.contains(&name.as_str())).collect();
    let cases = all().into_iter().filter_map(|case| case.guard).collect();
    assert_eq!(guards, cases);
}
