//! What tenant B notices of tenant A, which floods the same Envoy and the same firewall.

use std::collections::BTreeMap;

use octroi_load::figures::{Spread, beside, drift, ratio};
use serde_json::json;

use super::args::Args;
use super::leg::{Leg, PROGRAMS, Pace};
use super::noise::{Kind, Noise, Seen};
use super::report::{Figure, Judged, Report};
use super::{WARM, cast};
use crate::Result;
use crate::probe::{Ask, rate};
use crate::stage::Stage;

/// So that a body of 1 MiB is inspected, and not refused for its length.
const BODY_KIB: u32 = 1024;
/// Times what B has when A is quiet.
const P99_TARGET: f64 = 1.2;

/// Who asks, and whom.
struct Neighbours {
    b: Ask,
    /// Whose limit is of requests.
    a: Ask,
    /// Whose limit suits long bodies.
    a_of_bodies: Ask,
}

/// All kinds of noise, and the figures of each.
pub(super) async fn measure(stage: &Stage, args: &Args, report: &mut Report) -> Result<()> {
    let class = stage.class("n", |spec| spec["waf"] = json!({"bodyKiB": BODY_KIB})).await?;
    let (b, b_ask) = cast::tenant(stage, &class, "b", None).await?;
    let (a, a_ask) = cast::tenant(stage, &class, "a", Some(args.limit)).await?;
    let (long, long_ask) = cast::tenant(stage, &class, "long", Some(args.body_limit)).await?;
    cast::share_a_gateway(&[&a, &b, &long]).await?;
    cast::until_limited(stage, &a_ask, args.limit).await?;
    cast::until_limited(stage, &long_ask, args.body_limit).await?;
    let asks = Neighbours { b: b_ask, a: a_ask, a_of_bodies: long_ask };
    for kind in Kind::ALL {
        let seen = Rounds::measure(stage, args, report, &asks, kind).await?;
        seen.figures(kind, report);
    }
    Ok(())
}

/// One kind of noise: a quiet leg before, between and after the noisy ones.
struct Rounds {
    quiet: Vec<Leg>,
    noisy: Vec<Leg>,
    /// What A saw in all of them.
    noise: Seen,
}

impl Rounds {
    async fn measure(stage: &Stage, args: &Args, report: &mut Report, asks: &Neighbours, kind: Kind) -> Result<Self> {
        let pace = Pace { per_second: args.neighbour_rate, warm: WARM, counted: args.counted() };
        let (ask, per_second) = match kind {
            Kind::Requests | Kind::Handshakes => (&asks.a, args.limit * args.times),
            Kind::Bodies => (&asks.a_of_bodies, args.body_limit * args.times),
        };
        let mut all = Self { quiet: Vec::new(), noisy: Vec::new(), noise: Seen::new() };
        for round in 0..=args.rounds as usize {
            tokio::time::sleep(WARM).await;
            all.quiet.push(Self::leg(stage, asks, pace, report, (kind, round, "quiet")).await);
            if round == args.rounds as usize {
                break;
            }
            let noise = Noise::start(kind, &stage.probe, ask, per_second);
            tokio::time::sleep(WARM).await;
            all.noisy.push(Self::leg(stage, asks, pace, report, (kind, round, "noisy")).await);
            for (what, count) in noise.end().await? {
                *all.noise.entry(what).or_default() += count;
            }
        }
        Ok(all)
    }

    async fn leg(
        stage: &Stage,
        asks: &Neighbours,
        pace: Pace,
        report: &mut Report,
        (kind, round, what): (Kind, usize, &'static str),
    ) -> Leg {
        let leg = Leg::measure(&stage.probe, &asks.b, pace).await;
        eprintln!("edge-load: {:<10} {round}  {what:<6} {}", kind.as_str(), leg.line());
        report.leg(kind.as_str(), what, round, &leg.as_json());
        leg
    }

    fn figures(&self, kind: Kind, report: &mut Report) {
        let id = |what: &str| format!("noisy-{}-{what}", kind.as_str());
        let each = |legs: &[Leg], read: &dyn Fn(&Leg) -> f64| Spread::of(legs.iter().map(read));
        let compared = |read: &dyn Fn(&Leg) -> f64| {
            let [quiet, noisy] = [&self.quiet, &self.noisy].map(|legs| legs.iter().map(read).collect::<Vec<_>>());
            Spread::of(beside(&quiet, &noisy))
        };
        let lost = |leg: &Leg| f64::from(u32::try_from(leg.lost()).unwrap_or(u32::MAX));
        let idle = |leg: &Leg| leg.clocks.idle_share() * 100.0;
        let p99 = |leg: &Leg| leg.took(99);
        let left = each(&self.noisy, &idle);
        report.add(Figure::new(id("quiet-lost"), each(&self.quiet, &lost), "requests"));
        report.add(Figure::new(id("lost"), each(&self.noisy, &lost), "requests").at_most(Some(0.0), Judged::Worst));
        report.add(Figure::new(id("quiet-p50"), each(&self.quiet, &|leg| leg.took(50)), "ms"));
        report.add(Figure::new(id("p50-ratio"), compared(&|leg| leg.took(50)), "x"));
        report.add(Figure::new(id("quiet-p99"), each(&self.quiet, &p99), "ms"));
        let same = drift(&self.quiet.iter().map(p99).collect::<Vec<_>>());
        let off_by = Spread::of(same.iter().map(|ratio| (ratio - 1.0).abs()));
        let p99_ratio = Figure::new(id("p99-ratio"), compared(&p99), "x").at_most(Some(P99_TARGET), Judged::Median);
        report.add(p99_ratio.on_a_machine_with(left).with_noise(off_by));
        report.add(Figure::new(id("p99-ratio-from-begun"), compared(&|leg| leg.answered_in(99)), "x"));
        let pooled = ratio(Leg::pooled(&self.noisy, 99), Leg::pooled(&self.quiet, 99));
        report.add(Figure::new(id("p99-ratio-of-all"), Spread::of([pooled]), "x"));
        report.add(Figure::new(id("p99-ratio-of-quiet-ones"), Spread::of(same), "x"));
        report.add(Figure::new(id("quiet-late-p99"), each(&self.quiet, &|leg| leg.late(99)), "ms"));
        report.add(Figure::new(id("late-p99"), each(&self.noisy, &|leg| leg.late(99)), "ms"));
        report.add(Figure::new(id("quiet-idle"), each(&self.quiet, &idle), "%"));
        report.add(Figure::new(id("idle"), left, "%"));
        report.note(format!("{}: A had {}; {}", kind.as_str(), rate::counted(&self.noise), cores(&self.noisy)));
    }
}

/// Who had the cores while it was noisy: in cores, of the machine's.
fn cores(legs: &[Leg]) -> String {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processors = f64::from(u32::try_from(processors).unwrap_or(u32::MAX));
    let whole: f64 = legs.iter().map(|leg| leg.clocks.whole).sum();
    let mut named: BTreeMap<&str, f64> = BTreeMap::new();
    for (name, seconds) in legs.iter().flat_map(|leg| &leg.clocks.named) {
        *named.entry(name).or_default() += seconds;
    }
    let used = PROGRAMS.iter().filter_map(|(comm, title)| {
        let cores = ratio(*named.get(comm)? * processors, whole);
        Some(format!("{title} {cores:.2}"))
    });
    let used: Vec<_> = used.collect();
    format!(
        "cores of {processors:.0}: {}",
        if used.is_empty() { "not of this machine".into() } else { used.join(", ") }
    )
}
