//! All leads of one partition: found by key, in hand while their events come, at rest as of the last commit.
//!
//! A lead that is touched is taken in hand: its bytes are read once, and from then on events change lists, not bytes.
//! Before a commit what has changed is staged: written to bytes, which are also what the changelog takes. The commit
//! puts them to rest. So the bytes at rest are always those of the committed offset, and an aborted round is undone by
//! dropping what is in hand.

mod entry;
mod silent;

use std::ops::Range;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use entry::{AT_REST, Entry};

use super::lead::Lead;
use super::limits::{FEWEST_IN_HAND, FORGOTTEN_SHARE, LEADS_FOR_ONE_IN_HAND, MOST_IN_HAND};
use super::snapshot;
use super::time::{Day, Timestamp};

/// Leads by key.
#[derive(Debug, Default)]
pub(super) struct Leads {
    places: HashTable<Place>,
    entries: Vec<Entry>,
    /// Entries of leads that are gone.
    free: Vec<u32>,
    hands: Vec<Hand>,
    /// Hands with a lead that has changed since it was staged last, in the order of the first change.
    changed: Vec<u32>,
    /// What the next commit puts to rest.
    staged: Vec<Staged>,
    bytes: Vec<u8>,
    /// The hand to be asked next when one is needed.
    next: usize,
    /// Leads that a commit put to rest lately.
    usual: usize,
    /// Labels of which bytes say only the number.
    labels: Vec<String>,
    /// How many rules there are.
    rules: usize,
    /// The day of what is put to rest from now on.
    pub today: Day,
    /// The entry that was looked at last by [`Self::forget_silent`].
    looked_at: usize,
}

/// An entry as the table has it: with its hash, so that neither growth nor a near miss looks at the entry.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    entry: u32,
}

/// A lead taken in hand, or none; its lists are reused.
#[derive(Debug, Default)]
struct Hand {
    lead: Lead,
    place: Option<u32>,
    changed: bool,
    staged: bool,
    /// Used since it was asked last whether it could go.
    used: bool,
}

#[derive(Debug)]
struct Staged {
    place: u32,
    /// Of [`Leads::bytes`].
    range: Range<usize>,
}

/// A lead in hand; good until the next one is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grip(usize);

fn hash(key: &[u8]) -> u32 {
    xxh3_64(key) as u32
}

/// The table looks at the highest bits and at the lowest.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl Leads {
    /// None yet; of these labels, ascending, bytes say only the number. Each may have an episode of each rule.
    pub fn new(labels: Vec<String>, rules: usize) -> Self {
        Self { labels, rules, ..Self::default() }
    }

    /// Leads with state.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Leads whose changes are not staged yet.
    pub fn changed(&self) -> usize {
        self.changed.len()
    }

    /// Whether there is anything to commit.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty() || !self.staged.is_empty()
    }

    /// Takes a lead in hand, whether it was there before or not. One that was not is a lead from now on: it has to be
    /// changed.
    pub fn take(&mut self, key: &str) -> Grip {
        let (hash, key) = (hash(key.as_bytes()), key.as_bytes());
        let place = self.find(hash, key).unwrap_or_else(|| self.add(hash, key, &[]));
        let at = match self.entries[place as usize].hand {
            AT_REST => self.read(place),
            at => at as usize,
        };
        self.hands[at].used = true;
        Grip(at)
    }

    /// Whether there is such a lead; one that was erased is gone before the commit.
    pub fn knows(&self, key: &str) -> bool {
        let found = self.find(hash(key.as_bytes()), key.as_bytes());
        found.is_some_and(|place| match self.entries[place as usize].hand {
            AT_REST => true,
            at => self.hands[at as usize].lead.clock.is_some(),
        })
    }

    fn find(&self, hash: u32, key: &[u8]) -> Option<u32> {
        let same = |place: &Place| place.hash == hash && self.entries[place.entry as usize].key() == key;
        self.places.find(spread(hash), same).map(|place| place.entry)
    }

    /// Puts a lead's committed state to rest, as the changelog has it; no state at all ends it.
    pub fn put(&mut self, key: &str, state: &[u8]) {
        let (hash, key) = (hash(key.as_bytes()), key.as_bytes());
        match (self.find(hash, key), state) {
            (Some(place), []) => self.remove(place),
            (Some(place), state) => self.entries[place as usize].set_state(state, self.today),
            (None, []) => {}
            (None, state) => {
                self.add(hash, key, state);
            }
        }
    }

    fn add(&mut self, hash: u32, key: &[u8], state: &[u8]) -> u32 {
        let entry = Entry::of(key, state, self.today);
        let place = match self.free.pop() {
            Some(place) => {
                self.entries[place as usize] = entry;
                place
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).expect("limits keep the leads of a partition under 4 billion")
            }
        };
        self.places.insert_unique(spread(hash), Place { hash, entry: place }, |place| spread(place.hash));
        place
    }

    /// Takes in hand what lies at rest.
    fn read(&mut self, place: u32) -> usize {
        let at = self.empty_hand();
        let (entry, hand) = (&mut self.entries[place as usize], &mut self.hands[at]);
        match entry.state() {
            [] => hand.lead.clear(),
            state => {
                snapshot::read(state, &self.labels, &mut hand.lead).expect("the engine wrote this lead's state itself")
            }
        }
        entry.hand = at as u32;
        hand.place = Some(place);
        at
    }

    /// A hand that holds nothing, or whose lead has not been used for longest, roughly.
    fn empty_hand(&mut self) -> usize {
        let busy = self.changed.len() + self.staged.len();
        // One of five that are asked can go, the second time round at the latest.
        while self.hands.len() >= self.most_hands(busy) {
            let at = self.next % self.hands.len();
            self.next = at + 1;
            let hand = &mut self.hands[at];
            if hand.changed || hand.staged || std::mem::take(&mut hand.used) {
                continue;
            }
            if let Some(place) = hand.place.take() {
                self.entries[place as usize].hand = AT_REST;
            }
            return at;
        }
        self.hands.push(Hand { lead: Lead::with_room(self.rules), ..Hand::default() });
        self.hands.len() - 1
    }

    /// How many hands there may be while so many leads, or the usual number, wait for a commit.
    fn most_hands(&self, busy: usize) -> usize {
        let busy = self.usual.max(busy);
        busy + busy / 4 + (self.len() / LEADS_FOR_ONE_IN_HAND).clamp(FEWEST_IN_HAND, MOST_IN_HAND)
    }

    /// The lead in hand.
    pub fn lead(&mut self, Grip(at): Grip) -> &mut Lead {
        &mut self.hands[at].lead
    }

    /// Notes that the lead in hand was changed.
    pub fn note_change(&mut self, Grip(at): Grip) {
        let hand = &mut self.hands[at];
        if !std::mem::replace(&mut hand.changed, true) {
            self.changed.push(at as u32);
        }
        if hand.lead.is_loose() {
            let start = self.bytes.len();
            snapshot::write(&mut hand.lead, &self.labels, &mut self.bytes);
            snapshot::read(&self.bytes[start..], &self.labels, &mut hand.lead)
                .expect("what was just written can be read");
            self.bytes.truncate(start);
        }
    }

    /// Forgets leads if there are more than `most`: those that have been silent for longest, of equal clocks the first
    /// by key, and some more than need be, so that the next time is not soon. Answers with their number.
    pub fn keep_at_most(&mut self, most: usize) -> usize {
        if self.len() <= most {
            return 0;
        }
        let surplus = self.len() - (most - most / FORGOTTEN_SHARE);
        let mut all: Vec<(Timestamp, u32)> = self.clocks().collect();
        let key = |(clock, place): &(Timestamp, u32)| (*clock, self.entries[*place as usize].key());
        all.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        all[..surplus].iter().for_each(|(_, place)| self.forget(*place));
        surplus
    }

    /// The clock of each lead.
    fn clocks(&self) -> impl Iterator<Item = (Timestamp, u32)> {
        self.places.iter().map(|place| {
            let entry = &self.entries[place.entry as usize];
            let clock = match entry.hand {
                AT_REST => snapshot::clock(entry.state()),
                at => self.hands[at as usize].lead.clock,
            };
            (clock.unwrap_or_default(), place.entry)
        })
    }

    fn forget(&mut self, place: u32) {
        match self.entries[place as usize].hand {
            AT_REST => self.staged.push(Staged { place, range: 0..0 }),
            at => {
                self.hands[at as usize].lead.clear();
                self.note_change(Grip(at as usize));
            }
        }
    }

    /// Writes to bytes what has changed: the next commit puts it to rest.
    pub fn stage(&mut self) {
        for at in self.changed.drain(..) {
            let hand = &mut self.hands[at as usize];
            let start = self.bytes.len();
            // A lead without a clock is one that was erased.
            if hand.lead.clock.is_some() {
                snapshot::write(&mut hand.lead, &self.labels, &mut self.bytes);
            }
            (hand.changed, hand.staged) = (false, true);
            let place = hand.place.expect("a changed lead is in hand");
            self.staged.push(Staged { place, range: start..self.bytes.len() });
        }
    }

    /// Keys and bytes of what is staged; no bytes for a lead that is to be gone.
    #[cfg(test)]
    pub fn staged(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.staged
            .iter()
            .map(|Staged { place, range }| (self.entries[*place as usize].key(), &self.bytes[range.clone()]))
    }

    /// The key and the bytes, as the changelog has them, of each lead that is staged; no bytes for one that is to be gone.
    /// Works with the buffers given.
    pub fn each_record(
        &self,
        (scratch, unpacked, record): (&mut snapshot::compact::Scratch, &mut Lead, &mut Vec<u8>),
        mut each: impl FnMut(&[u8], &[u8]),
    ) {
        for Staged { place, range } in &self.staged {
            let entry = &self.entries[*place as usize];
            record.clear();
            if !range.is_empty() {
                // What has not changed since it was staged needs not be read again.
                let hand = self.hands.get(entry.hand as usize).filter(|hand| !hand.changed);
                let lead: &Lead = match hand {
                    Some(hand) => &hand.lead,
                    None => {
                        snapshot::read(&self.bytes[range.clone()], &self.labels, unpacked)
                            .expect("what was just written can be read");
                        unpacked
                    }
                };
                snapshot::compact::write(lead, &self.labels, scratch, record);
            }
            each(entry.key(), record);
        }
    }

    /// Puts to rest what is staged.
    pub fn commit(&mut self) {
        self.usual = self.staged.len().max(self.usual - self.usual.div_ceil(16));
        let mut staged = std::mem::take(&mut self.staged);
        for Staged { place, range } in staged.drain(..) {
            let entry = &mut self.entries[place as usize];
            let hand = self.hands.get_mut(entry.hand as usize);
            let changed = hand.as_ref().is_some_and(|hand| hand.changed);
            if range.is_empty() && !changed {
                hand.into_iter().for_each(|hand| (hand.staged, hand.place) = (false, None));
                self.remove(place);
            } else {
                hand.into_iter().for_each(|hand| hand.staged = false);
                entry.set_state(&self.bytes[range], self.today);
            }
        }
        self.staged = staged;
        self.bytes.clear();
        self.shrink();
    }

    /// A round that touched unusually many leads took many hands: those far above the usual number go, not all at once.
    /// A few more than usual stay: the next large round would only make them anew.
    fn shrink(&mut self) {
        let most = self.most_hands(0);
        let surplus = self.hands.len().saturating_sub(most + most / 4);
        for _ in 0..surplus.div_ceil(16) {
            match self.hands.last() {
                Some(hand) if !hand.changed && !hand.staged => {}
                _ => return,
            }
            if let Some(place) = self.hands.pop().and_then(|hand| hand.place) {
                self.entries[place as usize].hand = AT_REST;
            }
        }
    }

    /// Forgets all changes since the last [`Self::commit`], staged or not.
    pub fn roll_back(&mut self) {
        self.changed.clear();
        self.staged.clear();
        self.bytes.clear();
        for at in 0..self.hands.len() {
            let hand = &mut self.hands[at];
            if !hand.changed && !hand.staged {
                continue;
            }
            (hand.changed, hand.staged) = (false, false);
            let place = hand.place.take().expect("a changed lead is in hand");
            self.entries[place as usize].hand = AT_REST;
            if self.entries[place as usize].state().is_empty() {
                self.remove(place);
            }
        }
    }

    fn remove(&mut self, place: u32) {
        let hash = hash(self.entries[place as usize].key());
        let found = self.places.find_entry(spread(hash), |other| other.entry == place);
        if let Ok(found) = found {
            found.remove();
        }
        self.entries[place as usize] = Entry::default();
        self.free.push(place);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What the engine does: takes the lead, and applies an event.
    fn touch(leads: &mut Leads, key: &str, ms: i64) {
        let grip = leads.take(key);
        let lead = leads.lead(grip);
        lead.clock = Some(Timestamp::from_millis(ms));
        lead.remember(Timestamp::from_millis(ms), ms, ms as u64, "/pricing");
        leads.note_change(grip);
    }

    fn times(leads: &mut Leads, key: &str) -> Vec<i64> {
        let grip = leads.take(key);
        leads.lead(grip).events.iter().map(|event| event.time.as_millis()).collect()
    }

    fn commit(leads: &mut Leads) {
        leads.stage();
        leads.commit();
    }

    #[test]
    fn what_is_staged_is_what_changed_and_the_commit_keeps_it() {
        let mut leads = Leads::default();
        touch(&mut leads, "a", 1);
        touch(&mut leads, "b", 2);
        touch(&mut leads, "a", 3);
        leads.stage();
        let keys: Vec<_> = leads.staged().map(|(key, _)| key.to_vec()).collect();
        assert_eq!(keys, [b"a", b"b"], "each lead once, in the order of the first change");
        leads.commit();
        touch(&mut leads, "b", 4);
        leads.roll_back();
        leads.stage();
        assert_eq!(leads.staged().count(), 0);
        assert_eq!((times(&mut leads, "a"), times(&mut leads, "b")), (vec![1, 3], vec![2]));
    }

    /// Goal: what changes while a commit is under way belongs to the next one, and an abort undoes both.
    #[test]
    fn events_may_come_between_staging_and_commit() {
        for aborted in [false, true] {
            let mut leads = Leads::default();
            touch(&mut leads, "a", 1);
            leads.stage();
            touch(&mut leads, "a", 2);
            touch(&mut leads, "b", 3);
            if aborted {
                leads.roll_back();
                assert_eq!(leads.len(), 0, "nothing was ever committed");
                continue;
            }
            leads.commit();
            leads.roll_back();
            assert_eq!(leads.len(), 1, "only the second round is undone");
            assert_eq!(times(&mut leads, "a"), [1]);
        }
    }

    #[test]
    fn the_leads_silent_for_longest_are_forgotten_first() {
        let keys = |leads: &Leads| (0..200).filter(|n| leads.knows(&format!("lead-{n}"))).collect::<Vec<_>>();
        let mut leads = Leads::default();
        (0..200).for_each(|n| touch(&mut leads, &format!("lead-{n}"), 1000 - n));
        commit(&mut leads);
        touch(&mut leads, "lead-199", 5000);
        assert_eq!(leads.keep_at_most(200), 0, "as many as may be");
        assert_eq!(leads.keep_at_most(128), 74, "128 may be, a share of them goes as well");
        leads.roll_back();
        assert_eq!(leads.len(), 200, "an abort brings them back");
        touch(&mut leads, "lead-199", 5000);
        leads.keep_at_most(128);
        leads.stage();
        assert_eq!(leads.staged().filter(|(_, state)| state.is_empty()).count(), 74, "a tombstone each");
        leads.commit();
        let mut left: Vec<_> = (0..125).collect();
        left.push(199);
        assert_eq!(keys(&leads), left, "the newest clocks, and the one that was heard of again");
    }

    #[test]
    fn a_lead_in_hand_does_not_gather_text() {
        let mut leads = Leads::default();
        for n in 0..20_000 {
            let grip = leads.take("a");
            let lead = leads.lead(grip);
            lead.clock = Some(Timestamp::from_millis(n));
            lead.remember(Timestamp::from_millis(n), n, n as u64, &format!("/page/{n}"));
            lead.no_longer_recent().into_iter().for_each(|event| lead.release(event));
            leads.note_change(grip);
        }
        let grip = leads.take("a");
        assert!(leads.lead(grip).text.len() < 8192, "{} bytes", leads.lead(grip).text.len());
    }

    #[test]
    fn hands_follow_what_a_round_touches() {
        let mut leads = Leads::default();
        (0..5000).for_each(|n| touch(&mut leads, &format!("lead-{n}"), n));
        assert!(leads.hands.len() >= 5000, "what has changed stays in hand");
        commit(&mut leads);
        (0..500).for_each(|_| commit(&mut leads));
        let left = leads.hands.len();
        assert_eq!(left, FEWEST_IN_HAND + FEWEST_IN_HAND / 4, "and goes when it is at rest, but for a few");
        for n in (0..5000).step_by(7) {
            assert_eq!(times(&mut leads, &format!("lead-{n}")), [n]);
        }
        assert_eq!(leads.hands.len(), left, "looking takes no more hands");
    }

    proptest::proptest! {
        /// Against a plain map that is copied at each commit.
        #[test]
        fn like_a_map_with_copies(steps in proptest::collection::vec((0u8..12, 0u32..150), 0..600)) {
            let mut leads = Leads::default();
            let mut now: BTreeMap<String, Vec<i64>> = BTreeMap::new();
            let mut staged: Option<BTreeMap<_, _>> = None;
            let mut committed = now.clone();
            for (n, (what, key)) in (0..).zip(steps) {
                match what {
                    0 if staged.is_none() => { leads.stage(); staged = Some(now.clone()); }
                    0 => { leads.commit(); committed = staged.take().unwrap_or_default(); }
                    1 if key < 20 => { leads.roll_back(); now = committed.clone(); staged = None; }
                    _ => {
                        let key = format!("lead-{key}");
                        touch(&mut leads, &key, n);
                        now.entry(key).or_default().push(n);
                    }
                }
                proptest::prop_assert_eq!(leads.len(), now.len());
            }
            for (key, expected) in now {
                proptest::prop_assert_eq!(times(&mut leads, &key), expected, "{}", key);
            }
        }
    }
}
