//! How fast one endpoint may be asked: a pace, a freeze while the other side wants none, how many messages may be under
//! way, and its breaker. The clock is an argument.

use super::breaker::{Breaker, Standing};
use super::verdict::{Judged, Verdict};
use crate::core::limits::MAX_IN_FLIGHT;
use crate::core::time::{Span, Timestamp};

/// Between two posts to one Slack channel in the long run: Slack allows one a second, and a little more keeps the promise
/// where posts arrive closer together than they were sent.
const SLACK_PACE: Span = Span::from_millis(1_050);

/// Posts to one Slack channel that may go at once.
const SLACK_BURST: i64 = 3;

/// Where another sink's message decides when the gate opens, this long passes until it is asked again.
const LOOK_AGAIN: Span = Span::from_millis(200);

/// A wish to wait that is longer than this is one of the whole endpoint.
pub const LONG_WAIT: Span = Span::from_secs(3_600);

/// The gate before one endpoint; all sinks with the same address share it.
#[derive(Clone, Debug)]
pub struct Gate {
    pace: Option<(Span, i64)>,
    /// When the last of the posts so far is paid for at the pace.
    paid_until: Timestamp,
    frozen_until: Timestamp,
    in_flight: usize,
    breaker: Breaker,
}

/// The right to send one message now, to be handed back to [`Gate::ended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The breaker was open: this message decides.
    is_probe: bool,
}

impl Gate {
    /// Without a pace.
    pub fn open() -> Self {
        Self {
            pace: None,
            paid_until: Timestamp::from_millis(i64::MIN),
            frozen_until: Timestamp::from_millis(i64::MIN),
            in_flight: 0,
            breaker: Breaker::default(),
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
    pub fn pass(&mut self, now: Timestamp) -> Result<Pass, Timestamp> {
        if now < self.frozen_until {
            return Err(self.frozen_until);
        }
        self.breaker.may_pass(now).map_err(|until| until.unwrap_or(now + LOOK_AGAIN))?;
        if self.in_flight >= MAX_IN_FLIGHT {
            return Err(now + LOOK_AGAIN);
        }
        if let Some((pace, burst)) = self.pace {
            let ahead = Span::from_millis(pace.as_millis() * (burst - 1));
            let earliest = self.paid_until - ahead;
            if now < earliest {
                return Err(earliest);
            }
            self.paid_until = self.paid_until.max(now) + pace;
        }
        let is_probe = self.breaker.standing() != Standing::Closed;
        self.breaker.passed();
        self.in_flight += 1;
        Ok(Pass { is_probe })
    }

    /// A post ended, and the endpoint answered so.
    pub fn ended(&mut self, now: Timestamp, pass: Pass, judged: &Judged) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.breaker.ended(now, judged.endpoint_failed(), pass.is_probe);
        let long = match judged.verdict {
            Verdict::Later { retry_after, .. } => retry_after.filter(|wait| *wait > LONG_WAIT),
            _ => None,
        };
        long.into_iter().for_each(|length| self.breaker.open_until(now + length));
        judged.freeze.into_iter().chain(long).for_each(|length| self.freeze(now, length));
    }

    /// Lets nothing through for this long; a longer freeze stands.
    fn freeze(&mut self, now: Timestamp, length: Span) {
        self.frozen_until = self.frozen_until.max(now + length);
    }

    /// Where its breaker stands.
    pub fn breaker(&self) -> Standing {
        self.breaker.standing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::verdict::{AttemptResult, Reason};
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
            let passed = gate.pass(at(now));
            assert_eq!(passed.map(|_| ()), expected.map_err(at), "at {now}");
            passed.into_iter().for_each(|pass| gate.ended(at(now), pass, &Judged::delivered(200)));
        }
    }

    #[test]
    fn a_freeze_holds_everything_to_its_end() {
        let mut gate = Gate::open();
        gate.freeze(at(0), Span::from_secs(120));
        gate.freeze(at(10), Span::from_secs(1));
        assert_eq!(gate.pass(at(119_999)), Err(at(120_000)));
        assert!(gate.pass(at(120_000)).is_ok());
    }

    #[test]
    fn so_many_are_under_way_at_an_endpoint_whoever_sends_them() {
        let mut gate = Gate::open();
        let passes: Vec<_> = (0..MAX_IN_FLIGHT).map(|_| gate.pass(at(0)).expect("free")).collect();
        assert_eq!(gate.pass(at(0)), Err(at(200)));
        gate.ended(at(1), passes[0], &Judged::delivered(200));
        assert!(gate.pass(at(1)).is_ok());
    }

    #[test]
    fn an_open_breaker_lets_one_through_when_its_time_has_come() {
        let mut gate = Gate::open();
        let later = Verdict::Later { retry_after: None, reason: Reason::Exhausted };
        let failed = Judged::failed(later, AttemptResult::ServerError, Some(503), "");
        for _ in 0..10 {
            let pass = gate.pass(at(0)).expect("closed");
            gate.ended(at(0), pass, &failed);
        }
        assert_eq!(gate.pass(at(1)), Err(at(30_000)));
        let probe = gate.pass(at(30_000)).expect("the probe");
        assert_eq!(gate.pass(at(30_000)), Err(at(30_200)));
        gate.ended(at(30_100), probe, &Judged::delivered(200));
        assert_eq!((gate.breaker(), gate.pass(at(30_100)).is_ok()), (Standing::Closed, true));
    }

    #[test]
    fn a_wish_to_wait_for_more_than_an_hour_opens_the_breaker_until_then() {
        for (seconds, opens) in [(3_600, false), (3_601, true), (86_400, true)] {
            let mut gate = Gate::open();
            let pass = gate.pass(at(0)).expect("closed");
            let later = Verdict::Later { retry_after: Some(Span::from_secs(seconds)), reason: Reason::Exhausted };
            gate.ended(at(0), pass, &Judged::failed(later, AttemptResult::ServerError, Some(500), ""));
            let until = at(seconds * 1_000);
            assert_eq!(gate.breaker(), if opens { Standing::Open(until) } else { Standing::Closed }, "{seconds}");
            let probe = gate.pass(until).expect("the time is over");
            gate.ended(until, probe, &Judged::delivered(200));
            assert_eq!(gate.breaker(), Standing::Closed);
        }
    }

    proptest! {
        #[test]
        fn never_more_than_t_plus_3_posts_in_t_seconds(steps in prop::collection::vec(0i64..900, 1..200)) {
            let mut gate = Gate::slack();
            let (mut now, mut posts) = (0, Vec::new());
            for step in steps {
                now += step;
                if let Ok(pass) = gate.pass(at(now)) {
                    gate.ended(at(now), pass, &Judged::delivered(200));
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
