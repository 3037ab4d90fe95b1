//! When to try a delivery again: the schedules of retries. The jitter is an argument.

use super::time::Span;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Pauses before the second, third, … attempt, in milliseconds; the last one repeats. A hot lead perishes, so the first
/// ones are short.
const FAST: &[i64] =
    &[SECOND, 5 * SECOND, 15 * SECOND, 45 * SECOND, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR];

/// The example of the Standard Webhooks specification.
const STANDARD: &[i64] =
    &[5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// What Svix does unless told otherwise.
const SVIX: &[i64] = &[5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR];

/// A named row of pauses. How long it goes on is not its matter: a sink's `max_age` ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// 1 s, 5 s, 15 s, 45 s, 2 min, 5 min, 15 min, 30 min, then hourly.
    #[default]
    Fast,
    /// 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, then daily.
    Standard,
    /// 5 s, 5 min, 30 min, 2 h, 5 h, then every 10 h.
    Svix,
}

impl Schedule {
    /// Every one, in the order of their names in a file.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Standard, Self::Svix];

    /// As a config file calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Standard => "standard",
            Self::Svix => "svix",
        }
    }

    /// The pause after this many failed attempts, from 1, without jitter; after none there is no pause.
    pub fn pause(self, failures: u32) -> Span {
        let Some(index) = failures.checked_sub(1) else {
            return Span::ZERO;
        };
        let row = match self {
            Self::Fast => FAST,
            Self::Standard => STANDARD,
            Self::Svix => SVIX,
        };
        let ms = row.get(index as usize).or(row.last());
        ms.map_or(Span::ZERO, |ms| Span::from_millis(*ms))
    }

    /// The pause to keep after this many failed attempts: never shorter than the other side asked for.
    ///
    /// `chance` is evenly spread over 0 to 1 and becomes a factor of 0.8 to 1.2, so that what failed together does not
    /// come back together.
    pub fn delay(self, failures: u32, chance: f64, retry_after: Option<Span>) -> Span {
        let factor = 0.8 + 0.4 * chance.clamp(0.0, 1.0);
        let jittered = Span::from_millis((self.pause(failures).as_millis() as f64 * factor) as i64);
        jittered.max(retry_after.unwrap_or(Span::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_schedule_is_the_row_that_is_documented() {
        #[rustfmt::skip]
        let rows = [
            (Schedule::Fast,     vec![0, 1, 5, 15, 45, 120, 300, 900, 1_800, 3_600, 3_600, 3_600]),
            (Schedule::Standard, vec![0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, 86_400]),
            (Schedule::Svix,     vec![0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 36_000]),
        ];
        for (schedule, expected) in rows {
            let seconds: Vec<_> = (0..).zip(&expected).map(|(n, _)| schedule.pause(n).as_millis() / SECOND).collect();
            assert_eq!(seconds, expected, "{}", schedule.name());
        }
        // The specification's own sum of its example: 75:35:05.
        let sum: i64 = (1..=9).map(|n| Schedule::Standard.pause(n).as_millis()).sum();
        assert_eq!(sum, 75 * HOUR + 35 * MINUTE + 5 * SECOND);
    }

    #[test]
    fn jitter_stays_within_a_fifth_and_never_undercuts_retry_after() {
        #[rustfmt::skip]
        let rows = [
            // failures, chance, asked for, delay
            (1, 0.0, None,          800),
            (1, 0.5, None,        1_000),
            (1, 1.0, None,        1_200),
            (1, 9.0, None,        1_200),
            (1, 0.0, Some(  799),   800),
            (1, 0.0, Some(  801),   801),
            (8, 1.0, Some(1_000), 2_160_000),
            (u32::MAX, 0.0, None, 2_880_000),
        ];
        for (failures, chance, asked, expected) in rows {
            let delay = Schedule::Fast.delay(failures, chance, asked.map(Span::from_millis));
            assert_eq!(delay.as_millis(), expected, "{failures} failures, chance {chance}");
        }
    }
}
