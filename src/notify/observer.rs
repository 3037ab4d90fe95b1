//! What happens to deliveries, one method each: whoever counts it implements this.

use std::time::Duration;

use super::verdict::{AttemptResult, Reason};

/// Told of everything that happens to deliveries. Called from several threads; must be quick.
pub trait Observer: Send + Sync {
    /// An attempt ended (`hotlead_delivery_attempts_total`).
    fn attempted(&self, sink: &str, result: AttemptResult);

    /// A delivery is done (`hotlead_deliveries_total{outcome="delivered"}`), this long after the event's own time
    /// (`hotlead_event_to_delivered_seconds`).
    fn delivered(&self, sink: &str, after_event: Duration);

    /// A delivery was given up and lies in the dead-letter topic (`outcome="dead_lettered"`).
    fn dead_lettered(&self, sink: &str, reason: Reason);

    /// The sink knows which alerts it takes from now on; told again after each rebalance.
    fn assigned(&self, sink: &str);

    /// So many attempts are under way now (`hotlead_delivery_in_flight`).
    fn in_flight(&self, sink: &str, attempts: usize);

    /// The sink takes nothing any more (true), or again (false): its credential is refused or its endpoint is gone.
    fn shut(&self, sink: &str, is_shut: bool);
}

/// Nobody counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn assigned(&self, _: &str) {}
    fn attempted(&self, _: &str, _: AttemptResult) {}
    fn delivered(&self, _: &str, _: Duration) {}
    fn dead_lettered(&self, _: &str, _: Reason) {}
    fn in_flight(&self, _: &str, _: usize) {}
    fn shut(&self, _: &str, _: bool) {}
}
