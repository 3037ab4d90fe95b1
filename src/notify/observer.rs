//! What happens to deliveries, one method each: whoever counts it implements this.

use std::time::Duration;

use super::books::Counts;
use super::job::Ending;
use super::verdict::{AttemptResult, Shut};

/// Told of everything that happens to deliveries. Called from several threads; must be quick.
pub trait Observer: Send + Sync {
    /// An attempt ended (`hotlead_delivery_attempts_total`).
    fn attempted(&self, sink: &str, result: AttemptResult);

    /// The other side has an alert, this long after the event's own time (`hotlead_event_to_delivered_seconds`).
    fn accepted(&self, sink: &str, after_event: Duration);

    /// A delivery has its terminal state, and the ledger says so (`hotlead_deliveries_total`).
    fn ended(&self, sink: &str, ending: Ending);

    /// Alerts left the topic by retention before they were read (`outcome="expired"`).
    fn expired(&self, sink: &str, alerts: u64);

    /// The sink knows which alerts it takes from now on; told again after each rebalance.
    fn assigned(&self, sink: &str);

    /// What was taken in so far, and where it is now (`hotlead_delivery_in_flight`, `hotlead_delivery_parked`).
    fn counted(&self, sink: &str, counts: Counts);

    /// The sink takes nothing any more and why, or (`None`) it does again.
    fn shut(&self, sink: &str, shut: Option<Shut>);
}

/// Nobody counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn attempted(&self, _: &str, _: AttemptResult) {}
    fn accepted(&self, _: &str, _: Duration) {}
    fn ended(&self, _: &str, _: Ending) {}
    fn expired(&self, _: &str, _: u64) {}
    fn assigned(&self, _: &str) {}
    fn counted(&self, _: &str, _: Counts) {}
    fn shut(&self, _: &str, _: Option<Shut>) {}
}
