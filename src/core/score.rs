//! Points that fade: decay, rounding, and sums that add up as printed (rules.md 13, 14, 25).

use super::spec::Tenths;
use super::time::{Span, Timestamp};

/// What is left of a point after `age`; `None` never fades. The same bits on every machine: `libm` is plain Rust.
pub fn decay(half_life: Option<Span>, age: Span) -> f64 {
    match half_life {
        Some(half_life) if age != Span::ZERO => libm::exp2(-(age.as_millis() as f64) / half_life.as_millis() as f64),
        _ => 1.0,
    }
}

/// Rounds points to a millionth, then to a tenth, half away from zero: what arithmetic left of 15 + 15 seconds apart is
/// 30 again.
///
/// ```
/// use hotlead::core::score::round;
/// assert_eq!(round(29.950_000_1).0, 300);
/// assert_eq!(round(29.949_999_9).0, 300); // a millionth first
/// assert_eq!(round(29.949_9).0, 299);
/// assert_eq!(round(-0.05).0, -1);
/// ```
pub fn round(points: f64) -> Tenths {
    let millionths = libm::round(points * 1e6) as i64;
    let away = 50_000 * millionths.signum();
    Tenths(millionths.saturating_add(away) / 100_000)
}

/// Points that one entry has earned: a sum as of a moment, faded from there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sum {
    /// The points at `at`.
    pub points: f64,
    /// The moment for which they stand.
    pub at: Timestamp,
}

impl Sum {
    /// The points left at `now`, which is not before `at`.
    pub fn value(&self, half_life: Option<Span>, now: Timestamp) -> f64 {
        self.points * decay(half_life, now - self.at)
    }

    /// Adds an event of time `time`, already faded up to `now`, the lead's clock.
    pub fn add(&mut self, points: Tenths, half_life: Option<Span>, time: Timestamp, now: Timestamp) {
        let added = points.as_points() * decay(half_life, now - time);
        *self = Self { points: self.value(half_life, now) + added, at: now };
    }
}

/// Prints a list of amounts so that the printed ones add up exactly: each is the difference of two rounded running
/// sums.
#[derive(Debug, Default)]
pub struct Ledger {
    sum: f64,
    printed: Tenths,
}

impl Ledger {
    /// The printed form of the next amount.
    pub fn add(&mut self, points: f64) -> Tenths {
        self.sum += points;
        let before = self.printed;
        self.printed = round(self.sum);
        Tenths(self.printed.0 - before.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn half_is_left_after_a_half_life() {
        let hour = Some(Span::from_secs(3600));
        assert_eq!(decay(hour, Span::from_secs(3600)), 0.5);
        assert_eq!(decay(hour, Span::from_secs(7200)), 0.25);
        assert_eq!(decay(None, Span::from_secs(7200)), 1.0);
    }

    #[test]
    fn a_late_event_adds_its_faded_points() {
        let hour = Some(Span::from_secs(3600));
        let mut late = Sum { points: 0.0, at: at(0) };
        late.add(Tenths(100), hour, at(3_600_000), at(3_600_000));
        late.add(Tenths(100), hour, at(0), at(3_600_000));
        assert_eq!(late.points, 15.0);
        assert_eq!(late.value(hour, at(7_200_000)), 7.5);
    }

    #[test]
    fn printed_amounts_add_up() {
        let mut ledger = Ledger::default();
        let printed: i64 = [0.04, 0.04, 0.04, -0.33].iter().map(|p| ledger.add(*p).0).sum();
        assert_eq!(Tenths(printed), round(0.04 * 3.0 - 0.33));
    }
}
