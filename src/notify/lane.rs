//! One assigned partition of a sink: its records in memory, in a lane per lead, and how far it is done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::job::{Epoch, Kept, Takeover};
use super::verdict::Reason;
use crate::codec::ledger::Tries;
use crate::core::ids::{NextOffset, Offset};
use crate::core::offsets::OffsetTracker;
use crate::core::time::{Span, Timestamp};

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Behind another alert of its lead.
    Queued,
    /// To be sent as soon as the endpoint takes it.
    Ready,
    /// To be tried again at its time.
    Waiting,
    /// Being sent.
    InFlight,
    /// Its end is known and being recorded.
    Ending,
}

/// What holds a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// The partition's offset: it would be read again.
    Offset,
    /// It is on its way to the ledger, and the offset counts as free.
    Parking,
    /// The ledger.
    Ledger,
}

/// A record in memory, and what happened to it so far.
#[derive(Debug)]
pub(super) struct Item<R> {
    pub(super) record: Arc<R>,
    pub(super) lane: Arc<[u8]>,
    pub(super) time: Timestamp,
    pub(super) state: State,
    pub(super) held: Held,
    /// Nobody is to be told of it any more.
    pub(super) suppressed: bool,
    /// Whether it takes one of the places for attempts.
    pub(super) has_place: bool,
    /// All pauses between its attempts so far.
    pub(super) paused: Span,
    /// When it is tried again.
    pub(super) next_at: Timestamp,
    /// Nobody asked for that time.
    pub(super) own_pause: bool,
    pub(super) tries: Tries,
    /// Why it is given up when it is too old.
    pub(super) reason: Reason,
    /// The message that shows it in the end, where that matters.
    pub(super) into: Option<Arc<str>>,
    /// The sink's fallback gets it with the next batch, unless it ends before.
    pub(super) lending: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Lane<R> {
    pub(super) epoch: Epoch,
    pub(super) tracker: OffsetTracker,
    pub(super) items: BTreeMap<Offset, Item<R>>,
    pub(super) paused: bool,
    pub(super) revoking: bool,
    leads: BTreeMap<Arc<[u8]>, VecDeque<Offset>>,
    base: NextOffset,
    settled: BTreeSet<Offset>,
    /// How often alerts came back from the dead letters, of those that did.
    redriven: BTreeMap<Offset, u32>,
    /// Wishes for alerts whose end is on the ledger, which we do not know yet.
    early: BTreeMap<Offset, Kept<R>>,
}

impl<R> Item<R> {
    /// From when on its age counts.
    pub(super) fn since(&self) -> Timestamp {
        self.tries.asked.unwrap_or(self.time)
    }
}

impl<R> Lane<R> {
    /// As the former owner left it. The heads of lanes are not awake yet: see [`Self::heads`].
    pub(super) fn new(takeover: Takeover<R>) -> Self {
        let mut own = Self {
            epoch: takeover.epoch,
            tracker: OffsetTracker::default(),
            items: BTreeMap::new(),
            paused: false,
            revoking: false,
            leads: BTreeMap::new(),
            base: takeover.next,
            settled: takeover.settled.into_iter().collect(),
            redriven: takeover.redriven.into_iter().collect(),
            early: BTreeMap::new(),
        };
        for kept in takeover.parked {
            // Its end may come before its record is read once more.
            if kept.offset >= Offset(own.base.get()) {
                own.settled.insert(kept.offset);
            }
            own.keep(kept);
        }
        own
    }

    /// Puts an alert that the ledger holds behind the others of its lead, queued.
    fn keep(&mut self, Kept { offset, key, time, next_at, tries, record }: Kept<R>) {
        let item = self.enqueue(offset, &key, time, record);
        item.held = Held::Ledger;
        item.tries = tries;
        item.next_at = next_at;
    }

    /// Takes in an alert that comes back from the dead letters. False if it came back as often before, because whoever asks
    /// does not know yet what became of an earlier wish; or if we do not know yet that it was given up.
    pub(super) fn redrive(&mut self, kept: Kept<R>) -> bool {
        let known = self.redriven.get(&kept.offset).copied().unwrap_or(0);
        if self.revoking || kept.tries.redrives <= known {
            return false;
        }
        if self.items.contains_key(&kept.offset) {
            self.early.insert(kept.offset, kept);
            return false;
        }
        self.redriven.insert(kept.offset, kept.tries.redrives);
        self.keep(kept);
        true
    }

    /// The first of each lane.
    pub(super) fn heads(&self) -> impl Iterator<Item = Offset> {
        self.leads.values().filter_map(|queue| queue.front().copied())
    }

    /// Whether a record that was read is new; one that the ledger knows is only passed over.
    pub(super) fn is_new(&mut self, offset: Offset) -> bool {
        if self.revoking || !self.tracker.admit(offset) {
            return false;
        }
        let known = self.settled.remove(&offset) || self.items.contains_key(&offset);
        if known {
            self.tracker.done(offset);
        }
        !known
    }

    /// Puts a record behind the others of its lead, queued.
    pub(super) fn enqueue(&mut self, offset: Offset, key: &[u8], time: Timestamp, record: R) -> &mut Item<R> {
        let lane: Arc<[u8]> = match self.leads.get_key_value(key) {
            Some((lane, _)) => lane.clone(),
            None => key.into(),
        };
        self.leads.entry(lane.clone()).or_default().push_back(offset);
        self.items.entry(offset).or_insert(Item {
            record: Arc::new(record),
            lane,
            time,
            state: State::Queued,
            held: Held::Offset,
            suppressed: false,
            has_place: false,
            paused: Span::ZERO,
            next_at: time,
            own_pause: false,
            tries: Tries::default(),
            reason: Reason::Exhausted,
            into: None,
            lending: false,
        })
    }

    /// The lane that a record is in, in order.
    pub(super) fn lane_of(&self, offset: Offset) -> impl DoubleEndedIterator<Item = Offset> {
        let queue = self.items.get(&offset).and_then(|item| self.leads.get(&item.lane));
        queue.into_iter().flatten().copied()
    }

    /// Those of a record's lane that only the offset holds, and when they are tried. They are parked together: the next owner
    /// would find what is parked before what is not.
    pub(super) fn unparked(&self, offset: Offset) -> impl Iterator<Item = (Offset, Timestamp)> {
        let items = self.lane_of(offset).filter_map(|offset| Some((offset, self.items.get(&offset)?)));
        let unparked = items.filter(|(_, item)| item.held == Held::Offset && item.state != State::Ending);
        unparked.map(|(offset, item)| (offset, item.next_at))
    }

    /// Whether the ledger has to hold the last of a lane, because it holds all that is before it: else the next owner would
    /// find those behind it first.
    pub(super) fn is_behind_parked(&self, last: Offset) -> bool {
        let before = self.lane_of(last).rev().skip(1).filter_map(|offset| self.items.get(&offset));
        let mut lasting = before.filter(|item| item.state != State::Ending).peekable();
        // One that came back from the dead letters is on the ledger whatever is before it.
        let is_behind_any = lasting.peek().is_some();
        is_behind_any && lasting.find(|item| item.tries.redrives == 0).is_none_or(|item| item.held != Held::Offset)
    }

    /// Takes the head of a lane out; gives it and who is the head now.
    pub(super) fn remove(&mut self, offset: Offset) -> Option<(Item<R>, Option<Offset>)> {
        let item = self.items.remove(&offset)?;
        let queue = self.leads.get_mut(&item.lane)?;
        queue.pop_front(); // only the head of a lane is ever under way
        let next = queue.front().copied();
        if next.is_none() {
            self.leads.remove(&item.lane);
        }
        Some((item, next))
    }

    /// A wish for an alert that came before we knew that it was given up.
    pub(super) fn take_early(&mut self, offset: Offset) -> Option<Kept<R>> {
        self.early.remove(&offset)
    }

    /// Where it began.
    pub(super) fn base(&self) -> NextOffset {
        self.base
    }

    /// How far it may be committed.
    pub(super) fn committable(&self) -> NextOffset {
        self.tracker.committable().unwrap_or(self.base).max(self.base)
    }
}
