//! What was told of each route, so that an Event goes out once for each change.

use std::collections::BTreeMap;

use octroi_api::{RouteProblem, RoutesStatus};

use super::judge::{Judged, Outcome, Problem};

/// What was told of a tenant's routes, by their names in the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    routes: BTreeMap<String, Telling>,
    /// A status from before a restart counts suspended routes and names none of them.
    all_suspended: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Telling {
    /// Unknown of what was told before a restart.
    uid: Option<String>,
    word: RouteProblem,
    /// The fault, or, from before a restart, all of the message.
    said: String,
}

/// Something to tell of one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Which route.
    pub route: Judged,
    /// What was wrong, when nothing is any more.
    pub solved: Option<RouteProblem>,
}

impl Told {
    /// What an old status says was told. Rejected routes beyond those that it lists are told again.
    pub fn of_status(status: Option<&RoutesStatus>) -> Self {
        let Some(status) = status else { return Self::default() };
        let telling = |item: &octroi_api::FailingItem| {
            let word = RouteProblem::of_word(&item.reason)?;
            Some((item.name.clone(), Telling { uid: None, word, said: item.message.clone() }))
        };
        Self { routes: status.failing.iter().filter_map(telling).collect(), all_suspended: status.suspended > 0 }
    }

    /// What is new, in the order of the routes; from now on it counts as told.
    pub fn news(&mut self, judged: &[Judged]) -> Vec<News> {
        let mut news = Vec::new();
        let mut before = std::mem::take(&mut self.routes);
        for route in judged {
            let name = route.key.to_string();
            let old = before.remove(&name).filter(|old| old.uid.as_ref().is_none_or(|uid| *uid == route.uid));
            match &route.outcome {
                Outcome::Problem(problem) => {
                    let is_told = old.is_some_and(|old| old.says(problem))
                        || (self.all_suspended && problem.word == RouteProblem::Suspended);
                    if !is_told {
                        news.push(News { route: route.clone(), solved: None });
                    }
                    let uid = Some(route.uid.clone());
                    self.routes.insert(name, Telling { uid, word: problem.word, said: problem.fault.clone() });
                }
                Outcome::Accepted => {
                    let unnamed = self.all_suspended.then_some(RouteProblem::Suspended);
                    if let Some(solved) = old.map(|old| old.word).or(unnamed) {
                        news.push(News { route: route.clone(), solved: Some(solved) });
                    }
                }
                // Nothing is solved before the data plane says so.
                Outcome::Pending => {
                    let unnamed = || Telling { uid: None, word: RouteProblem::Suspended, said: String::new() };
                    let old = old.or_else(|| self.all_suspended.then(unnamed));
                    self.routes.extend(old.map(|old| (name, old)));
                }
            }
        }
        self.all_suspended = false;
        news
    }
}

impl Telling {
    /// A remedy lists the tenant's hosts, and they may change without a change of the fault.
    fn says(&self, problem: &Problem) -> bool {
        self.word == problem.word && self.said.starts_with(&problem.fault)
    }
}
