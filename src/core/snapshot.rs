//! A lead at rest: its state as a string of bytes, one allocation a lead.
//!
//! Fixed-width little-endian fields, so that a lead whose windows are full keeps its size from event to event. A bit
//! for each section says whether it is there. Times and positions take 48 bits: milliseconds to the year 9999,
//! 281 million million records a partition.

use super::event::{Shape, Slot};
use super::lead::{Contribution, Episode, Label, Lead, Mark, Remembered, Remembrance, Ring};
use super::score::Sum;
use super::time::Timestamp;

const EVENTS: u8 = 1;
const RINGS: u8 = 2;
const SUMS: u8 = 4;
const TRAITS: u8 = 8;
const MARKS: u8 = 16;
const EPISODES: u8 = 32;

/// Why bytes are no lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// Appends the lead's bytes.
pub(super) fn write(lead: &Lead, out: &mut Vec<u8>) {
    let mut sections = 0;
    let there = [
        (EVENTS, lead.events.is_empty()),
        (RINGS, lead.rings.is_empty()),
        (SUMS, lead.sums.is_empty()),
        (TRAITS, lead.traits.is_empty()),
        (MARKS, lead.marks.is_empty()),
        (EPISODES, lead.episodes.is_empty()),
    ];
    there.iter().filter(|(_, empty)| !empty).for_each(|(bit, _)| sections |= bit);
    out.push(sections);
    put_time(out, lead.clock.unwrap_or_default());
    if sections & EVENTS != 0 {
        write_events(lead, out);
    }
    if sections & RINGS != 0 {
        put_len(out, lead.rings.len());
        for ring in &lead.rings {
            put16(out, ring.count);
            put16(out, ring.len);
        }
        lead.refs.iter().for_each(|event| put16(out, *event));
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
        lead.episodes.iter().for_each(|episode| write_episode(episode, out));
    }
}

fn write_events(lead: &Lead, out: &mut Vec<u8>) {
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
    put_len(out, lead.events.len());
    for event in &lead.events {
        let label = &mut renamed[usize::from(event.label)];
        if *label == UNSEEN {
            *label = kept;
            kept += 1;
        }
        let mut bytes = [0; EVENT];
        bytes[..6].copy_from_slice(&event.time.as_millis().to_le_bytes()[..6]);
        bytes[6..12].copy_from_slice(&event.position.to_le_bytes()[..6]);
        bytes[12..20].copy_from_slice(&event.id.to_le_bytes());
        bytes[20..].copy_from_slice(&label.to_le_bytes());
        out.extend_from_slice(&bytes);
    }
    put16(out, kept);
    let mut next = 0;
    for event in &lead.events {
        let label = usize::from(event.label);
        if renamed[label] == next {
            let Label { start, end } = lead.labels[label];
            put_text(out, &lead.text.as_bytes()[start as usize..end as usize]);
            next += 1;
        }
    }
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
    out.push(shape_code(slot.shape));
    if slot.shape == Shape::List {
        let items = &lead.items[slot.start as usize..slot.end as usize];
        put_len(out, items.len());
        items.iter().for_each(|item| write_value(lead, *item, out));
    } else {
        put_text(out, &lead.text.as_bytes()[slot.start as usize..slot.end as usize]);
    }
}

fn write_episode(episode: &Episode, out: &mut Vec<u8>) {
    put16(out, episode.rule);
    let flags = [episode.open, episode.announced, episode.last_announced.is_some()];
    out.push((0..).zip(flags).map(|(bit, flag)| u8::from(flag) << bit).sum());
    put_time(out, episode.opened);
    put_time(out, episode.time);
    out.extend_from_slice(&episode.id.to_le_bytes());
    if let Some(last) = episode.last_announced {
        put_time(out, last);
    }
}

const EVENT: usize = 22;

/// Replaces `lead` with what the bytes say.
pub(super) fn read(bytes: &[u8], lead: &mut Lead) -> Result<(), Broken> {
    lead.clear();
    let mut bytes = Bytes(bytes);
    let sections = bytes.u8()?;
    lead.clock = Some(bytes.time()?);
    if sections & EVENTS != 0 {
        read_events(&mut bytes, lead)?;
    }
    if sections & RINGS != 0 {
        let mut refs = 0;
        for _ in 0..bytes.u16()? {
            let ring = Ring { count: bytes.u16()?, len: bytes.u16()? };
            refs += usize::from(ring.len);
            lead.rings.push(ring);
        }
        let refs = bytes.take(refs * 2)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        lead.refs.extend(refs);
        if lead.refs.iter().any(|event| usize::from(*event) >= lead.events.len()) {
            return Err(Broken);
        }
    }
    if sections & SUMS != 0 {
        for _ in 0..bytes.u16()? {
            let sum = bytes.u16()?;
            let at = bytes.time()?;
            lead.sums.push((sum, Sum { points: f64::from_bits(bytes.u64()?), at }));
        }
        for _ in 0..bytes.u16()? {
            lead.contributions.push(Contribution { points: bytes.u16()?, event: bytes.u16()? });
        }
        if lead.contributions.iter().any(|c| usize::from(c.event) >= lead.events.len()) {
            return Err(Broken);
        }
    }
    if sections & TRAITS != 0 {
        for _ in 0..bytes.u16()? {
            let (trait_, time) = (bytes.u16()?, bytes.time()?);
            let slot = read_value(&mut bytes, lead, true)?;
            lead.traits.push(Remembrance { trait_, time, slot });
        }
    }
    if sections & MARKS != 0 {
        for _ in 0..bytes.u16()? {
            let hold = bytes.u16()?;
            lead.marks.push(Mark { hold: hold >> 1, on: hold & 1 == 1, time: bytes.time()? });
        }
    }
    if sections & EPISODES != 0 {
        for _ in 0..bytes.u16()? {
            lead.episodes.push(read_episode(&mut bytes)?);
        }
    }
    bytes.0.is_empty().then_some(()).ok_or(Broken)
}

fn read_events(bytes: &mut Bytes<'_>, lead: &mut Lead) -> Result<(), Broken> {
    let count = usize::from(bytes.u16()?);
    let events = bytes.take(count * EVENT)?.chunks_exact(EVENT).map(|event| Remembered {
        time: Timestamp::from_millis(u48(&event[..6])),
        position: u48(&event[6..12]),
        id: u64::from_le_bytes(event[12..20].try_into().expect("eight bytes")),
        label: u16::from_le_bytes([event[20], event[21]]),
    });
    lead.events.extend(events);
    for _ in 0..bytes.u16()? {
        let (start, end) = read_text(bytes, &mut lead.text)?;
        lead.labels.push(Label { start, end });
    }
    let known = |event: &Remembered| usize::from(event.label) < lead.labels.len();
    lead.events.iter().all(known).then_some(()).ok_or(Broken)
}

fn read_value(bytes: &mut Bytes<'_>, lead: &mut Lead, top: bool) -> Result<Slot, Broken> {
    let shape = shape_of(bytes.u8()?).ok_or(Broken)?;
    if shape == Shape::List {
        let count = if top { bytes.u16()? } else { return Err(Broken) };
        let start = lead.items.len();
        for _ in 0..count {
            let item = read_value(bytes, lead, false)?;
            lead.items.push(item);
        }
        return Ok(Slot { shape, start: start as u32, end: lead.items.len() as u32 });
    }
    let (start, end) = read_text(bytes, &mut lead.text)?;
    Ok(Slot { shape, start, end })
}

fn read_text(bytes: &mut Bytes<'_>, into: &mut String) -> Result<(u32, u32), Broken> {
    let len = usize::from(bytes.u16()?);
    let text = std::str::from_utf8(bytes.take(len)?).map_err(|_| Broken)?;
    let start = into.len() as u32;
    into.push_str(text);
    Ok((start, into.len() as u32))
}

fn read_episode(bytes: &mut Bytes<'_>) -> Result<Episode, Broken> {
    let rule = bytes.u16()?;
    let flags = bytes.u8()?;
    let mut episode = Episode {
        rule,
        open: flags & 1 != 0,
        announced: flags & 2 != 0,
        opened: bytes.time()?,
        time: bytes.time()?,
        id: bytes.u64()?,
        last_announced: None,
    };
    if flags & 4 != 0 {
        episode.last_announced = Some(bytes.time()?);
    }
    Ok(episode)
}

const SHAPES: [Shape; 8] =
    [Shape::Absent, Shape::False, Shape::True, Shape::Number, Shape::Text, Shape::Written, Shape::List, Shape::Object];

fn shape_code(shape: Shape) -> u8 {
    SHAPES.iter().position(|known| *known == shape).unwrap_or_default() as u8
}

fn shape_of(code: u8) -> Option<Shape> {
    SHAPES.get(usize::from(code)).copied()
}

/// Bytes that are left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Broken> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(Broken)?;
        self.0 = rest;
        Ok(head)
    }

    fn u8(&mut self) -> Result<u8, Broken> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, Broken> {
        let bytes = self.take(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn u64(&mut self) -> Result<u64, Broken> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }

    fn time(&mut self) -> Result<Timestamp, Broken> {
        Ok(Timestamp::from_millis(u48(self.take(6)?)))
    }
}

fn u48(bytes: &[u8]) -> i64 {
    let mut whole = [0; 8];
    whole[..6].copy_from_slice(bytes);
    i64::from_le_bytes(whole)
}

fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    put16(out, u16::try_from(len).expect("limits keep a lead's lists under 65,536"));
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_len(out, text.len());
    out.extend_from_slice(text);
}

fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(&time.as_millis().to_le_bytes()[..6]);
}
