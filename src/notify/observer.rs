//! What happens to deliveries, one method each: whoever counts it implements this.

use std::time::Duration;

use super::books::Counts;
use super::job::{Change, Ending, Finished, Place};
use super::verdict::{AttemptResult, Reason};
use crate::core::ids::Partition;
use crate::core::time::{Span, Timestamp};

/// An attempt that ended, and what it was about: an alert, a lead's card by its newest one, or a digest.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    /// The alert's place on its topic.
    pub place: Place,
    /// Its id, or `-`.
    pub alert: &'a str,
    /// The Kafka timestamp of its record: its age counts from here.
    pub since: Timestamp,
    /// The rule that fired; empty if the record is no alert.
    pub rule: &'a str,
    /// The lead's name, e-mail address or key: only for the page.
    pub lead: &'a str,
    /// Which attempt at this alert it was, from 1.
    pub number: u32,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// Why it failed, without values and secrets; empty if it did not.
    pub detail: &'a str,
    /// What follows.
    pub then: Then,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The other side has it.
    Delivered,
    /// It is tried again at that time.
    Again(Timestamp),
    /// It goes to the dead letters.
    GivenUp(Reason),
    /// It waits until the sink is open again.
    Shut,
}

impl Then {
    /// What is to be said of an attempt's end; nothing of what was not tried, or is somebody else's by now.
    pub fn after(finished: Finished) -> Option<Self> {
        match finished {
            Finished::Ended(Ending::Delivered) => Some(Self::Delivered),
            Finished::Ended(Ending::GivenUp(reason)) => Some(Self::GivenUp(reason)),
            Finished::Retry(at) => Some(Self::Again(at)),
            Finished::Shut(_) => Some(Self::Shut),
            Finished::Ended(_) | Finished::Stale => None,
        }
    }
}

/// Told of everything that happens to deliveries. Called from several threads; must be quick.
pub trait Observer: Send + Sync {
    /// An attempt ended (`hotlead_delivery_attempts_total`).
    fn attempted(&self, sink: &str, result: AttemptResult);

    /// The other side has an alert, this long after the event's own time (`hotlead_event_to_delivered_seconds`).
    fn accepted(&self, sink: &str, after_event: Duration);

    /// A delivery has its terminal state, and the ledger says so (`hotlead_deliveries_total`).
    fn ended(&self, sink: &str, place: Place, ending: Ending);

    /// Alerts left the topic by retention before they were read (`outcome="expired"`).
    fn expired(&self, sink: &str, alerts: u64);

    /// The sink knows which alerts it takes from now on; told again after each rebalance.
    fn assigned(&self, sink: &str);

    /// What was taken in so far, and where it is now (`hotlead_delivery_in_flight`, `hotlead_delivery_parked`).
    fn counted(&self, sink: &str, counts: Counts);

    /// The sink takes nothing any more, or again: its credential is refused or its endpoint is gone.
    fn stands(&self, sink: &str, change: &Change);

    /// An attempt ended, with all that there is to say about it.
    fn tried(&self, _sink: &str, _tried: &Tried<'_>) {}

    /// The breaker of the sink's endpoint is open, or closed again.
    fn breaker(&self, _sink: &str, _is_open: bool) {}

    /// These partitions have another owner; the last of them were with us (true), so how the sink stands is not ours to say
    /// until it is assigned some again.
    fn left(&self, _sink: &str, _partitions: &[Partition], _is_spare: bool) {}

    /// The other side's clock is this far ahead of ours (`hotlead_clock_skew_seconds`): signatures that are 5 minutes off are
    /// refused.
    fn skew(&self, _sink: &str, _ahead: Span) {}

    /// The sink's thread is in its group, the brokers answered it, and its worker heard of it.
    fn alive(&self, _sink: &str) {}
}

/// Nobody counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn attempted(&self, _: &str, _: AttemptResult) {}
    fn accepted(&self, _: &str, _: Duration) {}
    fn ended(&self, _: &str, _: Place, _: Ending) {}
    fn expired(&self, _: &str, _: u64) {}
    fn assigned(&self, _: &str) {}
    fn counted(&self, _: &str, _: Counts) {}
    fn stands(&self, _: &str, _: &Change) {}
}
