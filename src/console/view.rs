//! The view: a bounded copy of what went past, which every open page shares.
//!
//! Owner threads call in, so every call is short: an alert is written as JSON once, outside the lock; a thing seen is
//! dropped unread when more come than a page could show. Pages get alerts at once and the rest twice a second.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::broadcast;

use super::card::Card;
use super::lead::{Decided, LeadView, Summary};
use super::told::{Counters, Delivery, SinkCounts};
use crate::core::alert::{Alert, AlertKind};
use crate::core::time::{Span, Timestamp};

/// Cards that a page shows: an afternoon of a busy team; one has about 2 KiB.
pub const MAX_CARDS: usize = 200;
/// Deliveries that a page shows: the newest of all sinks; one has about 300 bytes.
pub(super) const MAX_DELIVERIES: usize = 100;
/// Rows of the list of the hottest leads: more are not looked at.
const MAX_HOT: usize = 50;
/// Leads with a timeline, hot or not: what was seen before an alert is remembered for about this many; about 10 MiB.
const MAX_LEADS: usize = 2_000;
/// A lead of which nothing was seen for this long is no longer among the hottest.
const QUIET: Span = Span::from_secs(24 * 3600);
/// Things seen that are taken in between two ticks; the rest is only counted, so that a million events a second cost
/// the owner threads one atomic addition each.
const SEEN_PER_TICK: u32 = 1_000;
/// What pages lag behind before they get a whole snapshot instead.
const NEWS_KEPT: usize = 256;
/// The rate is that of the last few seconds: steady enough to read.
const RATE_OVER: Duration = Duration::from_secs(5);

/// How often [`View::tick`] is to be called.
pub(super) const TICK: Duration = Duration::from_millis(500);

/// A message to the pages.
#[derive(Clone, Debug)]
pub(super) struct News {
    /// Grows by one from message to message.
    pub(super) id: u64,
    /// What kind of message: `alert`, `tick` or `erased`.
    pub(super) event: &'static str,
    /// JSON.
    pub(super) data: Arc<str>,
}

/// A bounded copy of what went past, shared by all pages; every method may be called from any thread.
#[derive(Debug)]
pub struct View {
    state: Mutex<State>,
    news: broadcast::Sender<News>,
    seen_since_tick: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    /// Id of the newest message.
    news_id: u64,
    /// Newest last.
    cards: VecDeque<Card>,
    leads: HashMap<Box<str>, LeadView>,
    hot_changed: bool,
    counters: Counters,
    sinks: BTreeMap<String, SinkCounts>,
    /// Newest last.
    deliveries: VecDeque<Delivery>,
    deliveries_changed: bool,
    /// Totals of events at recent ticks, oldest first.
    totals: VecDeque<(Instant, u64)>,
    newest: Timestamp,
}

/// What every message of numbers says.
#[derive(Serialize)]
struct Numbers<'a> {
    /// The newest event time.
    newest: Timestamp,
    counters: &'a Counters,
    events_per_second: f64,
    sinks: &'a BTreeMap<String, SinkCounts>,
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

impl View {
    /// A view of nothing yet.
    pub fn new() -> Self {
        Self { state: Mutex::default(), news: broadcast::Sender::new(NEWS_KEPT), seen_since_tick: AtomicU32::new(0) }
    }

    /// An alert was published, `delay` after its event was received if that is known. What opened is a new card; what
    /// updates or closes an episode changes its card, if there still is one. One with a known id is taken as a repeat and
    /// shown once.
    pub fn alert(&self, alert: &Alert, delay: Option<Duration>) {
        #[derive(Serialize)]
        struct Shown<'a> {
            alert: &'a Alert,
            #[serde(skip_serializing_if = "Option::is_none")]
            delay_ms: Option<f64>,
        }
        let delay_ms = delay.map(|delay| (delay.as_secs_f64() * 10_000.0).round() / 10.0);
        let card: Arc<RawValue> =
            to_raw_value(&Shown { alert, delay_ms }).expect("an alert has only texts and finite numbers").into();

        let mut state = self.lock();
        if state.cards.iter().any(|card| card.ids.contains(&alert.id)) {
            return;
        }
        let is_shown = state.show(alert, &card);
        state.newest = state.newest.max(alert.time);
        state.lead(&alert.lead.key).alert(alert, card.clone());
        state.hot_changed = true;
        if is_shown {
            self.tell(&mut state, "alert", card.get().into());
        }
    }

    /// Whether an event that was seen would be shown: ask before going to the length of describing it.
    pub fn has_room(&self) -> bool {
        self.seen_since_tick.load(Ordering::Relaxed) < SEEN_PER_TICK
    }

    /// An event of a lead was seen. More than a page could show are dropped.
    pub fn seen(&self, lead: &str, time: Timestamp, label: &str, outcome: &'static str, decisions: &[Decided<&str>]) {
        if !self.has_room() {
            return;
        }
        // Relaxed: it is a rough budget, nothing is published by it.
        self.seen_since_tick.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        state.newest = state.newest.max(time);
        let lead = state.lead(lead);
        lead.seen(time, label, outcome, decisions);
        if lead.summary.score.is_some() {
            state.hot_changed = true;
        }
    }

    /// Removes all that is known of a lead, on open pages too.
    pub fn erase(&self, lead: &str) {
        let mut state = self.lock();
        let State { cards, leads, deliveries, .. } = &mut *state;
        let gone: Vec<String> = cards
            .iter()
            .filter(|card| *card.lead == *lead)
            .flat_map(|card| &card.ids)
            .map(ToString::to_string)
            .collect();
        cards.retain(|card| *card.lead != *lead);
        deliveries.retain(|delivery| !gone.contains(&delivery.alert));
        leads.remove(lead);
        // Pages ask for everything again: what they have to remove, nobody says once more.
        self.tell(&mut state, "erased", "{}".into());
    }

    /// The newest totals.
    pub fn counters(&self, counters: Counters) {
        self.lock().counters = counters;
    }

    /// The newest totals of one sink.
    pub fn deliveries(&self, sink: &str, counts: SinkCounts) {
        self.lock().sinks.insert(sink.to_owned(), counts);
    }

    /// An alert was tried at a sink: it takes the place of what was known of the two.
    pub fn delivery(&self, delivery: Delivery) {
        let mut state = self.lock();
        let is_same = |known: &Delivery| known.alert == delivery.alert && known.sink == delivery.sink;
        // An id that says nothing stands for many.
        if delivery.alert != "-"
            && let Some(known) = state.deliveries.iter().rposition(is_same)
        {
            state.deliveries.remove(known);
        } else if state.deliveries.len() == MAX_DELIVERIES {
            state.deliveries.pop_front();
        }
        state.deliveries.push_back(delivery);
        state.deliveries_changed = true;
    }

    /// Tells the pages what changed since the last tick; to be called every [`TICK`].
    pub(super) fn tick(&self, now: Instant) {
        #[derive(Serialize)]
        struct Tick<'a> {
            #[serde(flatten)]
            numbers: Numbers<'a>,
            /// The whole list, if anything in it changed.
            #[serde(skip_serializing_if = "Option::is_none")]
            hottest: Option<Vec<&'a Summary>>,
            /// The same of these, newest first.
            #[serde(skip_serializing_if = "Option::is_none")]
            deliveries: Option<Vec<&'a Delivery>>,
        }
        self.seen_since_tick.store(0, Ordering::Relaxed);
        let mut state = self.lock();
        state.note_total(now);
        let changed = std::mem::take(&mut state.hot_changed);
        let delivered = std::mem::take(&mut state.deliveries_changed);
        if self.news.receiver_count() == 0 {
            return;
        }
        let tick = Tick {
            numbers: state.numbers(),
            hottest: changed.then(|| state.hottest()),
            deliveries: delivered.then(|| state.deliveries()),
        };
        let data: Arc<str> = to_json(&tick).into();
        self.tell(&mut state, "tick", data);
    }

    /// Everything a page needs to begin, as JSON; `about` is merged in. The second value receives what comes after.
    pub(super) fn snapshot(&self, about: &impl Serialize) -> (News, broadcast::Receiver<News>) {
        #[derive(Serialize)]
        struct Snapshot<'a, A> {
            about: &'a A,
            #[serde(flatten)]
            numbers: Numbers<'a>,
            /// Newest first.
            cards: Vec<&'a RawValue>,
            hottest: Vec<&'a Summary>,
            /// Newest first.
            deliveries: Vec<&'a Delivery>,
        }
        let state = self.lock();
        let snapshot = Snapshot {
            about,
            numbers: state.numbers(),
            cards: state.cards.iter().rev().map(|card| &*card.json).collect(),
            hottest: state.hottest(),
            deliveries: state.deliveries(),
        };
        let news = News { id: state.news_id, event: "snapshot", data: to_json(&snapshot).into() };
        // Under the lock, so that nothing falls between the snapshot and the first message.
        (news, self.news.subscribe())
    }

    /// All that is remembered of one lead, as JSON.
    pub(super) fn lead(&self, key: &str) -> Option<String> {
        #[derive(Serialize)]
        struct Detail<'a> {
            summary: &'a Summary,
            card: Option<&'a RawValue>,
            /// Newest first.
            timeline: Vec<&'a super::lead::Entry>,
        }
        let state = self.lock();
        let lead = state.leads.get(key)?;
        Some(to_json(&Detail {
            summary: &lead.summary,
            card: lead.card.as_deref(),
            timeline: lead.timeline.iter().rev().collect(),
        }))
    }

    fn tell(&self, state: &mut State, event: &'static str, data: Arc<str>) {
        state.news_id += 1;
        let id = state.news_id;
        // No page is open: nobody to tell.
        let _ = self.news.send(News { id, event, data });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves at worst one lead's view half updated: better shown than not.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts an alert on a card, a new one if it opened; `false` if there is none that it could change.
    fn show(&mut self, alert: &Alert, json: &Arc<RawValue>) -> bool {
        if alert.kind != AlertKind::Opened {
            let about = self.cards.iter_mut().rev().find(|card| card.is_about(alert));
            return about.map(|card| card.change(alert, json.clone())).is_some();
        }
        if self.cards.len() == MAX_CARDS {
            self.cards.pop_front();
        }
        self.cards.push_back(Card::new(alert, json.clone()));
        true
    }

    /// The lead of that key, made if need be.
    fn lead(&mut self, key: &str) -> &mut LeadView {
        if !self.leads.contains_key(key) && self.leads.len() >= MAX_LEADS {
            self.forget_some();
        }
        self.leads.entry(key.into()).or_insert_with(|| LeadView::new(key))
    }

    /// Frees a quarter of the places: first leads that never were hot, then those not seen for longest.
    fn forget_some(&mut self) {
        let mut order: Vec<(bool, Timestamp, Box<str>)> = self
            .leads
            .iter()
            .map(|(key, lead)| (lead.summary.score.is_some(), lead.summary.seen, key.clone()))
            .collect();
        order.sort_unstable();
        for (_, _, key) in order.into_iter().take(MAX_LEADS / 4) {
            self.leads.remove(&key);
        }
    }

    /// Leads that alerted, hottest first; of equal scores the one that alerted last.
    fn hottest(&self) -> Vec<&Summary> {
        let recent = self.newest - QUIET;
        let mut hot: Vec<&Summary> = self
            .leads
            .values()
            .map(|lead| &lead.summary)
            .filter(|row| row.score.is_some() && row.seen >= recent)
            .collect();
        hot.sort_by(|a, b| {
            let by_score = b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0));
            by_score.then(b.alerted.cmp(&a.alerted)).then_with(|| a.key.cmp(&b.key))
        });
        hot.truncate(MAX_HOT);
        hot
    }

    fn deliveries(&self) -> Vec<&Delivery> {
        self.deliveries.iter().rev().collect()
    }

    fn numbers(&self) -> Numbers<'_> {
        Numbers {
            newest: self.newest,
            counters: &self.counters,
            events_per_second: self.events_per_second(),
            sinks: &self.sinks,
        }
    }

    fn note_total(&mut self, now: Instant) {
        let total = self.counters.events.values().sum();
        self.totals.push_back((now, total));
        while let [(first, _), (second, _), ..] = self.totals.make_contiguous()
            && now.saturating_duration_since(*second) >= RATE_OVER
            && first < second
        {
            self.totals.pop_front();
        }
    }

    fn events_per_second(&self) -> f64 {
        let (Some((from, before)), Some((to, after))) = (self.totals.front(), self.totals.back()) else {
            return 0.0;
        };
        let seconds = to.saturating_duration_since(*from).as_secs_f64();
        if seconds <= 0.0 {
            return 0.0;
        }
        let rate = after.saturating_sub(*before) as f64 / seconds;
        (rate * 10.0).round() / 10.0
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps with text keys, texts and finite numbers")
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
