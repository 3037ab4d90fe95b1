//! Sliding windows: how many times to remember, and whether so many lie close enough together (design.md 3).

use super::time::{Span, Timestamp};

/// A count's numbers: `at_least` times within `within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// From 1.
    pub at_least: u32,
    /// From one second; both ends of the window are included.
    pub within: Span,
}

impl Window {
    /// The newest times that are enough to decide, however late (up to `grace`) an event comes:
    /// (N - 1)(ceil(grace / W) + 1) + 1.
    ///
    /// ```
    /// use hotlead::core::{time::Span, window::Window};
    /// let hour = Window { at_least: 3, within: Span::from_secs(3600) };
    /// assert_eq!(hour.capacity(Span::from_secs(300)), 5);
    /// assert_eq!(hour.capacity(Span::ZERO), 3);
    /// ```
    pub fn capacity(self, grace: Span) -> usize {
        let (grace, within) = (grace.as_millis(), self.within.as_millis().max(1));
        let windows = grace.div_euclid(within) + i64::from(grace.rem_euclid(within) > 0);
        let others = i64::from(self.at_least.max(1)) - 1;
        let times = others.saturating_mul(windows.saturating_add(1)).saturating_add(1);
        usize::try_from(times).unwrap_or(usize::MAX)
    }

    /// Whether at some instant x in [now - grace, now] at least N of the times lie in [x - W, x].
    ///
    /// `times` gives the i-th remembered time, oldest first, of `len`; none lies after `now`. Answers with the range of
    /// the newest N that do.
    pub fn run(
        self,
        len: usize,
        times: impl Fn(usize) -> Timestamp,
        now: Timestamp,
        grace: Span,
    ) -> Option<std::ops::Range<usize>> {
        let n = self.at_least as usize;
        // Times t_a <= … <= t_b share a window [x - W, x] if x lies in [t_b, t_a + W]; of these instants one lies in
        // [now - grace, now] if t_b <= t_a + W and now - grace <= t_a + W.
        let oldest = now - grace - self.within;
        for end in (n..=len).rev() {
            let start = end - n;
            if times(start) < oldest {
                return None;
            }
            if times(end - 1) - times(start) <= self.within {
                return Some(start..end);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn holds(times: &[i64], at_least: u32, within: i64, grace: i64, now: i64) -> bool {
        let window = Window { at_least, within: Span::from_millis(within) };
        window.run(times.len(), |i| at(times[i]), at(now), Span::from_millis(grace)).is_some()
    }

    #[test]
    fn both_ends_are_included() {
        #[rustfmt::skip]
        let rows = [
            // times              n  within grace  now    holds
            (&[0, 500, 1000][..], 3, 1000,  0,     1000,  true,  "the window's both ends"),
            (&[0, 500, 1001],     3, 1000,  0,     1001,  false, "one millisecond too wide"),
            (&[0, 500, 1000],     3, 1000,  0,     1001,  false, "passed by a millisecond"),
            (&[0, 500, 1000],     3, 1000,  300,   1300,  true,  "true up to grace longer, the end included"),
            (&[0, 500, 1000],     3, 1000,  300,   1301,  false, "and no longer"),
            (&[0, 0, 0],          3, 1000,  0,     0,     true,  "ties count each"),
            (&[0, 500, 1000, 1200], 3, 500, 300,   1200,  false, "never three within half a second"),
            (&[0, 100, 200, 900], 3, 200,   700,   900,   true,  "an older run within grace"),
            (&[5],                1, 1000,  0,     1005,  true,  "one is enough"),
            (&[],                 1, 1000,  0,     0,     false, "none is not"),
        ];
        for (times, n, within, grace, now, expected, why) in rows {
            assert_eq!(holds(times, n, within, grace, now), expected, "{why}");
        }
    }

    #[test]
    fn capacity_at_its_corners() {
        let window = |at_least, secs| Window { at_least, within: Span::from_secs(secs) };
        #[rustfmt::skip]
        let rows = [
            (window(1, 60), 300, 1, "one time is always enough for one"),
            (window(3, 300), 300, 5, "grace as long as the window"),
            (window(3, 299), 300, 7, "a second shorter: one more window"),
            (window(4, 1), 300, 904, "300 windows"),
            (window(3, 60), 0, 3, "no grace"),
        ];
        for (window, grace, expected, why) in rows {
            assert_eq!(window.capacity(Span::from_secs(grace)), expected, "{why}");
        }
    }

    proptest! {
        /// The newest K times decide as all of them do, by trying every instant.
        #[test]
        fn remembering_the_newest_is_enough(
            mut times in proptest::collection::vec(0i64..60, 0..40),
            at_least in 1u32..5, within in 1i64..20, grace in 0i64..25, after in 0i64..30,
        ) {
            times.sort_unstable();
            let now = times.last().copied().unwrap_or(0) + after;
            let naive = (now - grace..=now).any(|x| {
                times.iter().filter(|t| (x - within..=x).contains(*t)).count() >= at_least as usize
            });
            let window = Window { at_least, within: Span::from_millis(within) };
            let kept = window.capacity(Span::from_millis(grace)).min(times.len());
            prop_assert_eq!(holds(&times[times.len() - kept..], at_least, within, grace, now), naive);
        }
    }
}
