//! Alerts that wait for a sink that cannot be reached go to its fallback too, each once; they stay what they are here.

use std::collections::BTreeSet;
use std::fmt;

use super::{Change, Fate, Item, Lanes, Partition, Place, State, Timestamp};
use crate::config::settings::STANDS_IN_AFTER;

/// What a sink with a fallback has not lent yet.
pub(super) struct Lending<R> {
    /// Which alerts the fallback does not take by itself.
    wants: Box<dyn Fn(&R) -> bool + Send>,
    waiting: BTreeSet<Place>,
    /// The ledger knows that it fails.
    is_said: bool,
}

impl<R> fmt::Debug for Lending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lending").field("waiting", &self.waiting).field("is_said", &self.is_said).finish()
    }
}

impl<R> Lending<R> {
    pub(super) fn ended(&mut self, place: Place) {
        self.waiting.remove(&place);
    }

    pub(super) fn forget(&mut self, partition: Partition) {
        self.waiting.retain(|place| place.0 != partition);
    }
}

impl<R> Lanes<R> {
    /// With a fallback, which gets the alerts that it `wants`: those that it does not take by itself.
    pub fn lending(self, wants: impl Fn(&R) -> bool + Send + 'static) -> Self {
        let lending = Lending { wants: Box::new(wants), waiting: BTreeSet::new(), is_said: false };
        Self { lending: Some(lending), ..self }
    }

    /// An alert that waits here may have to be lent.
    pub(super) fn may_be_lent(&mut self, (partition, offset): Place) {
        let item = self.partitions.get(&partition).and_then(|own| own.items.get(&offset));
        if let Some(lending) = &mut self.lending
            && item.is_some_and(|item| !item.tries.lent)
        {
            lending.waiting.insert((partition, offset));
        }
    }

    /// The endpoint takes nothing, as others that send to it say.
    pub fn fails(&mut self, now: Timestamp) {
        self.failing.get_or_insert(now);
    }

    /// The endpoint takes something again, as others that send to it say.
    pub fn recovers(&mut self, now: Timestamp) {
        if self.shut.is_none() {
            self.taken_again(now);
        }
    }

    /// Nobody knows whether it still fails.
    pub(super) fn forget_failure(&mut self) {
        self.failing = None;
        self.stands.iter_mut().for_each(|stands| stands.failing = None);
        self.lending.iter_mut().for_each(|lending| lending.is_said = false);
    }

    /// When what waits is to be lent, if nothing is taken until then.
    pub fn lends_at(&self) -> Option<Timestamp> {
        let waits = self.lending.as_ref().is_some_and(|lending| !lending.waiting.is_empty());
        let at = self.failing.filter(|_| waits)? + STANDS_IN_AFTER;
        // From then on what happens says when.
        Some(at).filter(|_| !self.lends())
    }

    pub(super) fn lends(&self) -> bool {
        self.lending.as_ref().is_some_and(|lending| lending.is_said)
    }

    /// Has what waits lent with the next batches, if the sink cannot be reached. When that begins it says since when.
    pub fn lend(&mut self, now: Timestamp) -> Option<Timestamp> {
        let lending = self.lending.as_mut()?;
        let failing = self.failing.filter(|since| now - *since >= STANDS_IN_AFTER);
        let Some(since) = failing else {
            lending.is_said = false;
            return None;
        };
        let mut under_way = BTreeSet::new();
        while let Some(place) = lending.waiting.pop_first() {
            let Some(own) = self.partitions.get_mut(&place.0) else {
                continue;
            };
            // A lead's alerts are lent in order; what is under way may be taken.
            let head = own.lane_of(place.1).next().and_then(|head| own.items.get(&head));
            if own.revoking || head.is_some_and(|head| head.state == State::InFlight) {
                under_way.insert(place);
                continue;
            }
            let is_told = |item: &&mut Item<R>| item.state != State::Ending && !item.suppressed;
            let waits = own.items.get_mut(&place.1).filter(is_told);
            if let Some(item) = waits.filter(|item| !(self.idle)(&item.record) && (lending.wants)(&item.record)) {
                item.lending = true;
                self.pending.insert(place, Fate::Parked { next_at: item.next_at });
                for (offset, next_at) in own.unparked(place.1) {
                    self.pending.insert((place.0, offset), Fate::Parked { next_at });
                }
            }
        }
        lending.waiting = under_way;
        if std::mem::replace(&mut lending.is_said, true) {
            return None;
        }
        self.said_shut = true;
        let before = self.stands.take().filter(|_| self.shut.is_some());
        let failing = Some(since);
        self.stands = Some(Change { failing, ..before.unwrap_or(Change { since: now, ..Change::OPEN }) });
        self.change = self.stands.clone();
        Some(since)
    }
}
