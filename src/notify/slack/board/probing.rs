//! Whether a sink that is shut may go on: Slack is asked about the token, or, where it calls good what it refuses, with a real
//! request.

use super::{Board, Call, Order, Outcome, Request, Started};
use crate::core::time::Timestamp;
use crate::notify::dead_letter::Incoming;
use crate::notify::lanes::Lanes;
use crate::notify::slack::api::{Became, Method};
use crate::notify::slack::pace::Pace;
use crate::notify::verdict::Verdict;

impl Board {
    /// Asks whether the token is good again, with a real request where Slack's word is not enough; nothing else goes out
    /// meanwhile.
    pub(super) fn probe(
        &mut self,
        now: Timestamp,
        probe_at: Timestamp,
        lanes: &mut Lanes<Incoming>,
        pace: &mut Pace,
    ) -> Option<Order> {
        let is_real = self.disbelieved == Some(self.token);
        let asks = |started: &Started| is_real || matches!(started.call, Call::Test);
        if self.calls.values().any(asks) || !lanes.has_room() {
            return None;
        }
        if now < probe_at {
            self.wakes(Some(probe_at));
            return None;
        }
        if is_real {
            return self.real(now, lanes, pace);
        }
        match pace.pass(now, Method::Test, &self.terms.channel) {
            Ok(pass) => Some(self.order(Method::Test, Request::Test, Call::Test, pass)),
            Err(opens) => {
                self.wakes(Some(opens));
                None
            }
        }
    }

    /// Slack said whether the token is good. Of one that it refused to a request it is not believed that it is.
    pub(super) fn tested(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, token: u64, outcome: &Outcome) {
        let is_good = outcome.ended().is_some_and(|ended| ended.judged.verdict == Verdict::Delivered);
        let was_refused = self.refused == Some(token);
        if is_good && was_refused {
            self.disbelieved = Some(token);
        }
        lanes.probed(now, is_good && !was_refused);
        if token != self.token {
            lanes.renewed(now);
        }
    }

    /// A request has come back that was to do something: of a sink that is shut it may have been the probe.
    pub(super) fn asked(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, token: u64, outcome: &Outcome) {
        let ended = outcome.ended();
        if ended.is_some_and(|ended| matches!(ended.judged.verdict, Verdict::Shut(_))) {
            self.refused = Some(token);
        }
        if lanes.is_shut() && self.disbelieved == Some(token) {
            lanes.probed(now, ended.is_some_and(|ended| matches!(ended.became, Became::Done { .. })));
        }
    }
}
