//! Guard × attack: each guard is taken away in turn, and at least one of the attacks that it stops alone must then work.
//! Else the suite would prove nothing: something that always fails is not stopped by anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::arena::Arena;
use super::file::Attack;
use super::guard::Guard;
use super::run::{Outcome, run};
use super::take_away::take;
use crate::{Error, Result, script};

/// For the API server to see that a guard is gone, or back.
const LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);

/// The whole matrix.
#[derive(Debug, Default, Serialize)]
pub struct Matrix {
    /// Each guard that was taken away, and what came of the attacks that it stops alone.
    pub columns: Vec<Column>,
    /// Attacks that several guards stop: taking one of them away must not help.
    pub several: BTreeMap<String, Vec<String>>,
    /// Guards that cannot be taken away from outside, and the attacks they stop.
    pub fixed: BTreeMap<String, Vec<String>>,
}

/// One guard.
#[derive(Debug, Default, Serialize)]
pub struct Column {
    /// The guard.
    pub guard: String,
    /// What came of each attack without it.
    pub attacks: BTreeMap<String, String>,
    /// Those that worked.
    pub worked: BTreeSet<String>,
    /// Attacks that another guard stops too, and must still have stopped: those that were not.
    pub leaked: BTreeSet<String>,
}

impl Matrix {
    /// The guards that stop nothing, as far as the suite can tell.
    pub fn unproved(&self) -> Vec<&str> {
        self.columns.iter().filter(|column| column.worked.is_empty()).map(|column| column.guard.as_str()).collect()
    }

    /// Attacks that several guards are said to stop, and that one of them did not stop alone.
    pub fn leaked(&self) -> Vec<String> {
        let of = |column: &Column| {
            column.leaked.iter().map(|attack| format!("{attack} without {}", column.guard)).collect::<Vec<_>>()
        };
        self.columns.iter().flat_map(of).collect()
    }

    /// Writes `target/attacks/matrix.json`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<PathBuf> {
        let dir = script::repository().join("target/attacks");
        let file = dir.join("matrix.json");
        let text = serde_json::to_string_pretty(self).map_err(Error::failed("the matrix"))?;
        std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(&file, text)).map_err(Error::io("the matrix"))?;
        Ok(file)
    }

    /// As a table for people.
    pub fn print(&self) -> String {
        let mut text = String::new();
        let width = self.columns.iter().map(|column| column.guard.len()).max().unwrap_or_default();
        for Column { guard, attacks, worked, leaked } in &self.columns {
            let _ = writeln!(text, "{guard:width$}  without it {} of {} attacks work", worked.len(), attacks.len());
            for (attack, outcome) in attacks {
                let mark = if worked.contains(attack) { 'x' } else { '.' };
                let _ = writeln!(text, "{:width$}    {mark} {attack}: {outcome}", "");
            }
            for attack in leaked {
                let _ = writeln!(text, "{:width$}    ! {attack}: another guard should have stopped it", "");
            }
        }
        for (guards, attacks) in &self.several {
            let _ = writeln!(text, "each of {guards} alone stops {}", attacks.len());
        }
        for (guard, attacks) in &self.fixed {
            let _ = writeln!(text, "{guard} cannot be taken away from outside; it stops {}", attacks.len());
        }
        text
    }
}

/// Takes each guard away in turn. The operator must be stopped: it would put back what is its own.
///
/// # Errors
/// When a guard cannot be taken away, or does not come back.
pub async fn measure(arena: &Arena, attacks: &[Attack], say: impl Fn(&str)) -> Result<Matrix> {
    let mut matrix = Matrix::default();
    let mut alone = BTreeMap::<Guard, Vec<&Attack>>::new();
    for attack in attacks {
        match attack.guards.as_slice() {
            [guard] if guard.can_be_taken_away() => alone.entry(guard.clone()).or_default().push(attack),
            [guard] => matrix.fixed.entry(guard.name().to_owned()).or_default().push(attack.name.clone()),
            several => {
                let names = super::guard::names(several);
                matrix.several.entry(names).or_default().push(attack.name.clone());
            }
        }
    }
    for (guard, alone) in &alone {
        let beside: Vec<_> = attacks.iter().filter(|a| a.guards.len() > 1 && a.guards.contains(guard)).collect();
        let column = column(arena, guard, alone, &beside).await?;
        say(&format!("without {}: {} of {} attacks work", column.guard, column.worked.len(), alone.len()));
        matrix.columns.push(column);
    }
    Ok(matrix)
}

async fn column(arena: &Arena, guard: &Guard, attacks: &[&Attack], beside: &[&Attack]) -> Result<Column> {
    let taken = match take(arena, guard).await {
        Ok(taken) => taken,
        Err(error) => {
            // The others still count: this one stays unproved.
            let attacks = BTreeMap::from([("none".to_owned(), error.to_string())]);
            return Ok(Column { guard: guard.name().to_owned(), attacks, ..Column::default() });
        }
    };
    let tried = try_all(arena, attacks).await;
    let leaked = match &tried {
        Ok((_, Some(_))) => leaks(arena, beside).await,
        _ => Ok(BTreeSet::new()),
    };
    taken.put_back(arena).await?;
    let (column, witness) = tried?;
    if let Some(attack) = witness {
        back_again(arena, guard, attack).await?;
    }
    Ok(Column { guard: guard.name().to_owned(), leaked: leaked?, ..column })
}

/// Those of the attacks that work although another guard is there.
async fn leaks(arena: &Arena, attacks: &[&Attack]) -> Result<BTreeSet<String>> {
    let mut leaked = BTreeSet::new();
    for attack in attacks {
        if let Outcome::Effect(_) = run(arena, attack).await? {
            leaked.insert(attack.name.clone());
        }
    }
    Ok(leaked)
}

/// Runs each; the first ones again and again, until it is seen that the guard is gone.
async fn try_all<'a>(arena: &Arena, attacks: &[&'a Attack]) -> Result<(Column, Option<&'a Attack>)> {
    let mut column = Column::default();
    let mut witness = None;
    let since = Instant::now();
    for attack in attacks {
        let outcome = loop {
            let outcome = run(arena, attack).await?;
            let may_be_early = witness.is_none() && since.elapsed() < LIMIT && matches!(outcome, Outcome::Stopped(_));
            if !may_be_early {
                break outcome;
            }
            tokio::time::sleep(POLL).await;
        };
        if matches!(outcome, Outcome::Effect(_)) {
            witness.get_or_insert(*attack);
            column.worked.insert(attack.name.clone());
        }
        column.attacks.insert(attack.name.clone(), outcome.to_string());
    }
    Ok((column, witness))
}

/// Waits until the attack that has just worked is stopped again.
async fn back_again(arena: &Arena, guard: &Guard, witness: &Attack) -> Result<()> {
    let since = Instant::now();
    loop {
        let outcome = run(arena, witness).await?;
        if matches!(outcome, Outcome::Stopped(_)) {
            return Ok(());
        }
        if since.elapsed() > LIMIT {
            let what = format!("{} stops {} again", guard.name(), witness.name);
            return Err(Error::NotInTime { what, waited: since.elapsed(), state: outcome.to_string() });
        }
        tokio::time::sleep(POLL).await;
    }
}
