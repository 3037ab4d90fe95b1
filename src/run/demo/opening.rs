//! What comes when: leads were on the site before the demo opened, so that the first alert is not far.

use std::time::Duration;

use crate::core::time::{Span, Timestamp};
use crate::run::simulate::{Scenario, SimulatedEvent, Simulator};

/// Leads that are simulated: enough for something to happen every few seconds.
const LEADS: usize = 600;

/// How long leads have been coming when the demo opens. The first to turn hot need a quarter of an hour or two.
const BEFORE: Span = Span::from_secs(20 * 60);

/// The moment at which a demo opens, and what decides what comes then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The opening, in simulated and in real time.
    pub at: Timestamp,
    /// Which leads come.
    pub seed: u64,
    /// Simulated seconds that pass in a second, from 1; 0 counts as 1.
    pub speed: u32,
}

impl Opening {
    /// All events, endlessly, each with the real time after the opening at which it is sent: zero for what happened
    /// before.
    pub fn events(self) -> impl Iterator<Item = (Duration, SimulatedEvent)> {
        let scenario = Scenario { seed: self.seed, leads: LEADS, start: self.at - BEFORE };
        Simulator::new(scenario).map(move |event| {
            let after_ms = (event.sent - self.at).as_millis().max(0) as u64;
            (Duration::from_millis(after_ms) / self.speed.max(1), event)
        })
    }
}
