//! New rules and new profiles, taken into use when their files change, and never when they are wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::profiles::{Profiles, ProfilesError};
use crate::rules::{RuleSet, RulesError};
use crate::sources::{SourceError, Sources};

/// Why files are not taken into use. What was in use stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The files of the rules are none.
    #[error(transparent)]
    Sources(#[from] SourceError),
    /// The rules do not work.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The profiles are none.
    #[error(transparent)]
    Profiles(#[from] ProfilesError),
    /// The file of profiles could not be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Where rules and profiles come from, when it is from files.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// A folder as [`Sources::read`] wants it; else the rules are those that were built in.
    pub rules: Option<PathBuf>,
    /// A file as [`Profiles::parse`] wants it; else there is nobody until a [`super::Feed`] brings them.
    pub profiles: Option<PathBuf>,
}

/// What was last read, right or wrong: the same is not tried twice.
#[derive(Debug)]
pub struct Watched {
    files: Files,
    rules: Sources,
    profiles: Option<String>,
}

impl Files {
    /// Reads both for the first time.
    ///
    /// # Errors
    /// When one of them is wrong: there is nothing else to serve by yet.
    pub fn load(self) -> Result<(Watched, RuleSet, Profiles), ReloadError> {
        let rules = self.sources()?;
        let text = self.text()?;
        let profiles = text.as_deref().map_or(Ok(Profiles::default()), Profiles::parse)?;
        let rule_set = RuleSet::new(&rules)?;
        Ok((Watched { files: self, rules, profiles: text }, rule_set, profiles))
    }

    fn sources(&self) -> Result<Sources, SourceError> {
        self.rules.as_deref().map_or_else(Sources::built_in, Sources::read)
    }

    fn text(&self) -> Result<Option<String>, ReloadError> {
        let Some(path) = &self.profiles else { return Ok(None) };
        let unreadable = |source| ReloadError::Unreadable { path: path.clone(), source };
        std::fs::read_to_string(path).map(Some).map_err(unreadable)
    }
}

impl Watched {
    /// Looks at the files again, and takes into use what changed. Blocks for about a second when rules did.
    pub fn look(&mut self, shared: &Shared) {
        self.look_at_rules(shared);
        self.look_at_profiles(shared);
    }

    fn look_at_rules(&mut self, shared: &Shared) {
        if self.files.rules.is_none() {
            return;
        }
        match self.files.sources() {
            Ok(now) if now == self.rules => {}
            Ok(now) => {
                let done = shared.rules.reload(&now).map_err(ReloadError::from);
                self.rules = now;
                tell(shared, "rules", done);
            }
            Err(error) => tell(shared, "rules", Err(error.into())),
        }
    }

    fn look_at_profiles(&mut self, shared: &Shared) {
        match self.files.text() {
            Ok(now) if now == self.profiles => {}
            Ok(now) => {
                let text = now.as_deref().unwrap_or_default();
                let done = Profiles::parse(text).map(|profiles| shared.serve(profiles)).map_err(ReloadError::from);
                self.profiles = now;
                tell(shared, "profiles", done);
            }
            Err(error) => tell(shared, "profiles", Err(error)),
        }
    }
}

fn tell(shared: &Shared, what: &'static str, done: Result<(), ReloadError>) {
    shared.metrics.reloaded(what, done.is_ok());
    match done {
        Ok(()) => tracing::info!(what, "reloaded"),
        Err(error) => tracing::error!(what, %error, "not reloaded: the old stay in use"),
    }
}

/// Looks at the files every so often, until `shutdown`. A ConfigMap's files change by a link, which few notifications tell of.
pub async fn watch(mut watched: Watched, shared: Arc<Shared>, every: Duration, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let shared = Arc::clone(&shared);
        let looked = tokio::task::spawn_blocking(move || {
            watched.look(&shared);
            watched
        });
        match looked.await {
            Ok(back) => watched = back,
            Err(error) => {
                tracing::error!(%error, "nobody looks at rules and profiles any more: restart the service");
                return;
            }
        }
    }
}
