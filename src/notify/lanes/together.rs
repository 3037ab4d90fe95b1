//! Alerts of one lead that are sent as one message, and of many leads that are: for sinks that show what is, not each
//! alert.

use std::sync::Arc;

use super::{Lanes, PROBE_EVERY, give_place};
use crate::core::ids::Offset;
use crate::core::time::Timestamp;
use crate::notify::job::{Ending, Fate, Place, Ticket};
use crate::notify::lane::{Item, State};
use crate::notify::verdict::Shut;

/// An alert that waits, behind the head of its lane or as the head.
#[derive(Clone, Debug)]
pub struct Waiting<R> {
    /// Of its record.
    pub offset: Offset,
    /// The Kafka timestamp of its record.
    pub time: Timestamp,
    /// The record.
    pub record: Arc<R>,
    /// It came from the dead letters, or in place of another sink: later than its place says.
    pub comes_back: bool,
}

impl<R> Lanes<R> {
    /// The heads of lanes whose turn has come since the last call.
    pub fn take_ready(&mut self, now: Timestamp) -> Vec<Place> {
        self.awake(now);
        self.ready.drain(..).collect()
    }

    /// When the next head of a lane is ready by itself, or to ask whether the endpoint is well again.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at).into_iter().chain(self.asks_at).min()
    }

    pub(super) fn item(&self, head: Place) -> Option<&Item<R>> {
        self.partitions.get(&head.0).filter(|own| !own.revoking)?.items.get(&head.1)
    }

    fn ready_item(&self, head: Place) -> Option<&Item<R>> {
        self.item(head).filter(|item| item.state == State::Ready)
    }

    /// The key of the lead whose lane has this head; `None` if it is not ready, or not ours to send.
    pub fn lead(&self, head: Place) -> Option<Arc<[u8]>> {
        self.ready_item(head).map(|item| item.lane.clone())
    }

    /// All that waits in the lane with this head, in order. Empty if it is not ready, or not ours to send.
    pub fn waiting(&self, head: Place) -> Vec<Waiting<R>> {
        let Some(own) = self.ready_item(head).and_then(|_| self.partitions.get(&head.0)) else {
            return Vec::new();
        };
        let waiting = |offset: Offset| {
            let item = own.items.get(&offset)?;
            let comes_back = item.tries.redrives > 0;
            Some(Waiting { offset, time: item.time, record: item.record.clone(), comes_back })
        };
        own.lane_of(head.1).filter_map(waiting).collect()
    }

    /// Whether the other side refused the head's message before: then as little as possible is sent.
    pub fn is_minimal(&self, head: Place) -> bool {
        self.item(head).is_some_and(|item| item.tries.refusals > 0)
    }

    /// An alert's record, its Kafka timestamp, and how many attempts were made at it.
    pub fn tried(&self, place: Place) -> Option<(&R, Timestamp, u32)> {
        self.item(place).map(|item| (&*item.record, item.time, item.tries.attempts))
    }

    /// Gives the head up if it is too old, as long as the sink is not shut.
    pub fn give_up_old(&mut self, now: Timestamp, head: Place) -> bool {
        let old = self.ready_item(head).filter(|item| now - item.since() >= self.policy.max_age);
        let Some(reason) = old.map(|item| item.reason).filter(|_| self.shut.is_none()) else {
            return false;
        };
        self.end_together(now, &[(head, Ending::GivenUp(reason))], None);
        true
    }

    /// Whether one more may be under way.
    pub fn has_room(&self) -> bool {
        self.taken < self.policy.in_flight
    }

    /// What is sent for these heads is under way: one place is taken, and one attempt of each if it `counts`.
    pub fn start_together(&mut self, heads: &[Place], counts: bool) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        for &(partition, offset) in heads {
            let own = self.partitions.get_mut(&partition);
            let Some((epoch, item)) = own.and_then(|own| Some((own.epoch, own.items.get_mut(&offset)?))) else {
                continue;
            };
            item.state = State::InFlight;
            item.has_place = tickets.is_empty();
            item.tries.attempts += u32::from(counts);
            self.taken += usize::from(item.has_place);
            tickets.push(Ticket { partition, offset, epoch });
        }
        tickets
    }

    /// Whether a ticket is still of a partition that is ours.
    pub fn is_ours(&self, ticket: &Ticket) -> bool {
        self.partitions.get(&ticket.partition).is_some_and(|own| own.epoch == ticket.epoch)
    }

    /// What was under way for these is over without an end: `ready` for the next step, or held until somebody says so.
    pub fn release(&mut self, tickets: &[Ticket], ready: bool) {
        for ticket in tickets {
            let own = self.partitions.get_mut(&ticket.partition).filter(|own| own.epoch == ticket.epoch);
            let Some(item) = own.and_then(|own| own.items.get_mut(&ticket.offset)) else {
                continue;
            };
            give_place(&mut self.taken, item);
            item.state = if ready { State::Ready } else { State::Waiting };
            if ready {
                self.ready.push_back((ticket.partition, ticket.offset));
            }
        }
    }

    /// Alerts have their ends, from the heads of their lanes on and without a gap; `into` names the message. Of those that nobody
    /// is to be told of any more none is given up: they are suppressed.
    pub fn end_together(&mut self, now: Timestamp, ends: &[(Place, Ending)], into: Option<&str>) {
        let into: Option<Arc<str>> = into.map(Into::into);
        for &(place, ending) in ends {
            let own = self.partitions.get_mut(&place.0);
            let Some(item) = own.and_then(|own| own.items.get_mut(&place.1)) else {
                continue;
            };
            let ending = if item.suppressed && ending.reason().is_some() { Ending::Suppressed } else { ending };
            item.state = State::Ending;
            item.into = into.clone().filter(|_| ending.reason().is_none());
            self.pending.insert(place, Fate::Ended(ending));
        }
        if ends.iter().any(|(_, ending)| matches!(ending, Ending::Delivered | Ending::Coalesced)) {
            self.taken_again(now);
        }
    }

    /// A head that waits for somebody else to say when it goes on.
    pub fn unready(&mut self, head: Place) {
        self.ready.retain(|place| *place != head);
        let own = self.partitions.get_mut(&head.0);
        if let Some(item) = own.and_then(|own| own.items.get_mut(&head.1)) {
            item.state = State::Waiting;
        }
    }

    /// What happened to the head happened to these too: they were in the same message.
    pub fn share_tries(&mut self, head: Place, others: &[Place]) {
        let Some(tries) = self.item(head).map(|item| item.tries.clone()) else {
            return;
        };
        for place in others {
            let own = self.partitions.get_mut(&place.0);
            if let Some(item) = own.and_then(|own| own.items.get_mut(&place.1)) {
                item.tries = tries.clone();
            }
        }
    }

    /// When a sink that is shut may ask whether it still is; `None` if it is not shut.
    pub fn probe_at(&self) -> Option<Timestamp> {
        self.shut.map(|(_, probe_at)| probe_at)
    }

    /// It asked: true if it may go on. That it failed is over only when something is taken.
    pub fn probed(&mut self, now: Timestamp, is_good: bool) {
        if is_good {
            self.open(now);
        } else if let Some((Shut::Credential, probe_at)) = &mut self.shut {
            *probe_at = now + PROBE_EVERY;
        }
    }
}
