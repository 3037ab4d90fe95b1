//! What the sinks tell of their deliveries, written where people look: metrics, readiness, the live page.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Hooks;
use crate::codec::ledger::Outcome;
use crate::config::settings::Settings;
use crate::console::SinkCounts;
use crate::notify::{AttemptResult, Counts, Ending, Observer, Reason, Shut};

/// One for all sinks of a service.
pub(super) struct Deliveries {
    hooks: Hooks,
    /// By sink; `None` until it has its partitions for the first time.
    sinks: Mutex<BTreeMap<String, Option<SinkCounts>>>,
    /// By sink, as they were told last.
    counts: Mutex<BTreeMap<String, Counts>>,
}

impl Deliveries {
    pub(super) fn new(settings: &Settings, hooks: Hooks) -> Self {
        let sinks = settings.sinks.iter().map(|sink| (sink.id.clone(), None)).collect();
        Self { hooks, sinks: Mutex::new(sinks), counts: Mutex::default() }
    }

    fn sinks(&self) -> MutexGuard<'_, BTreeMap<String, Option<SinkCounts>>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a sink's counts and shows them.
    fn count(&self, sink: &str, change: impl FnOnce(&mut SinkCounts)) {
        let mut sinks = self.sinks();
        let counts = sinks.entry(sink.to_owned()).or_default().get_or_insert_default();
        change(counts);
        if let Some(view) = &self.hooks.view {
            view.deliveries(sink, counts.clone());
        }
    }
}

impl Observer for Deliveries {
    fn assigned(&self, sink: &str) {
        let is_first = self.sinks().get(sink).is_none_or(Option::is_none);
        self.count(sink, |_| {});
        if is_first {
            self.hooks.readiness.sink_assigned();
        }
    }

    fn attempted(&self, sink: &str, result: AttemptResult) {
        self.hooks.metrics.delivery_attempt(sink, result.name());
        let trouble = (result != AttemptResult::Ok).then(|| result.name().replace('_', " "));
        self.count(sink, |counts| counts.trouble = trouble);
    }

    fn accepted(&self, sink: &str, after_event: Duration) {
        self.hooks.metrics.delivered_after(sink, after_event.as_secs_f64());
    }

    fn ended(&self, sink: &str, ending: Ending) {
        let reason = ending.reason().map_or("", Reason::name);
        self.hooks.metrics.delivery(sink, ending.outcome().name(), reason, 1);
        self.count(sink, |counts| match ending {
            // A digest or a newer card shows them.
            Ending::Delivered | Ending::Coalesced | Ending::Superseded => counts.sent += 1,
            Ending::Suppressed => {}
            Ending::GivenUp(_) => counts.given_up += 1,
        });
    }

    fn expired(&self, sink: &str, alerts: u64) {
        self.hooks.metrics.delivery(sink, Outcome::Expired.name(), "", alerts);
        self.hooks.metrics.deliveries_taken(sink, alerts, 0);
    }

    fn counted(&self, sink: &str, counts: Counts) {
        let mut before = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = before.insert(sink.to_owned(), counts).unwrap_or_default();
        let (taken, back) = (counts.consumed - before.consumed, counts.handed_back - before.handed_back);
        self.hooks.metrics.deliveries_taken(sink, taken, back);
        self.hooks.metrics.set_undelivered(sink, counts.in_flight, counts.parked);
    }

    fn shut(&self, sink: &str, shut: Option<Shut>) {
        self.hooks.readiness.sink_blocked(sink, shut == Some(Shut::Credential));
        let trouble = shut.map(|_| "shut: its credential is refused or its endpoint is gone".to_owned());
        self.count(sink, |counts| counts.trouble = trouble);
    }
}
