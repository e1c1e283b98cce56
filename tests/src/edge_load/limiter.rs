//! What the rate limiter costs a request, and how exact it is.

use std::collections::BTreeMap;
use std::time::Duration;

use octroi_load::figures::{Spread, alternating, ratio};
use serde_json::json;

use super::args::Args;
use super::leg::{Leg, Pace};
use super::report::{Figure, Judged, Report};
use super::{WARM, cast, null_grpc};
use crate::Result;
use crate::probe::{Ask, rate};
use crate::stage::{DataPlane, LIMIT, Stage};

/// Far above what is asked: nothing is refused, and every request is counted.
const ABOVE: u32 = 100;
/// What is asked of what is limited.
const TIMES: u32 = 4;
/// At p50, in microseconds, more than without a limit.
const LOCAL_TARGET: f64 = 20.0;
/// The same, above a call of the service that does nothing.
const GLOBAL_TARGET: f64 = 100.0;
/// In percent.
const LOCAL_ERROR: f64 = 1.0;
const GLOBAL_ERROR: f64 = 5.0;

/// A tenant that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Off,
    Limited,
    OffAgain,
}

impl Of {
    const ALL: [Self; 3] = [Self::Off, Self::Limited, Self::OffAgain];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Limited => "limited",
            Self::OffAgain => "off again",
        }
    }
}

/// Where a data plane counts.
struct Counts {
    here: &'static str,
    error: f64,
    /// Where it does not, and what Octroi does instead.
    not: &'static str,
}

const fn counts(plane: DataPlane) -> Counts {
    match plane {
        DataPlane::EnvoyGateway => Counts {
            here: "global",
            error: GLOBAL_ERROR,
            not: "local: not emitted on Envoy Gateway, whose local limit counts for each route by itself (docs/edge.md)",
        },
        DataPlane::Kgateway => {
            Counts { here: "local", error: LOCAL_ERROR, not: "global: not emitted on kgateway (docs/edge.md)" }
        }
    }
}

/// All rounds, and the figures of them.
pub(super) async fn measure(stage: &Stage, args: &Args, report: &mut Report) -> Result<()> {
    let class = stage.class("l", |spec| spec["waf"] = json!({"mode": "Disabled"})).await?;
    let (off, off_ask) = cast::tenant(stage, &class, "off", None).await?;
    let (again, again_ask) = cast::tenant(stage, &class, "again", None).await?;
    let (limited, limited_ask) = cast::tenant(stage, &class, "limited", Some(above(args.rate))).await?;
    let (few, few_ask) = cast::tenant(stage, &class, "few", Some(args.limit)).await?;
    cast::share_a_gateway(&[&off, &again, &limited, &few]).await?;
    cast::until_limited(stage, &few_ask, args.limit).await?;
    until_counted(stage, &limited_ask).await?;
    let asks = [(Of::Off, off_ask), (Of::Limited, limited_ask), (Of::OffAgain, again_ask)].into();
    let (legs, passed) = rounds(stage, args, report, &asks, &few_ask).await;
    let null = if stage.plane == DataPlane::EnvoyGateway { Some(null_grpc::measure(stage, args).await) } else { None };
    cost(stage.plane, &legs, null, report);
    exactness(stage.plane, &passed, report);
    report.note(counts(stage.plane).not.into());
    Ok(())
}

fn above(rate: u32) -> u32 {
    rate.saturating_mul(ABOVE).min(1_000_000)
}

/// On Envoy Gateway an answer tells that it was counted. kgateway's tells nothing; there the limit of another tenant was seen.
async fn until_counted(stage: &Stage, ask: &Ask) -> Result<()> {
    if stage.plane == DataPlane::Kgateway {
        return Ok(());
    }
    let counted = |answer: &crate::probe::Answer| answer.header("x-ratelimit-limit").is_some();
    stage.probe.until(ask, LIMIT, "x-ratelimit-limit", counted).await.map(drop)
}

type Legs = BTreeMap<Of, Vec<Leg>>;

async fn rounds(
    stage: &Stage,
    args: &Args,
    report: &mut Report,
    asks: &BTreeMap<Of, Ask>,
    few: &Ask,
) -> (Legs, Vec<f64>) {
    let pace = Pace { per_second: args.rate, warm: WARM, counted: args.counted() };
    let (mut legs, mut passed) = (Legs::new(), Vec::new());
    for round in 0..args.rounds as usize {
        for of in alternating(&Of::ALL, round) {
            let Some(ask) = asks.get(&of) else { continue };
            let leg = Leg::measure(&stage.probe, ask, pace).await;
            eprintln!("edge-load: limiter {round}  {:<10} {}", of.as_str(), leg.line());
            report.leg("limiter", of.as_str(), round, &leg.as_json());
            legs.entry(of).or_default().push(leg);
        }
        let error = enforced(stage, few, args).await;
        eprintln!("edge-load: limiter {round}  {:<10} {error:+.2} % of the limit", "enforced");
        report.leg("limiter", "enforced", round, &json!({"errorPercent": error}));
        passed.push(error);
    }
    (legs, passed)
}

/// How much more than the limit passes, in percent, of [`TIMES`] as much.
async fn enforced(stage: &Stage, ask: &Ask, args: &Args) -> f64 {
    rate::at_a_second().await;
    let pace = Pace { per_second: args.limit * TIMES, warm: WARM, counted: args.counted() };
    let leg = Leg::measure(&stage.probe, ask, pace).await;
    error_percent(leg.passed(), args.limit, args.counted())
}

fn error_percent(passed: usize, per_second: u32, counted: Duration) -> f64 {
    let wanted = f64::from(per_second) * counted.as_secs_f64();
    (ratio(f64::from(u32::try_from(passed).unwrap_or(u32::MAX)), wanted) - 1.0) * 100.0
}

fn cost(plane: DataPlane, legs: &Legs, null: Option<Result<f64>>, report: &mut Report) {
    let of = |of: Of| legs.get(&of).map(Vec::as_slice).unwrap_or_default();
    let (off, on, again) = (of(Of::Off), of(Of::Limited), of(Of::OffAgain));
    let here = counts(plane).here;
    let target = match null {
        None => Some(LOCAL_TARGET),
        Some(Ok(micros)) => {
            report.add(Figure::new("limiter-null-grpc-p50", Spread::of([micros]), "us"));
            Some(micros + GLOBAL_TARGET)
        }
        Some(Err(why)) => {
            report.note(format!("a call of the rate limit service that does nothing was not measured: {why}"));
            None
        }
    };
    let id = |what: &str| format!("limiter-{here}-{what}");
    let micros_more = |with: &[Leg], percent| between(with, off, |leg| leg.took(percent), |w, o| (w - o) * 1000.0);
    let same = between(again, off, |leg| leg.took(50), |a, o| ((a - o) * 1000.0).abs());
    let more = Figure::new(id("p50-more"), micros_more(on, 50), "us");
    report.add(more.at_most(target, Judged::Median).with_noise(same));
    report.add(Figure::new("limiter-off-again-p50-more", micros_more(again, 50), "us"));
    report.add(Figure::new(id("p99-more"), micros_more(on, 99), "us"));
    report.add(Figure::new("limiter-off-again-p99-more", micros_more(again, 99), "us"));
    report.add(Figure::new("limiter-off-p50", each(off, |leg| leg.took(50)), "ms"));
    report.add(Figure::new(id("p50"), each(on, |leg| leg.took(50)), "ms"));
    report.add(Figure::new(id("p50-ratio"), between(on, off, |leg| leg.took(50), ratio), "x"));
    report.add(Figure::new("limiter-off-p99", each(off, |leg| leg.took(99)), "ms"));
    report.add(Figure::new(id("p99"), each(on, |leg| leg.took(99)), "ms"));
    report.add(Figure::new(id("p99-ratio"), between(on, off, |leg| leg.took(99), ratio), "x"));
    let envoy = |leg: &Leg| leg.core_for_one("envoy") * 1000.0;
    report.add(Figure::new(id("envoy-core-more"), between(on, off, envoy, |w, o| w - o), "us/request"));
    if plane == DataPlane::EnvoyGateway {
        let service = |leg: &Leg| (leg.core_for_one("ratelimit") + leg.core_for_one("redis-server")) * 1000.0;
        report.add(Figure::new(id("service-core"), each(on, service), "us/request"));
    }
    let lost = |legs: &[Leg]| each(legs, |leg| f64::from(u32::try_from(leg.lost()).unwrap_or(u32::MAX)));
    report.add(Figure::new("limiter-off-lost", lost(off), "requests").at_most(Some(0.0), Judged::Worst));
    report.add(Figure::new(id("lost"), lost(on), "requests").at_most(Some(0.0), Judged::Worst));
    report.add(Figure::new("limiter-idle", each(on, |leg| leg.clocks.idle_share() * 100.0), "%"));
}

fn exactness(plane: DataPlane, passed: &[f64], report: &mut Report) {
    let Counts { here, error, .. } = counts(plane);
    let signed = Figure::new(format!("limiter-{here}-passed-more"), Spread::of(passed.iter().copied()), "%");
    report.add(signed);
    let off_by = Figure::new(format!("limiter-{here}-error"), Spread::of(passed.iter().map(|more| more.abs())), "%");
    report.add(off_by.at_most(Some(error), Judged::Worst));
}

fn each(legs: &[Leg], read: impl Fn(&Leg) -> f64) -> Option<Spread> {
    Spread::of(legs.iter().map(read))
}

/// Of the legs of one round, by pairs.
fn between(
    with: &[Leg],
    without: &[Leg],
    read: impl Fn(&Leg) -> f64,
    compare: impl Fn(f64, f64) -> f64,
) -> Option<Spread> {
    Spread::of(with.iter().zip(without).map(|(with, without)| compare(read(with), read(without))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_of_the_limit_and_has_a_sign() {
        let of = |passed| error_percent(passed, 50, Duration::from_secs(10));
        assert!((of(500) - 0.0).abs() < 1e-9 && (of(505) - 1.0).abs() < 1e-9 && (of(475) + 5.0).abs() < 1e-9);
        assert!((of(0) + 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_limit_that_refuses_nothing_stays_within_the_api() {
        assert_eq!((above(200), above(10_000), above(u32::MAX)), (20_000, 1_000_000, 1_000_000));
    }
}
