//! How fast one endpoint may be asked: a pace, and a freeze while the other side wants none. The clock is an argument.

use crate::core::time::{Span, Timestamp};

/// Between two posts to one Slack channel in the long run: Slack allows one a second, and a little more keeps the promise
/// where posts arrive closer together than they were sent.
const SLACK_PACE: Span = Span::from_millis(1_050);

/// Posts to one Slack channel that may go at once.
const SLACK_BURST: i64 = 3;

/// The gate before one endpoint; all sinks with the same address share it.
#[derive(Clone, Debug)]
pub struct Gate {
    pace: Option<(Span, i64)>,
    /// When the last of the posts so far is paid for at the pace.
    paid_until: Timestamp,
    frozen_until: Timestamp,
}

impl Gate {
    /// Without a pace.
    pub fn open() -> Self {
        Self {
            pace: None,
            paid_until: Timestamp::from_millis(i64::MIN),
            frozen_until: Timestamp::from_millis(i64::MIN),
        }
    }

    /// At Slack's pace: over any t seconds at most t + 3 posts.
    pub fn slack() -> Self {
        Self { pace: Some((SLACK_PACE, SLACK_BURST)), ..Self::open() }
    }

    /// Takes the right to one post now.
    ///
    /// # Errors
    /// When to ask again, if it is not free now; nothing is taken then.
    pub fn pass(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        if now < self.frozen_until {
            return Err(self.frozen_until);
        }
        let Some((pace, burst)) = self.pace else {
            return Ok(());
        };
        let ahead = Span::from_millis(pace.as_millis() * (burst - 1));
        let earliest = self.paid_until - ahead;
        if now < earliest {
            return Err(earliest);
        }
        self.paid_until = self.paid_until.max(now) + pace;
        Ok(())
    }

    /// Lets nothing through for this long; a longer freeze stands.
    pub fn freeze(&mut self, now: Timestamp, length: Span) {
        self.frozen_until = self.frozen_until.max(now + length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_795_341_734_000 + ms)
    }

    #[test]
    fn three_at_once_then_one_a_pace() {
        let mut gate = Gate::slack();
        #[rustfmt::skip]
        let rows = [
            (    0, Ok(())),
            (    0, Ok(())),
            (    0, Ok(())),
            (    0, Err(1_050)),
            (1_049, Err(1_050)),
            (1_050, Ok(())),
            (1_050, Err(2_100)),
            (9_000, Ok(())),
        ];
        for (now, expected) in rows {
            assert_eq!(gate.pass(at(now)), expected.map_err(at), "at {now}");
        }
    }

    #[test]
    fn a_freeze_holds_everything_to_its_end() {
        let mut gate = Gate::open();
        gate.freeze(at(0), Span::from_secs(120));
        gate.freeze(at(10), Span::from_secs(1));
        assert_eq!(gate.pass(at(119_999)), Err(at(120_000)));
        assert_eq!(gate.pass(at(120_000)), Ok(()));
    }

    proptest! {
        #[test]
        fn never_more_than_t_plus_3_posts_in_t_seconds(steps in prop::collection::vec(0i64..900, 1..200)) {
            let mut gate = Gate::slack();
            let (mut now, mut posts) = (0, Vec::new());
            for step in steps {
                now += step;
                if gate.pass(at(now)).is_ok() {
                    posts.push(now);
                }
            }
            for (i, first) in posts.iter().enumerate() {
                for (n, last) in posts[i..].iter().enumerate() {
                    prop_assert!((n as i64 + 1) * 1_000 <= (last - first) + 3_000, "{:?}", posts);
                }
            }
        }
    }
}
