//! Kubernetes quantities, written as the API server stores them.
//!
//! In its own kinds the API server keeps `1000m` as `1` and `1024Mi` as `1Gi`, so what Octroi sends must be written like that,
//! or a digest of what is stored would never be the one of what is wanted. This knows the quantities that Octroi's schemas let
//! pass: no exponents, no signs, nothing of 1E or more. A contract test compares it with a real API server.

use std::fmt;

/// A quantity: how much, and in which family of suffixes.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    /// In thousandths, the finest that the API server keeps of a resource.
    milli: u128,
    is_binary: bool,
}

const DECIMAL: [&str; 8] = ["m", "", "k", "M", "G", "T", "P", "E"];
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// As many digits as the schemas let pass.
const MOST_DIGITS: usize = 16;

impl Quantity {
    /// Reads a quantity; `None` for what Octroi's schemas refuse.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.len() > MOST_DIGITS {
            return None;
        }
        let places = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let is_binary = BINARY.contains(&suffix);
        let milli = digits.parse::<u128>().ok()?.checked_mul(milli_of(suffix)?)?.div_ceil(places);
        Some(Self { milli, is_binary })
    }

    /// Whether it is more than the other.
    pub fn exceeds(&self, other: &Self) -> bool {
        self.milli > other.milli
    }
}

/// The quantity as the API server stores it; what is none stays as it is, for the API server to refuse.
pub fn canonical(text: &str) -> String {
    Quantity::parse(text).map_or_else(|| text.to_owned(), |quantity| quantity.to_string())
}

/// What one of a suffix is, in thousandths.
fn milli_of(suffix: &str) -> Option<u128> {
    let power = |index: usize| u32::try_from(index).ok();
    match BINARY.iter().position(|known| *known == suffix) {
        Some(index) => 1024_u128.checked_pow(power(index)? + 1)?.checked_mul(1000),
        None => 1000_u128.checked_pow(power(DECIMAL.iter().position(|known| *known == suffix)?)?),
    }
}

impl fmt::Display for Quantity {
    /// A whole number with the largest suffix of its family. Below 1024 and with a fraction, that is the decimal one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.milli / 1000;
        let (value, base, suffixes) = if self.is_binary && self.milli.is_multiple_of(1000) && whole >= 1024 {
            (whole, 1024, [&[""], &BINARY[..]].concat())
        } else {
            (self.milli, 1000, DECIMAL.to_vec())
        };
        let (mut value, mut suffix) = (value, suffixes[0]);
        for larger in &suffixes[1..] {
            if value == 0 || !value.is_multiple_of(base) {
                break;
            }
            (value, suffix) = (value / base, larger);
        }
        write!(f, "{value}{}", if value == 0 { "" } else { suffix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_as_kubernetes_writes_them() {
        for (text, stored) in [
            ("0", "0"),
            ("0Gi", "0"),
            ("0m", "0"),
            ("100", "100"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("0.0001", "1m"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("1.5Gi", "1536Mi"),
            ("1.25Ki", "1280"),
            ("512Ki", "512Ki"),
            ("0.5Ki", "512"),
            ("0.1Ki", "102400m"),
            ("1023", "1023"),
            ("1048576", "1048576"),
            ("1048576Gi", "1Pi"),
            ("1000T", "1P"),
        ] {
            assert_eq!(canonical(text), stored, "{text}");
            assert_eq!(canonical(stored), stored, "twice");
        }
    }

    #[test]
    fn what_the_schemas_refuse_stays_as_it_is() {
        for text in ["", ".", "many", "1 Gi", "1.2.3", "Ki", "1kk", "1e3", "1E3", "-1", "+1", "12345678901234567"] {
            assert_eq!(canonical(text), text);
        }
    }

    #[test]
    fn quantities_compare_across_suffixes() {
        let exceeds = |a: &str, b: &str| Quantity::parse(a).unwrap().exceeds(&Quantity::parse(b).unwrap());
        assert!(exceeds("1Gi", "1G") && exceeds("1", "999m") && exceeds("2k", "1.9k"));
        assert!(!exceeds("1000m", "1") && !exceeds("1Ki", "1024"));
    }
}
