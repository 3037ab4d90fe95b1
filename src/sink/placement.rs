//! Where the state of leads has to lie: where Kafka's default partitioner puts their keys, before and after a topic has
//! grown.

use std::collections::BTreeSet;

use crate::core::ids::Partition;

/// What has to be done with the states of leads for an events topic that has grown.
///
/// No state is lost unseen: whatever does not lie where its key says is a stray and stays, and a place that is taken is
/// overwritten only by the state that the lead had before the topic grew.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan<'a> {
    /// States that have to move, by lead: at most one of each.
    pub moves: Vec<Move<'a>>,
    /// States that lie where no partitioner that we know would have put their events.
    pub strays: Vec<Stray<'a>>,
    /// Leads that began anew at their new place after the topic had grown: what they had before replaces it.
    pub replaced: usize,
}

/// A state that has to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move<'a> {
    /// The lead's key.
    pub lead: &'a str,
    /// Where it is.
    pub from: Partition,
    /// Where its events are from now on.
    pub to: Partition,
}

/// A state that is not where its lead's key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray<'a> {
    /// The lead's key.
    pub lead: &'a str,
    /// Where it is.
    pub at: Partition,
    /// Where murmur2 of the key says.
    pub expected: Partition,
}

impl<'a> Plan<'a> {
    /// The plan for states at these places, for a topic that has `now` partitions and had one of the counts `before`:
    /// a move that was interrupted leaves two, and the leads tell which one they lie by. In doubt it is the first.
    pub fn new(places: impl Iterator<Item = (&'a str, Partition)>, before: [i32; 2], now: i32) -> Self {
        let places: BTreeSet<(&str, Partition)> = places.collect();
        let fit = |count: i32| places.iter().filter(|(lead, at)| partition_of(lead.as_bytes(), count) == *at).count();
        let [first, second] = before;
        let before = if first != second && fit(second) > fit(first) { second } else { first };
        let mut plan = Self::default();
        for (lead, at) in &places {
            let [home, to] = [before, now].map(|count| partition_of(lead.as_bytes(), count));
            if *at == home && home != to {
                plan.moves.push(Move { lead, from: home, to });
                plan.replaced += usize::from(places.contains(&(*lead, to)));
            } else if *at != home && *at != to {
                plan.strays.push(Stray { lead, at: *at, expected: home });
            }
        }
        plan
    }
}

/// Where Java's default partitioner, and librdkafka's `murmur2_random`, put a key.
///
/// ```
/// use hotlead::core::ids::Partition;
/// use hotlead::sink::partition_of;
/// assert_eq!(partition_of(b"u1", 4), Partition(0));
/// ```
pub fn partition_of(key: &[u8], partitions: i32) -> Partition {
    Partition((murmur2(key) & 0x7fff_ffff) as i32 % partitions.max(1))
}

/// As in Kafka's `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let (words, rest) = key.as_chunks::<4>();
    let mut hash = 0x9747_b28c ^ key.len() as u32;
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Kafka's own test, `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_kafkas() {
        #[rustfmt::skip]
        let rows = [
            ("21",                   -973932308),
            ("foobar",               -790332482),
            ("a-little-bit-long-string", -985981536),
            ("a-little-bit-longer-string", -1486304829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
            ("abc",                  479470107),
        ];
        for (key, expected) in rows {
            assert_eq!(murmur2(key.as_bytes()) as i32, expected, "{key}");
        }
    }

    /// Keys by where they lie with 2 and with 3 partitions.
    fn key(of_two: i32, of_three: i32) -> String {
        let keys = (0..).map(|n| format!("u{n}"));
        let lies = |key: &String| [2, 3].map(|count| partition_of(key.as_bytes(), count).0) == [of_two, of_three];
        keys.into_iter().find(lies).expect("a hash that spreads")
    }

    #[test]
    fn each_state_stays_moves_or_is_a_stray() {
        let (stays, moves, crosses) = (key(0, 0), key(0, 2), key(0, 1));
        let [zero, one, two] = [0, 1, 2].map(Partition);
        let moved = |lead, to| vec![Move { lead, from: zero, to }];
        let stray = |lead, at, expected| vec![Stray { lead, at, expected }];
        #[rustfmt::skip]
        let rows = [
            // places                                   moves                strays                        replaced
            (vec![(&stays, zero)],                      vec![],              vec![],                       0, "at its place before and after"),
            (vec![(&moves, zero)],                      moved(&moves, two),  vec![],                       0, "to a new partition"),
            (vec![(&crosses, zero)],                    moved(&crosses, one), vec![],                      0, "to an old partition"),
            (vec![(&stays, zero), (&moves, two)],       vec![],              vec![],                       0, "begun at its new place"),
            (vec![(&moves, zero), (&moves, two)],       moved(&moves, two),  vec![],                       1, "begun anew at its new place"),
            (vec![(&stays, zero), (&stays, one)],       vec![],              stray(&stays, one, zero),     0, "a stray of a lead that stays"),
            (vec![(&moves, zero), (&moves, one)],       moved(&moves, two),  stray(&moves, one, zero),     0, "a stray of a lead that moves"),
            (vec![(&stays, zero), (&moves, one)],       vec![],              stray(&moves, one, zero),     0, "nothing but a stray"),
        ];
        for (places, moves, strays, replaced, why) in rows {
            let places = places.into_iter().map(|(lead, at)| (lead.as_str(), at));
            assert_eq!(Plan::new(places, [2, 2], 3), Plan { moves, strays, replaced }, "{why}");
        }
    }

    /// Goal: whatever was done before an interruption, doing it again ends with each lead at its place, and once more
    /// changes nothing. Method: the counts that the topics of state and feedback have between any two steps.
    #[test]
    fn a_plan_that_was_carried_out_has_nothing_left_to_do() {
        let leads: Vec<String> = (0..500).map(|n| format!("lead-{n}")).collect();
        for (old, between, now) in [(1, 2, 3), (2, 3, 5), (4, 8, 16), (3, 4, 4)] {
            let at = |count| leads.iter().map(move |lead| (lead.as_str(), partition_of(lead.as_bytes(), count)));
            let moves = |from: i32, before| {
                let plan = Plan::new(at(from), before, now);
                assert_eq!((plan.strays.len(), plan.replaced), (0, 0), "{old} {between} {now}");
                for Move { lead, from: was, to } in &plan.moves {
                    let of = |count| partition_of(lead.as_bytes(), count);
                    assert_eq!((*was, *to), (of(from), of(now)));
                }
                plan.moves.len()
            };
            let changed = |from: i32| at(from).zip(at(now)).filter(|(before, after)| before != after).count();
            assert_eq!(moves(old, [old, old]), changed(old), "nothing was done");
            assert_eq!(moves(old, [old, now]), changed(old), "the topic of the state has grown");
            assert_eq!(moves(now, [old, now]), 0, "the leads have moved");
            assert_eq!(moves(old, [old, between]), changed(old), "it has grown, and the events again");
            assert_eq!(moves(between, [old, between]), changed(between), "they have moved, and the events grew again");
        }
    }
}
