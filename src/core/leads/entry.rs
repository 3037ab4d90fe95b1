//! A lead at rest in the table: its key and its bytes in one allocation.

use crate::core::time::Day;

/// Of an entry whose lead is not in hand.
pub(super) const AT_REST: u32 = u32::MAX;

/// The key's length and the day of the last commit in two bytes each, the key, the state as of the last commit (nothing
/// for a lead that is not committed yet); then room to grow.
#[derive(Debug, Default)]
pub(super) struct Entry {
    bytes: Box<[u8]>,
    used: u32,
    /// Where it is in the table's hands, or [`AT_REST`].
    pub hand: u32,
}

/// Where the key begins.
const KEY: usize = 4;

impl Entry {
    /// Of a lead that is gone: no key, no state.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its key.
    pub fn key(&self) -> &[u8] {
        let len = usize::from(u16::from_le_bytes([self.bytes[0], self.bytes[1]]));
        &self.bytes[KEY..KEY + len]
    }

    /// When its state was committed.
    pub fn day(&self) -> Day {
        Day::from_le_bytes([self.bytes[2], self.bytes[3]])
    }

    /// Its state as of the last commit.
    pub fn state(&self) -> &[u8] {
        &self.bytes[KEY + self.key().len()..self.used as usize]
    }

    /// A lead at rest since that day.
    pub fn of(key: &[u8], state: &[u8], day: Day) -> Self {
        let len = u16::try_from(key.len()).expect("limits keep a lead's key under 65,536 bytes").to_le_bytes();
        let [day_low, day_high] = day.to_le_bytes();
        let mut entry = Self { hand: AT_REST, ..Self::default() };
        entry.set([&[len[0], len[1], day_low, day_high], key, state]);
        entry
    }

    /// Replaces the state by that of this day; the allocation is kept unless it is too small.
    pub fn set_state(&mut self, state: &[u8], day: Day) {
        self.bytes[2..KEY].copy_from_slice(&day.to_le_bytes());
        let head = self.used as usize - self.state().len();
        if self.bytes.len() >= head + state.len() {
            self.bytes[head..head + state.len()].copy_from_slice(state);
            self.used = (head + state.len()) as u32;
        } else {
            let old = std::mem::take(&mut self.bytes);
            self.set([&old[..head], state, &[]]);
        }
    }

    fn set(&mut self, parts: [&[u8]; 3]) {
        let used: usize = parts.iter().map(|part| part.len()).sum();
        self.bytes = vec![0; roomy(used)].into();
        let mut at = 0;
        for part in parts {
            self.bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        self.used = used as u32;
    }
}

/// A little room, so that a growing lead does not move at each commit: what the allocator would round up to anyway. Its
/// blocks are multiples of 16 bytes of which it keeps 8; asking for multiples of 16 would waste 8 bytes a lead. A long
/// state's length changes with its labels: it gets an eighth more, and then what is left of its class of sizes, of which
/// an allocator has four from each power of two to the next.
fn roomy(used: usize) -> usize {
    const LONG: usize = 512;
    let (wanted, step) = match used {
        ..=LONG => (used, 16),
        _ => (used + used / 8, (used + used / 8).next_power_of_two() / 8),
    };
    (wanted + 8).next_multiple_of(step) - 8
}
