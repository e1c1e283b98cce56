//! The examples of the repository, and what they are turned into: by the functions that `octroi render` calls.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};

use octroi_api::{Tenant, TenantClass};
use octroi_plan::Child;
use octroi_plan::class::{self, ClassPlan};
use octroi_plan::simulate;
use octroi_plan::tenant::{self, TenantPlan};
use octroi_plan::world::{GatewayClassView, World};
use octroi_tests::manifest;
use serde_json::Value;

/// Rounds until a plan settles where every write succeeds.
const MAX_ROUNDS: usize = 8;
const FOLDERS: [&str; 6] =
    ["classes", "tenants", "more/classes", "more/tenants", "more/envoy-gateway", "more/kgateway"];

/// A data plane, by the GatewayClass that the chart makes for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// The folder of its golden files.
    pub name: &'static str,
    gateway_class: &'static str,
    controller: &'static str,
}

/// Both.
pub const PLANES: [Plane; 2] = [
    Plane {
        name: "envoy-gateway",
        gateway_class: "octroi-envoy-gateway",
        controller: "gateway.envoyproxy.io/gatewayclass-controller",
    },
    Plane { name: "kgateway", gateway_class: "octroi-kgateway", controller: "kgateway.dev/kgateway" },
];

/// One example: a file with one Tenant or TenantClass.
pub struct Example {
    /// The file.
    pub path: PathBuf,
    /// What is written in it.
    pub text: String,
    /// Its object.
    pub object: Value,
    /// The name of the object.
    pub name: String,
}

impl Example {
    /// `Tenant` or `TenantClass`.
    pub fn kind(&self) -> &str {
        manifest::kind(&self.object)
    }

    /// Whether both data planes can do what it shows.
    pub fn is_for_both(&self) -> bool {
        PLANES.into_iter().all(|plane| self.is_for(plane))
    }

    /// Whether this data plane can do what it shows: what only one can do is in a folder of that one.
    fn is_for(&self, plane: Plane) -> bool {
        let more = repository().join("examples/more");
        PLANES.into_iter().all(|other| other == plane || !self.path.starts_with(more.join(other.name)))
    }
}

/// Every example that a data plane can do.
pub fn examples_of(plane: Plane) -> Vec<Example> {
    examples().into_iter().filter(|example| example.is_for(plane)).collect()
}

/// Every example, classes before tenants.
pub fn examples() -> Vec<Example> {
    let mut all = Vec::new();
    for path in FOLDERS.iter().flat_map(|folder| manifest::files(&repository().join("examples").join(folder)).unwrap())
    {
        let documents = manifest::read(&path).unwrap_or_else(|error| panic!("{error}"));
        let [document] = documents.as_slice() else { panic!("{}: one object a file", path.display()) };
        let name = manifest::name(&document.object).to_owned();
        assert_eq!(path.file_stem().unwrap().to_str(), Some(name.as_str()), "{}", path.display());
        all.push(Example {
            text: std::fs::read_to_string(&path).unwrap(),
            object: document.object.clone(),
            name,
            path,
        });
    }
    all.sort_by_key(|example| example.kind() == "Tenant");
    all
}

/// The golden file of an example.
pub fn golden(plane: Plane, example: &Example) -> PathBuf {
    repository().join("tests/golden").join(plane.name).join(format!("{}.yaml", example.name))
}

/// What an example is turned into, without what its class is turned into.
pub fn render(plane: Plane, example: &Example) -> Vec<Value> {
    children(plane, example).into_iter().map(|child| child.body).collect()
}

/// As [`render`], with keys and digests.
pub fn children(plane: Plane, example: &Example) -> Vec<Child> {
    let mut world = world(plane);
    match example.kind() {
        "TenantClass" => of_class(&world.classes[&example.name].clone(), &world),
        _ => of_tenant(&typed(&example.object), &mut world),
    }
}

/// A world with the classes of all examples, on one data plane.
fn world(plane: Plane) -> World {
    let mut world = simulate::empty_world();
    let view = GatewayClassView::of(plane.controller);
    world.gateway_classes.insert(plane.gateway_class.into(), view);
    for example in examples().iter().filter(|example| example.kind() == "TenantClass") {
        let mut class: TenantClass = typed(&example.object);
        class.spec.gateway.gateway_class_name = plane.gateway_class.into();
        world.classes.insert(example.name.clone(), class);
    }
    world
}

fn of_class(class: &TenantClass, world: &World) -> Vec<Child> {
    match class::plan(class, world) {
        ClassPlan::Keep { desired, .. } => desired,
        other => panic!("an example is not kept: {other:?}"),
    }
}

fn of_tenant(tenant: &Tenant, world: &mut World) -> Vec<Child> {
    for _ in 0..MAX_ROUNDS {
        match tenant::plan(tenant, world) {
            TenantPlan::Keep { resolved, desired, changes } => {
                world.note_plan(&resolved);
                simulate::carry_out(&changes, &desired, world);
                if changes.writes.is_empty() {
                    return desired;
                }
            }
            other => panic!("an example is not kept: {other:?}"),
        }
    }
    panic!("{:?} does not settle", tenant.metadata.name)
}

fn typed<T: serde::de::DeserializeOwned>(object: &Value) -> T {
    serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{object}: {error}"))
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}
