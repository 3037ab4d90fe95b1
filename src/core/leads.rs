//! All leads of one partition: found by key, kept at rest, and put back as they were when a round is aborted.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// A place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

/// The number of no round: an entry that has it was changed in none that could be undone.
const NO_ROUND: u32 = u32::MAX;

/// Leads by key.
#[derive(Debug, Default)]
pub(super) struct Leads {
    places: HashTable<u32>,
    entries: Vec<Entry>,
    /// Entries of leads that are gone.
    free: Vec<u32>,
    round: u32,
    undo: Vec<Undo>,
    undo_bytes: Vec<u8>,
}

/// The key's length in two bytes, the key, the state; then room to grow.
#[derive(Debug, Default)]
struct Entry {
    bytes: Box<[u8]>,
    used: u32,
    /// The round in which it was last changed.
    round: u32,
}

#[derive(Debug)]
struct Undo {
    place: u32,
    /// Where its bytes before the round lie; `None` if it was not there.
    before: Option<std::ops::Range<usize>>,
}

impl Entry {
    fn key(&self) -> &[u8] {
        let len = usize::from(u16::from_le_bytes([self.bytes[0], self.bytes[1]]));
        &self.bytes[2..2 + len]
    }

    fn state(&self) -> &[u8] {
        &self.bytes[2 + self.key().len()..self.used as usize]
    }

    /// Replaces all bytes; the allocation is kept unless it is too small.
    fn set(&mut self, parts: [&[u8]; 3]) {
        let used: usize = parts.iter().map(|part| part.len()).sum();
        if self.bytes.len() < used {
            self.bytes = vec![0; roomy(used)].into();
        }
        let mut at = 0;
        for part in parts {
            self.bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        self.used = used as u32;
    }
}

/// A little room, so that a growing lead does not move at each event: what the allocator would round up to anyway. Its
/// blocks are multiples of 16 bytes of which it keeps 8; asking for multiples of 16 would waste 8 bytes a lead.
fn roomy(used: usize) -> usize {
    (used + 8).next_multiple_of(16) - 8
}

fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

impl Leads {
    /// Leads with state.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Where a lead is, and its state.
    pub fn find(&self, key: &str) -> Option<(Place, &[u8])> {
        let key = key.as_bytes();
        let place = *self.places.find(hash(key), |place| self.entries[*place as usize].key() == key)?;
        Some((Place(place), self.entries[place as usize].state()))
    }

    /// Replaces the state of a lead that is there.
    pub fn replace(&mut self, place: Place, state: &[u8]) {
        self.keep_before(place);
        let entry = &mut self.entries[place.0 as usize];
        let head = entry.used as usize - entry.state().len();
        if entry.bytes.len() >= head + state.len() {
            entry.bytes[head..head + state.len()].copy_from_slice(state);
            entry.used = (head + state.len()) as u32;
        } else {
            let old = std::mem::take(&mut entry.bytes);
            entry.set([&old[..head], state, &[]]);
        }
    }

    /// Adds a lead that is not there.
    pub fn insert(&mut self, key: &str, state: &[u8]) {
        let key = key.as_bytes();
        let len = u16::try_from(key.len()).expect("limits keep a lead's key under 65,536 bytes");
        let place = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            u32::try_from(self.entries.len() - 1).expect("limits keep the leads of a partition under 4 billion")
        });
        let entry = &mut self.entries[place as usize];
        entry.set([&len.to_le_bytes(), key, state]);
        entry.round = self.round;
        self.undo.push(Undo { place, before: None });
        let entries = &self.entries;
        self.places.insert_unique(hash(key), place, |place| hash(entries[*place as usize].key()));
    }

    /// Notes the state before the round, the first time that the round changes it.
    fn keep_before(&mut self, place: Place) {
        let entry = &mut self.entries[place.0 as usize];
        if entry.round != self.round {
            entry.round = self.round;
            let start = self.undo_bytes.len();
            self.undo_bytes.extend_from_slice(&entry.bytes[..entry.used as usize]);
            self.undo.push(Undo { place: place.0, before: Some(start..self.undo_bytes.len()) });
        }
    }

    /// Makes everything since the last call permanent.
    pub fn commit(&mut self) {
        self.undo.clear();
        self.undo_bytes.clear();
        // Entries of 4 billion rounds ago would look like the present round's: their undo would be missed. At a
        // thousand rounds a second that is 49 days, so they are marked anew instead.
        self.round += 1;
        if self.round == NO_ROUND {
            self.round = 0;
            self.entries.iter_mut().for_each(|entry| entry.round = NO_ROUND);
        }
    }

    /// Puts every lead back to where it was at the last [`Self::commit`].
    pub fn roll_back(&mut self) {
        for Undo { place, before } in self.undo.drain(..).rev() {
            let entry = &mut self.entries[place as usize];
            if let Some(range) = before {
                entry.set([&self.undo_bytes[range], &[], &[]]);
                continue;
            }
            let found = self.places.find_entry(hash(entry.key()), |other| *other == place);
            if let Ok(found) = found {
                found.remove();
            }
            *entry = Entry::default();
            self.free.push(place);
        }
        self.commit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(leads: &Leads, key: &str) -> Option<Vec<u8>> {
        leads.find(key).map(|(_, state)| state.to_vec())
    }

    fn put(leads: &mut Leads, key: &str, new: &[u8]) {
        match leads.find(key) {
            Some((place, _)) => leads.replace(place, new),
            None => leads.insert(key, new),
        }
    }

    #[test]
    fn a_round_can_be_undone() {
        let mut leads = Leads::default();
        put(&mut leads, "a", b"one");
        leads.commit();
        put(&mut leads, "a", b"two, and so long that it has to move to a larger allocation");
        put(&mut leads, "a", b"three");
        put(&mut leads, "b", b"new");
        leads.roll_back();
        assert_eq!(state(&leads, "a").as_deref(), Some(&b"one"[..]));
        assert_eq!(state(&leads, "b"), None);
        assert_eq!(leads.len(), 1);
        put(&mut leads, "b", b"again");
        leads.commit();
        leads.roll_back();
        assert_eq!(state(&leads, "b").as_deref(), Some(&b"again"[..]), "a committed round stays");
    }

    /// Goal: a round can be undone although its number was in use before. Method: a lead of the first round, and the
    /// number set twice to where it is about to start anew.
    #[test]
    fn the_numbers_of_rounds_may_start_anew() {
        let mut leads = Leads::default();
        put(&mut leads, "a", b"one");
        leads.commit();
        leads.round = u32::MAX - 1;
        leads.commit();
        leads.commit();
        leads.round = u32::MAX - 1;
        leads.commit();
        put(&mut leads, "a", b"two");
        leads.roll_back();
        assert_eq!(state(&leads, "a").as_deref(), Some(&b"one"[..]));
    }

    proptest::proptest! {
        /// Against a plain map that is copied at each commit.
        #[test]
        fn like_a_map_with_copies(steps in proptest::collection::vec((0u8..12, 0u8..6, 0usize..60), 0..120)) {
            let mut leads = Leads::default();
            let mut now = std::collections::BTreeMap::new();
            let mut committed = now.clone();
            for (what, key, len) in steps {
                match what {
                    0 => { leads.commit(); committed = now.clone(); }
                    1 => { leads.roll_back(); now = committed.clone(); }
                    _ => {
                        let (key, value) = (format!("lead-{key}"), vec![what; len]);
                        put(&mut leads, &key, &value);
                        now.insert(key, value);
                    }
                }
                for key in (0..6).map(|key| format!("lead-{key}")) {
                    proptest::prop_assert_eq!(state(&leads, &key), now.get(&key).cloned());
                }
                proptest::prop_assert_eq!(leads.len(), now.len());
            }
        }
    }
}
