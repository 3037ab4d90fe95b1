//! Scalars of YAML 1.2's core schema, and what the files write as one: durations and points.

use super::fault::quote;
use crate::core::limits::{MAX_POINTS, MAX_SPAN};
use crate::core::spec::Tenths;
use crate::core::time::Span;

/// A scalar: its text, and what the core schema takes it for.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub raw: String,
    pub kind: ScalarKind,
}

/// What the core schema takes a scalar for. `on`, `NO`, `1:30` and dates are texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ScalarKind {
    Null,
    Bool(bool),
    Number(f64),
    Text,
}

impl ScalarKind {
    /// The kind of a scalar without quotation marks.
    pub fn of_plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" => Self::Bool(true),
            "false" | "False" | "FALSE" => Self::Bool(false),
            ".nan" | ".NaN" | ".NAN" => Self::Number(f64::NAN),
            _ => number(text).map_or(Self::Text, Self::Number),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if matches!(rest, ".inf" | ".Inf" | ".INF") {
        return Some(sign * f64::INFINITY);
    }
    // The standard parser reads "inf" and "infinity" too, the schema does not.
    let starts = rest.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let chars = rest.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    if !(starts && chars) {
        return None;
    }
    rest.parse::<f64>().ok().map(|n| sign * n)
}

fn radix(digits: &str, radix: u32) -> Option<f64> {
    let valid = digits.chars().all(|c| c.is_digit(radix));
    let value = u64::from_str_radix(digits, radix).ok().filter(|_| valid)?;
    Some(value as f64)
}

/// Reads `90s`, `15m`, `1h30m`, `7d`, `200ms`: whole numbers with units, the larger first.
pub(super) fn duration(text: &str) -> Result<Span, String> {
    const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let wrong = || format!("must be a duration such as 90s, 15m, 1h30m or 7d, got {}", quote(text));
    let mut rest = text;
    let mut units = &UNITS[..];
    let mut total: i64 = 0;
    while !rest.is_empty() || total == 0 && units.len() == UNITS.len() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let index = units.iter().position(|(name, _)| *name == unit);
        let (Some(index), false) = (index, number.is_empty()) else {
            return Err(wrong());
        };
        total = number
            .parse::<i64>()
            .ok()
            .and_then(|n| n.checked_mul(units[index].1))
            .and_then(|n| n.checked_add(total))
            .filter(|ms| *ms <= MAX_SPAN.as_millis())
            .ok_or_else(|| format!("must be at most {MAX_SPAN}, got {}", quote(text)))?;
        units = &units[index + 1..];
        rest = &rest[digits + letters..];
    }
    Ok(Span::from_millis(total))
}

/// Points, caps and thresholds: at most one decimal, at most a million either way.
pub(super) fn tenths(number: f64) -> Result<Tenths, String> {
    if !number.is_finite() || number.abs() > MAX_POINTS as f64 {
        return Err(format!("must lie between -{MAX_POINTS} and {MAX_POINTS}, got {number}"));
    }
    let tenths = (number * 10.0).round();
    // A tenth of a whole number is the double nearest to that decimal: equal only to what was written so.
    #[allow(clippy::float_cmp, reason = "see above")]
    if tenths / 10.0 != number {
        return Err(format!("must have at most one decimal, got {number}"));
    }
    #[allow(clippy::cast_possible_truncation, reason = "under ten million")]
    Ok(Tenths(tenths as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_core_schema_counts() {
        #[rustfmt::skip]
        let rows = [
            ("", ScalarKind::Null), ("~", ScalarKind::Null), ("null", ScalarKind::Null),
            ("true", ScalarKind::Bool(true)), ("FALSE", ScalarKind::Bool(false)),
            ("on", ScalarKind::Text), ("NO", ScalarKind::Text), ("yes", ScalarKind::Text), ("y", ScalarKind::Text),
            ("1:30", ScalarKind::Text), ("2026-11-22", ScalarKind::Text), ("1_000", ScalarKind::Text),
            ("inf", ScalarKind::Text), ("nan", ScalarKind::Text), ("1e", ScalarKind::Text), ("-", ScalarKind::Text),
            (".", ScalarKind::Text), ("0x", ScalarKind::Text), ("0x+1", ScalarKind::Text), ("1.2.3", ScalarKind::Text),
            ("--1", ScalarKind::Text), ("5", ScalarKind::Number(5.0)), ("-5", ScalarKind::Number(-5.0)),
            ("+.5", ScalarKind::Number(0.5)), ("5.", ScalarKind::Number(5.0)), ("1e3", ScalarKind::Number(1000.0)),
            ("0x1F", ScalarKind::Number(31.0)), ("0o17", ScalarKind::Number(15.0)), ("017", ScalarKind::Number(17.0)),
            ("-.inf", ScalarKind::Number(f64::NEG_INFINITY)),
        ];
        for (text, kind) in rows {
            assert_eq!(ScalarKind::of_plain(text), kind, "{text:?}");
        }
    }

    #[test]
    fn durations_are_whole_numbers_with_units_the_larger_first() {
        #[rustfmt::skip]
        let rows = [
            ("90s", Some(90_000)), ("15m", Some(900_000)), ("1h30m", Some(5_400_000)), ("7d", Some(604_800_000)),
            ("200ms", Some(200)), ("1s500ms", Some(1_500)), ("0s", Some(0)), ("1d0h", Some(86_400_000)),
            ("7300d", Some(630_720_000_000)), ("7300d1ms", None), ("99999999999999999999d", None),
            ("", None), ("s", None), ("5", None), ("-5m", None), ("1.5h", None), ("30m1h", None), ("1h1h", None),
            ("1 h", None), ("1w", None), ("1H", None), ("1:30", None), ("٣m", None), ("never", None), ("0s0s", None),
        ];
        for (text, ms) in rows {
            let got = duration(text).ok().map(Span::as_millis);
            assert_eq!(got, ms, "{text:?}");
        }
    }

    #[test]
    fn points_have_one_decimal_at_most() {
        #[rustfmt::skip]
        let rows = [
            (15.0, Some(150)), (0.1, Some(1)), (-2.3, Some(-23)), (0.0, Some(0)), (1e6, Some(10_000_000)),
            (0.05, None), (0.15, None), (1.000_000_1, None), (1_000_000.1, None), (f64::NAN, None), (f64::INFINITY, None),
        ];
        for (number, want) in rows {
            assert_eq!(tenths(number).ok().map(|t| t.0), want, "{number}");
        }
    }
}
