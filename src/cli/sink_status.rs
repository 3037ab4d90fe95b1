//! `hotlead sink status` and `hotlead sink unblock`: what a sink's ledger says, and the wish that it be opened again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::Message;
use serde::Serialize;

use super::{exit, files, say};
use crate::codec::ledger::{self, Entry, SinkState, Standing};
use crate::config::settings::Settings;
use crate::core::plain::plain;
use crate::core::time::Timestamp;
use crate::sink;
use crate::source::{Begin, ProbeFault, Reader};

/// What is known of a sink. Its JSON form is the output.
#[derive(Debug, Serialize)]
struct Status {
    sink: String,
    /// `open`, `blocked` or `disabled`.
    standing: &'static str,
    since: Option<Timestamp>,
    /// The answer that led to it.
    detail: Option<String>,
    /// The sink that gets its alerts too while it cannot be reached.
    fallback: Option<String>,
    /// Since when it takes nothing, if that fallback stands in for it now.
    failing: Option<Timestamp>,
    /// Of those that the ledger holds: the fallback has them too.
    lent: u64,
    /// Records of the alert topic that are not done: unread, or in memory.
    waiting: u64,
    /// Alerts that the ledger holds for later.
    parked: u64,
    oldest_parked: Option<Timestamp>,
    next_attempt: Option<Timestamp>,
    /// Terminal states that the ledger still has.
    delivered: u64,
    coalesced: u64,
    superseded: u64,
    suppressed: u64,
    expired: u64,
    dead_lettered: u64,
    /// Cards in Slack that have yet to lose what they say of an erased lead.
    redacting: u64,
}

/// Prints what the ledgers of one or all sinks say, and answers with the exit code.
pub fn status(config: &Path, id: Option<&str>, json: bool) -> u8 {
    let mut text = String::new();
    let all = each(config, id, |_, status| {
        match (json, serde_json::to_string(status)) {
            (true, Ok(line)) => text.push_str(&(line + "\n")),
            _ => text.push_str(&words(status)),
        }
        Ok(())
    });
    // What is known of some is shown, whatever became of the others.
    let shown = say::data(text);
    all.map_or_else(|code| code, |()| shown)
}

/// Asks that a sink be opened again, and answers with the exit code.
pub fn unblock(config: &Path, id: &str) -> u8 {
    let asked = each(config, Some(id), |settings, status| {
        if status.standing == Standing::Open.name() {
            say::line(format_args!("{id} is open: there is nothing to unblock"));
            return Err(exit::NOT_SO);
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        sink::ledger::unblock(&settings.kafka, &settings.topics.ledger(id), now).map_err(|fault| {
            say::line(fault);
            exit::UNAVAILABLE
        })?;
        say::line(format_args!(
            "{id} was {} and is opened again by the instances that run, or at the next start; its queue goes out, \
             what is older than max_age to the dead-letter topic",
            status.standing
        ));
        Ok(())
    });
    asked.map_or_else(|code| code, |()| exit::DONE)
}

/// Reads the ledgers, one after the other.
fn each(config: &Path, id: Option<&str>, mut then: impl FnMut(&Settings, &Status) -> Result<(), u8>) -> Result<(), u8> {
    let sinks = files::sinks(config, id)?;
    let settings = files::settings_for_reading(config)?;
    for sink in sinks {
        let status = read(&settings, &sink).map_err(|(code, fault)| {
            say::line(fault);
            code
        })?;
        then(&settings, &status)?;
    }
    Ok(())
}

fn read(settings: &Settings, sink: &str) -> Result<Status, (u8, String)> {
    let away = |fault: ProbeFault| match fault {
        ProbeFault::Config(_) => (exit::CONFIG, fault.to_string()),
        _ => (exit::UNAVAILABLE, fault.to_string()),
    };
    let topic = settings.topics.ledger(sink);
    let group = format!("{}.{sink}", settings.group);
    let opened = Reader::open(&settings.kafka, &format!("{group}.status"), &topic, Begin::Beginning).map_err(away)?;
    let missing = || (exit::UNAVAILABLE, format!("topic {topic} does not exist (`hotlead run` creates it)"));
    let mut reader = opened.ok_or_else(missing)?;
    let mut newest = BTreeMap::new();
    while !reader.at_end() {
        let Some(message) = reader.next(Duration::from_millis(100)).map_err(away)? else {
            continue;
        };
        let place = (message.partition(), message.key().unwrap_or_default().to_vec());
        let entry = ledger::read(message.payload());
        let entry =
            entry.map_err(|fault| (exit::SOFTWARE, format!("{topic}/{}@{}: {fault}", place.0, message.offset())))?;
        match entry {
            // The alerts themselves are not shown.
            Some(Entry::Parked(mut parked)) => {
                parked.alert = ledger::Payload::default();
                newest.insert(place, Entry::Parked(parked));
            }
            Some(Entry::Redrive(mut wish)) => {
                wish.alert = ledger::Payload::default();
                newest.insert(place, Entry::Redrive(wish));
            }
            Some(entry) => drop(newest.insert(place, entry)),
            None => drop(newest.remove(&place)),
        }
    }
    forget_fulfilled(&mut newest);
    let alerts = Reader::open(&settings.kafka, &group, &settings.topics.alerts, Begin::Committed).map_err(away)?;
    let mut waiting = 0;
    if let Some(mut unread) = alerts {
        // Offsets alone would count the markers of transactions too.
        while !unread.at_end() {
            waiting += u64::from(unread.next(Duration::from_millis(100)).map_err(away)?.is_some());
        }
    }
    let route = settings.routing.sinks.iter().find(|route| route.id == sink);
    let fallback = route.and_then(|route| route.fallback.clone());
    Ok(Status { fallback, ..Status::of(sink, waiting, newest.into_values()) })
}

/// Forgets wishes for dead letters that something has come of: whoever asked twice did not see it yet.
fn forget_fulfilled(newest: &mut BTreeMap<(i32, Vec<u8>), Entry>) {
    let redrives = |entry: &Entry| match entry {
        Entry::Parked(parked) => parked.tries.redrives,
        Entry::Ended(ended) => ended.tries.redrives,
        _ => 0,
    };
    let redriven = newest.iter().filter(|(_, entry)| redrives(entry) > 0);
    let redriven: BTreeMap<_, _> = redriven.map(|(place, entry)| (place.clone(), redrives(entry))).collect();
    newest.retain(|(partition, key), entry| match (entry, ledger::redriven_key(key)) {
        (Entry::Redrive(wish), Some(alert)) => {
            redriven.get(&(*partition, alert.to_vec())).is_none_or(|known| wish.redrives > *known)
        }
        _ => true,
    });
}

impl Status {
    fn of(sink: &str, waiting: u64, entries: impl Iterator<Item = Entry>) -> Self {
        let mut status = Self {
            sink: sink.to_owned(),
            standing: Standing::Open.name(),
            since: None,
            detail: None,
            fallback: None,
            failing: None,
            lent: 0,
            waiting,
            parked: 0,
            oldest_parked: None,
            next_attempt: None,
            delivered: 0,
            coalesced: 0,
            superseded: 0,
            suppressed: 0,
            expired: 0,
            dead_lettered: 0,
            redacting: 0,
        };
        // Each owner writes it to its partitions: the newest word counts.
        let mut state: Option<SinkState> = None;
        let mut unblocked = None;
        for entry in entries {
            match entry {
                Entry::Parked(parked) => {
                    status.waits(parked.time, parked.next_at);
                    status.lent += u64::from(parked.tries.lent);
                }
                Entry::Redrive(wish) => status.waits(wish.time, wish.asked),
                Entry::Ended(ended) => *status.number(ended.outcome) += 1,
                Entry::Sink(new) if state.as_ref().is_none_or(|known| known.since <= new.since) => state = Some(new),
                Entry::Sink(_) => {}
                Entry::Card(_) | Entry::Digest(_) | Entry::Erase(_) => {}
                Entry::Redact(_) => status.redacting += 1,
                Entry::Unblock { time } => unblocked = unblocked.max(Some(time)),
            }
        }
        status.failing = state.as_ref().and_then(|state| state.failing);
        if let Some(SinkState { standing, since, detail, .. }) = state
            && (standing == Standing::Open || unblocked.is_none_or(|asked| asked < since))
        {
            status.standing = standing.name();
            status.since = Some(since);
            status.detail = Some(detail).filter(|detail| !detail.is_empty());
        }
        status
    }

    /// One more is parked.
    fn waits(&mut self, time: Timestamp, next_at: Timestamp) {
        let earlier = |known: Option<Timestamp>, new| Some(known.map_or(new, |known| known.min(new)));
        self.parked += 1;
        self.oldest_parked = earlier(self.oldest_parked, time);
        self.next_attempt = earlier(self.next_attempt, next_at);
    }

    fn number(&mut self, outcome: ledger::Outcome) -> &mut u64 {
        use ledger::Outcome;
        match outcome {
            Outcome::Delivered => &mut self.delivered,
            Outcome::Coalesced => &mut self.coalesced,
            Outcome::Superseded => &mut self.superseded,
            Outcome::Suppressed => &mut self.suppressed,
            Outcome::Expired => &mut self.expired,
            Outcome::DeadLettered => &mut self.dead_lettered,
        }
    }
}

/// A sink's status for people.
fn words(status: &Status) -> String {
    let mut text = format!("{}  {}", status.sink, status.standing);
    if let Some(since) = status.since {
        let _ = write!(text, " since {since}");
    }
    if let Some(detail) = &status.detail {
        let _ = write!(text, ": {}", plain(detail));
    }
    match (&status.fallback, status.failing) {
        (Some(fallback), Some(failing)) => {
            let _ = write!(
                text,
                "\n  takes nothing since {failing}: {fallback} gets its alerts too, {} of them wait here",
                status.lent
            );
        }
        (Some(fallback), None) => {
            let _ = write!(text, "\n  fallback {fallback}");
        }
        (None, _) => {}
    }
    let _ = write!(text, "\n  waiting {}  parked {}", status.waiting, status.parked);
    if let (Some(oldest), Some(next)) = (status.oldest_parked, status.next_attempt) {
        let _ = write!(text, " (the oldest of {oldest}, next attempt {next})");
    }
    let _ = write!(text, "\n  delivered {}  dead-lettered {}", status.delivered, status.dead_lettered);
    let others = [
        ("coalesced", status.coalesced),
        ("superseded", status.superseded),
        ("suppressed", status.suppressed),
        ("expired", status.expired),
        ("to be redacted", status.redacting),
    ];
    for (name, number) in others.iter().filter(|(_, number)| *number > 0) {
        let _ = write!(text, "  {name} {number}");
    }
    text.push('\n');
    text
}
