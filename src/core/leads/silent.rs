//! Leads that nothing can be heard of any more: freed before their next event, for it would start them anew anyway.

use super::entry::AT_REST;
use super::{Grip, Leads};
use crate::core::limits::LOOKED_AT;
use crate::core::snapshot;
use crate::core::time::{Day, Timestamp};

impl Leads {
    /// Looks at the next few leads, and forgets those whose clock and whose day lie before that moment; answers with
    /// their number. One that has changed since the last commit is not silent.
    ///
    /// The clock alone would not do: while old events are read, every clock lies far back. Nor would the day alone: an
    /// event may be from the future of all others.
    pub fn forget_silent(&mut self, before: Timestamp) -> usize {
        let mut count = 0;
        for _ in 0..self.entries.len().min(LOOKED_AT) {
            self.looked_at = (self.looked_at + 1) % self.entries.len();
            if self.is_silent(self.looked_at, before) {
                let place = self.looked_at as u32;
                let at = match self.entries[self.looked_at].hand {
                    AT_REST => self.read(place),
                    at => at as usize,
                };
                self.hands[at].lead.clear();
                self.note_change(Grip(at));
                count += 1;
            }
        }
        count
    }

    fn is_silent(&self, place: usize, before: Timestamp) -> bool {
        let entry = &self.entries[place];
        let hand = self.hands.get(entry.hand as usize);
        !entry.is_empty()
            && !hand.is_some_and(|hand| hand.changed || hand.staged)
            && entry.day() < Day::of(before)
            && snapshot::clock(entry.state()).is_some_and(|clock| clock < before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn day(n: i64) -> Timestamp {
        Timestamp::from_millis(n * DAY_MS)
    }

    /// On that day, a lead does something whose event time is `clock`.
    fn touch(leads: &mut Leads, key: &str, (today, clock): (i64, Timestamp)) {
        let grip = leads.take(key);
        let lead = leads.lead(grip);
        lead.clock = Some(clock);
        lead.remember(clock, today, today as u64, "/pricing");
        leads.note_change(grip);
        commit(leads, today);
    }

    fn commit(leads: &mut Leads, today: i64) {
        leads.today = Day::of(day(today));
        leads.stage();
        leads.commit();
    }

    #[test]
    fn only_a_lead_of_which_clock_and_day_lie_back_is_silent() {
        #[rustfmt::skip]
        let table = [
            // clock, day of its commit, forgotten
            (day(500) - crate::core::time::Span::from_millis(1), 499, true),
            (day(500), 499, false), // "before" does not include the moment
            (day(499), 500, false), // heard of today: old events are being read
            (day(900), 400, false), // an event from the future
        ];
        for (clock, heard, forgotten) in table {
            let mut leads = Leads::default();
            touch(&mut leads, "a", (heard, clock));
            assert_eq!(leads.forget_silent(day(500)), usize::from(forgotten), "{clock:?} {heard}");
            leads.stage();
            assert_eq!(leads.staged().filter(|(_, state)| state.is_empty()).count(), usize::from(forgotten));
            leads.commit();
            assert_eq!(leads.knows("a"), !forgotten);
        }
    }

    /// Goal: between a look and its commit anything may happen: the lead speaks after all, or the round is undone.
    #[test]
    fn what_speaks_before_the_commit_starts_anew_and_an_abort_brings_it_back() {
        let mut leads = Leads::default();
        touch(&mut leads, "a", (1, day(1)));
        touch(&mut leads, "b", (1, day(1)));
        assert_eq!(leads.forget_silent(day(500)), 2);
        assert_eq!(leads.forget_silent(day(500)), 0, "once");
        touch(&mut leads, "a", (600, day(600)));
        assert_eq!((leads.knows("a"), leads.knows("b"), leads.len()), (true, false, 1));
        let grip = leads.take("a");
        assert_eq!(leads.lead(grip).events.len(), 1, "what it did before is forgotten");

        assert_eq!(leads.forget_silent(day(700)), 1);
        leads.roll_back();
        assert!(leads.knows("a"));
        leads.forget_silent(day(700));
        leads.stage();
        leads.roll_back();
        assert!(leads.knows("a"));
        assert_eq!(leads.forget_silent(day(700)), 1);
        commit(&mut leads, 700);
        assert_eq!(leads.len(), 0);
        assert_eq!(leads.forget_silent(day(900)), 0, "what is gone is not looked at");
    }

    #[test]
    fn a_look_is_bounded_and_the_next_one_goes_on() {
        let mut leads = Leads::default();
        (0..2 * LOOKED_AT).for_each(|n| touch(&mut leads, &format!("lead-{n}"), (1, day(1))));
        for left in [LOOKED_AT, 0] {
            assert_eq!(leads.forget_silent(day(500)), LOOKED_AT);
            commit(&mut leads, 500);
            assert_eq!(leads.len(), left);
        }
    }

    #[test]
    fn a_day_survives_growth_and_follows_each_commit() {
        let mut leads = Leads { today: Day::of(day(7)), ..Leads::default() };
        leads.put("a", b"state");
        let day_of = |leads: &Leads| leads.entries[0].day();
        assert_eq!(day_of(&leads), Day::of(day(7)));
        leads.today = Day::of(day(9));
        leads.put("a", &[1; 300]);
        assert_eq!(day_of(&leads), Day::of(day(9)), "moved");
        leads.today = Day::of(day(11));
        leads.put("a", &[2; 299]);
        assert_eq!((day_of(&leads), leads.entries[0].state()), (Day::of(day(11)), &[2; 299][..]), "in place");
    }
}
