//! The deliveries of one sink: a first-in-first-out lane per lead, retries, bounds, what the ledger has to hold, and how far
//! each partition may be committed. A state machine without clock, chance or I/O: hours of an outage run in milliseconds.

mod lending;
mod ownership;
mod recording;
mod reopening;
mod suppressing;
mod together;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use self::lending::Lending;
use self::recording::Writing;
use super::books::Books;
use super::gate::Gate;
use super::job::{Attempt, Change, Ending, Fate, Finished, Kept, Place, Policy, Takeover, Ticket};
use super::lane::{Held, Item, Lane, State};
use super::verdict::{Judged, Reason, Shut, Verdict};
use crate::codec::ledger::Standing;
use crate::core::ids::Partition;
use crate::core::time::{Span, Timestamp};

/// Between two attempts of a sink whose credential is refused.
const PROBE_EVERY: Span = Span::from_secs(60);

/// Pauses between attempts of one alert that it waits out in memory, all together; longer ones in the ledger, so that one
/// bad lead does not hold the offset of its partition.
const HOLD: Span = Span::from_secs(60);

/// See the module's documentation.
#[derive(Debug)]
pub struct Lanes<R> {
    policy: Policy,
    /// Which records tell the other side nothing: they end without an attempt when their turn comes.
    idle: fn(&R) -> bool,
    partitions: BTreeMap<Partition, Lane<R>>,
    ready: VecDeque<Place>,
    due: BTreeSet<(Timestamp, Place)>,
    /// Places for attempts that are taken.
    taken: usize,
    shut: Option<(Shut, Timestamp)>,
    /// When its secrets were exchanged last.
    renewed: Option<Timestamp>,
    /// The ledger says that the sink is shut or failing.
    said_shut: bool,
    gate_opens: Option<Timestamp>,
    /// The endpoint's breaker is not closed.
    is_cut_off: bool,
    /// When the first of what waits may ask whether it is well again.
    asks_at: Option<Timestamp>,
    /// To be written.
    pending: BTreeMap<Place, Fate>,
    change: Option<Change>,
    /// How the sink stands, as it was written last.
    stands: Option<Change>,
    /// To be noted beside them.
    notes: BTreeMap<(Partition, Vec<u8>), Option<Vec<u8>>>,
    noted: Vec<(Partition, Vec<u8>)>,
    writing: Option<Writing>,
    /// Since when it is tried and takes nothing.
    failing: Option<Timestamp>,
    lending: Option<Lending<R>>,
    books: Books,
}

impl<R> Lanes<R> {
    /// Without any partition.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            idle: |_| false,
            partitions: BTreeMap::new(),
            ready: VecDeque::new(),
            due: BTreeSet::new(),
            taken: 0,
            shut: None,
            renewed: None,
            said_shut: false,
            gate_opens: None,
            is_cut_off: false,
            asks_at: None,
            pending: BTreeMap::new(),
            change: None,
            stands: None,
            notes: BTreeMap::new(),
            noted: Vec::new(),
            writing: None,
            failing: None,
            lending: None,
            books: Books::default(),
        }
    }

    /// Passes over the records that tell the other side nothing: they end as suppressed.
    pub fn passing_over(self, idle: fn(&R) -> bool) -> Self {
        Self { idle, ..self }
    }

    /// What was taken in and what became of it.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Takes a record in, behind the other alerts of its lead. `time` is the record's Kafka timestamp.
    pub fn admit(&mut self, place: Place, key: &[u8], time: Timestamp, record: R) {
        let Some(own) = self.partitions.get_mut(&place.0) else {
            return;
        };
        if !own.is_new(place.1) {
            return;
        }
        self.books.consumed();
        own.enqueue(place.1, key, time, record);
        if own.lane_of(place.1).next() == Some(place.1) {
            self.wake(place);
        } else if own.is_behind_parked(place.1) {
            self.pending.insert(place, Fate::Parked { next_at: time });
        }
        self.may_be_lent(place);
    }

    fn wake(&mut self, place: Place) {
        let own = self.partitions.get_mut(&place.0);
        if let Some(item) = own.and_then(|own| own.items.get_mut(&place.1)) {
            item.state = State::Ready;
            // What ends without an attempt need not wait for those that wait for one.
            if item.suppressed { self.ready.push_front(place) } else { self.ready.push_back(place) }
        }
    }

    /// Takes in an alert that comes back from the dead letters, behind the other alerts of its lead: the ledger holds it
    /// from the beginning, so it counts as one more that was consumed and is parked. False if nothing is to be done.
    pub fn redrive(&mut self, partition: Partition, kept: Kept<R>) -> bool {
        let place = (partition, kept.offset);
        let Some(own) = self.partitions.get_mut(&partition) else {
            return false;
        };
        if !own.redrive(kept) {
            return false;
        }
        self.books.restored(1);
        if own.lane_of(place.1).next() == Some(place.1) {
            self.wake(place);
        }
        self.may_be_lent(place);
        true
    }

    /// Those whose time has come are ready.
    fn awake(&mut self, now: Timestamp) {
        while self.due.first().is_some_and(|(at, _)| *at <= now) {
            let due = self.due.pop_first();
            due.into_iter().for_each(|(_, place)| self.wake(place));
        }
    }

    /// Passes over a record that this sink does not take: only its offset moves on.
    pub fn skip(&mut self, place: Place) {
        if let Some(own) = self.partitions.get_mut(&place.0)
            && own.is_new(place.1)
        {
            own.tracker.done(place.1);
        }
    }

    /// The next message to send, if any; ask again until there is none.
    pub fn next(&mut self, now: Timestamp, gate: &mut Gate) -> Option<Attempt<R>> {
        self.awake(now);
        self.follow(now, gate.breaker());
        self.gate_opens = None;
        loop {
            let &place = self.ready.front()?;
            let own = self.partitions.get_mut(&place.0).filter(|own| !own.revoking);
            let Some((epoch, item)) = own.and_then(|own| Some((own.epoch, own.items.get_mut(&place.1)?))) else {
                self.ready.pop_front();
                continue;
            };
            if item.suppressed || (self.idle)(&item.record) {
                item.state = State::Ending;
                self.ready.pop_front();
                self.pending.insert(place, Fate::Ended(Ending::Suppressed));
                continue;
            }
            if self.shut.is_some_and(|(_, probe_at)| now < probe_at || self.taken > 0) {
                return None;
            }
            // A shut sink gives nothing up: its probe is the head of the line, however old.
            if self.shut.is_none() && now - item.since() >= self.policy.max_age {
                item.state = State::Ending;
                self.ready.pop_front();
                self.pending.insert(place, Fate::Ended(Ending::GivenUp(item.reason)));
                continue;
            }
            if self.taken >= self.policy.in_flight {
                return None;
            }
            let pass = gate.pass(now).map_err(|opens| self.gate_opens = Some(opens)).ok()?;
            self.ready.pop_front();
            self.taken += 1;
            item.state = State::InFlight;
            item.has_place = true;
            item.next_at = now; // with the secret of now
            item.tries.attempts += 1;
            let ticket = Ticket { partition: place.0, offset: place.1, epoch };
            let (number, minimal) = (item.tries.attempts, item.tries.refusals > 0);
            return Some(Attempt { ticket, pass, record: item.record.clone(), number, minimal });
        }
    }

    /// When [`Self::next`] may have something to do that it does not have now, unless something else happens first.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let waiting = !self.ready.is_empty();
        let probe = self.shut.map(|(_, probe_at)| probe_at);
        let due = self.due.first().map(|(at, _)| *at);
        let gate = self.gate_opens.filter(|_| waiting);
        // Where the gate was asked, the probe's time had come.
        let probe = probe.filter(|_| waiting && self.taken == 0 && gate.is_none());
        [due, gate, probe, self.asks_at].into_iter().flatten().min()
    }

    /// Notes how an attempt ended. `chance` is evenly spread over 0 to 1.
    pub fn finish(&mut self, now: Timestamp, ticket: Ticket, judged: Judged, chance: f64) -> Finished {
        let place = (ticket.partition, ticket.offset);
        let own = self.partitions.get_mut(&ticket.partition).filter(|own| own.epoch == ticket.epoch);
        let Some(item) = own.and_then(|own| own.items.get_mut(&ticket.offset)) else {
            return Finished::Stale;
        };
        if judged.verdict == Verdict::Delivered {
            item.state = State::Ending;
            self.taken_again(now);
            return self.end(place, Ending::Delivered);
        }
        item.own_pause = matches!(judged.verdict, Verdict::Later { retry_after: None, reason: Reason::Exhausted });
        let refused = matches!(judged.verdict, Verdict::Refused { .. });
        item.tries.refusals += u32::from(refused);
        item.tries.first_failed.get_or_insert(now);
        item.tries.last_status = judged.status.or(item.tries.last_status);
        item.tries.detail = judged.detail;
        if matches!(judged.verdict, Verdict::Shut(_) | Verdict::Later { .. }) {
            self.failing.get_or_insert(now);
        }
        let pause = match judged.verdict {
            Verdict::Shut(shut) => return self.shut_down(now, place, shut),
            Verdict::Later { retry_after, reason } => {
                let pause = self.policy.schedule.delay(item.tries.attempts, chance, retry_after);
                // However long the other side wants: it is given up when it is too old, not before.
                let left = item.since() + self.policy.max_age - now;
                item.reason = reason;
                if left <= Span::ZERO { Err(reason) } else { Ok(pause.min(left)) }
            }
            Verdict::Refused { tries } if item.tries.refusals >= tries => Err(Reason::Message),
            Verdict::Refused { .. } => Ok(self.policy.schedule.delay(item.tries.refusals, chance, None)),
            Verdict::Never(reason) => Err(reason),
            Verdict::Delivered => Ok(Span::ZERO),
        };
        match pause {
            // Nothing of an erased lead goes to the dead letters any more.
            Err(reason) => {
                item.state = State::Ending;
                let ending = if item.suppressed { Ending::Suppressed } else { Ending::GivenUp(reason) };
                self.end(place, ending)
            }
            Ok(pause) => {
                self.wait(now, place, pause);
                self.hurry(place);
                Finished::Retry(now + pause)
            }
        }
    }

    fn end(&mut self, place: Place, ending: Ending) -> Finished {
        self.pending.insert(place, Fate::Ended(ending));
        Finished::Ended(ending)
    }

    fn wait(&mut self, now: Timestamp, place: Place, pause: Span) {
        let Some(own) = self.partitions.get_mut(&place.0) else {
            return;
        };
        let Some(item) = own.items.get_mut(&place.1) else {
            return;
        };
        give_place(&mut self.taken, item);
        item.state = State::Waiting;
        item.next_at = now + pause;
        item.paused = Span::from_millis(item.paused.as_millis().saturating_add(pause.as_millis()));
        self.due.insert((item.next_at, place));
        if item.held != Held::Offset || item.paused > HOLD {
            self.pending.insert(place, Fate::Parked { next_at: item.next_at });
            // The whole lane: what is behind it would hold the offset in its place.
            for (offset, next_at) in own.unparked(place.1) {
                self.pending.insert((place.0, offset), Fate::Parked { next_at });
            }
        }
        if let Some((_, probe_at)) = &mut self.shut {
            *probe_at = (*probe_at).max(now + PROBE_EVERY); // a probe that told nothing
        }
    }

    fn shut_down(&mut self, now: Timestamp, place: Place, shut: Shut) -> Finished {
        let own = self.partitions.get_mut(&place.0);
        let Some(item) = own.and_then(|own| own.items.get_mut(&place.1)) else {
            return Finished::Stale;
        };
        give_place(&mut self.taken, item);
        item.state = State::Ready;
        self.ready.push_front(place);
        let (detail, sent_at) = (item.tries.detail.clone(), item.next_at);
        let finished = self.refused(now, shut, detail);
        if shut == Shut::Credential && self.renewed.is_some_and(|renewed| sent_at < renewed) {
            self.shut = Some((shut, now)); // of the secret before: that of now was not tried yet
        }
        finished
    }

    /// The endpoint refuses whatever comes, as a request says that was about no alert: the sink is shut.
    pub fn refused(&mut self, now: Timestamp, shut: Shut, detail: String) -> Finished {
        let failing = Some(*self.failing.get_or_insert(now));
        let (probe_at, standing) = match shut {
            Shut::Credential => (now + PROBE_EVERY, Standing::Blocked),
            Shut::Gone => (Timestamp::from_millis(i64::MAX), Standing::Disabled),
        };
        let was = self.shut.replace((shut, probe_at));
        if was.is_none_or(|(was, _)| was != shut) {
            self.stands = Some(Change { standing, since: now, detail, failing });
            self.change = self.stands.clone();
        }
        Finished::Shut(was.is_none())
    }

    /// Its credential is another one now: a sink that is shut because of it tries at once.
    pub fn renewed(&mut self, now: Timestamp) {
        self.renewed = Some(now);
        if let Some((Shut::Credential, probe_at)) = &mut self.shut {
            *probe_at = now;
        }
    }

    /// An operator wants a shut sink opened. False if it is not shut.
    pub fn unblock(&mut self, now: Timestamp) -> bool {
        let was_shut = self.shut.is_some();
        self.open(now);
        was_shut
    }

    /// Something was taken: only that ends a failure.
    fn taken_again(&mut self, now: Timestamp) {
        self.failing = None;
        self.open(now);
    }

    fn open(&mut self, now: Timestamp) {
        if self.shut.take().is_some() | std::mem::take(&mut self.said_shut) {
            self.said_shut = self.failing.is_some();
            self.stands = Some(Change { since: now, failing: self.failing, ..Change::OPEN });
            self.change = self.stands.clone();
        }
    }

    /// How the sink stands, whether that is recorded or not.
    pub fn stands(&self) -> Change {
        let worth_knowing = self.shut.is_some() || self.lends();
        self.stands.clone().filter(|_| worth_knowing).unwrap_or(Change::OPEN)
    }

    /// Whether nothing is sent until the credential or the endpoint is mended.
    pub fn is_shut(&self) -> bool {
        self.shut.is_some()
    }
}

fn give_place<R>(taken: &mut usize, item: &mut Item<R>) {
    *taken -= usize::from(std::mem::take(&mut item.has_place));
}

#[cfg(test)]
#[path = "lanes_erasures.rs"]
mod erasures;
#[cfg(test)]
#[path = "lanes_lending.rs"]
mod lent;
#[cfg(test)]
#[path = "lanes_redrives.rs"]
mod redrives;
#[cfg(test)]
#[path = "lanes_scenarios.rs"]
mod scenarios;
#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "lanes_waits.rs"]
mod waits;
