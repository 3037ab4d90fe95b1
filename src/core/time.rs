//! Event time and spans of it, both in whole milliseconds.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A moment of event time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A length of time in milliseconds, never negative when it comes from a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

/// A day of processing time in UTC: all that forgetting has to know of when a lead was heard of last. Whoever has no
/// clock is at the last one, before which everything lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u16);

impl Day {
    /// The day of a moment; the first one, 1970-01-01, for all before, and the last one, in 2149, for all after.
    pub fn of(moment: Timestamp) -> Self {
        Self(moment.0.div_euclid(86_400_000).clamp(0, i64::from(u16::MAX)) as u16)
    }

    /// From [`Self::to_le_bytes`].
    pub const fn from_le_bytes(bytes: [u8; 2]) -> Self {
        Self(u16::from_le_bytes(bytes))
    }

    /// In two bytes.
    pub const fn to_le_bytes(self) -> [u8; 2] {
        self.0.to_le_bytes()
    }
}

impl Default for Day {
    fn default() -> Self {
        Self(u16::MAX)
    }
}

const EPOCH: jiff::civil::DateTime = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);

impl Timestamp {
    /// 2000-01-01T00:00:00Z: what lies before is not a time of an event (rules.md 5).
    pub const MIN: Self = Self(946_684_800_000);
    /// The last millisecond of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// A moment from Unix milliseconds, any value.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Unix milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole minutes since 1970; a plausible time's fit 32 bits.
    pub(super) const fn minute(self) -> u32 {
        self.0.div_euclid(60_000) as u32
    }

    /// Whether an event can have this time: from [`Self::MIN`] to [`Self::MAX`], both included.
    pub fn is_plausible(self) -> bool {
        (Self::MIN..=Self::MAX).contains(&self)
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span from milliseconds.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// A span from whole seconds.
    pub const fn from_secs(s: i64) -> Self {
        Self(s * 1000)
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

/// A negative span is none.
impl From<Span> for std::time::Duration {
    fn from(span: Span) -> Self {
        Self::from_millis(u64::try_from(span.0).unwrap_or(0))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Timestamp {
    /// As it is displayed; `None` if it is not plausible. An alert holds many: with a general printer they took 3 % of the CPU
    /// of a backlog.
    fn digits(self) -> Option<[u8; 24]> {
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000) as u32);
        let since = jiff::SignedDuration::from_hours(days * 24);
        let date = EPOCH.date().checked_add(since).ok().filter(|_| self.is_plausible())?;
        let (year, month, day) = (date.year() as u32, date.month() as u32, date.day() as u32);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |end: usize, digits: usize, mut number: u32| {
            for at in (end - digits..end).rev() {
                text[at] += (number % 10) as u8;
                number /= 10;
            }
        };
        put(4, 4, year);
        put(7, 2, month);
        put(10, 2, day);
        put(13, 2, ms / 3_600_000);
        put(16, 2, ms / 60_000 % 60);
        put(19, 2, ms / 1000 % 60);
        put(23, 3, ms % 1000);
        Some(text)
    }
}

/// RFC 3339 in UTC with exactly three decimals: `2026-11-22T10:02:14.120Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(digits) = self.digits() {
            return f.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?);
        }
        // A civil time: those go to the last millisecond of the year 9999, jiff's timestamps only to the day before.
        match EPOCH.checked_add(jiff::SignedDuration::from_millis(self.0)) {
            Ok(time) => write!(f, "{time:.3}Z"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let utc = text.strip_suffix('Z').ok_or_else(|| serde::de::Error::custom("a time ends in Z"))?;
        let time: jiff::civil::DateTime = utc.parse().map_err(serde::de::Error::custom)?;
        let since = i64::try_from(time.duration_since(EPOCH).as_millis()).map_err(serde::de::Error::custom)?;
        Ok(Self(since))
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// As people say it, in at most two units: `41 min`, `1 h 5 min`, `3 d`, `under 1 s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
        let seconds = self.0 / 1000;
        let Some(first) = UNITS.iter().position(|(size, _)| seconds >= *size) else {
            return f.write_str("under 1 s");
        };
        let (size, name) = UNITS[first];
        write!(f, "{} {name}", seconds / size)?;
        match UNITS.get(first + 1) {
            // Seconds beside minutes are noise from ten minutes on.
            Some((1, _)) if seconds >= 600 => Ok(()),
            Some((small, name)) if seconds % size / small > 0 => {
                write!(f, " {} {name}", seconds % size / small)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        #[rustfmt::skip]
        let rows = [
            (999, "under 1 s"), (1_000, "1 s"), (61_000, "1 min 1 s"), (599_000, "9 min 59 s"), (601_000, "10 min"),
            (2_460_000, "41 min"), (3_900_000, "1 h 5 min"), (3_600_000, "1 h"), (90_000_000, "1 d 1 h"),
        ];
        for (ms, text) in rows {
            assert_eq!(Span::from_millis(ms).to_string(), text, "{ms} ms");
        }
    }

    #[test]
    fn moments_print_with_three_decimals_and_read_back() {
        let time = Timestamp::from_millis(1_795_341_734_120);
        assert_eq!(time.to_string(), "2026-11-22T10:02:14.120Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
        for time in [time, Timestamp::MIN, Timestamp::MAX] {
            let json = serde_json::to_string(&time).expect("a string");
            assert_eq!(serde_json::from_str::<Timestamp>(&json).expect("a time"), time);
        }
    }
    proptest::proptest! {
        /// The printer that is a library's: jiff's, of a civil time.
        #[test]
        fn moments_print_as_a_general_printer_prints_them(ms in Timestamp::MIN.0 - 1..=Timestamp::MAX.0 + 1) {
            let time = EPOCH.checked_add(jiff::SignedDuration::from_millis(ms)).map(|time| format!("{time:.3}Z"));
            let expected = time.unwrap_or_else(|_| format!("{ms} ms"));
            proptest::prop_assert_eq!(Timestamp(ms).to_string(), expected);
        }
    }
}
