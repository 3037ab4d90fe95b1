//! A lead's state in words: what `hotlead state` shows.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use super::engine::Unreadable;
use super::event::Value;
use super::lead::Lead;
use super::names::{HoldName, Names, Translation};
use super::snapshot;
pub use super::snapshot::Form;
use super::time::{Span, Timestamp};

/// A lead's state in words; lists stand in an order that depends on the state alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stored {
    /// Its key.
    pub lead: String,
    /// Its clock.
    pub time: Timestamp,
    /// Events that something still refers to, in the order in which they were applied; a count's times are theirs.
    pub events: Vec<StoredEvent>,
    /// By signal.
    pub counts: Vec<StoredCount>,
    /// What points entries have earned, as of a moment.
    pub points: Vec<StoredPoints>,
    /// Remembered traits by name.
    pub traits: BTreeMap<String, StoredTrait>,
    /// Latches of suppressions by name.
    pub suppressions: BTreeMap<String, StoredMark>,
    /// Latches of flags by name.
    pub flags: BTreeMap<String, StoredMark>,
    /// The last episode of each rule.
    pub episodes: BTreeMap<String, StoredEpisode>,
}

/// An event that something refers to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredEvent {
    /// Its own time.
    pub time: Timestamp,
    /// Its offset in the input.
    pub offset: i64,
    /// What evidence calls it.
    pub label: String,
    /// The hash of its id.
    pub id_hash: String,
}

/// The events of one count.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredCount {
    /// What it counts.
    pub signal: String,
    /// So many …
    pub at_least: u32,
    /// … within this time.
    pub within: String,
    /// When they happened, oldest first.
    pub times: Vec<Timestamp>,
}

/// What a points entry has earned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredPoints {
    /// For what.
    pub signal: String,
    /// Points for each.
    pub points: f64,
    /// All that it earned, faded up to a moment.
    pub earned: f64,
    /// That moment.
    pub as_of: Timestamp,
}

/// A remembered trait.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredTrait {
    /// Its value.
    pub value: Json,
    /// Of the event that brought it.
    pub time: Timestamp,
}

/// A latch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StoredMark {
    /// Switched on or off.
    pub on: bool,
    /// By an event of this time.
    pub time: Timestamp,
}

/// An episode of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StoredEpisode {
    /// It goes on.
    pub open: bool,
    /// Its alert is out.
    pub announced: bool,
    /// The lead's clock when it opened.
    pub opened: Timestamp,
    /// The lead's clock at the last announcement, of this episode or an earlier one.
    pub last_announced: Option<Timestamp>,
    /// The minute of the lead's clock, if it was updated in it: it is not again before the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
}

/// The state of a lead in words; its numbers mean what `names` says.
///
/// # Errors
/// [`Unreadable`].
pub fn read(key: &str, state: (Form, &[u8]), names: &Names) -> Result<Stored, Unreadable> {
    let (mut lead, mut scratch) = (Lead::default(), snapshot::compact::Scratch::default());
    snapshot::admit(key, state, &names.labels, &mut scratch, &mut lead).map_err(|_| Unreadable)?;
    Translation::check(&lead, names).map_err(|_| Unreadable)?;
    let (mut suppressions, mut flags) = (BTreeMap::new(), BTreeMap::new());
    for mark in &lead.marks {
        let (of, name) = match &names.holds[usize::from(mark.hold)] {
            HoldName::Suppress(name) => (&mut suppressions, name),
            HoldName::Flag(name) => (&mut flags, name),
        };
        of.insert(name.clone(), StoredMark { on: mark.on, time: mark.time });
    }
    let episodes = lead.episodes.iter().map(|episode| {
        let &super::lead::Episode { open, announced, opened, last_announced, updated, .. } = episode;
        let name = names.rules[usize::from(episode.rule)].clone();
        let updated = updated.map(|minute| Timestamp::from_millis(i64::from(minute) * 60_000));
        (name, StoredEpisode { open, announced, opened, last_announced, updated })
    });
    let traits = lead.traits.iter().map(|known| {
        let name = names.traits[usize::from(known.trait_)].clone();
        (name, StoredTrait { value: json(lead.trait_(known.trait_)), time: known.time })
    });
    Ok(Stored {
        lead: key.to_owned(),
        time: lead.clock.unwrap_or_default(),
        events: events(&lead),
        counts: counts(&lead, names),
        points: points(&lead, names),
        traits: traits.collect(),
        suppressions,
        flags,
        episodes: episodes.collect(),
    })
}

fn events(lead: &Lead) -> Vec<StoredEvent> {
    let stored = lead.events.iter().map(|event| StoredEvent {
        time: event.time,
        offset: event.position,
        label: lead.label_of(event).to_owned(),
        id_hash: format!("{:016x}", event.id),
    });
    stored.collect()
}

fn counts(lead: &Lead, names: &Names) -> Vec<StoredCount> {
    let mut rings: Vec<_> = lead.rings.iter().map(|ring| (ring, &names.counts[usize::from(ring.count)])).collect();
    rings.sort_by(|(_, a), (_, b)| (&a.signal, a.at_least, a.within_ms).cmp(&(&b.signal, b.at_least, b.within_ms)));
    rings
        .into_iter()
        .map(|(ring, name)| StoredCount {
            signal: name.signal.clone(),
            at_least: name.at_least,
            within: Span::from_millis(name.within_ms).to_string(),
            times: lead.ring(ring.count).iter().map(|event| lead.events[usize::from(*event)].time).collect(),
        })
        .collect()
}

fn points(lead: &Lead, names: &Names) -> Vec<StoredPoints> {
    let mut points: Vec<_> = lead
        .sums
        .iter()
        .map(|(entry, sum)| {
            let name = &names.points[usize::from(*entry)];
            StoredPoints {
                signal: name.signal.clone(),
                points: super::spec::Tenths(name.points).as_points(),
                earned: sum.points,
                as_of: sum.at,
            }
        })
        .collect();
    points.sort_by(|a, b| a.signal.cmp(&b.signal).then(a.points.total_cmp(&b.points)));
    points
}

fn json(value: Value<'_>) -> Json {
    match value {
        Value::Absent | Value::Object => Json::Null,
        Value::Bool(is) => Json::Bool(is),
        Value::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned())),
        Value::Text(text) => Json::String(text.to_owned()),
        Value::List(list) => Json::Array(list.items().map(json).collect()),
    }
}
