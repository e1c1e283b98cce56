//! Writes, one after the other, and how long each took.

use std::time::{Duration, Instant};

use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use octroi_load::figures;
use serde_json::{Value, json};

use super::clocks::Clocks;
use super::objects::{MEASURED, Route};
use crate::light::LightLab;
use crate::stage::{LIMIT, until};
use crate::{Error, Result, strict};

/// Of each block, before it counts.
const WARM_UP: usize = 5;
/// With the policies, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arm {
    Off,
    On,
}

/// What one arm took.
#[derive(Default)]
pub(super) struct Taken {
    /// Each write with the number of its block.
    writes: Vec<(usize, Duration)>,
    /// What the API server says of all writes of the blocks.
    server: Clocks,
    /// The writes that its clocks cover: those that warm up too.
    served: usize,
}

impl Taken {
    pub(super) fn count(&self) -> usize {
        self.writes.len()
    }

    pub(super) fn all(&self) -> Vec<Duration> {
        self.writes.iter().map(|(_, took)| *took).collect()
    }

    /// Of even blocks, or of odd ones.
    pub(super) fn half(&self, odd: bool) -> Vec<Duration> {
        self.writes.iter().filter(|(block, _)| (block % 2 == 1) == odd).map(|(_, took)| *took).collect()
    }

    /// For one write, on average, in milliseconds.
    pub(super) fn server(&self) -> Clocks {
        self.server.of_one(self.served)
    }
}

/// Of nothing, 0.
pub(super) fn percentile(taken: Vec<Duration>, percent: usize) -> Duration {
    figures::percentile(taken, percent).unwrap_or_default()
}

/// One route, written with and without.
pub(super) struct Series {
    pub(super) route: Route,
    pub(super) off: Taken,
    pub(super) on: Taken,
}

impl Series {
    pub(super) fn new(route: Route) -> Self {
        Self { route, off: Taken::default(), on: Taken::default() }
    }

    /// So many writes: half of them create a route, half replace one.
    pub(super) async fn block(
        &mut self,
        lab: &LightLab,
        client: &Client,
        arm: Arm,
        block: usize,
        writes: usize,
    ) -> Result<()> {
        let routes = routes(client, self.route);
        let before = Clocks::read(lab).await?;
        let mut taken = Vec::with_capacity(writes);
        let pairs = writes.div_ceil(2);
        for number in 0..WARM_UP + pairs {
            let object = self.route.object(&format!("cost-{number}"));
            let (created, stored) = create(&routes, &object).await?;
            let replaced = replace(&routes, stored).await?;
            if number >= WARM_UP {
                taken.extend([(block, created), (block, replaced)]);
            }
        }
        let after = Clocks::read(lab).await?;
        clear(&routes).await?;
        let into = if arm == Arm::On { &mut self.on } else { &mut self.off };
        into.server.add(before, after);
        into.served += 2 * (WARM_UP + pairs);
        into.writes.append(&mut taken);
        Ok(())
    }

    /// One line while it runs.
    pub(super) fn summary(&self) -> String {
        let p99 = |taken: &Taken| percentile(taken.all(), 99).as_secs_f64() * 1000.0;
        format!("{}: p99 {:.2} ms without and {:.2} ms with", self.route.as_str(), p99(&self.off), p99(&self.on))
    }
}

/// Known beforehand, so that no discovery is measured.
fn routes(client: &Client, route: Route) -> Api<DynamicObject> {
    let kind = kube::core::GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
    Api::namespaced_with(client.clone(), &route.namespace(), &ApiResource::from_gvk(&kind))
}

async fn create(routes: &Api<DynamicObject>, object: &Value) -> Result<(Duration, DynamicObject)> {
    let what = strict::describe(object);
    let new = serde_json::from_value(object.clone()).map_err(Error::failed(what.clone()))?;
    let since = Instant::now();
    let stored = routes.create(&PostParams::default(), &new).await;
    let took = since.elapsed();
    Ok((took, stored.map_err(Error::kube(format!("creating {what}")))?))
}

/// Another weight, as in a rollout.
async fn replace(routes: &Api<DynamicObject>, mut stored: DynamicObject) -> Result<Duration> {
    let name = stored.metadata.name.clone().unwrap_or_default();
    stored.data["spec"]["rules"][0]["backendRefs"][0]["weight"] = json!(50);
    let since = Instant::now();
    let replaced = routes.replace(&name, &PostParams::default(), &stored).await;
    let took = since.elapsed();
    replaced.map(|_| took).map_err(Error::kube(format!("replacing HTTPRoute {name}")))
}

async fn clear(routes: &Api<DynamicObject>) -> Result<()> {
    let ours = ListParams::default().labels(MEASURED);
    let what = || Error::kube("removing the routes of a block");
    routes.delete_collection(&DeleteParams::default(), &ours).await.map_err(what())?;
    until("the routes of a block are gone", LIMIT, async || {
        let left = routes.list_metadata(&ours).await.map_err(what())?.items.len();
        Ok(if left == 0 { Ok(()) } else { Err(format!("{left} are left")) })
    })
    .await
}
