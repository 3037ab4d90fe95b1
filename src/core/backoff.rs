//! When to try a delivery again: the schedules of retries. The jitter is an argument.

use super::time::Span;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// Pauses before the second, third, … attempt, in milliseconds. A hot lead perishes, so the first ones are short.
const FAST: [i64; 8] = [SECOND, 5 * SECOND, 15 * SECOND, 45 * SECOND, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE];

/// What every further pause of [`Schedule::Fast`] is.
const FAST_THEN: i64 = 60 * MINUTE;

/// A named row of pauses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// 1 s, 5 s, 15 s, 45 s, 2 min, 5 min, 15 min, 30 min, then hourly.
    #[default]
    Fast,
}

impl Schedule {
    /// The pause after this many failed attempts, from 1, without jitter; after none there is no pause.
    pub fn pause(self, failures: u32) -> Span {
        let Some(index) = failures.checked_sub(1) else {
            return Span::ZERO;
        };
        let Self::Fast = self;
        let ms = FAST.get(index as usize).copied().unwrap_or(FAST_THEN);
        Span::from_millis(ms)
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
    fn fast_is_the_row_that_is_documented() {
        let seconds: Vec<_> = (0..12).map(|n| Schedule::Fast.pause(n).as_millis() / SECOND).collect();
        assert_eq!(seconds, [0, 1, 5, 15, 45, 120, 300, 900, 1800, 3600, 3600, 3600]);
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
