//! A lead's bytes to its lists.

use super::super::event::{Shape, Slot};
use super::super::lead::{Contribution, Episode, Label, Lead, Mark, Number, Remembered, Remembrance, Ring};
use super::super::limits::MAX_LABEL;
use super::super::score::Sum;
use super::super::spec::Tenths;
use super::super::time::{Span, Timestamp};
use super::{Broken, EPISODES, EVENTS, MARKS, NARROW, NARROW_EVENT, RINGS, SHAPES, SUMS, TRAITS, WIDE_EVENT};

/// Replaces `lead` with what the bytes say; `known` are the labels of which they say only the number.
pub(in crate::core) fn read(bytes: &[u8], known: &[String], lead: &mut Lead) -> Result<(), Broken> {
    lead.clear();
    let mut bytes = Bytes(bytes);
    let sections = bytes.u8()?;
    let narrow = sections & NARROW != 0;
    let clock = bytes.time()?;
    lead.clock = Some(clock);
    if sections & EVENTS != 0 {
        read_events(&mut bytes, narrow, clock, lead)?;
        read_labels(&mut bytes, narrow, known, lead)?;
    }
    if sections & RINGS != 0 {
        read_rings(&mut bytes, narrow, lead)?;
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
            lead.episodes.push(read_episode(&mut bytes, clock)?);
        }
    }
    lead.tight = lead.weight();
    bytes.0.is_empty().then_some(()).ok_or(Broken)
}

/// The lead's clock; `None` of bytes that are no lead.
pub(in crate::core) fn clock(bytes: &[u8]) -> Option<Timestamp> {
    bytes.get(1..7).map(|clock| Timestamp::from_millis(u48(clock)))
}

fn read_events(bytes: &mut Bytes<'_>, narrow: bool, clock: Timestamp, lead: &mut Lead) -> Result<(), Broken> {
    let count = usize::from(bytes.index(narrow)?);
    let lowest = u48(bytes.take(6)?);
    if narrow {
        let (events, _) = bytes.take(count * NARROW_EVENT)?.as_chunks();
        lead.events.extend(events.iter().map(|event| read_narrow(event, clock, lowest)));
    } else {
        let (events, _) = bytes.take(count * WIDE_EVENT)?.as_chunks();
        lead.events.extend(events.iter().map(read_wide));
    }
    Ok(())
}

fn read_labels(bytes: &mut Bytes<'_>, narrow: bool, known: &[String], lead: &mut Lead) -> Result<(), Broken> {
    let count = usize::from(bytes.index(narrow)?);
    let lengths = bytes.take(count)?;
    let number = |len: u8| usize::from(len).checked_sub(MAX_LABEL + 1);
    let len = lengths.iter().filter(|len| number(**len).is_none()).map(|len| usize::from(*len)).sum();
    let text = std::str::from_utf8(bytes.take(len)?).map_err(|_| Broken)?;
    let mut start = lead.text.len();
    lead.text.push_str(text);
    for len in lengths {
        if let Some(number) = number(*len) {
            let text = known.get(number).filter(|text| text.len() <= MAX_LABEL).ok_or(Broken)?;
            let start = lead.text.len() as u32;
            lead.text.push_str(text);
            lead.labels.push(Label { start, end: lead.text.len() as u32, number: Number::Known(number as u8) });
            continue;
        }
        let end = start + usize::from(*len);
        if !lead.text.is_char_boundary(end) {
            return Err(Broken);
        }
        lead.labels.push(Label { start: start as u32, end: end as u32, number: Number::NotAsked });
        start = end;
    }
    let labelled = |event: &Remembered| usize::from(event.label) < lead.labels.len();
    lead.events.iter().all(labelled).then_some(()).ok_or(Broken)
}

fn read_rings(bytes: &mut Bytes<'_>, narrow: bool, lead: &mut Lead) -> Result<(), Broken> {
    let mut start = 0;
    for _ in 0..bytes.index(narrow)? {
        let ring = Ring { count: bytes.index(narrow)?, len: bytes.index(narrow)?, start };
        start += u32::from(ring.len);
        // They are looked up by halves.
        if lead.rings.last().is_some_and(|before| before.count >= ring.count) {
            return Err(Broken);
        }
        lead.rings.push(ring);
    }
    if narrow {
        lead.refs.extend(bytes.take(start as usize)?.iter().map(|event| u16::from(*event)));
    } else {
        let (refs, _) = bytes.take(start as usize * 2)?.as_chunks();
        lead.refs.extend(refs.iter().map(|event| u16::from_le_bytes(*event)));
    }
    let known = |event: &u16| usize::from(*event) < lead.events.len();
    lead.refs.iter().all(known).then_some(()).ok_or(Broken)
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
        return Ok(Slot::new(shape, start, lead.items.len()));
    }
    let (start, end) = read_text(bytes, &mut lead.text)?;
    Ok(Slot::new(shape, start as usize, end as usize))
}

fn read_text(bytes: &mut Bytes<'_>, into: &mut String) -> Result<(u32, u32), Broken> {
    let len = usize::from(bytes.u16()?);
    let text = std::str::from_utf8(bytes.take(len)?).map_err(|_| Broken)?;
    let start = into.len() as u32;
    into.push_str(text);
    Ok((start, into.len() as u32))
}

fn read_episode(bytes: &mut Bytes<'_>, clock: Timestamp) -> Result<Episode, Broken> {
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
        spared_until: None,
        spared_from: None,
        updated: (flags & 16 != 0).then(|| clock.minute()),
    };
    if flags & 4 != 0 {
        episode.last_announced = Some(bytes.time()?);
    }
    if flags & 8 != 0 {
        episode.spared_until = Some(bytes.time()?);
    }
    if flags & 32 != 0 {
        episode.spared_from = Some(Tenths(bytes.u64()? as i64));
    }
    Ok(episode)
}

/// An event of a narrow lead, told from the lead's clock and its lowest position.
fn read_narrow(bytes: &[u8; NARROW_EVENT], clock: Timestamp, lowest: i64) -> Remembered {
    let (words, rest) = bytes.as_chunks::<4>();
    let word = |n: usize| u32::from_le_bytes(words[n]);
    Remembered {
        time: clock - Span::from_millis(i64::from(word(0))),
        position: lowest + i64::from(word(1)),
        id: u64::from(word(2)) | u64::from(word(3)) << 32,
        label: u16::from(rest[0]),
    }
}

fn read_wide(bytes: &[u8; WIDE_EVENT]) -> Remembered {
    Remembered {
        time: Timestamp::from_millis(u48(&bytes[..6])),
        position: u48(&bytes[6..12]),
        id: u64::from_le_bytes(bytes[12..20].try_into().expect("eight bytes")),
        label: u16::from_le_bytes([bytes[20], bytes[21]]),
    }
}

pub(super) fn shape_of(code: u8) -> Option<Shape> {
    // A remembered value has no second text.
    SHAPES.get(usize::from(code)).copied().filter(|shape| *shape != Shape::Written)
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

    /// An index or length as [`put_index`] writes it.
    fn index(&mut self, narrow: bool) -> Result<u16, Broken> {
        if narrow { self.u8().map(u16::from) } else { self.u16() }
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
