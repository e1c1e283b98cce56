//! `octroi render`: offline, exactly what the operator would apply.

use std::path::PathBuf;

use anyhow::{Result, bail};
use k8s_openapi::jiff::Timestamp;
use octroi_api::Tenant;
use octroi_plan::class::ClassPlan;
use octroi_plan::rejection::Rejection;
use octroi_plan::tenant::TenantPlan;
use octroi_plan::world::World;
use octroi_plan::{Child, class, simulate, tenant};

use crate::input::Input;
use crate::yaml;

/// Prints what the operator would apply for Tenants and TenantClasses, without a cluster.
#[derive(clap::Args)]
pub struct Args {
    /// Files, or folders of .yaml files, with Tenants and the TenantClasses they use.
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
}

/// Rounds until a plan settles in a world where every write succeeds.
pub const MAX_ROUNDS: usize = 8;

/// Runs the command.
///
/// # Errors
/// When a file is wrong, or a Tenant or TenantClass would be refused: with every reason.
pub fn run(args: &Args) -> Result<()> {
    let input = Input::read(&args.files)?;
    if input.tenants.is_empty() && input.classes.is_empty() {
        bail!("no Tenant and no TenantClass in these files: name one that has one, such as examples/tenants/acme.yaml");
    }
    let mut world = simulate::empty_world();
    input.add_to(&mut world);
    world.now = Timestamp::now();
    for child in children(&input, &mut world)? {
        print!("---\n{}", yaml::print(&child.body)?);
    }
    Ok(())
}

/// What must exist in the end for everything in the input, classes first.
///
/// # Errors
/// When a Tenant or TenantClass would be refused.
pub fn children(input: &Input, world: &mut World) -> Result<Vec<Child>> {
    let mut all = Vec::new();
    for wanted in &input.classes {
        match class::plan(wanted, world) {
            ClassPlan::Keep { desired, .. } => all.extend(desired),
            ClassPlan::Reject(rejections) => {
                bail!("{}", refusal("TenantClass", wanted.metadata.name.as_deref(), &rejections))
            }
            ClassPlan::TearDown(_) | ClassPlan::Orphan => {}
        }
    }
    for wanted in &input.tenants {
        all.extend(settle(wanted, world)?);
    }
    Ok(all)
}

fn settle(wanted: &Tenant, world: &mut World) -> Result<Vec<Child>> {
    let mut children = Vec::new();
    for _ in 0..MAX_ROUNDS {
        match tenant::plan(wanted, world) {
            TenantPlan::Keep { resolved, desired, changes } => {
                world.note_plan(&resolved);
                simulate::carry_out(&changes, &desired, world);
                children = desired;
                if changes.writes.is_empty() {
                    return Ok(children);
                }
            }
            TenantPlan::Reject(rejections) => {
                bail!("{}", refusal("Tenant", wanted.metadata.name.as_deref(), &rejections))
            }
            TenantPlan::TearDown(_) | TenantPlan::Orphan => return Ok(Vec::new()),
        }
    }
    Ok(children)
}

/// Every reason, one a line.
pub fn refusal(kind: &str, name: Option<&str>, rejections: &[Rejection]) -> String {
    let line = |r: &Rejection| format!("  {} ({}): {}", r.field, r.reason.as_str(), r.message);
    let lines: Vec<String> = rejections.iter().map(line).collect();
    format!("{kind} {} would be refused:\n{}", name.unwrap_or("without a name"), lines.join("\n"))
}
