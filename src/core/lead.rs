//! One lead's state in hand: what the engine works on between taking it from the table and putting it back.
//!
//! The buffers are reused from event to event. At rest a lead is a string of bytes ([`super::snapshot`]).

use super::event::{Fields, Shape, Slot, Value};
use super::limits::{EPISODES_IN_HAND, LISTED_CONTRIBUTIONS, LOOSE_TEXT, MAX_LABEL, MAX_TRAIT, RECENT_IDS};
use super::rule::RuleSet;
use super::score::Sum;
use super::spec::Tenths;
use super::time::Timestamp;

/// The bits of an event's id hash that a lead goes by: in a lead of 20 remembered events one of 14 million million new
/// ones would be taken for a duplicate, and the changelog has an eighth less to keep.
pub(super) const ID_BITS: u64 = (1 << 48) - 1;

/// An applied event that something still refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remembered {
    pub time: Timestamp,
    pub position: i64,
    /// Hash of its id; only [`ID_BITS`] of it outlast a restart.
    pub id: u64,
    /// Index in [`Lead::labels`].
    pub label: u16,
}

/// The newest events of one count, oldest first: a run of [`Lead::refs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ring {
    pub count: u16,
    pub len: u16,
    /// Where it begins in [`Lead::refs`].
    pub start: u32,
}

impl Ring {
    pub fn range(self) -> std::ops::Range<usize> {
        let start = self.start as usize;
        start..start + usize::from(self.len)
    }
}

/// An event that earned points: one of the newest of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contribution {
    /// Index of the points entry.
    pub points: u16,
    /// Index of the event.
    pub event: u16,
}

/// Whether a suppression or flag was switched on or off, and by an event of which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub hold: u16,
    pub on: bool,
    pub time: Timestamp,
}

/// The last episode of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Episode {
    pub rule: u16,
    pub open: bool,
    pub announced: bool,
    /// The lead's clock when it opened.
    pub opened: Timestamp,
    /// The opening event's own time.
    pub time: Timestamp,
    /// Hash of the opening event's id.
    pub id: u64,
    /// The lead's clock at the last announcement, of this episode or an earlier one.
    pub last_announced: Option<Timestamp>,
    /// Its condition was edited: up to this clock nobody can tell whether it is over.
    pub spared_until: Option<Timestamp>,
    /// Its score was raised: with as much as this it goes on all the same.
    pub spared_from: Option<Tenths>,
    /// The minute of the lead's clock in which it was updated last ([`Timestamp::minute`]). One before the clock's own is
    /// as good as none, and is not stored.
    pub updated: Option<u32>,
}

impl Episode {
    /// Whether it was updated in the minute of this clock.
    pub fn is_updated_at(&self, clock: Timestamp) -> bool {
        self.updated == Some(clock.minute())
    }
}

/// A remembered trait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembrance {
    pub trait_: u16,
    pub time: Timestamp,
    /// Its value, in [`Lead::text`] or [`Lead::items`].
    pub slot: Slot,
}

/// One lead's state.
#[derive(Clone, Debug, Default)]
pub(super) struct Lead {
    /// The largest event time applied; `None` before the first.
    pub clock: Option<Timestamp>,
    /// In the order in which they were applied.
    pub events: Vec<Remembered>,
    pub labels: Vec<Label>,
    /// Ascending by count.
    pub rings: Vec<Ring>,
    /// Indices of events: the rings one after the other.
    pub refs: Vec<u16>,
    /// Per group the newest few, oldest first by event time.
    pub contributions: Vec<Contribution>,
    /// Index of the points entry, and what it has earned.
    pub sums: Vec<(u16, Sum)>,
    pub traits: Vec<Remembrance>,
    pub marks: Vec<Mark>,
    pub episodes: Vec<Episode>,
    /// Text of labels and traits.
    pub text: String,
    /// Items of list traits.
    pub items: Vec<Slot>,
    /// [`Self::weight`] when nothing was in it that nothing refers to.
    pub tight: usize,
}

/// A label's range in [`Lead::text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub start: u32,
    pub end: u32,
    pub number: Number,
}

/// Under which number the rules know a label; asked for once while the lead is in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Number {
    #[default]
    NotAsked,
    /// They do not know it.
    None,
    Known(u8),
}

impl Label {
    fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Lead {
    /// Empty, with room for what most leads have and for an episode of each rule: its lists need not grow step by step.
    pub fn with_room(rules: usize) -> Self {
        Self {
            events: Vec::with_capacity(RECENT_IDS + RECENT_IDS / 2),
            labels: Vec::with_capacity(RECENT_IDS),
            rings: Vec::with_capacity(RECENT_IDS),
            refs: Vec::with_capacity(2 * RECENT_IDS),
            episodes: Vec::with_capacity(rules.min(EPISODES_IN_HAND)),
            text: String::with_capacity(RECENT_IDS * RECENT_IDS),
            ..Self::default()
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.clock = None;
        self.events.clear();
        self.labels.clear();
        self.rings.clear();
        self.refs.clear();
        self.contributions.clear();
        self.sums.clear();
        self.traits.clear();
        self.marks.clear();
        self.episodes.clear();
        self.text.clear();
        self.items.clear();
        self.tight = 0;
    }

    /// Bytes, roughly, of what only grows while the lead is in hand.
    pub fn weight(&self) -> usize {
        self.text.len() + size_of_val(&*self.labels) + size_of_val(&*self.items)
    }

    /// Whether most of its text may be of labels and traits that are gone.
    pub fn is_loose(&self) -> bool {
        self.weight() > 2 * self.tight + LOOSE_TEXT
    }

    /// Whether the id is remembered: of the events applied last, of a ring's entry, of a rule's last opening event
    /// (rules.md 7).
    pub fn remembers(&self, id: u64) -> bool {
        let recent = self.events.len().saturating_sub(RECENT_IDS);
        let counts = |at: usize| at >= recent || self.refs.iter().any(|event| usize::from(*event) == at);
        let mut known = self.events.iter().enumerate();
        known.any(|(at, event)| (event.id ^ id) & ID_BITS == 0 && counts(at))
            || self.episodes.iter().any(|episode| episode.id == id)
    }

    /// Appends an applied event.
    pub fn remember(&mut self, time: Timestamp, position: i64, id: u64, label: &str) -> u16 {
        let label = self.label(label);
        self.events.push(Remembered { time, position, id, label });
        index(self.events.len() - 1)
    }

    fn label(&mut self, label: &str) -> u16 {
        let label = cut(label, MAX_LABEL);
        // Most differ in length already: their text is not looked at.
        let is_it = |known: &Label| known.len() == label.len() && self.text[known.range()] == *label;
        let known = self.labels.iter().position(is_it);
        index(known.unwrap_or_else(|| {
            let start = offset(self.text.len());
            self.text.push_str(label);
            self.labels.push(Label { start, end: offset(self.text.len()), number: Number::NotAsked });
            self.labels.len() - 1
        }))
    }

    /// What evidence calls an event.
    pub fn label_of(&self, event: &Remembered) -> &str {
        &self.text[self.labels[usize::from(event.label)].range()]
    }

    /// The events of one count, oldest first.
    pub fn ring(&self, count: u16) -> &[u16] {
        match self.find_ring(count) {
            Ok(at) => &self.refs[self.rings[at].range()],
            Err(_) => &[],
        }
    }

    fn find_ring(&self, count: u16) -> Result<usize, usize> {
        self.rings.binary_search_by_key(&count, |ring| ring.count)
    }

    /// Puts an event, the one applied last, into a count's ring of at most `capacity`, unless it is older than all of a
    /// full one. Answers with the event that had to go.
    pub fn enter_ring(&mut self, count: u16, capacity: usize, event: u16) -> Option<u16> {
        let at = self.find_ring(count).unwrap_or_else(|at| {
            let start = self.rings.get(at).map_or(offset(self.refs.len()), |next| next.start);
            self.rings.insert(at, Ring { count, len: 0, start });
            at
        });
        let (start, len) = (self.rings[at].start as usize, usize::from(self.rings[at].len));
        let time = self.events[usize::from(event)].time;
        let refs = &self.refs[start..start + len];
        // Of equal times the later applied is newer.
        let after = refs.iter().rev().take_while(|other| self.events[usize::from(**other)].time > time).count();
        let place = len - after;
        if len < capacity {
            self.refs.insert(start + place, event);
            self.rings[at].len += 1;
            self.rings[at + 1..].iter_mut().for_each(|later| later.start += 1);
            return None;
        }
        if place == 0 {
            return None;
        }
        let gone = self.refs[start];
        self.refs.copy_within(start + 1..start + place, start);
        self.refs[start + place - 1] = event;
        Some(gone)
    }

    /// Notes that an event earned points, and drops the oldest of the group's contributions beyond the listed ones.
    /// Answers with the event of the dropped one.
    pub fn contribute(&mut self, points: u16, event: u16, same_group: impl Fn(u16) -> bool) -> Option<u16> {
        let time = |at: u16| self.events[usize::from(at)].time;
        let newer = |other: &&Contribution| time(other.event) > time(event);
        let place = self.contributions.len() - self.contributions.iter().rev().take_while(newer).count();
        self.contributions.insert(place, Contribution { points, event });
        let listed = self.contributions.iter().filter(|c| same_group(c.points)).count();
        if listed <= LISTED_CONTRIBUTIONS {
            return None;
        }
        let oldest = self.contributions.iter().position(|c| same_group(c.points))?;
        Some(self.contributions.remove(oldest).event)
    }

    /// Drops an event that nothing refers to any longer; the indices of the later ones move down.
    pub fn release(&mut self, event: u16) {
        let at = usize::from(event);
        let recent = at + RECENT_IDS >= self.events.len();
        if recent || self.refs.contains(&event) || self.contributions.iter().any(|c| c.event == event) {
            return;
        }
        self.events.remove(at);
        let later = |known: &mut u16| *known -= u16::from(*known > event);
        self.refs.iter_mut().for_each(later);
        self.contributions.iter_mut().for_each(|c| later(&mut c.event));
    }

    /// The event that the newest one pushed out of the recent ones.
    pub fn no_longer_recent(&self) -> Option<u16> {
        self.events.len().checked_sub(RECENT_IDS + 1).map(index)
    }

    /// The remembered value of a trait.
    pub fn trait_(&self, trait_: u16) -> Value<'_> {
        let known = self.traits.iter().find(|known| known.trait_ == trait_);
        known.map_or(Value::Absent, |known| self.value(known.slot))
    }

    /// The points for its traits.
    pub fn fit(&self, rules: &RuleSet) -> Tenths {
        rules.fit(|trait_| self.trait_(trait_))
    }

    fn value(&self, slot: Slot) -> Value<'_> {
        let fields = Fields { text: &self.text, written: "", slots: &[], items: &self.items };
        fields.value(slot)
    }

    /// Remembers a trait's value.
    pub fn set_trait(&mut self, trait_: u16, time: Timestamp, value: Value<'_>) {
        let slot = self.keep(value, true);
        let new = Remembrance { trait_, time, slot };
        match self.traits.iter_mut().find(|known| known.trait_ == trait_) {
            Some(known) => *known = new,
            None => self.traits.push(new),
        }
    }

    /// Copies a value's text; lists only at the top.
    fn keep(&mut self, value: Value<'_>, top: bool) -> Slot {
        let (shape, text) = match value {
            Value::Absent => (Shape::Absent, ""),
            Value::Bool(false) => (Shape::False, ""),
            Value::Bool(true) => (Shape::True, ""),
            Value::Number(text) => (Shape::Number, text),
            Value::Text(text) => (Shape::Text, cut(text, MAX_TRAIT)),
            Value::List(list) if top => {
                let slots: Vec<Slot> = list.items().map(|item| self.keep(item, false)).collect();
                let start = self.items.len();
                self.items.extend(slots);
                return Slot::new(Shape::List, start, self.items.len());
            }
            Value::Object | Value::List(_) => (Shape::Object, ""),
        };
        let start = self.text.len();
        self.text.push_str(text);
        Slot::new(shape, start, self.text.len())
    }

    /// What a points entry has earned, from nothing at `now` if it is new.
    pub fn sum(&mut self, points: u16, now: Timestamp) -> &mut Sum {
        let known = self.sums.iter().position(|(known, _)| *known == points);
        let at = known.unwrap_or_else(|| {
            self.sums.push((points, Sum { points: 0.0, at: now }));
            self.sums.len() - 1
        });
        &mut self.sums[at].1
    }

    /// The open episode of a rule; if there is none, the event of this time and id opens one now.
    pub fn open_episode(&mut self, rule: u16, now: Timestamp, time: Timestamp, id: u64) -> &mut Episode {
        let new = Episode {
            rule,
            open: true,
            announced: false,
            opened: now,
            time,
            id,
            last_announced: None,
            spared_until: None,
            spared_from: None,
            updated: None,
        };
        let known = self.episodes.iter().position(|episode| episode.rule == rule);
        let at = known.unwrap_or_else(|| {
            self.episodes.push(new);
            self.episodes.len() - 1
        });
        let episode = &mut self.episodes[at];
        if !episode.open {
            *episode = Episode { last_announced: episode.last_announced, ..new };
        }
        episode
    }
}

/// At most `most` bytes of a text, whole characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

fn index(at: usize) -> u16 {
    u16::try_from(at).expect("limits keep a lead's lists under 65,536")
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("limits keep a lead's text under 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the engine does with an event that one count takes.
    fn take(lead: &mut Lead, id: u64, capacity: usize) {
        let newest = lead.remember(Timestamp::from_millis(id as i64), 0, id, "");
        let mut gone: Vec<u16> = lead.no_longer_recent().into_iter().collect();
        gone.extend(lead.enter_ring(0, capacity, newest));
        gone.sort_unstable();
        gone.dedup();
        gone.iter().rev().for_each(|event| lead.release(*event));
    }

    #[test]
    fn a_lead_keeps_the_newest_events_and_what_its_rings_hold() {
        #[rustfmt::skip]
        let rows = [
            // capacity, events, kept, why
            ( 3,  15, 15, "one less than the ids that are remembered"),
            ( 3,  16, 16, "as many"),
            ( 3,  17, 16, "one more: the first goes"),
            ( 3, 900, 16, "and so on: memory does not grow"),
            (20,  19, 19, "a longer ring holds what is no longer recent"),
            (20, 900, 20, "and lets go of its oldest"),
        ];
        for (capacity, events, kept, why) in rows {
            let mut lead = Lead::default();
            (0..events).for_each(|id| take(&mut lead, id, capacity));
            let ids: Vec<u64> = lead.events.iter().map(|event| event.id).collect();
            assert_eq!(ids, (events - kept..events).collect::<Vec<u64>>(), "{why}");
            let newest: Vec<u64> = lead.ring(0).iter().map(|event| lead.events[usize::from(*event)].id).collect();
            let in_ring = events.min(capacity as u64);
            assert_eq!(newest, (events - in_ring..events).collect::<Vec<u64>>(), "{why}: the ring");
        }
    }
}
