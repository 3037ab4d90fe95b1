//! Whether a lead that came from outside can be worked with: what the engine never writes down is not let in.

use std::collections::BTreeSet;

use super::super::lead::Lead;
use super::super::limits::{MAX_LEAD_KEY, MAX_REMEMBERED, RECENT_IDS};
use super::super::time::Timestamp;
use super::{Broken, Form, compact, read};

/// Members of one list: numbers of 16 bits have to be enough for what the engine adds to them.
const MOST: usize = u16::MAX as usize - MAX_REMEMBERED as usize - RECENT_IDS - 1;

/// Reads bytes of either form, and lets in only what the engine could have written for this key.
pub(in crate::core) fn admit(
    key: &str,
    (form, bytes): (Form, &[u8]),
    known: &[String],
    scratch: &mut compact::Scratch,
    lead: &mut Lead,
) -> Result<(), Broken> {
    match form {
        Form::Fixed => read(bytes, known, lead)?,
        Form::Compact => compact::read(bytes, known, scratch, lead)?,
    }
    (key.len() <= MAX_LEAD_KEY && is_sound(lead)).then_some(()).ok_or(Broken)
}

/// The clock is a time, nothing is newer, points are numbers, no list is too long, and nothing is said twice.
fn is_sound(lead: &Lead) -> bool {
    let Some(clock) = lead.clock.filter(|clock| clock.is_plausible()) else { return false };
    let past = |time: Timestamp| time <= clock;
    let sizes = [lead.events.len(), lead.labels.len(), lead.contributions.len(), lead.traits.len(), lead.sums.len()];
    sizes.iter().all(|len| *len <= MOST)
        && lead.events.iter().all(|event| past(event.time))
        && lead.sums.iter().all(|(_, sum)| sum.points.is_finite() && past(sum.at))
        && lead.traits.iter().all(|known| past(known.time))
        && lead.marks.iter().all(|mark| past(mark.time))
        && lead
            .episodes
            .iter()
            .all(|episode| past(episode.opened) && past(episode.time) && episode.last_announced.is_none_or(past))
        && differ(lead.sums.iter().map(|(points, _)| *points))
        && differ(lead.traits.iter().map(|known| known.trait_))
        && differ(lead.marks.iter().map(|mark| mark.hold))
        && differ(lead.episodes.iter().map(|episode| episode.rule))
}

/// All are different.
fn differ(numbers: impl Iterator<Item = u16>) -> bool {
    let mut known = BTreeSet::new();
    numbers.into_iter().all(|number| known.insert(number))
}
