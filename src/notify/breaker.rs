//! The breaker of one endpoint: when it fails too often nothing is sent for a while, then one real message asks again.

use std::collections::VecDeque;

use crate::core::time::{Span, Timestamp};

/// Calls that are looked at: those that ended within this long.
const WINDOW: Span = Span::from_secs(60);

/// With fewer calls in the window a share says nothing.
const ENOUGH: usize = 10;

/// Of ten calls in the window this many failures open it.
const FAILED_OF_TEN: usize = 7;

/// Failures one after the other that open it, however long they took.
const CONSECUTIVE: u32 = 10;

/// Calls that are remembered at the most: 64 in the air for a minute at 15 ms each would be more, but say no more.
const REMEMBERED: usize = 1024;

const FIRST_PAUSE: Span = Span::from_secs(30);
const LONGEST_PAUSE: Span = Span::from_secs(600);

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Messages pass.
    Closed,
    /// Nothing passes before that time.
    Open(Timestamp),
    /// One message is under way and decides.
    Probing,
}

/// See the module's documentation. The clock is an argument.
#[derive(Clone, Debug)]
pub struct Breaker {
    /// When calls ended, and whether they failed.
    calls: VecDeque<(Timestamp, bool)>,
    in_a_row: u32,
    standing: Standing,
    pause: Span,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { calls: VecDeque::new(), in_a_row: 0, standing: Standing::Closed, pause: FIRST_PAUSE }
    }
}

impl Breaker {
    /// Where it stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether a message may go now; one that goes while it was open is the probe.
    ///
    /// # Errors
    /// When to ask again: while a probe is under way that is not known, and `None`.
    pub fn may_pass(&self, now: Timestamp) -> Result<(), Option<Timestamp>> {
        match self.standing {
            Standing::Closed => Ok(()),
            Standing::Open(until) if now >= until => Ok(()),
            Standing::Open(until) => Err(Some(until)),
            Standing::Probing => Err(None),
        }
    }

    /// A message goes.
    pub fn passed(&mut self) {
        if matches!(self.standing, Standing::Open(_)) {
            self.standing = Standing::Probing;
        }
    }

    /// A message came back. Those that were under way when it opened say nothing about the probe.
    pub fn ended(&mut self, now: Timestamp, failed: bool, was_probe: bool) {
        match self.standing {
            Standing::Probing if was_probe && failed => {
                self.pause = Span::from_millis(self.pause.as_millis() * 2).min(LONGEST_PAUSE);
                self.standing = Standing::Open(now + self.pause);
            }
            Standing::Probing if was_probe => *self = Self::default(),
            Standing::Closed => self.count(now, failed),
            Standing::Open(_) | Standing::Probing => {}
        }
    }

    /// The other side wants nothing before that time; one that is open for longer stays so.
    pub fn open_until(&mut self, until: Timestamp) {
        self.standing = match self.standing {
            Standing::Open(open) => Standing::Open(open.max(until)),
            Standing::Closed | Standing::Probing => Standing::Open(until),
        };
    }

    fn count(&mut self, now: Timestamp, failed: bool) {
        while self.calls.front().is_some_and(|(at, _)| now - *at > WINDOW) || self.calls.len() >= REMEMBERED {
            self.calls.pop_front();
        }
        self.calls.push_back((now, failed));
        self.in_a_row = if failed { self.in_a_row + 1 } else { 0 };
        let failures = self.calls.iter().filter(|(_, failed)| *failed).count();
        let share = self.calls.len() >= ENOUGH && failures * 10 >= self.calls.len() * FAILED_OF_TEN;
        if failed && (share || self.in_a_row >= CONSECUTIVE) {
            self.standing = Standing::Open(now + self.pause);
            self.calls.clear();
            self.in_a_row = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_795_341_734_000 + ms)
    }

    /// Calls a second apart from the start: `x` failed, anything else did not.
    fn after(calls: &str) -> Breaker {
        let mut breaker = Breaker::default();
        for (i, call) in calls.chars().enumerate() {
            breaker.ended(at(i as i64 * 1_000), call == 'x', false);
        }
        breaker
    }

    #[test]
    fn what_opens_it() {
        #[rustfmt::skip]
        let rows = [
            // calls         open   why
            ("xxxxxxxxx",    false, "nine in a row"),
            ("xxxxxxxxxx",   true,  "ten in a row"),
            ("...xxxxxxx",   true,  "seven of ten"),
            ("....xxxxxx",   false, "six of ten"),
            ("..xxxxxxx",    false, "seven of nine: too few to say"),
            ("xxxxxxx...",   false, "the last one was good: it is well again"),
            ("xxxxxxx...x",  true,  "eight of eleven"),
        ];
        for (calls, open, why) in rows {
            assert_eq!(after(calls).standing() != Standing::Closed, open, "{why}");
        }
    }

    #[test]
    fn only_the_last_minute_counts_for_the_share_and_any_time_for_the_row() {
        let mut breaker = Breaker::default();
        for i in 0..9 {
            breaker.ended(at(i * 3_600_000), true, false);
        }
        assert_eq!(breaker.standing(), Standing::Closed);
        breaker.ended(at(9 * 3_600_000), true, false);
        assert_eq!(breaker.standing(), Standing::Open(at(9 * 3_600_000 + 30_000)), "ten in a row, hours apart");
        let mut breaker = after("xxxxxx....");
        breaker.ended(at(9_000 + 60_001), true, false);
        assert_eq!(breaker.standing(), Standing::Closed, "those of the minute before are forgotten");
    }

    #[test]
    fn one_message_asks_and_the_pause_doubles_up_to_ten_minutes() {
        let mut breaker = after("xxxxxxxxxx");
        let mut now = 9_000;
        for pause in [30, 60, 120, 240, 480, 600, 600] {
            assert_eq!(breaker.may_pass(at(now + pause * 1_000 - 1)), Err(Some(at(now + pause * 1_000))));
            now += pause * 1_000;
            assert_eq!(breaker.may_pass(at(now)), Ok(()));
            breaker.passed();
            assert_eq!(breaker.may_pass(at(now)), Err(None), "one at a time");
            breaker.ended(at(now), false, false);
            assert_eq!(breaker.standing(), Standing::Probing, "one that was under way before decides nothing");
            breaker.ended(at(now), true, true);
        }
        now += 600_000;
        breaker.passed();
        breaker.ended(at(now), false, true);
        assert_eq!((breaker.standing(), breaker.may_pass(at(now))), (Standing::Closed, Ok(())));
        for _ in 0..10 {
            breaker.ended(at(now), true, false);
        }
        assert_eq!(breaker.standing(), Standing::Open(at(now + 30_000)), "the pause begins anew");
    }
}
