//! What the sinks tell of their deliveries, written where people look: metrics, readiness, the ops topic, the live page.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::watchman::{Flood, Watchman};
use super::{Hooks, now_ms, shown};
use crate::codec::ledger::{Outcome, Standing};
use crate::codec::ops::Notice;
use crate::config::settings::Settings;
use crate::console::{Delivery, SinkCounts};
use crate::core::ids::Partition;
use crate::core::time::{Span, Timestamp};
use crate::notify::{AttemptResult, Change, Counts, Ending, Observer, Place, Reason, Then, Tried};
use crate::sink::Ops;

/// Clocks that are further apart are told: receivers refuse signatures from 5 minutes on.
const MAX_SKEW: Span = Span::from_secs(60);

/// One for all sinks of a service.
pub(super) struct Deliveries {
    hooks: Hooks,
    ops: Ops,
    sinks: Mutex<BTreeMap<String, Known>>,
    unread: Mutex<Unread>,
}

/// What is known of a sink.
struct Known {
    /// `None` until it has its partitions for the first time.
    shown: Option<SinkCounts>,
    /// As they were told last.
    counts: Counts,
    watchman: Watchman,
    /// Its clock and ours are far apart.
    is_skewed: bool,
}

/// Events that could not be read.
struct Unread {
    flood: Flood,
    /// As of the last look, by reason.
    totals: BTreeMap<String, u64>,
}

impl Deliveries {
    pub(super) fn new(settings: &Settings, hooks: Hooks, ops: Ops) -> Self {
        let known = |id: &String| Known {
            shown: None,
            counts: Counts::default(),
            watchman: Watchman::new(id),
            is_skewed: false,
        };
        let sinks = settings.sinks.iter().map(|sink| (sink.id.clone(), known(&sink.id))).collect();
        let unread = Unread { flood: Flood::new(None, "could not be read"), totals: BTreeMap::new() };
        Self { hooks, ops, sinks: Mutex::new(sinks), unread: Mutex::new(unread) }
    }

    /// Tells what was only counted so far; to be called every second or so.
    pub(super) fn tick(&self) {
        let now = now();
        let mut told: Vec<Notice> = self.sinks().values_mut().filter_map(|known| known.watchman.tick(now)).collect();
        let totals = shown::dead_letters(&self.hooks.metrics.encode());
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, total) in totals {
            let before = unread.totals.insert(reason.clone(), total).unwrap_or(0);
            if total > before {
                told.extend(unread.flood.more(now, &reason, total - before));
            }
        }
        told.extend(unread.flood.tick(now));
        told.into_iter().for_each(|notice| self.ops.tell(notice));
    }

    /// Waits until the brokers have all notices. Blocks.
    pub(super) fn finish(&self) {
        self.ops.finish();
    }

    fn sinks(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a sink's counts and shows them.
    fn count(&self, sink: &str, change: impl FnOnce(&mut SinkCounts)) {
        let mut sinks = self.sinks();
        let Some(known) = sinks.get_mut(sink) else {
            return;
        };
        let counts = known.shown.get_or_insert_default();
        change(counts);
        if let Some(view) = &self.hooks.view {
            view.deliveries(sink, counts.clone());
        }
    }

    /// Lets a sink's watchman know, and tells what has to be told.
    fn watch(&self, sink: &str, happened: impl FnOnce(&mut Watchman, Timestamp) -> Option<Notice>) {
        let mut sinks = self.sinks();
        let Some(known) = sinks.get_mut(sink) else {
            return;
        };
        let notice = happened(&mut known.watchman, now());
        for (trouble, has_it) in known.watchman.troubles() {
            self.hooks.metrics.set_sink_trouble(sink, trouble, has_it);
        }
        // Under the lock: a sink's notices stay in order.
        notice.into_iter().for_each(|notice| self.ops.tell(notice));
    }
}

/// Now, by this machine's clock.
fn now() -> Timestamp {
    Timestamp::from_millis(now_ms())
}

impl Observer for Deliveries {
    fn assigned(&self, sink: &str) {
        let is_first = self.sinks().get(sink).is_some_and(|known| known.shown.is_none());
        self.count(sink, |_| {});
        let is_blocked = self.sinks().get(sink).is_some_and(|known| known.watchman.is_blocked());
        self.hooks.readiness.sink_blocked(sink, is_blocked);
        if is_first {
            self.watch(sink, |_, _| None);
            self.hooks.readiness.sink_assigned();
        }
    }

    fn attempted(&self, sink: &str, result: AttemptResult) {
        self.hooks.metrics.delivery_attempt(sink, result.name());
        let trouble = (result != AttemptResult::Ok).then(|| result.name().replace('_', " "));
        self.count(sink, |counts| {
            if !counts.shut {
                counts.trouble = trouble;
            }
        });
    }

    fn accepted(&self, sink: &str, after_event: Duration) {
        self.hooks.metrics.delivered_after(sink, after_event.as_secs_f64());
    }

    fn ended(&self, sink: &str, place: Place, ending: Ending) {
        let reason = ending.reason().map_or("", Reason::name);
        self.hooks.metrics.delivery(sink, ending.outcome().name(), reason, 1);
        self.count(sink, |counts| match ending {
            // A digest or a newer card shows them.
            Ending::Delivered | Ending::Coalesced | Ending::Superseded => counts.sent += 1,
            Ending::Suppressed => {}
            Ending::GivenUp(_) => counts.given_up += 1,
        });
        self.watch(sink, |watchman, now| match ending {
            Ending::Delivered | Ending::Coalesced | Ending::Superseded | Ending::Suppressed => {
                watchman.delivered(now, place)
            }
            Ending::GivenUp(reason) => watchman.given_up(now, place, reason.name()),
        });
    }

    fn expired(&self, sink: &str, alerts: u64) {
        self.hooks.metrics.delivery(sink, Outcome::Expired.name(), "", alerts);
        self.hooks.metrics.deliveries_taken(sink, alerts, 0);
    }

    fn counted(&self, sink: &str, counts: Counts) {
        let mut sinks = self.sinks();
        let Some(known) = sinks.get_mut(sink) else {
            return;
        };
        let before = std::mem::replace(&mut known.counts, counts);
        known.watchman.wait((counts.in_flight + counts.parked) as u64);
        let (taken, back) = (counts.consumed - before.consumed, counts.handed_back - before.handed_back);
        self.hooks.metrics.deliveries_taken(sink, taken, back);
        self.hooks.metrics.set_undelivered(sink, counts.in_flight, counts.parked);
        drop(sinks);
        self.count(sink, |shown| (shown.waiting, shown.parked) = (counts.in_flight as u64, counts.parked as u64));
    }

    fn stands(&self, sink: &str, change: &Change) {
        let Change { standing, since, detail, failing: _ } = change;
        self.hooks.readiness.sink_blocked(sink, *standing == Standing::Blocked);
        let trouble = match standing {
            Standing::Open => None,
            Standing::Blocked => Some("blocked: its credential is refused".to_owned()),
            Standing::Disabled => Some("disabled: its endpoint is gone".to_owned()),
        };
        self.count(sink, |counts| (counts.shut, counts.trouble) = (trouble.is_some(), trouble));
        self.watch(sink, |watchman, now| watchman.stands(now, *standing, *since, detail));
    }

    fn skew(&self, sink: &str, ahead: Span) {
        let seconds = ahead.as_millis() / 1_000;
        self.hooks.metrics.set_clock_skew(sink, seconds);
        let mut sinks = self.sinks();
        let Some(known) = sinks.get_mut(sink) else {
            return;
        };
        let is_far = ahead.as_millis().abs() > MAX_SKEW.as_millis();
        if is_far && !std::mem::replace(&mut known.is_skewed, is_far) {
            tracing::warn!(
                sink,
                seconds,
                "its clock is far ahead of ours, or behind: signatures that are 5 min off are refused"
            );
        }
        known.is_skewed = is_far;
    }

    fn tried(&self, sink: &str, tried: &Tried<'_>) {
        if let Then::Again(_) = tried.then {
            self.watch(sink, |watchman, now| watchman.failed(now, tried.place, tried.number, tried.detail));
        }
        if let Some(view) = &self.hooks.view {
            view.delivery(delivery(sink, tried));
        }
    }

    fn breaker(&self, sink: &str, is_open: bool) {
        self.count(sink, |counts| counts.breaker_open = is_open);
        self.watch(sink, |watchman, now| watchman.breaker(now, is_open));
    }

    fn left(&self, sink: &str, partitions: &[Partition], is_spare: bool) {
        if is_spare {
            // Whoever is refused now is not ready; we have nothing to be refused with.
            self.hooks.readiness.sink_blocked(sink, false);
        }
        self.watch(sink, |watchman, _| {
            watchman.left(partitions);
            None
        });
    }

    fn alive(&self, sink: &str) {
        self.watch(sink, |watchman, now| Some(watchman.alive(now)));
    }
}

/// An attempt as the page shows it.
fn delivery(sink: &str, tried: &Tried<'_>) -> Delivery {
    let (state, next) = match tried.then {
        Then::Delivered => ("delivered", None),
        Then::Again(at) => ("waiting", Some(at)),
        Then::GivenUp(_) => ("given_up", None),
        Then::Shut => ("held", None),
    };
    Delivery {
        alert: tried.alert.to_owned(),
        sink: sink.to_owned(),
        rule: tried.rule.to_owned(),
        lead: tried.lead.to_owned(),
        since: tried.since,
        time: now(),
        attempts: tried.number,
        state,
        status: tried.status,
        detail: tried.detail.to_owned(),
        next,
    }
}
