//! A lead's lists to its bytes.

use super::super::event::{Shape, Slot};
use super::super::labels::MOST_LABELS;
use super::super::lead::{Episode, Lead, Number, Remembered};
use super::super::limits::MAX_LABEL;
use super::super::spec::Tenths;
use super::super::time::Timestamp;
use super::{EPISODES, EVENTS, MARKS, NARROW, NARROW_EVENT, RINGS, SHAPES, SUMS, TRAITS, WIDE_EVENT, sections};

/// Appends the lead's bytes; of `known` labels, which are ascending, only the number. The lead keeps these numbers: its
/// next writing needs the same list.
pub(in crate::core) fn write(lead: &mut Lead, known: &[String], out: &mut Vec<u8>) {
    let base = Base::of(lead);
    let sections = sections(lead) | if base.narrow { NARROW } else { 0 };
    out.push(sections);
    put_time(out, base.clock);
    if sections & EVENTS != 0 {
        write_events(lead, known, base, out);
    }
    if sections & RINGS != 0 {
        put_index(out, base.narrow, index(lead.rings.len()));
        for ring in &lead.rings {
            put_index(out, base.narrow, ring.count);
            put_index(out, base.narrow, ring.len);
        }
        if base.narrow {
            out.extend(lead.refs.iter().map(|event| *event as u8));
        } else {
            out.extend(lead.refs.iter().flat_map(|event| event.to_le_bytes()));
        }
    }
    if sections & SUMS != 0 {
        write_score(lead, out);
    }
    if sections & TRAITS != 0 {
        put_len(out, lead.traits.len());
        for known in &lead.traits {
            put16(out, known.trait_);
            put_time(out, known.time);
            write_value(lead, known.slot, out);
        }
    }
    if sections & MARKS != 0 {
        put_len(out, lead.marks.len());
        for mark in &lead.marks {
            put16(out, mark.hold << 1 | u16::from(mark.on));
            put_time(out, mark.time);
        }
    }
    if sections & EPISODES != 0 {
        put_len(out, lead.episodes.len());
        lead.episodes.iter().for_each(|episode| write_episode(episode, base.clock, out));
    }
}

fn write_events(lead: &mut Lead, known: &[String], base: Base, out: &mut Vec<u8>) {
    // Labels are numbered anew, in the order of their first use: those that no event has any longer are left out, so
    // a lead's text never grows for long.
    const UNSEEN: u16 = u16::MAX;
    let (mut few, mut many) = ([UNSEEN; 64], Vec::new());
    let renamed = match few.get_mut(..lead.labels.len()) {
        Some(few) => few,
        None => {
            many.resize(lead.labels.len(), UNSEEN);
            &mut many[..]
        }
    };
    let mut kept = 0;
    let mut rename = |label: u16| {
        let label = &mut renamed[usize::from(label)];
        if *label == UNSEEN {
            *label = kept;
            kept += 1;
        }
        *label
    };
    put_index(out, base.narrow, index(lead.events.len()));
    put48(out, base.position);
    let start = out.len();
    if base.narrow {
        out.resize(start + lead.events.len() * NARROW_EVENT, 0);
        let (places, _) = out[start..].as_chunks_mut();
        for (place, event) in places.iter_mut().zip(&lead.events) {
            *place = base.narrow(event, rename(event.label));
        }
    } else {
        out.resize(start + lead.events.len() * WIDE_EVENT, 0);
        let (places, _) = out[start..].as_chunks_mut();
        for (place, event) in places.iter_mut().zip(&lead.events) {
            *place = wide(event, rename(event.label));
        }
    }
    put_index(out, base.narrow, kept);
    write_labels(lead, known, kept, renamed, out);
}

/// The lengths, or the numbers of known ones, then all the text in one piece: it is checked in one piece too.
fn write_labels(lead: &mut Lead, known: &[String], kept: u16, renamed: &[u16], out: &mut Vec<u8>) {
    let lengths = out.len();
    out.resize(lengths + usize::from(kept), 0);
    let mut next = 0;
    for event in &lead.events {
        let label = usize::from(event.label);
        if renamed[label] == next {
            let label = &mut lead.labels[label];
            let text = &lead.text[label.range()];
            let place = lengths + usize::from(next);
            if label.number == Number::NotAsked {
                label.number = number_of(text, known);
            }
            match label.number {
                Number::Known(number) => out[place] = (MAX_LABEL + 1) as u8 + number,
                Number::NotAsked | Number::None => {
                    out[place] = text.len() as u8;
                    out.extend_from_slice(text.as_bytes());
                }
            }
            next += 1;
        }
    }
}

fn number_of(label: &str, known: &[String]) -> Number {
    match known.binary_search_by(|known| known.as_str().cmp(label)) {
        Ok(number) if number < MOST_LABELS => Number::Known(number as u8),
        _ => Number::None,
    }
}

/// What a lead's narrow events are told from.
#[derive(Clone, Copy)]
struct Base {
    narrow: bool,
    /// The lead's clock: no event is newer.
    clock: Timestamp,
    /// The lowest position of an event.
    position: i64,
}

impl Base {
    fn of(lead: &Lead) -> Self {
        let clock = lead.clock.unwrap_or_default();
        let (mut oldest, mut lowest, mut highest) = (clock, i64::MAX, i64::MIN);
        for event in &lead.events {
            oldest = oldest.min(event.time);
            lowest = lowest.min(event.position);
            highest = highest.max(event.position);
        }
        let fits = |distance: i64| distance <= i64::from(u32::MAX);
        let few = |len: usize| len <= usize::from(u8::MAX);
        let narrow = fits((clock - oldest).as_millis())
            && fits(highest.saturating_sub(lowest))
            && few(lead.events.len())
            && few(lead.labels.len())
            && few(lead.rings.len())
            && lead.rings.iter().all(|ring| few(usize::from(ring.count)) && few(usize::from(ring.len)));
        Self { narrow, clock, position: if lead.events.is_empty() { 0 } else { lowest } }
    }

    fn narrow(self, event: &Remembered, label: u16) -> [u8; NARROW_EVENT] {
        let mut bytes = [0; NARROW_EVENT];
        bytes[..4].copy_from_slice(&((self.clock - event.time).as_millis() as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&((event.position - self.position) as u32).to_le_bytes());
        bytes[8..16].copy_from_slice(&event.id.to_le_bytes());
        bytes[16] = label as u8;
        bytes
    }
}

fn wide(event: &Remembered, label: u16) -> [u8; WIDE_EVENT] {
    let mut bytes = [0; WIDE_EVENT];
    bytes[..6].copy_from_slice(&event.time.as_millis().to_le_bytes()[..6]);
    bytes[6..12].copy_from_slice(&event.position.to_le_bytes()[..6]);
    bytes[12..20].copy_from_slice(&event.id.to_le_bytes());
    bytes[20..].copy_from_slice(&label.to_le_bytes());
    bytes
}

fn write_score(lead: &Lead, out: &mut Vec<u8>) {
    put_len(out, lead.sums.len());
    for (sum, value) in &lead.sums {
        put16(out, *sum);
        put_time(out, value.at);
        out.extend_from_slice(&value.points.to_le_bytes());
    }
    put_len(out, lead.contributions.len());
    for contribution in &lead.contributions {
        put16(out, contribution.points);
        put16(out, contribution.event);
    }
}

fn write_value(lead: &Lead, slot: Slot, out: &mut Vec<u8>) {
    out.push(shape_code(slot.shape()));
    if slot.shape() == Shape::List {
        let items = &lead.items[slot.range()];
        put_len(out, items.len());
        items.iter().for_each(|item| write_value(lead, *item, out));
    } else {
        put_text(out, &lead.text.as_bytes()[slot.range()]);
    }
}

fn write_episode(episode: &Episode, clock: Timestamp, out: &mut Vec<u8>) {
    put16(out, episode.rule);
    let times = [episode.last_announced, episode.spared_until];
    let (updated, scored) = (episode.is_updated_at(clock), episode.spared_from.is_some());
    let flags = [episode.open, episode.announced, times[0].is_some(), times[1].is_some(), updated, scored];
    out.push((0..).zip(flags).map(|(bit, flag)| u8::from(flag) << bit).sum());
    put_time(out, episode.opened);
    put_time(out, episode.time);
    out.extend_from_slice(&episode.id.to_le_bytes());
    times.iter().flatten().for_each(|time| put_time(out, *time));
    episode.spared_from.iter().for_each(|Tenths(score)| out.extend_from_slice(&score.to_le_bytes()));
}

pub(super) fn shape_code(shape: Shape) -> u8 {
    SHAPES.iter().position(|known| *known == shape).unwrap_or_default() as u8
}

fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// A small number; narrow ones were found to fit a byte.
fn put_index(out: &mut Vec<u8>, narrow: bool, number: u16) {
    if narrow {
        out.push(number as u8);
    } else {
        put16(out, number);
    }
}

fn index(len: usize) -> u16 {
    u16::try_from(len).expect("limits keep a lead's lists under 65,536")
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    put16(out, index(len));
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_len(out, text.len());
    out.extend_from_slice(text);
}

fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    put48(out, time.as_millis());
}

fn put48(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_le_bytes()[..6]);
}
