//! The whole suite on the lab: with the operator up, stopped and failing over, then the matrix.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::arena::Arena;
use super::file::Attack;
use super::matrix::{self, Matrix};
use super::operator::Deployed;
use super::run::{Outcome, run};
use super::{lab, load};
use crate::stage::{self, Stage};
use crate::{Error, Result};

/// How the operator fares while attacks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It runs.
    Up,
    /// It is scaled to nothing.
    Stopped,
    /// Its leader's pod is deleted, again and again.
    FailingOver,
}

/// What came of it.
#[derive(Default)]
pub struct Report {
    /// Every attack in every phase.
    pub runs: Vec<(Phase, String, Outcome)>,
    /// How often the leader changed while attacks ran.
    pub fail_overs: usize,
    /// The matrix, when it was asked for.
    pub matrix: Option<Matrix>,
}

impl Report {
    /// Attacks that worked in some phase.
    pub fn with_effect(&self) -> Vec<&str> {
        self.of(|outcome| matches!(outcome, Outcome::Effect(_)))
    }

    /// Attacks that prove nothing in some phase.
    pub fn unproved(&self) -> Vec<&str> {
        self.of(|outcome| matches!(outcome, Outcome::Unproved(_)))
    }

    /// Attacks that could be tried in no phase.
    pub fn not_here(&self) -> Vec<&str> {
        self.of(|outcome| matches!(outcome, Outcome::NotHere(_)))
    }

    /// Attacks that were tried.
    pub fn tried(&self) -> usize {
        self.of(|outcome| !matches!(outcome, Outcome::NotHere(_))).len()
    }

    fn of(&self, wanted: impl Fn(&Outcome) -> bool) -> Vec<&str> {
        let mut names: Vec<_> =
            self.runs.iter().filter(|(_, _, outcome)| wanted(outcome)).map(|(_, name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Runs every attack in each of these phases, and then the matrix if that is wanted, on tenants of its own.
///
/// # Errors
/// When the suite itself fails. The operator runs again then.
pub async fn on_lab(phases: &[Phase], with_matrix: bool, say: impl Fn(&str)) -> Result<Report> {
    let attacks = load::all()?;
    let mut report = Report::default();
    stage::run("attacks", async |stage| {
        let arena = lab::set(stage).await?;
        say(&format!("{} attacks; {} serves {}", attacks.len(), stage.lab.gateway_class(), arena.var("victimHost")));
        let done = all_phases(stage, &arena, &attacks, phases, with_matrix, &say, &mut report).await;
        done.and(lab::clear(&arena).await)
    })
    .await?;
    Ok(report)
}

async fn all_phases(
    stage: &Stage,
    arena: &Arena,
    attacks: &[Attack],
    phases: &[Phase],
    with_matrix: bool,
    say: &impl Fn(&str),
    report: &mut Report,
) -> Result<()> {
    let operator = Deployed::within(stage.client.clone(), arena.var("operatorNamespace"));
    for phase in phases {
        say(&format!("the operator: {phase:?}"));
        match phase {
            Phase::Up => each(arena, attacks, *phase, say, report).await?,
            Phase::FailingOver => failing_over(&operator, arena, attacks, say, report).await?,
            Phase::Stopped => stopped(&operator, async || each(arena, attacks, *phase, say, report).await).await?,
        }
    }
    if with_matrix {
        say("the operator: stopped, and each guard taken away in turn");
        let measured = async || {
            report.matrix = Some(matrix::measure(arena, attacks, say).await?);
            Ok(())
        };
        stopped(&operator, measured).await?;
    }
    Ok(())
}

async fn each(arena: &Arena, attacks: &[Attack], phase: Phase, say: &impl Fn(&str), report: &mut Report) -> Result<()> {
    for attack in attacks {
        let outcome = run(arena, attack).await?;
        say(&format!("  {} ({}): {outcome}", attack.name, attack.user.title()));
        report.runs.push((phase, attack.name.clone(), outcome));
    }
    Ok(())
}

/// Whatever happens meanwhile, the operator runs again afterwards.
async fn stopped(operator: &Deployed, work: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let replicas = operator.stop().await?;
    let done = AssertUnwindSafe(work()).catch_unwind().await;
    let started = operator.start(replicas).await;
    match done {
        Ok(done) => done.and(started),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

async fn failing_over(
    operator: &Deployed,
    arena: &Arena,
    attacks: &[Attack],
    say: &impl Fn(&str),
    report: &mut Report,
) -> Result<()> {
    let stop = CancellationToken::new();
    let attacking = async {
        let done = each(arena, attacks, Phase::FailingOver, say, report).await;
        stop.cancel();
        done
    };
    let (done, fail_overs) = tokio::join!(attacking, operator.fail_over(&stop));
    done?;
    report.fail_overs = fail_overs?;
    say(&format!("  the leader changed {} times", report.fail_overs));
    if report.fail_overs == 0 {
        let detail = "the attacks were over before another replica led".into();
        return Err(Error::Failed { what: "failing over".into(), detail });
    }
    Ok(())
}
