//! A tenant's routes, counted, with the first of those that are wrong.

use octroi_api::{FailingItem, RouteProblem, RoutesStatus};

use super::MAX_FAILING;
use crate::routes::judge::{Judged, Outcome};

/// The status of routes. A route counts once: a suspended tenant's are suspended, whatever else could be said of them.
pub fn of(judged: &[Judged]) -> RoutesStatus {
    let count = |is_so: fn(&Outcome) -> bool| {
        i32::try_from(judged.iter().filter(|route| is_so(&route.outcome)).count()).unwrap_or(i32::MAX)
    };
    let failing = judged.iter().filter_map(|route| match &route.outcome {
        Outcome::Problem(problem) if problem.word != RouteProblem::Suspended => Some(FailingItem {
            name: route.key.to_string(),
            reason: problem.word.as_str().into(),
            message: problem.message(),
        }),
        Outcome::Problem(_) | Outcome::Accepted | Outcome::Pending => None,
    });
    RoutesStatus {
        accepted: count(|outcome| *outcome == Outcome::Accepted),
        rejected: count(|outcome| matches!(outcome, Outcome::Problem(p) if p.word != RouteProblem::Suspended)),
        suspended: count(|outcome| matches!(outcome, Outcome::Problem(p) if p.word == RouteProblem::Suspended)),
        pending: count(|outcome| *outcome == Outcome::Pending),
        failing: failing.take(MAX_FAILING).collect(),
    }
}
