//! What becomes of a dead letter in a redrive: by what the ledger and the notes of earlier redrives say, and nothing else.

use std::collections::BTreeMap;

use crate::codec::ledger::{Entry, Outcome};

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It goes back. Of a delivery: for which time.
    Redrive(u32),
    /// The other side has it, or the events topic.
    SkipDelivered,
    /// An earlier redrive of it has not ended.
    UnderWay,
}

/// What the ledger says of one alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// How it ended, and after how many redrives.
    ended: Option<(Outcome, u32)>,
    is_parked: bool,
    /// The newest wish.
    asked: Option<u32>,
}

impl Known {
    /// Takes in the next record of the alert or of a wish for it.
    pub(super) fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Parked(_) => (self.ended, self.is_parked) = (None, true),
            Entry::Ended(ended) => (self.ended, self.is_parked) = (Some((ended.outcome, ended.tries.redrives)), false),
            Entry::Redrive(wish) => self.asked = self.asked.max(Some(wish.redrives)),
            _ => {}
        }
    }

    /// Whether the alert has yet to be delivered: it is parked, or there is a wish that nothing has come of.
    pub(super) fn is_waiting(&self) -> bool {
        let lives = self.ended.map_or(0, |(_, redrives)| redrives);
        self.is_parked || self.asked.is_some_and(|asked| asked > lives)
    }

    /// What becomes of a delivery that was given up after so many redrives.
    pub(super) fn decide(&self, redrives: u32, force: bool) -> Decision {
        let lives = self.ended.map_or(redrives, |(_, lives)| lives.max(redrives));
        match self.ended {
            _ if self.is_waiting() => Decision::UnderWay,
            Some((Outcome::DeadLettered, _)) | None => Decision::Redrive(lives + 1),
            Some(_) if force => Decision::Redrive(lives + 1),
            Some(_) => Decision::SkipDelivered,
        }
    }
}

/// How many went which way: what `redrive` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Counts {
    pub(super) redriven: u64,
    pub(super) skipped_delivered: u64,
    pub(super) failed: u64,
    /// Only told if there are any.
    #[serde(skip_serializing_if = "is_none")]
    pub(super) under_way: u64,
}

fn is_none(number: &u64) -> bool {
    *number == 0
}

impl Counts {
    /// The table.
    pub(super) fn table(&self) -> String {
        let Self { redriven, skipped_delivered, failed, under_way } = self;
        let mut rows = vec![("redriven", redriven), ("skipped_delivered", skipped_delivered), ("failed", failed)];
        if *under_way > 0 {
            rows.push(("under_way", under_way));
        }
        rows.iter().map(|(name, number)| format!("{name:<18} {number}\n")).collect()
    }
}

/// Of each delivery only its newest dead letter counts: the others were redriven already. Gives the redrives of the newest
/// of each, by what names a delivery.
pub(super) fn newest<K: Ord>(letters: impl Iterator<Item = (K, u32)>) -> BTreeMap<K, u32> {
    let mut newest = BTreeMap::new();
    for (delivery, redrives) in letters {
        let known = newest.entry(delivery).or_insert(redrives);
        *known = redrives.max(*known);
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::ledger::{Ended, Parked, Payload, Redrive, Tries};
    use crate::core::time::Timestamp;

    const TIME: Timestamp = Timestamp::from_millis(1_795_341_734_000);

    fn ended(outcome: Outcome, redrives: u32) -> Entry {
        let tries = Tries { redrives, ..Tries::default() };
        Entry::Ended(Ended { offset: 7, at: TIME, outcome, reason: None, into: None, tries })
    }

    fn parked() -> Entry {
        let (tries, alert) = (Tries::default(), Payload::default());
        Entry::Parked(Parked { offset: 7, time: TIME, next_at: TIME, tries, alert })
    }

    fn asked(redrives: u32) -> Entry {
        Entry::Redrive(Redrive { offset: 7, time: TIME, asked: TIME, redrives, alert: Payload::default() })
    }

    #[test]
    fn what_the_ledger_says_decides() {
        use Decision::{Redrive, SkipDelivered, UnderWay};
        use Outcome::{Coalesced, DeadLettered, Delivered, Superseded};
        #[rustfmt::skip]
        let rows = [
            // the ledger's records, the newest last                            letter's, decision,       with --force
            (vec![],                                                            0, Redrive(1),    Redrive(1)),
            (vec![ended(DeadLettered, 0)],                                      0, Redrive(1),    Redrive(1)),
            (vec![ended(DeadLettered, 0), asked(1)],                            0, UnderWay,      UnderWay),
            (vec![ended(DeadLettered, 0), asked(1), parked()],                  0, UnderWay,      UnderWay),
            (vec![asked(1), ended(Delivered, 1)],                               0, SkipDelivered, Redrive(2)),
            (vec![ended(Delivered, 1), asked(2)],                               0, UnderWay,      UnderWay),
            (vec![ended(Coalesced, 1)],                                         0, SkipDelivered, Redrive(2)),
            (vec![ended(Superseded, 0)],                                        0, SkipDelivered, Redrive(1)),
            (vec![asked(1), ended(DeadLettered, 1)],                            1, Redrive(2),    Redrive(2)),
            (vec![ended(DeadLettered, 0)],                                      3, Redrive(4),    Redrive(4)),
        ];
        for (entries, redrives, decision, forced) in rows {
            let mut known = Known::default();
            entries.iter().for_each(|entry| known.take(entry));
            assert_eq!(known.decide(redrives, false), decision, "{entries:?}");
            assert_eq!(known.decide(redrives, true), forced, "{entries:?}");
        }
    }

    #[test]
    fn of_several_lives_the_newest_counts() {
        let newest = newest([("a", 0), ("b", 0), ("a", 2), ("a", 1)].into_iter());
        assert_eq!(newest, BTreeMap::from([("a", 2), ("b", 0)]));
    }

    #[test]
    fn the_table_has_three_rows_and_a_fourth_if_there_is_something_to_say() {
        let counts = Counts { redriven: 3, skipped_delivered: 1, failed: 0, under_way: 0 };
        assert_eq!(counts.table(), "redriven           3\nskipped_delivered  1\nfailed             0\n");
        assert_eq!(serde_json::to_string(&counts).expect("JSON"), r#"{"redriven":3,"skipped_delivered":1,"failed":0}"#);
        assert!(Counts { under_way: 2, ..counts }.table().ends_with("under_way          2\n"));
    }
}
