//! `octroi diff`: what applying files would change in a cluster.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use k8s_openapi::jiff::Timestamp;
use kube::api::Api;
use kube::{Client, ResourceExt};
use octroi_api::Tenant;
use octroi_controller::{inventories, read_object, read_world};
use octroi_plan::diff::{Action, Change};
use octroi_plan::resolve::namespaces::{Unadopted, candidates};
use octroi_plan::tenant::TenantPlan;
use octroi_plan::world::World;
use octroi_plan::{digest, simulate, tenant};
use serde_json::Value;
use similar::TextDiff;

use crate::input::Input;
use crate::render::{MAX_ROUNDS, refusal};
use crate::yaml;

/// Prints what the operator would change in the cluster for these Tenants. Ends with 1 when there is something.
#[derive(clap::Args)]
pub struct Args {
    /// Files, or folders of .yaml files, with Tenants; TenantClasses in them stand before those of the cluster.
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When a file is wrong, the cluster cannot be read, or a Tenant would be refused.
pub async fn run(args: &Args) -> Result<ExitCode> {
    let input = Input::read(&args.files)?;
    if input.tenants.is_empty() {
        bail!("no Tenant in these files: name one that has one, such as examples/tenants/acme.yaml");
    }
    let client = Client::try_default().await.context("no cluster: set KUBECONFIG")?;
    let mut world = read_world(&client).await.context("cannot read the cluster: are Octroi's CRDs installed?")?;
    input.add_to(&mut world);
    world.now = Timestamp::now();
    let mut count = 0;
    for wanted in &input.tenants {
        let wanted = as_applied(&client, wanted).await?;
        let to_adopt = inventories(&client, candidates(&wanted, &world)).await;
        world.inventories = to_adopt.context("cannot read a namespace that is to be adopted")?;
        count += one(&client, &wanted, &world).await?;
    }
    println!("{count} changes");
    Ok(if count == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The Tenant as it is once the file is applied: the class in force is in its status, and annotations that are not in the
/// file, such as a hold, stay.
async fn as_applied(client: &Client, wanted: &Tenant) -> Result<Tenant> {
    let api: Api<Tenant> = Api::all(client.clone());
    let live = api.get_opt(&wanted.name_any()).await.context("cannot read the Tenant in the cluster")?;
    let mut applied = wanted.clone();
    if let Some(live) = live {
        applied.status = live.status;
        let mut annotations = live.metadata.annotations.unwrap_or_default();
        annotations.extend(applied.metadata.annotations.take().unwrap_or_default());
        applied.metadata.annotations = Some(annotations);
    }
    Ok(applied)
}

async fn one(client: &Client, wanted: &Tenant, world: &World) -> Result<usize> {
    let (mut changes, unadopted) = until_settled(wanted, world.clone())?;
    print_unadopted(&unadopted);
    // What takes rights away is read first.
    changes.sort_by_key(|change| !matches!(change.action, Action::Release(_)));
    for change in &changes {
        print(client, change, world).await?;
    }
    Ok(changes.len())
}

/// Every object that would be written until nothing is left to do, each once, and the namespaces that would not be adopted.
fn until_settled(wanted: &Tenant, mut world: World) -> Result<(Vec<Change>, Vec<Unadopted>)> {
    let (mut all, mut unadopted) = (Vec::<Change>::new(), Vec::new());
    for _ in 0..MAX_ROUNDS {
        let (changes, desired) = match tenant::plan(wanted, &world) {
            TenantPlan::Keep { resolved, desired, changes } => {
                world.note_plan(&resolved);
                unadopted = resolved.unadopted;
                (changes, desired)
            }
            TenantPlan::TearDown(changes) => (changes, Vec::new()),
            TenantPlan::Reject(rejections) => {
                bail!("{}", refusal("Tenant", wanted.metadata.name.as_deref(), &rejections))
            }
            TenantPlan::Orphan => break,
        };
        if changes.writes.is_empty() {
            break;
        }
        simulate::carry_out(&changes, &desired, &mut world);
        let known: BTreeSet<_> = all.iter().map(|c| c.key.clone()).collect();
        all.extend(changes.writes.into_iter().filter(|c| !known.contains(&c.key)));
    }
    Ok((all, unadopted))
}

async fn print(client: &Client, change: &Change, world: &World) -> Result<()> {
    match &change.action {
        Action::Create(_) => println!("+ {}", change.key),
        Action::Delete(_) => println!("- {}", change.key),
        Action::Release(_) => println!("- {} (released: it stays, without the tenant's rights)", change.key),
        Action::Adopt(body, _) => {
            println!("~ {} (adopted: its labels, rights and objects stay)", change.key);
            print_difference(client, change, body).await?;
        }
        Action::Apply(_) if world.get(&change.key).is_none() => println!("+ {}", change.key),
        Action::Apply(body) | Action::Reclaim(body) => {
            println!("~ {}", change.key);
            print_difference(client, change, body).await?;
        }
    }
    Ok(())
}

async fn print_difference(client: &Client, change: &Change, body: &Value) -> Result<()> {
    let live = read_object(client, &change.key).await?;
    let owned = live.as_ref().and_then(digest::owned);
    let (before, after) = (yaml::print(&owned)?, yaml::print(&digest::applied(body))?);
    print!("{}", TextDiff::from_lines(&before, &after).unified_diff().context_radius(2));
    Ok(())
}

/// Namespaces that would not be adopted, each with what keeps it from that.
fn print_unadopted(unadopted: &[Unadopted]) {
    for namespace in unadopted {
        println!("! namespaces {} (not adopted)", namespace.name);
        for objection in namespace.objections.iter().flatten() {
            println!("    {objection}");
        }
    }
}
