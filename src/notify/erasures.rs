//! Which leads were erased: alerts of before that turn up later, from the alert topic or from the dead letters, are told nobody.

use std::collections::BTreeMap;

use super::dead_letter::Incoming;
use crate::codec::ledger::{Erasure, lead_hash};
use crate::core::ids::Partition;
use crate::core::limits::MAX_ERASED;
use crate::core::time::Timestamp;

/// The erasures of all partitions that a sink owns.
#[derive(Debug, Default)]
pub struct Erasures {
    /// By partition and hash of the lead; one for each owner of the events that erased it.
    leads: BTreeMap<Partition, BTreeMap<String, Vec<Erasure>>>,
}

impl Erasures {
    /// A lead was erased.
    pub fn add(&mut self, partition: Partition, erasure: Erasure) {
        let leads = self.leads.entry(partition).or_default();
        let of_lead = leads.entry(erasure.lead.clone()).or_default();
        of_lead.retain(|known| known.source != erasure.source);
        of_lead.push(erasure);
        if leads.len() > MAX_ERASED {
            let newest = |erasures: &[Erasure]| erasures.iter().map(|erasure| erasure.time).max();
            let oldest = leads.iter().min_by_key(|(_, erasures)| newest(erasures)).map(|(lead, _)| lead.clone());
            oldest.into_iter().for_each(|lead| drop(leads.remove(&lead)));
        }
    }

    /// Whether nobody is to be told of an alert of this lead. `time` is its record's Kafka timestamp.
    pub fn cover(&self, partition: Partition, lead: &[u8], record: &Incoming, time: Timestamp) -> bool {
        let leads = self.leads.get(&partition).filter(|leads| !leads.is_empty());
        let Some(erasures) = leads.and_then(|leads| leads.get(&lead_hash(lead))) else {
            return false;
        };
        let event = record.event();
        erasures.iter().any(|erasure| erasure.covers(event.as_deref(), time))
    }

    /// Forgets these partitions: somebody else goes on with them.
    pub fn forget(&mut self, partitions: &[Partition]) {
        self.leads.retain(|partition, _| !partitions.contains(partition));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::Offset;

    const P: Partition = Partition(3);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn record(source: &str) -> Incoming {
        let value = format!(r#"{{"id":"1","trigger":{{"event_id":"e","source":"{source}"}}}}"#);
        Incoming { value: Some(value.into_bytes()), ..Incoming::default() }
    }

    #[test]
    fn each_owner_speaks_for_its_own_events_and_the_latest_word_counts() {
        let mut erasures = Erasures::default();
        assert!(!erasures.cover(P, b"u1", &record("e/0@1"), at(0)));
        for (partition, next) in [(0, 5), (0, 9), (1, 2)] {
            let by = Erasure::by_owner(b"u1", at(100), ("e", Partition(partition)), Offset(next));
            erasures.add(P, by);
        }
        #[rustfmt::skip]
        let rows = [
            // lead, event,    record's time, covered
            ("u1", "e/0@8",    999,  true),
            ("u1", "e/0@9",    999,  false),
            ("u1", "e/1@1",    999,  true),
            ("u1", "e/1@2",    999,  false),
            ("u2", "e/0@1",    0,    false),
        ];
        for (lead, event, time, covered) in rows {
            assert_eq!(erasures.cover(P, lead.as_bytes(), &record(event), at(time)), covered, "{lead} {event}");
        }
        assert!(!erasures.cover(Partition(4), b"u1", &record("e/0@1"), at(0)), "of another partition");
        erasures.forget(&[P]);
        assert!(!erasures.cover(P, b"u1", &record("e/0@1"), at(0)));
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut erasures = Erasures::default();
        for n in 0..=MAX_ERASED {
            erasures.add(P, Erasure::by_nobody(n.to_string().as_bytes(), at(n as i64)));
        }
        let is_known = |lead: &str| erasures.cover(P, lead.as_bytes(), &record("f:1"), at(0));
        assert!(!is_known("0") && is_known("1") && is_known(&MAX_ERASED.to_string()));
    }
}
