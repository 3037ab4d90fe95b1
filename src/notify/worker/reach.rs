//! Whether the endpoint can be reached: its breaker, and the fallback that stands in for it.

use std::sync::PoisonError;

use super::Worker;
use crate::notify::breaker::Standing as Breaker;
use crate::notify::gate::{LONG_WAIT, Pass};
use crate::notify::verdict::Judged;

impl Worker {
    /// Tells the gate what the endpoint answered.
    pub(super) fn open_gate(&mut self, pass: Pass, judged: &Judged) {
        let now = self.clock.now();
        let mut gate = self.around.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let before = gate.breaker();
        gate.ended(now, pass, judged);
        let (sink, after) = (&self.around.sink, gate.breaker());
        drop(gate);
        match (before, after) {
            (Breaker::Closed, Breaker::Open(until)) if until - now > LONG_WAIT => {
                let until = until.to_string();
                tracing::error!(
                    sink,
                    until,
                    "the endpoint wants nothing for more than an hour: nothing is sent until then"
                );
            }
            (Breaker::Closed, Breaker::Open(_)) => {
                tracing::error!(sink, "the endpoint fails too often: nothing is sent, one message asks again in 30 s");
            }
            (Breaker::Probing, Breaker::Closed) => tracing::info!(sink, "the endpoint takes messages again"),
            _ => {}
        }
        self.tell_breaker(after != Breaker::Closed);
    }

    /// Another sink with the same address may have opened it, or closed it.
    pub(super) fn tell_breaker(&mut self, is_open: bool) {
        if std::mem::replace(&mut self.breaker_was_open, is_open) != is_open {
            let now = self.clock.now();
            if is_open {
                self.lanes.fails(now)
            } else {
                self.lanes.recovers(now)
            }
            self.around.observer.breaker(&self.around.sink, is_open);
        }
    }

    /// What waits for too long goes to the fallback too.
    pub(super) fn lend(&mut self) {
        if let Some(since) = self.lanes.lend(self.clock.now()) {
            let (sink, since) = (&self.around.sink, since.to_string());
            tracing::error!(sink, since, "the sink cannot be reached: its fallback gets its alerts until it takes one");
        }
    }
}
