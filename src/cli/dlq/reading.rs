//! What the commands about dead letters read: whole topics, to the end that they had.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Headers as _};

use super::choice::Choice;
use super::decision::Known;
use super::found::Found;
use crate::cli::exit;
use crate::codec::feedback::{self, Feedback};
use crate::codec::ledger::{self, Entry};
use crate::codec::letter::{Headers, Letter};
use crate::config::settings::Settings;
use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;
use crate::source::{Begin, ProbeFault, Reader};

/// An exit code, and one line that says why.
pub(super) type Fault = (u8, String);

/// Between two looks whether the end is reached.
const WAIT: Duration = Duration::from_millis(100);

/// Reads a topic from its beginning to the end that it has now.
pub(super) fn whole(
    settings: &Settings,
    topic: &str,
    mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let away = |fault: ProbeFault| match fault {
        ProbeFault::Config(_) => (exit::CONFIG, fault.to_string()),
        _ => (exit::UNAVAILABLE, fault.to_string()),
    };
    let group = format!("{}.dlq", settings.group);
    let opened = Reader::open(&settings.kafka, &group, topic, Begin::Beginning).map_err(away)?;
    let missing = || (exit::UNAVAILABLE, format!("topic {topic} does not exist (`hotlead run` creates it)"));
    let mut reader = opened.ok_or_else(missing)?;
    while !reader.at_end() {
        if let Some(message) = reader.next(WAIT).map_err(away)? {
            take(&message)?;
        }
    }
    Ok(())
}

/// Every dead letter, the oldest first.
pub(super) fn letters(settings: &Settings) -> Result<Vec<Found>, Fault> {
    let mut letters = Vec::new();
    whole(settings, &settings.topics.dead_letter, |message| {
        letters.push(found(message));
        Ok(())
    })?;
    letters.sort_by_key(|found| (found.time, found.partition, found.offset));
    Ok(letters)
}

/// The dead letters that are meant, the oldest first.
///
/// # Errors
/// Also if there are none.
pub(super) fn chosen(settings: &Settings, choice: &Choice, now: Timestamp) -> Result<Vec<Found>, Fault> {
    let mut letters = letters(settings)?;
    letters.retain(|found| choice.takes(found, now));
    match letters.is_empty() {
        true => Err((exit::NOT_SO, choice.nothing(&settings.topics.dead_letter))),
        false => Ok(letters),
    }
}

/// Reads the dead letters once more, and gives these with their values.
pub(super) fn values(
    settings: &Settings,
    places: &BTreeSet<(Partition, Offset)>,
    mut take: impl FnMut(&Found, Option<&[u8]>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    whole(settings, &settings.topics.dead_letter, |message| {
        match places.contains(&(Partition(message.partition()), Offset(message.offset()))) {
            true => take(&found(message), message.payload()),
            false => Ok(()),
        }
    })
}

fn found(message: &BorrowedMessage<'_>) -> Found {
    let headers: Headers = message.headers().map_or_else(Vec::new, |headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
    });
    Found {
        topic: message.topic().to_owned(),
        partition: Partition(message.partition()),
        offset: Offset(message.offset()),
        time: message.timestamp().to_millis().map(Timestamp::from_millis),
        key: message.key().map(<[u8]>::to_vec),
        letter: Letter::read(headers),
    }
}

/// An alert on a ledger: its partition and its key there.
pub(super) type Named = (Partition, Vec<u8>);

/// What a sink's ledger says of these alerts, and how many alerts wait in all.
pub(super) fn ledger(
    settings: &Settings,
    sink: &str,
    wanted: &BTreeSet<Named>,
) -> Result<(BTreeMap<Named, Known>, usize), Fault> {
    let topic = settings.topics.ledger(sink);
    let (mut known, mut waiting) = (BTreeMap::<Named, Known>::new(), BTreeMap::<Named, Known>::new());
    whole(settings, &topic, |message| {
        let entry = ledger::read(message.payload()).map_err(|fault| {
            (exit::SOFTWARE, format!("{topic}/{}@{}: {fault}", message.partition(), message.offset()))
        })?;
        let key = message.key().unwrap_or_default();
        let name = (Partition(message.partition()), ledger::redriven_key(key).unwrap_or(key).to_vec());
        let (Some(entry), false) = (entry, key == ledger::SINK || key == ledger::UNBLOCK) else {
            return Ok(());
        };
        if wanted.contains(&name) {
            known.entry(name.clone()).or_default().take(&entry);
        }
        match &entry {
            Entry::Parked(_) | Entry::Redrive(_) => waiting.entry(name).or_default().take(&entry),
            // Of those that ended nothing is kept: there may be many.
            Entry::Ended(_) => {
                if let Some(known) = waiting.get_mut(&name) {
                    known.take(&entry);
                    if !known.is_waiting() {
                        waiting.remove(&name);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    let waiting = waiting.values().filter(|known| known.is_waiting()).count();
    Ok((known, waiting))
}

/// The places of dead letters of which a note says that they were redriven.
pub(super) fn notes(settings: &Settings) -> Result<BTreeSet<String>, Fault> {
    let mut notes = BTreeSet::new();
    whole(settings, &settings.topics.feedback, |message| {
        if let Ok(Feedback::Redriven { letter }) = feedback::read(message.payload()) {
            notes.insert(letter);
        }
        Ok(())
    })?;
    Ok(notes)
}
