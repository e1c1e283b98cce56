//! The demo: two Tenants, their developers, and what came of it. Every figure it prints was measured or counted.

pub mod backend;
mod burst;
mod edge;
mod inventory;
mod isolation;
mod report;
mod setup;
mod split;
mod tenant;
pub mod trust;

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::try_join_all;

pub use self::report::Report;
use crate::Result;
use crate::lab::Lab;

/// For one tenant to answer, image start and certificate included; a busy machine needs some of it.
const LIMIT: Duration = Duration::from_mins(3);
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Applies the examples, lets each tenant's developer deploy, waits until each tenant answers, and reports.
///
/// # Errors
/// When the lab or Octroi is not there, something is refused, or a tenant does not answer in time. The message shows the
/// Tenant's conditions and the next step.
pub async fn run() -> Result<Report> {
    let progress = Progress::start();
    let lab = Lab::get().await?;
    progress.say("the lab answers");
    let applied = setup::apply_examples(lab).await?;
    let names = applied.tenants.iter().map(|tenant| tenant.name.clone()).collect::<Vec<_>>();
    progress.say(&format!("applied {} classes, and the Tenants {}", applied.classes, names.join(", ")));

    let progress = &progress;
    let served = try_join_all(applied.tenants.iter().map(async |tenant| {
        let served =
            progress.during(&format!("waiting for {}", tenant.name), Box::pin(tenant::serve(lab, tenant))).await?;
        progress.say(&format!("{} answers {} at {}", served.name, served.code, served.url));
        Ok(served)
    }))
    .await?;
    let split = match served.first() {
        Some(first) => Some(split::measure(first).await?),
        None => None,
    };
    progress.say("the traffic split is measured");
    let edge = match served.first() {
        Some(first) => Some(edge::show(first).await?),
        None => None,
    };
    let burst = match served.get(1) {
        Some(second) => Some(burst::show(second).await?),
        None => None,
    };
    let isolation = match served.as_slice() {
        [first, second, ..] => {
            let shown = Box::pin(isolation::show(lab, first, second));
            Some(progress.during("trying what is not allowed, also with the operator stopped", shown).await?)
        }
        _ => None,
    };
    progress.say("what is not allowed was tried");
    let kept = inventory::count(&lab.client().await?, &names).await?;
    Ok(Report { written: applied.written(), served, kept, split, edge, burst, isolation, shell_line: lab.shell_line() })
}

/// Says what is done and how long it took from the start, beside the report and not in it.
struct Progress(Instant);

impl Progress {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// Says every few seconds that something is still under way.
    async fn during<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match tokio::time::timeout(SAY_EVERY, &mut work).await {
                Ok(done) => return done,
                Err(_) => self.say(what),
            }
        }
    }

    fn say(&self, what: &str) {
        eprintln!("demo: {:5.1} s  {what}", self.0.elapsed().as_secs_f64());
    }
}
