//! What the view is told beside alerts and events: totals, and what becomes of deliveries.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::core::time::Timestamp;

/// Totals since the process started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Events by the name of their outcome.
    pub events: BTreeMap<String, u64>,
    /// Leads with state now.
    pub leads: u64,
    /// Alerts published.
    pub alerts: u64,
}

/// What became of the alerts for one sink, since the process started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SinkCounts {
    /// Sent.
    pub sent: u64,
    /// In memory: being sent, or waiting for their turn or their next attempt.
    pub waiting: u64,
    /// Waiting in the ledger for an attempt that is further off.
    pub parked: u64,
    /// Given up.
    pub given_up: u64,
    /// What an operator should know of this sink now, if anything.
    pub trouble: Option<String>,
    /// Nothing is sent until somebody mends it: the trouble says what.
    pub shut: bool,
    /// It failed too often: nothing is sent for a while.
    pub breaker_open: bool,
}

/// One alert on its way to one sink, as of its newest attempt; of a Slack bot a lead's card by its newest alert, or a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The alert's id.
    pub alert: String,
    /// Where to.
    pub sink: String,
    /// The rule that fired.
    pub rule: String,
    /// Whom it is about: a name, an e-mail address, or a key.
    pub lead: String,
    /// When the alert was published.
    pub since: Timestamp,
    /// When it was tried.
    pub time: Timestamp,
    /// How often it was tried so far.
    pub attempts: u32,
    /// What became of it: `delivered`, `waiting` (for the next attempt), `held` (the sink is shut) or `given_up`.
    pub state: &'static str,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// Why not; empty if it was taken.
    pub detail: String,
    /// When it is tried again.
    pub next: Option<Timestamp>,
}
