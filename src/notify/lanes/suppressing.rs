//! Alerts that nobody is to be told of any more, because their lead was erased: they end without an attempt.

use super::{Lanes, State};
use crate::core::ids::Partition;
use crate::core::time::Timestamp;
use crate::notify::job::{Ending, Place};

impl<R> Lanes<R> {
    /// Nobody is to be told of an alert any more: it ends as suppressed when it is the first of its lane and not under way.
    pub fn suppress(&mut self, place: Place) {
        let own = self.partitions.get_mut(&place.0);
        if let Some(item) = own.and_then(|own| own.items.get_mut(&place.1)) {
            (item.suppressed, item.lending) = (true, false);
            self.hurry(place);
        }
    }

    /// The same of all alerts of a partition for which this holds, given the lead's key, the record and its Kafka timestamp.
    pub fn suppress_all(&mut self, partition: Partition, holds: impl Fn(&[u8], &R, Timestamp) -> bool) {
        let items = self.partitions.get(&partition).into_iter().flat_map(|own| &own.items);
        let told = items.filter(|(_, item)| !item.suppressed && holds(&item.lane, &item.record, item.time));
        let places: Vec<Place> = told.map(|(offset, _)| (partition, *offset)).collect();
        places.into_iter().for_each(|place| self.suppress(place));
    }

    /// Whether somebody is still to be told of an alert.
    pub fn is_to_be_told(&self, place: Place) -> bool {
        let item = self.partitions.get(&place.0).and_then(|own| own.items.get(&place.1));
        item.is_some_and(|item| !item.suppressed && item.state != State::Ending)
    }

    /// Has the turn of a suppressed alert come at once, unless it is under way or behind another one.
    pub(super) fn hurry(&mut self, place: Place) {
        let Some(item) = self.item(place).filter(|item| item.suppressed) else {
            return;
        };
        if matches!(item.state, State::Ready | State::Waiting) {
            self.due.remove(&(item.next_at, place));
            self.ready.retain(|ready| *ready != place);
            self.wake(place);
        }
    }

    /// Ends the head of a lane and what follows it as far as nobody is to be told of them; false if the head is to be told.
    pub fn end_suppressed(&mut self, now: Timestamp, head: Place) -> bool {
        let waiting = self.waiting(head).into_iter().map(|waiting| (head.0, waiting.offset));
        let ends: Vec<_> = waiting.take_while(|place| !self.is_to_be_told(*place)).collect();
        let ends: Vec<(Place, Ending)> = ends.into_iter().map(|place| (place, Ending::Suppressed)).collect();
        self.end_together(now, &ends, None);
        !ends.is_empty()
    }
}
