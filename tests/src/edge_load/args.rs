//! What may be said to the program.

use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Measures what the rate limiter costs, and what a tenant notices of a noisy neighbour, on the running lab or the cluster of
/// OCTROI_E2E_KUBECONFIG. OCTROI_E2E_GATEWAY_CLASS names the GatewayClass.
#[derive(Parser, Clone, Debug, Serialize)]
#[command(name = "edge-load")]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// Measure this part alone; both otherwise.
    #[arg(long, value_name = "PART")]
    pub only: Option<Part>,
    /// How many times each leg is measured. Fewer than 5 make figures for a look, and not for the books.
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// How long a leg is counted, in seconds.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// limiter: requests a second, of each leg.
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// noisy: requests a second, of the tenant that is measured.
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub neighbour_rate: u32,
    /// Requests a second that the tenant has whose limit is passed; what its neighbour suffers it is asked `times` as much.
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// noisy: requests a second that the tenant has that sends bodies of 1 MiB. Those within the limit are inspected, for about
    /// 0.3 s of a core each.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub body_limit: u32,
    /// noisy: how many times its limit a noisy tenant asks.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub times: u32,
}

/// A part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// What the rate limiter costs, and how exact it is.
    Limiter,
    /// What a tenant notices of another.
    Noisy,
}

impl Args {
    pub(super) fn has(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    pub(super) fn counted(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn nothing_said_is_everything_and_five_rounds() {
        Args::command().debug_assert();
        let args = Args::parse_from(["edge-load"]);
        assert!(args.has(Part::Limiter) && args.has(Part::Noisy) && args.rounds == 5, "{args:?}");
        let args = Args::parse_from(["edge-load", "--only", "noisy", "--rounds", "1"]);
        assert!(!args.has(Part::Limiter) && args.has(Part::Noisy) && args.rounds == 1, "{args:?}");
    }

    #[test]
    fn what_measures_nothing_is_refused() {
        for bad in [["--rounds", "0"], ["--seconds", "0"], ["--rate", "0"], ["--times", "1"], ["--only", "all"]] {
            assert!(Args::try_parse_from(["edge-load", bad[0], bad[1]]).is_err(), "{bad:?}");
        }
    }
}
