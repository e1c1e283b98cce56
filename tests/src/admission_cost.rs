//! `make bench-admission`: what the chart's admission policies add to the write of a route. A program and no test: its
//! figures depend on the machine.
//!
//! # What is compared
//! The same writes on the same light lab, with every policy of the chart bound (on) and with every binding taken away
//! (off). The default parent is a policy too: it is on and off with the others, and a typical route makes it work.
//!
//! # What makes it fair
//! - Blocks of 50 writes alternate, and so does which comes first, so that a machine that slows down does so for both.
//! - A block begins when the API server is seen to work by the switch.
//! - A block begins with writes that do not count. Half of its writes create a route, half replace one.
//! - Writes go one at a time, over one open connection, and the clock is the client's: it holds everything that a user waits for.
//! - Off has two halves, of even and of odd blocks. What they differ by at p99 is what this machine cannot tell.
//!
//! Beside it stands what the API server says itself, for a write on average: how long both admission plugins took, and
//! how much processor time it used, which a busy machine leaves almost alone. At the end each policy of routes is bound alone,
//! with the default parent beside it.
//!
//! # What is written
//! - **typical**: a tenant with two hosts; a route of 3 hosts and 3 rules with 2 backends each, without parents.
//! - **worst**: a tenant with 34 hosts of 200 characters; a route of 16 of those and 16 rules with a header filter.
//!
//! Both at 10 and at 1,000 tenants: labelled namespaces with two hosts and a route each.

mod clocks;
mod objects;
mod report;
mod series;

use std::time::Duration;

use kube::Client;

use self::objects::{Route, Tenants};
use self::report::Alone;
pub use self::report::Report;
use self::series::{Arm, Series};
use crate::crds::{self, Project};
use crate::guards::{BREAK_GLASS, Guards};
use crate::light::LightLab;
use crate::{Error, Result, script};

/// How many writes count, for each row and arm.
const WRITES_SETTING: &str = "OCTROI_BENCH_WRITES";
const WRITES: usize = 500;
/// So many tenants there are, one after the other.
const TENANTS: [usize; 2] = [10, 1000];
/// An even number: half of them create.
const BLOCK: usize = 50;
/// At most so much more at p99.
const TARGET: Duration = Duration::from_millis(2);

/// Measures, and returns what came of it.
///
/// # Errors
/// When the light lab does not start, a binary of the lab is missing, or a write that must pass is refused.
pub async fn run() -> Result<Report> {
    let writes = writes()?;
    let lab = LightLab::start().await?;
    let admin = lab.client()?;
    crds::install(&admin, &[Project::GatewayApi, Project::Octroi]).await?;
    let guards = Guards::install(&admin).await?;
    let developer = lab.client_as(objects::USER, &[]).await?;
    let mut report = Report::new(&admin, guards.names()).await?;
    let platform = lab.client_as("platform", &["system:masters", BREAK_GLASS]).await?;
    let mut tenants = Tenants::new(&platform).await?;
    for count in TENANTS {
        eprintln!("admission-cost: {count} tenants …");
        tenants.grow(count).await?;
        for route in [Route::Typical, Route::Worst] {
            let series = measure(&lab, &guards, &developer, route, writes).await?;
            eprintln!("admission-cost: {}", series.summary());
            report.add(count, series);
        }
    }
    for policy in guards.of_routes() {
        report.alone.push(alone(&lab, &guards, &developer, policy).await?);
    }
    report.keep(&script::repository().join("target/bench/admission-cost.json"))?;
    Ok(report)
}

async fn measure(lab: &LightLab, guards: &Guards, developer: &Client, route: Route, writes: usize) -> Result<Series> {
    let mut series = Series::new(route);
    let blocks = writes.div_ceil(BLOCK);
    for block in 0..blocks {
        let order = if block % 2 == 0 { [Arm::Off, Arm::On] } else { [Arm::On, Arm::Off] };
        for arm in order {
            guards.switch(arm == Arm::On).await?;
            series.block(lab, developer, arm, block, BLOCK.min(writes - block * BLOCK)).await?;
        }
    }
    Ok(series)
}

/// One policy: its mean in the API server.
async fn alone(lab: &LightLab, guards: &Guards, developer: &Client, policy: &str) -> Result<Alone> {
    guards.only(policy).await?;
    let mut means = [0.0; 2];
    for (mean, route) in means.iter_mut().zip([Route::Typical, Route::Worst]) {
        let mut series = Series::new(route);
        series.block(lab, developer, Arm::On, 0, BLOCK).await?;
        *mean = series.on.server().plugins;
    }
    Ok(Alone { policy: policy.to_owned(), typical: means[0], worst: means[1] })
}

fn writes() -> Result<usize> {
    match std::env::var(WRITES_SETTING) {
        Ok(text) => text.parse().map_err(Error::failed(format!("{WRITES_SETTING}={text}"))),
        Err(_) => Ok(WRITES),
    }
}
