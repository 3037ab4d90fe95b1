//! A lead at rest: its state as a string of bytes, one allocation a lead.
//!
//! Fixed-width little-endian fields, so that a lead whose windows are full keeps its size from event to event. A bit
//! for each section says whether it is there. Times and positions take 48 bits: milliseconds to the year 9999,
//! 281 million million records a partition.
//!
//! Nearly every lead is *narrow*: its events lie within 49 days and 4 billion records, and no list of its events,
//! labels and rings has more than 255 members. Then an event takes 17 bytes and not 22, an index one and not two: a
//! lead with five events about 175 bytes and not 215.

pub(super) mod compact;
mod form;
mod read;
mod sound;
mod write;

use super::event::Shape;
use super::lead::Lead;

pub use form::Form;
pub(super) use read::{clock, read};
pub(super) use sound::admit;
pub(super) use write::write;

const EVENTS: u8 = 1;
const RINGS: u8 = 2;
const SUMS: u8 = 4;
const TRAITS: u8 = 8;
const MARKS: u8 = 16;
const EPISODES: u8 = 32;
const NARROW: u8 = 64;

/// Why bytes are no lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core) struct Broken;

/// The sections that a lead has.
fn sections(lead: &Lead) -> u8 {
    let there = [
        (EVENTS, lead.events.is_empty()),
        (RINGS, lead.rings.is_empty()),
        (SUMS, lead.sums.is_empty()),
        (TRAITS, lead.traits.is_empty()),
        (MARKS, lead.marks.is_empty()),
        (EPISODES, lead.episodes.is_empty()),
    ];
    there.iter().filter(|(_, empty)| !empty).map(|(bit, _)| bit).sum()
}

const NARROW_EVENT: usize = 17;
const WIDE_EVENT: usize = 22;

/// A value's shape is its place in this list.
const SHAPES: [Shape; 8] =
    [Shape::Absent, Shape::False, Shape::True, Shape::Number, Shape::Text, Shape::Written, Shape::List, Shape::Object];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::event::Value;
    use super::super::lead::{Episode, Lead, Mark};
    use super::super::spec::Tenths;
    use super::super::time::Timestamp;
    use super::*;

    /// All that a lead says, whatever order its texts lie in.
    fn said(lead: &Lead) -> String {
        let events: Vec<_> =
            lead.events.iter().map(|e| (e.time, e.position, e.id, lead.label_of(e).to_owned())).collect();
        let rings: Vec<_> = lead.rings.iter().map(|ring| (ring.count, lead.ring(ring.count).to_vec())).collect();
        let traits: Vec<_> = lead.traits.iter().map(|t| (t.trait_, t.time, plain(lead.trait_(t.trait_)))).collect();
        let (sums, marks, episodes) = (&lead.sums, &lead.marks, &lead.episodes);
        format!("{:?}", (lead.clock, events, rings, &lead.contributions, sums, traits, marks, episodes))
    }

    fn plain(value: Value<'_>) -> String {
        match value {
            Value::List(list) => list.items().map(plain).collect::<Vec<_>>().join("|"),
            Value::Absent => "absent".into(),
            Value::Object => "object".into(),
            Value::Bool(is) => is.to_string(),
            Value::Number(text) | Value::Text(text) => text.to_owned(),
        }
    }

    fn comes_back(lead: &mut Lead) -> usize {
        let known = ["/0", "/3", "a", "é"].map(str::to_owned);
        let mut bytes = Vec::new();
        write(lead, &known, &mut bytes);
        let mut again = Lead::default();
        assert_eq!(read(&bytes, &known, &mut again), Ok(()), "{}", said(lead));
        assert_eq!(said(&again), said(lead));
        let mut twice = Vec::new();
        write(&mut again, &known, &mut twice);
        assert_eq!(twice, bytes, "the same bytes again");
        comes_back_from_the_changelog(lead, &known, &bytes);
        for short in 0..bytes.len() {
            assert_eq!(read(&bytes[..short], &known, &mut again), Err(Broken), "cut at {short}");
        }
        bytes.len()
    }

    /// At rest it is the same, and no part of its bytes is a lead.
    fn comes_back_from_the_changelog(lead: &Lead, known: &[String], at_rest: &[u8]) {
        let (mut scratch, mut record, mut again) = (compact::Scratch::default(), Vec::new(), Lead::default());
        compact::write(lead, known, &mut scratch, &mut record);
        assert_eq!(compact::read(&record, known, &mut scratch, &mut again), Ok(()), "{}", said(lead));
        assert_eq!(said(&again), said(lead));
        let mut bytes = Vec::new();
        write(&mut again, known, &mut bytes);
        assert_eq!(bytes, at_rest);
        assert!(record.len() < at_rest.len(), "{} of {}", record.len(), at_rest.len());
        for short in 0..record.len() {
            let read = compact::read(&record[..short], known, &mut scratch, &mut again);
            assert_eq!(read, Err(Broken), "cut at {short}");
        }
    }

    /// A lead of these events, each in one ring.
    fn lead_of(events: impl IntoIterator<Item = (i64, i64)>) -> Lead {
        let mut lead = Lead::default();
        for (n, (ms, position)) in events.into_iter().enumerate() {
            let time = Timestamp::from_millis(Timestamp::MIN.as_millis() + ms);
            lead.clock = lead.clock.max(Some(time));
            let event = lead.remember(time, position, n as u64, &format!("/{}", n % 7));
            lead.enter_ring(3, 1024, event);
        }
        lead
    }

    /// Goal: a narrow lead becomes a wide one just where its numbers no longer fit, and nothing is lost on either side.
    #[test]
    fn narrow_and_wide_meet_at_the_limits() {
        let most = i64::from(u32::MAX);
        let head = 20;
        #[rustfmt::skip]
        let rows = [
            (vec![(0, 0), (most, 0)],         true,  "49 days apart"),
            (vec![(0, 0), (most + 1, 0)],     false, "a millisecond more"),
            (vec![(0, 7), (0, 7 + most)],     true,  "4 billion records apart"),
            (vec![(0, 7), (0, 8 + most)],     false, "one more"),
            (vec![(0, (1 << 48) - 1)],        true,  "the last position of all"),
        ];
        for (events, narrow, why) in rows {
            let len = comes_back(&mut lead_of(events.clone()));
            let per_event = (len - head) / events.len();
            assert_eq!(per_event < WIDE_EVENT, narrow, "{why}: {len} bytes");
        }
        let (few, many) =
            (comes_back(&mut lead_of((0..255).map(|n| (n, n)))), comes_back(&mut lead_of((0..256).map(|n| (n, n)))));
        assert!(many - few > 256, "one event more than one byte can count makes all wide: {few}, {many}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_lead_comes_back(
            events in proptest::collection::vec((0i64..5_000_000_000, 0i64..6_000_000_000, 0u16..400, "[a-é]{0,9}"), 0..40),
            texts in proptest::collection::vec((0u16..9, "[ -~é]{0,12}"), 0..6),
            marks in proptest::collection::vec((0u16..500, any::<bool>(), 0i64..9_000), 0..4),
            opened in proptest::collection::vec((0u16..500, any::<(bool, bool, u64)>(), proptest::option::of(0i64..9_000)), 0..4),
        ) {
            let at = |ms: i64| Timestamp::from_millis(Timestamp::MIN.as_millis() + ms);
            let mut lead = Lead { clock: Some(at(9_000)), ..Lead::default() };
            for (n, (ms, position, count, label)) in events.iter().enumerate() {
                lead.clock = lead.clock.max(Some(at(*ms)));
                let event = lead.remember(at(*ms), *position, n as u64, label);
                lead.enter_ring(*count, 3, event);
                lead.contribute(*count, event, |other| other == *count);
                lead.sum(*count, at(*ms)).points += 0.1;
            }
            for (trait_, text) in &texts {
                lead.set_trait(*trait_, at(1), Value::Text(text));
            }
            lead.set_trait(9, at(2), Value::Bool(true));
            lead.marks = marks.iter().map(|(hold, on, ms)| Mark { hold: *hold, on: *on, time: at(*ms) }).collect();
            let minute = lead.clock.map(Timestamp::minute);
            lead.episodes = opened.iter().map(|(rule, (open, announced, id), last)| Episode {
                rule: *rule, open: *open, announced: *announced, opened: at(3), time: at(4), id: *id,
                last_announced: last.map(at), spared_until: last.filter(|ms| ms % 2 == 0).map(at),
                spared_from: last.filter(|ms| ms % 3 == 0).map(|ms| Tenths(ms - 4_000)),
                updated: minute.filter(|_| id % 2 == 0),
            }).collect();
            comes_back(&mut lead);
        }
    }
}
