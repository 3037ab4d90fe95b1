//! How far a partition may be committed while its records end in any order.

use std::collections::BTreeSet;

use super::ids::{NextOffset, Offset};

/// The records of one partition that are under way.
///
/// What may be committed is the lowest of them, else one past the last that was admitted. It tolerates gaps (compaction,
/// transaction markers) and never goes back.
#[derive(Clone, Debug, Default)]
pub struct OffsetTracker {
    under_way: BTreeSet<Offset>,
    highest: Option<Offset>,
    taken: Option<NextOffset>,
}

impl OffsetTracker {
    /// Takes a record in. False if it or a later one was there before: then it is not under way a second time.
    pub fn admit(&mut self, offset: Offset) -> bool {
        let new = self.highest.is_none_or(|highest| offset > highest);
        if new {
            self.highest = Some(offset);
            self.under_way.insert(offset);
        }
        new
    }

    /// Notes that a record's outcome is known. False if it was not under way.
    pub fn done(&mut self, offset: Offset) -> bool {
        self.under_way.remove(&offset)
    }

    /// Records under way.
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Whether every record's outcome is known.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// The offset to commit; `None` before the first record.
    pub fn committable(&self) -> Option<NextOffset> {
        match self.under_way.first() {
            // The next to read is the lowest itself: one past the record before it.
            Some(lowest) => Some(Offset(lowest.0 - 1).next()),
            None => self.highest.map(Offset::next),
        }
    }

    /// The offset to commit if it rose since it was last taken.
    pub fn take_committable(&mut self) -> Option<NextOffset> {
        let now = self.committable();
        let rose = now > self.taken;
        if rose {
            self.taken = now;
        }
        now.filter(|_| rose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(offset: Option<NextOffset>) -> Option<i64> {
        offset.map(NextOffset::get)
    }

    #[test]
    fn a_record_under_way_holds_the_commit_and_gaps_do_not() {
        let mut tracker = OffsetTracker::default();
        assert_eq!(get(tracker.take_committable()), None, "nothing seen");
        for offset in [5, 6, 9] {
            assert!(tracker.admit(Offset(offset)));
        }
        assert_eq!((tracker.len(), tracker.is_empty()), (3, false));
        assert_eq!(get(tracker.take_committable()), Some(5), "where it began, so that it begins there again");
        assert!(tracker.done(Offset(6)));
        assert_eq!(get(tracker.take_committable()), None, "5 is under way");
        assert!(tracker.done(Offset(5)));
        assert_eq!(get(tracker.take_committable()), Some(9), "over the gap to 9, not past it");
        assert!(tracker.done(Offset(9)));
        assert_eq!(get(tracker.take_committable()), Some(10));
        assert_eq!((tracker.len(), tracker.is_empty()), (0, true));
        assert!(!tracker.done(Offset(9)), "done already");
        assert!(!tracker.admit(Offset(9)), "seen again after a fetch that overlaps");
        assert_eq!(get(tracker.take_committable()), None);
    }

    proptest! {
        /// Whatever the order in which records end: never past one under way, never back, and at the end past all.
        #[test]
        fn the_commit_is_safe_and_monotonic(gaps in prop::collection::vec(1i64..4, 1..40), order in any::<u64>()) {
            let mut tracker = OffsetTracker::default();
            let mut offsets: Vec<i64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            for &offset in &offsets {
                tracker.admit(Offset(offset));
            }
            let last = offsets[offsets.len() - 1];
            let (mut seed, mut before) = (order, 0);
            while !offsets.is_empty() {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let offset = offsets.swap_remove((seed >> 33) as usize % offsets.len());
                tracker.done(Offset(offset));
                let now = tracker.committable().map(NextOffset::get).unwrap_or_default();
                prop_assert!(now >= before, "went back from {} to {}", before, now);
                prop_assert!(offsets.iter().all(|under_way| now <= *under_way), "{} passes {:?}", now, offsets);
                before = now;
            }
            prop_assert_eq!(before, last + 1);
        }
    }
}
