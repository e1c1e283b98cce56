//! Looks where the DNS of clients' domains points, while their certificates are not issued. What it finds is said in the
//! tenants' status, and decides nothing.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use hickory_resolver::TokioResolver;
use octroi_plan::facts::Facts;
use octroi_plan::pointing::Pointing;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::state::State;

/// How often it is seen which domains are to be looked up.
const TICK: Duration = Duration::from_secs(5);
/// How long a lookup may take, with its retries.
const LIMIT: Duration = Duration::from_secs(5);
const CONCURRENCY: usize = 8;
/// When a domain is looked up again that points elsewhere, or whose name server did not answer.
const AGAIN: Duration = Duration::from_mins(1);
/// When one is that points here: its certificate comes any moment, or something else is wrong.
const HERE_AGAIN: Duration = Duration::from_mins(10);

/// A domain to look up.
struct Question {
    tenant: String,
    host: String,
    /// Of the Gateway: an address, or a name.
    address: String,
}

/// Looks up what is to be looked up, for as long as the task lives.
pub async fn run(state: Arc<State>) {
    let resolver = match TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build) {
        Ok(resolver) => resolver,
        Err(error) => {
            warn!(%error, "there is no resolv.conf that can be used: no tenant is told that its DNS does not point here");
            return;
        }
    };
    let mut next = HashMap::new();
    loop {
        let now = Instant::now();
        let questions = questions(&state);
        next.retain(|host: &String, _| questions.iter().any(|question| question.host == *host));
        let due = questions.into_iter().filter(|question| next.get(&question.host).is_none_or(|at| *at <= now));
        let looks = stream::iter(due).map(|question| async {
            let said = points(&resolver, &question).await;
            (question, said)
        });
        let answers: Vec<_> = looks.buffer_unordered(CONCURRENCY).collect().await;
        for (question, said) in answers {
            let again = if said == Some(Pointing::Here) { HERE_AGAIN } else { AGAIN };
            next.insert(question.host.clone(), Instant::now() + again);
            if state.world().pointings.learn(&question.host, said) {
                state.triggers.tenant(&question.tenant);
            }
        }
        sleep(TICK).await;
    }
}

fn questions(state: &State) -> Vec<Question> {
    let mut world = state.world();
    world.pointings.forget_others();
    let wanted = world.pointings.wanted();
    let question = |(tenant, host, gateway): (&str, &_, &octroi_plan::world::GatewayRef)| {
        let Facts::Gateway { address: Some(address), .. } = &world.get(&gateway.key())?.facts else { return None };
        Some(Question { tenant: tenant.to_owned(), host: ToString::to_string(host), address: address.clone() })
    };
    wanted.filter_map(question).collect()
}

/// `None` when a name server did not answer: then nothing is known.
async fn points(resolver: &TokioResolver, question: &Question) -> Option<Pointing> {
    let (of_host, of_gateway) =
        futures::join!(addresses(resolver, &question.host), addresses(resolver, &question.address));
    let of_gateway = of_gateway.filter(|addresses| !addresses.is_empty())?;
    let is_here = !of_host?.is_disjoint(&of_gateway);
    Some(if is_here { Pointing::Here } else { Pointing::Elsewhere })
}

async fn addresses(resolver: &TokioResolver, name: &str) -> Option<BTreeSet<IpAddr>> {
    if let Ok(address) = name.parse() {
        return Some(BTreeSet::from([address]));
    }
    // Absolute: no search domain of the pod is tried.
    let lookup = resolver.lookup_ip(format!("{name}."));
    match tokio::time::timeout(LIMIT, lookup).await.ok()? {
        Ok(found) => Some(found.iter().collect()),
        Err(error) if error.is_no_records_found() => Some(BTreeSet::new()),
        Err(_) => None,
    }
}
