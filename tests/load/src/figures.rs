//! Figures out of many: percentiles of one run, and the spread over runs that alternate.

use std::time::Duration;

/// The nearest-rank percentile (NIST Handbook 1.3.5.6 calls it the empirical one): always one of the values. `None` of nothing.
pub fn percentile(mut taken: Vec<Duration>, percent: usize) -> Option<Duration> {
    taken.sort_unstable();
    let rank = (taken.len() * percent.min(100)).div_ceil(100);
    taken.get(rank.saturating_sub(1)).copied()
}

/// In milliseconds.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The middle and the ends of what several rounds gave, none of them left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one, or between the two in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// `None` of nothing, or when one of them is no number: a round that gave none must not vanish.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        if sorted.iter().any(|value| value.is_nan()) {
            return None;
        }
        sorted.sort_unstable_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let upper = *sorted.get(half)?;
        let lower = if sorted.len().is_multiple_of(2) { *sorted.get(half.checked_sub(1)?)? } else { upper };
        Some(Self { median: f64::midpoint(lower, upper), min: *sorted.first()?, max: *sorted.last()? })
    }
}

/// How many times the base; no number (NaN) where the base is 0.
pub fn ratio(value: f64, base: f64) -> f64 {
    if base > 0.0 { value / base } else { f64::NAN }
}

/// Who comes when in a round: each round begins with the one that ended the last, so that a drift of the machine is nobody's.
pub fn alternating<T: Copy>(legs: &[T], round: usize) -> Vec<T> {
    let mut order = legs.to_vec();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// Legs B between legs A, as A B A B A: each B as a ratio to the mean of the A before and the A after it.
pub fn beside(around: &[f64], between: &[f64]) -> Vec<f64> {
    around.windows(2).zip(between).map(|(two, value)| ratio(*value, two.iter().sum::<f64>() / 2.0)).collect()
}

/// Each as a ratio to the one before it: what legs that are the same differ by, which is what the machine cannot tell.
pub fn drift(same: &[f64]) -> Vec<f64> {
    same.windows(2)
        .map(|two| ratio(two.get(1).copied().unwrap_or(f64::NAN), two.first().copied().unwrap_or(f64::NAN)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_one_of_the_values() {
        let taken: Vec<_> = (1..=500).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(taken.clone(), 50), Some(Duration::from_millis(250)));
        assert_eq!(percentile(taken.clone(), 99), Some(Duration::from_millis(495)));
        assert_eq!(percentile(taken.clone(), 100), Some(Duration::from_millis(500)));
        assert_eq!(percentile(taken.clone(), 0), Some(Duration::from_millis(1)));
        assert_eq!(percentile(taken, 900), Some(Duration::from_millis(500)));
        assert_eq!(percentile(vec![Duration::from_millis(7)], 99), Some(Duration::from_millis(7)));
        assert_eq!(percentile(Vec::new(), 99), None, "nothing has no percentile, and not one of 0");
    }

    #[test]
    fn a_spread_leaves_nothing_out() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
        assert_eq!(Spread::of([5.0]), Some(Spread { median: 5.0, min: 5.0, max: 5.0 }));
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([1.0, f64::NAN]), None);
    }

    #[test]
    fn a_ratio_to_nothing_is_no_number() {
        assert!((ratio(3.0, 2.0) - 1.5).abs() < 1e-9);
        assert!(ratio(3.0, 0.0).is_nan() && ratio(3.0, f64::NAN).is_nan());
    }

    #[test]
    fn a_leg_is_compared_with_those_around_it() {
        assert_eq!(beside(&[1.0, 3.0, 5.0], &[4.0, 2.0]), [2.0, 0.5], "a steady drift is nobody's");
        assert_eq!(beside(&[1.0], &[4.0]), [0.0; 0], "nothing after it");
        assert!(beside(&[1.0, f64::NAN], &[4.0])[0].is_nan());
        assert_eq!(drift(&[1.0, 2.0, 1.0]), [2.0, 0.5]);
    }

    #[test]
    fn legs_alternate_and_so_does_who_begins() {
        let rounds: Vec<_> = (0..3).flat_map(|round| alternating(&['a', 'b', 'c'], round)).collect();
        assert_eq!(rounds.iter().collect::<String>(), "abccbaabc");
    }
}
