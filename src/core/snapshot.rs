//! A lead at rest: its state as a string of bytes, one allocation a lead.
//!
//! Fixed-width little-endian fields, so that a lead whose windows are full keeps its size from event to event. A bit
//! for each section says whether it is there. Times and positions take 48 bits: milliseconds to the year 9999,
//! 281 million million records a partition.
//!
//! Nearly every lead is *narrow*: its events lie within 49 days and 4 billion records, and no list of its events,
//! labels and rings has more than 255 members. Then an event takes 17 bytes and not 22, an index one and not two: a
//! lead with five events about 175 bytes and not 215.

use super::event::{Shape, Slot};
use super::lead::{Contribution, Episode, Label, Lead, Mark, Remembered, Remembrance, Ring};
use super::limits::MAX_LABEL;
use super::score::Sum;
use super::time::{Span, Timestamp};

const EVENTS: u8 = 1;
const RINGS: u8 = 2;
const SUMS: u8 = 4;
const TRAITS: u8 = 8;
const MARKS: u8 = 16;
const EPISODES: u8 = 32;
const NARROW: u8 = 64;

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
    let base = Base::of(lead);
    sections |= if base.narrow { NARROW } else { 0 };
    out.push(sections);
    put_time(out, base.clock);
    if sections & EVENTS != 0 {
        write_events(lead, base, out);
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
        lead.episodes.iter().for_each(|episode| write_episode(episode, out));
    }
}

fn write_events(lead: &Lead, base: Base, out: &mut Vec<u8>) {
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
    write_labels(lead, base, kept, renamed, out);
}

/// The lengths, then all the text in one piece: it is checked in one piece too.
fn write_labels(lead: &Lead, base: Base, kept: u16, renamed: &[u16], out: &mut Vec<u8>) {
    const _: () = assert!(MAX_LABEL <= u8::MAX as usize);
    put_index(out, base.narrow, kept);
    let lengths = out.len();
    out.resize(lengths + usize::from(kept), 0);
    let mut next = 0;
    for event in &lead.events {
        let label = usize::from(event.label);
        if renamed[label] == next {
            let Label { start, end } = lead.labels[label];
            out[lengths + usize::from(next)] = (end - start) as u8;
            out.extend_from_slice(&lead.text.as_bytes()[start as usize..end as usize]);
            next += 1;
        }
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

    fn read_narrow(self, bytes: &[u8; NARROW_EVENT]) -> Remembered {
        let (words, rest) = bytes.as_chunks::<4>();
        let word = |n: usize| u32::from_le_bytes(words[n]);
        Remembered {
            time: self.clock - Span::from_millis(i64::from(word(0))),
            position: self.position + i64::from(word(1)),
            id: u64::from(word(2)) | u64::from(word(3)) << 32,
            label: u16::from(rest[0]),
        }
    }
}

const NARROW_EVENT: usize = 17;
const WIDE_EVENT: usize = 22;

fn wide(event: &Remembered, label: u16) -> [u8; WIDE_EVENT] {
    let mut bytes = [0; WIDE_EVENT];
    bytes[..6].copy_from_slice(&event.time.as_millis().to_le_bytes()[..6]);
    bytes[6..12].copy_from_slice(&event.position.to_le_bytes()[..6]);
    bytes[12..20].copy_from_slice(&event.id.to_le_bytes());
    bytes[20..].copy_from_slice(&label.to_le_bytes());
    bytes
}

fn read_wide(bytes: &[u8; WIDE_EVENT]) -> Remembered {
    Remembered {
        time: Timestamp::from_millis(u48(&bytes[..6])),
        position: u48(&bytes[6..12]),
        id: u64::from_le_bytes(bytes[12..20].try_into().expect("eight bytes")),
        label: u16::from_le_bytes([bytes[20], bytes[21]]),
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

/// Replaces `lead` with what the bytes say.
pub(super) fn read(bytes: &[u8], lead: &mut Lead) -> Result<(), Broken> {
    lead.clear();
    let mut bytes = Bytes(bytes);
    let sections = bytes.u8()?;
    let narrow = sections & NARROW != 0;
    let clock = bytes.time()?;
    lead.clock = Some(clock);
    if sections & EVENTS != 0 {
        read_events(&mut bytes, narrow, clock, lead)?;
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
            lead.episodes.push(read_episode(&mut bytes)?);
        }
    }
    bytes.0.is_empty().then_some(()).ok_or(Broken)
}

fn read_events(bytes: &mut Bytes<'_>, narrow: bool, clock: Timestamp, lead: &mut Lead) -> Result<(), Broken> {
    let count = usize::from(bytes.index(narrow)?);
    let base = Base { narrow, clock, position: u48(bytes.take(6)?) };
    if narrow {
        let (events, _) = bytes.take(count * NARROW_EVENT)?.as_chunks();
        lead.events.extend(events.iter().map(|event| base.read_narrow(event)));
    } else {
        let (events, _) = bytes.take(count * WIDE_EVENT)?.as_chunks();
        lead.events.extend(events.iter().map(read_wide));
    }
    read_labels(bytes, narrow, lead)?;
    let known = |event: &Remembered| usize::from(event.label) < lead.labels.len();
    lead.events.iter().all(known).then_some(()).ok_or(Broken)
}

fn read_labels(bytes: &mut Bytes<'_>, narrow: bool, lead: &mut Lead) -> Result<(), Broken> {
    let count = usize::from(bytes.index(narrow)?);
    let lengths = bytes.take(count)?;
    let len = lengths.iter().map(|len| usize::from(*len)).sum();
    let text = std::str::from_utf8(bytes.take(len)?).map_err(|_| Broken)?;
    let mut start = lead.text.len();
    lead.text.push_str(text);
    for len in lengths {
        let end = start + usize::from(*len);
        if !lead.text.is_char_boundary(end) {
            return Err(Broken);
        }
        lead.labels.push(Label { start: start as u32, end: end as u32 });
        start = end;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::event::Value;
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

    fn comes_back(lead: &Lead) -> usize {
        let mut bytes = Vec::new();
        write(lead, &mut bytes);
        let mut again = Lead::default();
        assert_eq!(read(&bytes, &mut again), Ok(()), "{}", said(lead));
        assert_eq!(said(&again), said(lead));
        let mut twice = Vec::new();
        write(&again, &mut twice);
        assert_eq!(twice, bytes, "the same bytes again");
        for short in 0..bytes.len() {
            assert_eq!(read(&bytes[..short], &mut again), Err(Broken), "cut at {short}");
        }
        bytes.len()
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
            let len = comes_back(&lead_of(events.clone()));
            let per_event = (len - head) / events.len();
            assert_eq!(per_event < WIDE_EVENT, narrow, "{why}: {len} bytes");
        }
        let (few, many) =
            (comes_back(&lead_of((0..255).map(|n| (n, n)))), comes_back(&lead_of((0..256).map(|n| (n, n)))));
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
            let mut lead = Lead { clock: Some(at(0)), ..Lead::default() };
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
            lead.episodes = opened.iter().map(|(rule, (open, announced, id), last)| Episode {
                rule: *rule, open: *open, announced: *announced, opened: at(3), time: at(4), id: *id,
                last_announced: last.map(at),
            }).collect();
            comes_back(&lead);
        }
    }
}
