//! A lead's lists to the bytes of its changelog record.

use super::super::super::event::{Shape, Slot};
use super::super::super::lead::{Episode, Label, Lead};
use super::super::super::spec::Tenths;
use super::super::super::time::Timestamp;
use super::super::write::shape_code;
use super::super::{EPISODES, EVENTS, MARKS, RINGS, SUMS, TRAITS, sections};
use super::{ID_BYTES, LAST_ANNOUNCED, SPARED, SPARED_FROM, Scratch, UPDATED, zigzag};

/// Of a label that was not said yet.
const UNSAID: u64 = u64::MAX;

/// Appends the lead's bytes; of `known` labels, which are ascending, only the number.
pub(in crate::core) fn write(lead: &Lead, known: &[String], scratch: &mut Scratch, out: &mut Vec<u8>) {
    let sections = sections(lead);
    let clock = lead.clock.unwrap_or_default();
    out.push(sections);
    put(out, (clock - Timestamp::MIN).as_millis() as u64);
    if sections & EVENTS != 0 {
        write_events(lead, known, sections, scratch, out);
    }
    if sections & SUMS != 0 {
        put(out, lead.sums.len() as u64);
        for (entry, sum) in &lead.sums {
            put(out, u64::from(*entry));
            put_back(out, clock, sum.at);
            out.extend_from_slice(&sum.points.to_le_bytes());
        }
    }
    if sections & TRAITS != 0 {
        put(out, lead.traits.len() as u64);
        for known in &lead.traits {
            put(out, u64::from(known.trait_));
            put_back(out, clock, known.time);
            write_value(lead, known.slot, out);
        }
    }
    if sections & MARKS != 0 {
        put(out, lead.marks.len() as u64);
        for mark in &lead.marks {
            put(out, u64::from(mark.hold) << 1 | u64::from(mark.on));
            put_back(out, clock, mark.time);
        }
    }
    if sections & EPISODES != 0 {
        put(out, lead.episodes.len() as u64);
        lead.episodes.iter().for_each(|episode| write_episode(episode, clock, out));
    }
}

fn write_events(lead: &Lead, known: &[String], sections: u8, scratch: &mut Scratch, out: &mut Vec<u8>) {
    let Scratch { rings, points, labels } = scratch;
    rings.clear();
    for ring in &lead.rings {
        rings.extend(lead.refs[ring.range()].iter().map(|event| (*event, ring.count)));
    }
    rings.sort_unstable();
    points.clear();
    points.extend(lead.contributions.iter().map(|of| (of.event, of.points)));
    // Of one event in the order in which it earned them.
    points.sort_by_key(|(event, _)| *event);
    labels.clear();
    labels.resize(lead.labels.len(), UNSAID);
    let mut texts = 0;
    let (mut time, mut position) = (lead.clock.unwrap_or_default(), 0);
    put(out, lead.events.len() as u64);
    for (at, event) in lead.events.iter().enumerate().rev() {
        put(out, zigzag((time - event.time).as_millis()));
        put(out, zigzag(event.position.wrapping_sub(position)));
        (time, position) = (event.time, event.position);
        out.extend_from_slice(&event.id.to_le_bytes()[..ID_BYTES]);
        let label = usize::from(event.label);
        match labels[label] {
            UNSAID => labels[label] = write_label(lead, lead.labels[label], known, &mut texts, out),
            said => put(out, said),
        }
        if sections & RINGS != 0 {
            write_list(rings, at, out);
        }
        if sections & SUMS != 0 {
            write_list(points, at, out);
        }
    }
}

/// A label for the first time; answers with what says it from now on.
fn write_label(lead: &Lead, label: Label, known: &[String], texts: &mut u64, out: &mut Vec<u8>) -> u64 {
    let text = &lead.text[label.start as usize..label.end as usize];
    if let Ok(number) = known.binary_search_by(|known| known.as_str().cmp(text)) {
        put(out, (number as u64) << 1);
        return (number as u64) << 1;
    }
    put(out, (text.len() as u64) << 2 | 0b01);
    out.extend_from_slice(text.as_bytes());
    *texts += 1;
    (*texts - 1) << 2 | 0b11
}

/// Takes what belongs to the event from the end of the list.
fn write_list(list: &mut Vec<(u16, u16)>, event: usize, out: &mut Vec<u8>) {
    let mine = list.iter().rev().take_while(|(of, _)| usize::from(*of) == event).count();
    if mine == 0 {
        out.push(0);
    }
    let first = list.len() - mine;
    for (left, (_, number)) in (0..mine).rev().zip(list.drain(first..)) {
        put(out, (u64::from(number) + 1) << 1 | u64::from(left > 0));
    }
}

fn write_value(lead: &Lead, slot: Slot, out: &mut Vec<u8>) {
    out.push(shape_code(slot.shape()));
    let range = slot.range();
    put(out, range.len() as u64);
    if slot.shape() == Shape::List {
        lead.items[range].iter().for_each(|item| write_value(lead, *item, out));
    } else {
        out.extend_from_slice(&lead.text.as_bytes()[range]);
    }
}

fn write_episode(episode: &Episode, clock: Timestamp, out: &mut Vec<u8>) {
    put(out, u64::from(episode.rule));
    let flag = |is: bool, bit: u8| if is { bit } else { 0 };
    let (last, spared) = (episode.last_announced, episode.spared_until);
    out.push(
        flag(episode.open, 1)
            | flag(episode.announced, 2)
            | flag(last.is_some(), LAST_ANNOUNCED)
            | flag(spared.is_some(), SPARED)
            | flag(episode.spared_from.is_some(), SPARED_FROM)
            | flag(episode.is_updated_at(clock), UPDATED),
    );
    put_back(out, clock, episode.opened);
    put_back(out, clock, episode.time);
    out.extend_from_slice(&episode.id.to_le_bytes());
    last.into_iter().chain(spared).for_each(|time| put(out, zigzag((clock - time).as_millis())));
    episode.spared_from.iter().for_each(|Tenths(score)| put(out, zigzag(*score)));
}

fn put_back(out: &mut Vec<u8>, clock: Timestamp, time: Timestamp) {
    put(out, (clock - time).as_millis() as u64);
}

/// A varint.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
