//! Times and durations as people write them, in whole milliseconds.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// The start of the year 2000: anything before it is no time of an event.
pub const YEAR_2000: i64 = 946_684_800_000;
/// The start of the year 10000.
pub const YEAR_10000: i64 = 253_402_300_800_000;

static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))?$").unwrap()
});

static SPAN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\d+)(ms|s|m|h|d)").unwrap());

/// The instant that `value` names, or nothing if it is no time or outside the years 2000 to 9999.
pub fn instant(value: &Value) -> Option<i64> {
    let ms = match value {
        Value::Number(number) => epoch(&number.to_string())?,
        Value::String(text) => rfc3339(text)?,
        _ => return None,
    };
    (YEAR_2000..YEAR_10000).contains(&ms).then_some(ms)
}

/// A number under 1e11 is seconds, else milliseconds; what is finer than a millisecond is cut.
fn epoch(digits: &str) -> Option<i64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole: i64 = whole.parse().ok()?;
    if whole >= 100_000_000_000 {
        return Some(whole);
    }
    Some(whole * SECOND + thousandths(fraction))
}

fn rfc3339(text: &str) -> Option<i64> {
    let part = SHAPE.captures(text)?;
    let number = |i: usize| part.get(i).map_or(0, |m| m.as_str().parse::<i64>().unwrap());
    let small = |i: usize| number(i) as i8;
    let year = number(1) as i16;
    let civil = DateTime::new(year, small(2), small(3), small(4), small(5), small(6), 0).ok()?;
    let ms = civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
    let fraction = part.get(7).map_or("", |m| m.as_str());
    let ahead = number(9) * HOUR + number(10) * MINUTE;
    let sign = if part.get(8).is_some_and(|m| m.as_str() == "-") { -1 } else { 1 };
    Some(ms + thousandths(fraction) - sign * ahead)
}

/// The first three digits after the point.
fn thousandths(fraction: &str) -> i64 {
    let padded = format!("{fraction}000");
    padded[..3].parse().unwrap_or(0)
}

/// `ms` in RFC 3339, UTC, with milliseconds.
pub fn text(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).unwrap())
}

/// A duration such as `90s`, `15m`, `1h30m`, `7d`, in milliseconds.
pub fn duration(text: &str) -> i64 {
    SPAN.captures_iter(text)
        .map(|part| {
            let unit = match &part[2] {
                "ms" => 1,
                "s" => SECOND,
                "m" => MINUTE,
                "h" => HOUR,
                _ => DAY,
            };
            part[1].parse::<i64>().unwrap() * unit
        })
        .sum()
}
