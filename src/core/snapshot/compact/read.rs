//! The bytes of a lead's changelog record to its lists.

use super::super::super::event::{Shape, Slot};
use super::super::super::lead::{Contribution, Episode, Label, Lead, Mark, Number, Remembered, Remembrance, Ring};
use super::super::super::limits::MAX_LABEL;
use super::super::super::score::Sum;
use super::super::super::spec::Tenths;
use super::super::super::time::{Span, Timestamp};
use super::super::read::shape_of;
use super::super::{Broken, EPISODES, EVENTS, MARKS, NARROW, RINGS, SUMS, TRAITS};
use super::{ID_BYTES, LAST_ANNOUNCED, SPARED, SPARED_FROM, Scratch, UPDATED, unzigzag};

/// Replaces `lead` with what the bytes say; `known` are the labels of which they say only the number.
pub(in crate::core) fn read(
    bytes: &[u8],
    known: &[String],
    scratch: &mut Scratch,
    lead: &mut Lead,
) -> Result<(), Broken> {
    lead.clear();
    let mut bytes = Bytes(bytes);
    let sections = bytes.u8()?;
    if sections >= NARROW {
        return Err(Broken);
    }
    let clock = Timestamp::from_millis(Timestamp::MIN.as_millis().wrapping_add(bytes.number()? as i64));
    // Times count back from it: out of range, that would overflow.
    if !clock.is_plausible() {
        return Err(Broken);
    }
    lead.clock = Some(clock);
    if sections & EVENTS != 0 {
        read_events(&mut bytes, known, (sections, clock), scratch, lead)?;
    }
    if sections & SUMS != 0 {
        for _ in 0..bytes.number()? {
            let (sum, at) = (bytes.u16()?, bytes.back(clock)?);
            lead.sums.push((sum, Sum { points: f64::from_bits(bytes.u64()?), at }));
        }
    }
    if sections & TRAITS != 0 {
        for _ in 0..bytes.number()? {
            let (trait_, time) = (bytes.u16()?, bytes.back(clock)?);
            let slot = read_value(&mut bytes, lead, true)?;
            lead.traits.push(Remembrance { trait_, time, slot });
        }
    }
    if sections & MARKS != 0 {
        for _ in 0..bytes.number()? {
            let hold = bytes.u16()?;
            lead.marks.push(Mark { hold: hold >> 1, on: hold & 1 == 1, time: bytes.back(clock)? });
        }
    }
    if sections & EPISODES != 0 {
        for _ in 0..bytes.number()? {
            lead.episodes.push(read_episode(&mut bytes, clock)?);
        }
    }
    lead.tight = lead.weight();
    bytes.0.is_empty().then_some(()).ok_or(Broken)
}

fn read_events(
    bytes: &mut Bytes<'_>,
    known: &[String],
    (sections, clock): (u8, Timestamp),
    scratch: &mut Scratch,
    lead: &mut Lead,
) -> Result<(), Broken> {
    let Scratch { rings, points, labels } = scratch;
    rings.clear();
    points.clear();
    labels.clear();
    let count = bytes.u16()?;
    let (mut time, mut position) = (clock, 0);
    for event in (0..count).rev() {
        time = time - bytes.span()?;
        position = i64::wrapping_add(position, unzigzag(bytes.number()?));
        if !time.is_plausible() || !(0..1 << 48).contains(&position) {
            return Err(Broken);
        }
        let mut id = [0; 8];
        id[..ID_BYTES].copy_from_slice(bytes.take(ID_BYTES)?);
        let label = read_label(bytes, known, labels, lead)?;
        lead.events.push(Remembered { time, position, id: u64::from_le_bytes(id), label });
        if sections & RINGS != 0 {
            read_list(bytes, event, rings)?;
        }
        if sections & SUMS != 0 {
            read_list(bytes, event, points)?;
        }
    }
    lead.events.reverse();
    let time = |event: u16| lead.events[usize::from(event)].time;
    // Of equal times the later applied is newer.
    rings.sort_unstable_by_key(|(event, count)| (*count, time(*event), *event));
    for (event, count) in rings.iter().copied() {
        match lead.rings.last_mut() {
            Some(ring) if ring.count == count => ring.len = ring.len.checked_add(1).ok_or(Broken)?,
            _ => lead.rings.push(Ring { count, len: 1, start: lead.refs.len() as u32 }),
        }
        lead.refs.push(event);
    }
    points.sort_by_key(|(event, _)| (time(*event), *event));
    lead.contributions.extend(points.iter().map(|(event, points)| Contribution { points: *points, event: *event }));
    // No event is twice in a ring.
    rings.is_sorted_by(|a, b| a != b).then_some(()).ok_or(Broken)
}

/// Index of the label in the lead.
fn read_label(bytes: &mut Bytes<'_>, known: &[String], labels: &mut Vec<u64>, lead: &mut Lead) -> Result<u16, Broken> {
    let code = bytes.number()?;
    let rest = (code >> 2) as usize;
    let text = match code & 0b11 {
        0b11 => return labels.get(rest).map(|label| *label as u16).ok_or(Broken),
        0b01 if rest > MAX_LABEL => return Err(Broken),
        0b01 => std::str::from_utf8(bytes.take(rest)?).map_err(|_| Broken)?,
        _ => known.get((code >> 1) as usize).filter(|text| text.len() <= MAX_LABEL).ok_or(Broken)?,
    };
    if code & 1 == 1 {
        labels.push(lead.labels.len() as u64);
    } else if let Some(label) = lead.labels.iter().position(|label| lead.text[label.range()] == *text) {
        return u16::try_from(label).map_err(|_| Broken);
    }
    let (start, label) = (lead.text.len() as u32, u16::try_from(lead.labels.len()).map_err(|_| Broken)?);
    lead.text.push_str(text);
    lead.labels.push(Label { start, end: lead.text.len() as u32, number: Number::NotAsked });
    Ok(label)
}

fn read_list(bytes: &mut Bytes<'_>, event: u16, list: &mut Vec<(u16, u16)>) -> Result<(), Broken> {
    loop {
        let code = bytes.number()?;
        match code >> 1 {
            0 if code == 0 => return Ok(()),
            number => list.push((event, number.checked_sub(1).and_then(|at| u16::try_from(at).ok()).ok_or(Broken)?)),
        }
        if code & 1 == 0 {
            return Ok(());
        }
    }
}

fn read_value(bytes: &mut Bytes<'_>, lead: &mut Lead, top: bool) -> Result<Slot, Broken> {
    let shape = shape_of(bytes.u8()?).ok_or(Broken)?;
    let len = usize::from(bytes.u16()?);
    if shape == Shape::List {
        let start = lead.items.len();
        for _ in 0..if top { len } else { return Err(Broken) } {
            let item = read_value(bytes, lead, false)?;
            lead.items.push(item);
        }
        return Ok(Slot::new(shape, start, lead.items.len()));
    }
    let text = std::str::from_utf8(bytes.take(len)?).map_err(|_| Broken)?;
    let start = lead.text.len();
    lead.text.push_str(text);
    Ok(Slot::new(shape, start, lead.text.len()))
}

fn read_episode(bytes: &mut Bytes<'_>, clock: Timestamp) -> Result<Episode, Broken> {
    let (rule, flags) = (bytes.u16()?, bytes.u8()?);
    let (opened, time, id) = (bytes.back(clock)?, bytes.back(clock)?, bytes.u64()?);
    let mut at = |bit: u8| (flags & bit != 0).then(|| Ok(clock - bytes.span()?)).transpose();
    Ok(Episode {
        rule,
        open: flags & 1 != 0,
        announced: flags & 2 != 0,
        opened,
        time,
        id,
        last_announced: at(LAST_ANNOUNCED)?,
        spared_until: at(SPARED)?,
        spared_from: (flags & SPARED_FROM != 0).then(|| Ok(Tenths(unzigzag(bytes.number()?)))).transpose()?,
        updated: (flags & UPDATED != 0).then(|| clock.minute()),
    })
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
        let (first, rest) = self.0.split_first().ok_or(Broken)?;
        self.0 = rest;
        Ok(*first)
    }

    fn u64(&mut self) -> Result<u64, Broken> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }

    /// A varint.
    fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Broken)
    }

    fn u16(&mut self) -> Result<u16, Broken> {
        u16::try_from(self.number()?).map_err(|_| Broken)
    }

    /// A distance in either direction, of no more than all of time.
    fn span(&mut self) -> Result<Span, Broken> {
        distance(unzigzag(self.number()?))
    }

    /// A time that is so long before the clock.
    fn back(&mut self, clock: Timestamp) -> Result<Timestamp, Broken> {
        let ms = i64::try_from(self.number()?).map_err(|_| Broken)?;
        Ok(clock - distance(ms)?)
    }
}

fn distance(ms: i64) -> Result<Span, Broken> {
    let most = Timestamp::MAX.as_millis();
    (-most..=most).contains(&ms).then_some(Span::from_millis(ms)).ok_or(Broken)
}
