//! Kubernetes quantities, written as the API server stores them.
//!
//! In its own kinds the API server keeps `1000m` as `1` and `1024Mi` as `1Gi`, so what Octroi sends must be written like that,
//! or a digest of what is stored would never be the one of what is wanted. The rules are those of
//! `k8s.io/apimachinery/pkg/api/resource`; a contract test compares them with a real API server.

use std::fmt;

/// A quantity: how much, and in which family of suffixes.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    /// In billionths, the finest that Kubernetes knows.
    nano: i128,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Ki, Mi, … Ei.
    Binary,
    /// n, u, m, k, M, … E.
    Decimal,
    /// e3, E6.
    Exponent,
}

const NANO: i128 = 1_000_000_000;
const NANO_DIGITS: i32 = 9;
/// Kubernetes lets nothing be larger.
const MOST: i128 = i64::MAX as i128 * NANO;
/// Above this power every number but 0 is above [`MOST`], and below its negative less than a billionth.
const LARGEST_POWER: i32 = 30;
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

impl Quantity {
    /// Reads a quantity; `None` for what is none, or has more digits than a schema of Octroi lets pass.
    pub fn parse(text: &str) -> Option<Self> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || digits.len() > 18 || fraction.contains('.') {
            return None;
        }
        let mantissa: i128 = digits.parse().ok()?;
        let places = i32::try_from(fraction.len()).ok()?;
        let (factor, power, format) = scale(suffix)?;
        let nano = shifted(mantissa * factor, power - places + NANO_DIGITS).min(MOST);
        // Less than one of a binary suffix is written with a decimal one.
        let format = if format == Format::Binary && nano < NANO { Format::Decimal } else { format };
        Some(Self { nano: if negative { -nano } else { nano }, format })
    }

    /// Whether it is more than the other.
    pub fn exceeds(&self, other: &Self) -> bool {
        self.nano > other.nano
    }
}

/// The quantity as the API server stores it; what is none stays as it is, for the API server to refuse.
pub fn canonical(text: &str) -> String {
    Quantity::parse(text).map_or_else(|| text.to_owned(), |quantity| quantity.to_string())
}

/// What a suffix multiplies with: a factor and a power of ten.
fn scale(suffix: &str) -> Option<(i128, i32, Format)> {
    if let Some((_, power)) = DECIMAL.into_iter().find(|(known, _)| *known == suffix) {
        return Some((1, power, Format::Decimal));
    }
    if let Some(index) = BINARY.iter().position(|known| *known == suffix) {
        return Some((1024_i128.pow(u32::try_from(index).ok()? + 1), 0, Format::Binary));
    }
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((1, power, Format::Exponent))
}

/// Times a power of ten, rounded away from 0.
fn shifted(value: i128, power: i32) -> i128 {
    if value == 0 {
        return 0;
    }
    let ten = |power: i32| 10_i128.checked_pow(power.unsigned_abs());
    match power {
        0.. if power > LARGEST_POWER => MOST,
        0.. => ten(power).and_then(|factor| value.checked_mul(factor)).unwrap_or(MOST),
        _ if power < -LARGEST_POWER => 1,
        _ => ten(power).map_or(1, |divisor| (value + divisor - 1) / divisor),
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        let is_whole = self.nano % NANO == 0;
        match self.format {
            Format::Binary if is_whole && (self.nano / NANO).abs() >= 1024 => binary(self.nano / NANO, f),
            Format::Binary | Format::Decimal => {
                let (value, power) = thousands(self.nano);
                let suffix = DECIMAL.into_iter().find(|(_, known)| *known == power).map_or("", |(suffix, _)| suffix);
                write!(f, "{value}{suffix}")
            }
            Format::Exponent => match thousands(self.nano) {
                (value, 0) => write!(f, "{value}"),
                (value, power) => write!(f, "{value}e{power}"),
            },
        }
    }
}

/// Without a fraction, with the largest suffix.
fn binary(mut value: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut suffix = "";
    for larger in BINARY {
        if value % 1024 != 0 {
            break;
        }
        (value, suffix) = (value / 1024, larger);
    }
    write!(f, "{value}{suffix}")
}

/// A whole number, and the largest power of a thousand that it is to be multiplied with.
fn thousands(nano: i128) -> (i128, i32) {
    let (mut value, mut power) = (nano, -NANO_DIGITS);
    while value % 1000 == 0 && power < 18 {
        (value, power) = (value / 1000, power + 3);
    }
    (value, power)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pair was asked of a Kubernetes API server; the contract test asks again.
    #[test]
    fn quantities_are_written_as_kubernetes_writes_them() {
        for (text, stored) in [
            ("0", "0"),
            ("0Gi", "0"),
            ("100", "100"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("+5", "5"),
            ("-5", "-5"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("1.5Gi", "1536Mi"),
            ("1.25Ki", "1280"),
            ("512Ki", "512Ki"),
            ("0.5Ki", "512"),
            ("0.1Ki", "102400m"),
            ("1023", "1023"),
            ("1048576", "1048576"),
            ("1e3", "1e3"),
            ("12e3", "12e3"),
            ("1E3", "1e3"),
            ("1e2", "100"),
            ("2E", "2E"),
            ("100E", "9223372036854775807"),
            ("0.0000000001", "1n"),
            ("1e-40", "1e-9"),
        ] {
            assert_eq!(canonical(text), stored, "{text}");
            assert_eq!(canonical(stored), stored, "twice");
        }
    }

    #[test]
    fn what_is_no_quantity_stays_as_it_is() {
        for text in ["", "many", "1 Gi", "1.2.3", "Ki", "1kk", "1e", "--1", "."] {
            assert_eq!(canonical(text), text);
        }
    }

    #[test]
    fn quantities_compare_across_suffixes() {
        let exceeds = |a: &str, b: &str| Quantity::parse(a).unwrap().exceeds(&Quantity::parse(b).unwrap());
        assert!(exceeds("1Gi", "1G") && exceeds("1", "999m") && exceeds("2k", "1.9e3"));
        assert!(!exceeds("1000m", "1") && !exceeds("1Ki", "1024"));
    }
}
