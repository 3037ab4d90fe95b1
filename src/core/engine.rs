//! The engine: one input in, its outcome, decisions and alerts out; no clock, no I/O, no surprise.
//!
//! Live run, backtest and tests all call [`Engine::step`].

mod episodes;
mod upkeep;

use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::alert::{Alert, AlertKind};
use super::announcement::{self, Cause};
use super::condition::Moment;
pub use super::decision::{Decision, Outcome, Verdict};
use super::event::Event;
use super::ids::Origin;
use super::lead::{Lead, Mark};
use super::leads::Leads;
use super::matching;
use super::names::Names;
use super::rule::{RuleSet, Trait};
use super::snapshot::compact;
use super::time::Timestamp;
pub use upkeep::Unreadable;

/// What the engine can be told.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A decoded record.
    Event {
        /// The event.
        event: &'a Event<'a>,
        /// Its offset or line number within the engine's [`Origin`].
        position: i64,
        /// The record's timestamp; `None` for a plain file, -1, or a time before 2000.
        record_time: Option<Timestamp>,
    },
    /// Forget a lead altogether.
    Erase {
        /// Its key.
        lead: &'a str,
    },
}

/// What one step gave; reused from step to step.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// What became of the event.
    pub outcome: Outcome,
    /// The lead's clock after the step; the event's own time if it was not applied.
    pub time: Timestamp,
    /// Whether the event's time was clamped to its record's.
    pub clamped: bool,
    /// One for each touched rule, in file order.
    pub decisions: Vec<Decision>,
    /// First those that closed, in file order; then one for each decision [`Verdict::Fire`] that opened, and for some
    /// [`Verdict::SameEpisode`] that updated, in the same order.
    pub alerts: Vec<Alert>,
}

impl Default for Outputs {
    fn default() -> Self {
        Self {
            outcome: Outcome::Unmatched,
            time: Timestamp::default(),
            clamped: false,
            decisions: Vec::new(),
            alerts: Vec::new(),
        }
    }
}

/// The state of all leads of one partition (or file), and the rules.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<RuleSet>,
    origin: Origin,
    /// Of the coordinates, for events without an id.
    origin_hash: u64,
    names: Names,
    leads: Leads,
    scratch: Scratch,
}

/// What a step works with, reused from step to step.
#[derive(Debug, Default)]
struct Scratch {
    /// Signals that the event carries.
    signals: Vec<u16>,
    /// Traits that the event sets.
    traits: Vec<u16>,
    /// Rules that the event touches, ascending.
    touched: Vec<u16>,
    /// Rules whose episodes it ends, ascending.
    over: Vec<u16>,
    /// Events that may have lost their last reference.
    gone: Vec<u16>,
    text: String,
    /// A lead that is taken in as it was stored.
    lead: Lead,
    state: Vec<u8>,
    compact: compact::Scratch,
}

/// An event about to be applied.
struct Arrival<'a> {
    cause: Cause<'a>,
    /// Hash of its id.
    id: u64,
    /// The lead's clock once it is in.
    now: Timestamp,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(rules: Arc<RuleSet>, origin: Origin) -> Self {
        let origin_hash = xxh3_64(origin.source(0).as_bytes());
        let names = Names::of(&rules);
        let leads = Leads::new(names.labels.clone(), rules.rules.len());
        Self { rules, origin, origin_hash, names, leads, scratch: Scratch::default() }
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Leads with state.
    pub fn leads(&self) -> usize {
        self.leads.len()
    }

    /// Takes one input in and writes what it gave to `out`, replacing what was there.
    pub fn step(&mut self, input: Input<'_>, out: &mut Outputs) {
        out.decisions.clear();
        out.alerts.clear();
        let (event, position, record_time) = match input {
            Input::Event { event, position, record_time } => (event, position, record_time),
            Input::Erase { lead } => {
                out.outcome = self.erase(lead);
                return;
            }
        };
        let latest = record_time.map(|time| (time, time + self.rules.spec().max_future_skew));
        let ahead = latest.filter(|(_, latest)| event.time > *latest);
        let time = ahead.map_or(event.time, |(record_time, _)| record_time);
        out.time = time;
        out.clamped = ahead.is_some();
        out.outcome = self.take(event, position, time, out);
    }

    fn erase(&mut self, lead: &str) -> Outcome {
        if !self.leads.knows(lead) {
            return Outcome::Unmatched;
        }
        let grip = self.leads.take(lead);
        self.leads.lead(grip).clear();
        self.leads.note_change(grip);
        Outcome::Applied
    }

    /// The order of outcomes is that of rules.md 1.
    fn take(&mut self, event: &Event<'_>, position: i64, time: Timestamp, out: &mut Outputs) -> Outcome {
        let Self { rules, origin, origin_hash, leads, scratch, .. } = self;
        let rules: &RuleSet = rules;
        if let Some(by) = rules.ignore.iter().position(|filter| filter.takes(event)) {
            return Outcome::Ignored(by as u16);
        }
        rules.index.find(event, &mut scratch.signals, &mut scratch.text);
        let carried = |(_, of): &(u16, &Trait)| event.fields.has(of.field);
        scratch.traits.clear();
        scratch.traits.extend((0..).zip(&rules.traits).filter(carried).map(|(number, _)| number));
        if scratch.signals.is_empty() && scratch.traits.is_empty() {
            return Outcome::Unmatched;
        }
        // A lead that is taken for the first time is changed below: it knows no id and no trait yet.
        let grip = leads.take(event.lead);
        let lead = leads.lead(grip);
        if lead.clock.is_some_and(|clock| time - clock > rules.spec().forget_after) {
            lead.clear();
        }
        let id = match event.id {
            Some(id) => event_id_hash(event.id_scope, id),
            None => xxh3_64_with_seed(&position.to_le_bytes(), *origin_hash),
        };
        if lead.remembers(id) {
            return Outcome::Duplicate;
        }
        let newer_known = |number: &u16| lead.traits.iter().any(|known| known.trait_ == *number && known.time > time);
        scratch.traits.retain(|number| !newer_known(number));
        if scratch.signals.is_empty() && scratch.traits.is_empty() {
            return Outcome::Unmatched;
        }
        let now = lead.clock.map_or(time, |clock| clock.max(time));
        out.time = now;
        let arrival = Arrival { cause: Cause { event, time, position, origin }, id, now };
        apply(rules, lead, scratch, &arrival, out);
        leads.note_change(grip);
        Outcome::Applied
    }
}

/// Before-evaluation, the event itself, latches, after-evaluation (design.md 3).
fn apply(rules: &RuleSet, lead: &mut Lead, scratch: &mut Scratch, arrival: &Arrival<'_>, out: &mut Outputs) {
    let Scratch { signals, traits, touched, over, gone, .. } = scratch;
    let Cause { event, time, .. } = arrival.cause;
    touch(rules, lead, signals, traits, event, touched);
    episodes::end(rules, lead, touched, over, arrival, &mut out.alerts);
    let fit = episodes::fit_before(rules, lead, touched, traits);
    enter(rules, lead, signals, arrival, gone);
    for number in traits.iter() {
        let of = &rules.traits[usize::from(*number)];
        lead.set_trait(*number, time, event.fields.get(of.field));
    }
    set_latches(rules, lead, signals, arrival);
    let fit_changed = fit.is_some_and(|before| before != lead.fit(rules));
    for number in touched.iter().copied() {
        let verdict = episodes::decide(rules, lead, signals, number, arrival);
        out.decisions.push(Decision { rule: number, verdict });
        let kind = match verdict {
            Verdict::Fire => AlertKind::Opened,
            Verdict::SameEpisode if episodes::update(rules, lead, signals, number, fit_changed, arrival.now) => {
                AlertKind::Updated
            }
            _ => continue,
        };
        let moment = Moment::new(rules, lead, arrival.now, signals);
        out.alerts.push(announcement::write(&moment, kind, number, &arrival.cause));
    }
}

/// The rules that an event touches (rules.md 16).
fn touch(rules: &RuleSet, lead: &Lead, signals: &[u16], traits: &[u16], event: &Event<'_>, touched: &mut Vec<u16>) {
    touched.clear();
    for signal in signals {
        touched.extend_from_slice(&rules.signals[usize::from(*signal)].rules);
    }
    for number in traits {
        let of = &rules.traits[usize::from(*number)];
        if !of.rules.is_empty() && !matching::same(lead.trait_(*number), event.fields.get(of.field)) {
            touched.extend_from_slice(&of.rules);
        }
    }
    touched.sort_unstable();
    touched.dedup();
}

/// The event itself: clock, memory, rings, points.
fn enter(rules: &RuleSet, lead: &mut Lead, signals: &[u16], arrival: &Arrival<'_>, gone: &mut Vec<u16>) {
    let Arrival { cause: Cause { event, time, position, .. }, id, now } = *arrival;
    lead.clock = Some(now);
    let newest = lead.remember(time, position, id, event.label());
    // What loses its last reference goes; the highest index first, as those above an index move down.
    gone.clear();
    gone.extend(lead.no_longer_recent());
    for signal in signals {
        let signal = &rules.signals[usize::from(*signal)];
        for count in &signal.counts {
            gone.extend(lead.enter_ring(*count, rules.counts[usize::from(*count)].capacity, newest));
        }
        for number in &signal.points {
            let entry = &rules.points[usize::from(*number)];
            let same_group =
                |other: u16| rules.points.get(usize::from(other)).is_some_and(|of| of.group == entry.group);
            gone.extend(lead.contribute(*number, newest, same_group));
            lead.sum(*number, now).add(entry.points, entry.half_life, time, now);
        }
    }
    gone.sort_unstable();
    gone.dedup();
    gone.iter().rev().for_each(|event| lead.release(*event));
}

/// Switches suppressions and flags: the newest mark by event time stands (rules.md 21, 23).
fn set_latches(rules: &RuleSet, lead: &mut Lead, signals: &[u16], arrival: &Arrival<'_>) {
    for number in rules.latches.iter().copied() {
        let hold = &rules.holds[usize::from(number)];
        let Some(on) = Moment::new(rules, lead, arrival.now, signals).switches(hold) else {
            continue;
        };
        let mark = Mark { hold: number, on, time: arrival.cause.time };
        match lead.marks.iter_mut().find(|known| known.hold == number) {
            Some(known) if known.time <= mark.time => *known = mark,
            Some(_) => {}
            None => lead.marks.push(mark),
        }
    }
}

/// A CloudEvent is known by its source and id together.
fn event_id_hash(scope: &str, id: &str) -> u64 {
    let seed = if scope.is_empty() { 0 } else { xxh3_64(scope.as_bytes()) };
    xxh3_64_with_seed(id.as_bytes(), seed)
}
