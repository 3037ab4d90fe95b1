//! The deliveries of one sink: a first-in-first-out lane per lead, retries, bounds, and how far each partition may be
//! committed. A state machine without clock, chance or I/O: hours of an outage run in milliseconds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::gate::Gate;
use super::job::{Bounds, Finished, Item, Job, State, Ticket};
use super::verdict::{Judged, Reason, Shut, Verdict};
use crate::core::backoff::Schedule;
use crate::core::ids::{NextOffset, Offset, Partition};
use crate::core::offsets::OffsetTracker;
use crate::core::time::{Span, Timestamp};

/// Between two attempts of a sink whose credential is refused.
const PROBE_EVERY: Span = Span::from_secs(60);

#[derive(Debug)]
struct Assigned<R> {
    epoch: u64,
    tracker: OffsetTracker,
    items: BTreeMap<Offset, Item<R>>,
    lanes: BTreeMap<Arc<[u8]>, VecDeque<Offset>>,
    paused: bool,
    revoking: bool,
}

type Place = (Partition, Offset);

/// See the module's documentation.
#[derive(Debug)]
pub struct Lanes<R> {
    bounds: Bounds,
    max_age: Span,
    schedule: Schedule,
    epoch: u64,
    partitions: BTreeMap<Partition, Assigned<R>>,
    ready: VecDeque<Place>,
    due: BTreeSet<(Timestamp, Place)>,
    in_flight: usize,
    shut: Option<(Shut, Timestamp)>,
    gate_opens: Option<Timestamp>,
}

impl<R> Lanes<R> {
    /// Without any partition.
    pub fn new(bounds: Bounds, max_age: Span) -> Self {
        Self {
            bounds,
            max_age,
            schedule: Schedule::default(),
            epoch: 0,
            partitions: BTreeMap::new(),
            ready: VecDeque::new(),
            due: BTreeSet::new(),
            in_flight: 0,
            shut: None,
            gate_opens: None,
        }
    }

    /// With other pauses between the attempts of an alert.
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// Attempts under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Records in memory, of all partitions.
    #[cfg(test)]
    pub fn tracked(&self) -> usize {
        self.partitions.values().map(|own| own.tracker.len()).sum()
    }

    /// The partition is ours from now on.
    pub fn assign(&mut self, partition: Partition) {
        self.epoch += 1;
        let assigned = Assigned {
            epoch: self.epoch,
            tracker: OffsetTracker::default(),
            items: BTreeMap::new(),
            lanes: BTreeMap::new(),
            paused: false,
            revoking: false,
        };
        self.forget(partition);
        self.partitions.insert(partition, assigned);
    }

    /// Nothing of these partitions is started any more.
    pub fn revoke(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(own) = self.partitions.get_mut(partition) {
                own.revoking = true;
            }
        }
    }

    /// Whether nothing of these partitions is under way.
    pub fn is_drained(&self, partitions: &[Partition]) -> bool {
        let busy = |item: &Item<R>| matches!(item.state, State::InFlight | State::Burying);
        let mut assigned = partitions.iter().filter_map(|p| self.partitions.get(p));
        !assigned.any(|own| own.items.values().any(busy))
    }

    /// Forgets these partitions, and says how far they may be committed.
    pub fn release(&mut self, partitions: &[Partition]) -> Vec<(Partition, NextOffset)> {
        let released = partitions.iter().filter_map(|&partition| {
            let next = self.partitions.get(&partition)?.tracker.committable();
            Some((partition, next?))
        });
        let released = released.collect();
        for &partition in partitions {
            self.forget(partition);
        }
        released
    }

    fn forget(&mut self, partition: Partition) {
        if let Some(own) = self.partitions.remove(&partition) {
            let under_way = own.items.values().filter(|i| i.state == State::InFlight);
            self.in_flight -= under_way.count();
        }
        self.ready.retain(|place| place.0 != partition);
        self.due.retain(|(_, place)| place.0 != partition);
    }

    /// Takes a record in, behind the other alerts of its lead. `time` is the record's Kafka timestamp.
    pub fn admit(&mut self, place: (Partition, Offset), key: &[u8], time: Timestamp, record: R) {
        let (partition, offset) = place;
        let Some(own) = self.partitions.get_mut(&partition) else {
            return;
        };
        if own.revoking || !own.tracker.admit(offset) {
            return;
        }
        let lane: Arc<[u8]> = match own.lanes.get_key_value(key) {
            Some((lane, _)) => lane.clone(),
            None => key.into(),
        };
        let queue = own.lanes.entry(lane.clone()).or_default();
        let state = if queue.is_empty() { State::Ready } else { State::Queued };
        queue.push_back(offset);
        let item = Item::new(record, lane, time, state);
        own.items.insert(offset, item);
        if state == State::Ready {
            self.ready.push_back(place);
        }
    }

    /// Passes over a record that this sink does not take: only its offset moves on.
    pub fn skip(&mut self, place: (Partition, Offset)) {
        if let Some(own) = self.partitions.get_mut(&place.0)
            && !own.revoking
            && own.tracker.admit(place.1)
        {
            own.tracker.done(place.1);
        }
    }

    /// The next thing to do, if any; ask again until there is none.
    pub fn next(&mut self, now: Timestamp, gate: &mut Gate) -> Option<Job<R>> {
        self.wake_due(now);
        self.gate_opens = None;
        loop {
            let &place = self.ready.front()?;
            let Some(own) = self.partitions.get_mut(&place.0).filter(|own| !own.revoking) else {
                self.ready.pop_front();
                continue;
            };
            let epoch = own.epoch;
            let Some(item) = own.items.get_mut(&place.1) else {
                self.ready.pop_front();
                continue;
            };
            let ticket = Ticket { partition: place.0, offset: place.1, epoch };
            if let Some((_, probe_at)) = self.shut
                && (now < probe_at || self.in_flight > 0)
            {
                return None;
            }
            // A shut sink gives nothing up: its probe is the head of the line, however old.
            if self.shut.is_none() && now - item.time >= self.max_age {
                self.ready.pop_front();
                return Some(Job::GiveUp(item.give_up(ticket, Reason::Exhausted)));
            }
            if self.in_flight >= self.bounds.in_flight {
                return None;
            }
            if let Err(opens) = gate.pass(now) {
                self.gate_opens = Some(opens);
                return None;
            }
            self.ready.pop_front();
            self.in_flight += 1;
            item.state = State::InFlight;
            item.attempts += 1;
            let record = item.record.clone();
            let (number, minimal) = (item.attempts, item.refusals > 0);
            return Some(Job::Attempt { ticket, record, number, minimal });
        }
    }

    fn wake_due(&mut self, now: Timestamp) {
        while let Some(&(at, place)) = self.due.first() {
            if at > now {
                break;
            }
            self.due.pop_first();
            let own = self.partitions.get_mut(&place.0);
            if let Some(item) = own.and_then(|own| own.items.get_mut(&place.1)) {
                item.state = State::Ready;
                self.ready.push_back(place);
            }
        }
    }

    /// When [`Self::next`] may have something to do that it does not have now, unless something else happens first.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let waiting = !self.ready.is_empty();
        let probe = self.shut.map(|(_, probe_at)| probe_at);
        let due = self.due.first().map(|(at, _)| *at);
        let gate = self.gate_opens.filter(|_| waiting);
        let probe = probe.filter(|_| waiting && self.in_flight == 0);
        [due, gate, probe].into_iter().flatten().min()
    }

    /// Notes how an attempt ended. `chance` is evenly spread over 0 to 1.
    pub fn finish(&mut self, now: Timestamp, ticket: Ticket, judged: Judged, chance: f64) -> Finished<R> {
        let place = (ticket.partition, ticket.offset);
        let own = self.partitions.get_mut(&place.0);
        let own = own.filter(|own| own.epoch == ticket.epoch);
        let Some(item) = own.and_then(|own| own.items.get_mut(&place.1)) else {
            return Finished::Stale;
        };
        self.in_flight -= 1;
        if judged.verdict == Verdict::Delivered {
            self.shut = None;
            self.close(place);
            return Finished::Delivered;
        }
        item.first_failed.get_or_insert(now);
        item.last_status = judged.status.or(item.last_status);
        item.detail = judged.detail;
        let pause = match judged.verdict {
            Verdict::Delivered => Span::ZERO,
            Verdict::Never(reason) => return Finished::GiveUp(item.give_up(ticket, reason)),
            Verdict::Shut(shut) => return self.shut_down(now, place, shut),
            Verdict::Refused { tries } => {
                item.refusals += 1;
                if item.refusals >= tries {
                    return Finished::GiveUp(item.give_up(ticket, Reason::Message));
                }
                self.schedule.delay(item.refusals, chance, None)
            }
            Verdict::Later { retry_after, reason } => {
                let pause = self.schedule.delay(item.attempts, chance, retry_after);
                if now + pause - item.time >= self.max_age {
                    return Finished::GiveUp(item.give_up(ticket, reason));
                }
                pause
            }
        };
        item.state = State::Waiting;
        self.due.insert((now + pause, place));
        if let Some((_, probe_at)) = &mut self.shut {
            *probe_at = (*probe_at).max(now + PROBE_EVERY); // a probe that told nothing
        }
        Finished::Retry(now + pause)
    }

    /// Its credential is another one now: a sink that is shut because of it tries at once.
    pub fn renewed(&mut self, now: Timestamp) {
        if let Some((Shut::Credential, probe_at)) = &mut self.shut {
            *probe_at = now;
        }
    }

    fn shut_down(&mut self, now: Timestamp, place: Place, shut: Shut) -> Finished<R> {
        let probe_at = match shut {
            Shut::Credential => now + PROBE_EVERY,
            Shut::Gone => Timestamp::from_millis(i64::MAX),
        };
        let was_open = self.shut.replace((shut, probe_at)).is_none();
        let own = self.partitions.get_mut(&place.0);
        if let Some(item) = own.and_then(|own| own.items.get_mut(&place.1)) {
            item.state = State::Ready;
            self.ready.push_front(place);
        }
        Finished::Shut(was_open)
    }

    /// Notes that a delivery that was given up is safely in the dead-letter topic.
    pub fn buried(&mut self, ticket: Ticket) {
        let own = self.partitions.get(&ticket.partition);
        if own.is_some_and(|own| own.epoch == ticket.epoch) {
            self.close((ticket.partition, ticket.offset));
        }
    }

    fn close(&mut self, place: Place) {
        let Some(own) = self.partitions.get_mut(&place.0) else {
            return;
        };
        let Some(item) = own.items.remove(&place.1) else {
            return;
        };
        own.tracker.done(place.1);
        let Some(queue) = own.lanes.get_mut(&item.lane) else {
            return;
        };
        queue.pop_front(); // only the head of a lane is ever under way
        match queue.front() {
            None => {
                own.lanes.remove(&item.lane);
            }
            Some(&head) => {
                if let Some(item) = own.items.get_mut(&head) {
                    item.state = State::Ready;
                    self.ready.push_back((place.0, head));
                }
            }
        }
    }

    /// Offsets that rose since the last call.
    pub fn take_commits(&mut self) -> Vec<(Partition, NextOffset)> {
        let rose = self.partitions.iter_mut().filter(|(_, own)| !own.revoking);
        rose.filter_map(|(&partition, own)| Some((partition, own.tracker.take_committable()?))).collect()
    }

    /// Partitions to pause (true) or to resume (false) since the last call.
    pub fn take_pauses(&mut self) -> Vec<(Partition, bool)> {
        let mut changes = Vec::new();
        for (&partition, own) in &mut self.partitions {
            let tracked = own.tracker.len();
            let full = tracked >= self.bounds.tracked || own.paused && tracked > self.bounds.tracked / 2;
            if full != own.paused {
                own.paused = full;
                changes.push((partition, full));
            }
        }
        changes
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
