//! `hotlead dlq redrive`: dead letters go back to where they came from, each once, and to nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::choice::Choice;
use super::decision::{Counts, Decision, newest};
use super::found::Found;
use super::reading::{self, Fault, Named};
use super::{now, told};
use crate::cli::{exit, say};
use crate::codec::ledger::{self, Bytes, Payload, Redrive};
use crate::config::settings::Settings;
use crate::core::ids::{Offset, Partition};
use crate::core::limits::MAX_REDRIVEN;
use crate::core::plain::plain;
use crate::core::time::Timestamp;
use crate::sink::redrive::{Event, Redriver};

/// Lines about what could not be redriven; nobody reads more before mending the first.
const MAX_LINES: usize = 20;

/// How it is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// At most so many go back.
    pub(super) limit: Option<u64>,
    /// In a second.
    pub(super) rate: u32,
    pub(super) dry_run: bool,
    pub(super) force: bool,
    pub(super) json: bool,
}

/// What is to go back: its place, and for which time.
type Planned = BTreeMap<(Partition, Offset), u32>;

/// Redrives what is meant, prints how many went which way, and answers with the exit code.
pub(super) fn run(config: &Path, choice: &Choice, manner: Manner) -> u8 {
    told(try_run(config, choice, manner))
}

fn try_run(config: &Path, choice: &Choice, manner: Manner) -> Result<u8, Fault> {
    let settings = match super::settings(config, choice) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let mut work = Work::prepare(&settings, choice, manner)?;
    let done = if manner.dry_run { Ok(()) } else { work.redrive() };
    let Work { counts, faults, .. } = work;
    say::lines(faults.iter().take(MAX_LINES).map(|line| format!("{}\n", plain(line))).collect::<String>());
    if faults.len() > MAX_LINES {
        say::line(format_args!("and {} more", faults.len() - MAX_LINES));
    }
    if manner.dry_run {
        say::line("dry run: nothing is changed; without --dry-run it would be as follows");
    }
    let written = say::data(match manner.json {
        true => serde_json::to_string(&counts).unwrap_or_default() + "\n",
        false => counts.table(),
    });
    done.map(|()| if counts.failed > 0 { exit::NOT_SO } else { written })
}

/// A redrive under way.
struct Work<'a> {
    settings: &'a Settings,
    manner: Manner,
    planned: Planned,
    /// Gives events back; there is none if none go back.
    of_events: Option<Redriver>,
    counts: Counts,
    /// What could not be redriven, and why.
    faults: Vec<String>,
}

impl<'a> Work<'a> {
    /// Looks at everything and decides.
    fn prepare(settings: &'a Settings, choice: &Choice, manner: Manner) -> Result<Self, Fault> {
        let all = reading::letters(settings)?;
        let now = now();
        let lives = newest(all.iter().filter_map(|found| Some((delivery(found)?, found.letter.redrives))));
        let is_newest = |found: &Found| match delivery(found) {
            Some(delivery) => lives.get(&delivery) == Some(&found.letter.redrives),
            None => true,
        };
        let mut meant = all.into_iter().filter(|found| choice.takes(found, now) && is_newest(found)).peekable();
        if meant.peek().is_none() {
            return Err((exit::NOT_SO, choice.nothing(&settings.topics.dead_letter)));
        }
        let (deliveries, events): (Vec<_>, Vec<_>) = meant.partition(|found| found.letter.sink.is_some());
        let (planned, counts, faults) = (Planned::new(), Counts::default(), Vec::new());
        let mut work = Self { settings, manner, planned, of_events: None, counts, faults };
        work.decide_events(&events)?;
        work.decide_deliveries(&deliveries)?;
        Ok(work)
    }

    fn decide_events(&mut self, events: &[Found]) -> Result<(), Fault> {
        if events.is_empty() {
            return Ok(());
        }
        let settings = self.settings;
        if !self.manner.dry_run {
            // First of all: from here on nobody else writes notes.
            let opened = Redriver::of_events(&settings.kafka, &settings.group);
            self.of_events = Some(opened.map_err(|fault| (exit::UNAVAILABLE, fault))?);
        }
        let notes = reading::notes(settings)?;
        for found in events {
            let from = found.letter.place().map(|(topic, ..)| topic);
            if notes.contains(&found.place()) && !self.manner.force {
                self.counts.skipped_delivered += 1;
            } else if from != Some(settings.topics.events.as_str()) {
                self.fail(found, &format!("came from {}, not from {}", found.letter.source, settings.topics.events));
            } else if found.letter.is_cut() {
                self.fail(found, &format!("its value is not here: produce it again from {}", found.letter.source));
            } else {
                self.plan(found, 0);
            }
        }
        Ok(())
    }

    fn decide_deliveries(&mut self, deliveries: &[Found]) -> Result<(), Fault> {
        let mut of_sinks: BTreeMap<&str, Vec<(&Found, Named)>> = BTreeMap::new();
        for found in deliveries {
            let sink = found.letter.sink.as_deref().unwrap_or_default();
            match named(found, &self.settings.topics.alerts) {
                Some(name) if self.settings.sinks.iter().any(|known| known.id == sink) => {
                    of_sinks.entry(sink).or_default().push((found, name));
                }
                Some(_) => self.fail(found, &format!("sink {sink} is not in the config file")),
                None => {
                    let (from, alerts) = (&found.letter.source, &self.settings.topics.alerts);
                    self.fail(found, &format!("came from {from}, not from {alerts}"));
                }
            }
        }
        for (sink, of_sink) in of_sinks {
            let wanted: BTreeSet<Named> = of_sink.iter().map(|(_, name)| name.clone()).collect();
            let (known, mut waiting) = reading::ledger(self.settings, sink, &wanted)?;
            for (found, name) in of_sink {
                let known = known.get(&name).copied().unwrap_or_default();
                match known.decide(found.letter.redrives, self.manner.force) {
                    Decision::SkipDelivered => self.counts.skipped_delivered += 1,
                    Decision::UnderWay => self.counts.under_way += 1,
                    Decision::Redrive(_) if waiting >= MAX_REDRIVEN => {
                        self.fail(found, &format!("{waiting} alerts wait for sink {sink} already: try again later"));
                    }
                    Decision::Redrive(redrives) => waiting += usize::from(self.plan(found, redrives)),
                }
            }
        }
        Ok(())
    }

    /// Whether it is within the limit.
    fn plan(&mut self, found: &Found, redrives: u32) -> bool {
        let is_within = self.manner.limit.is_none_or(|limit| (self.planned.len() as u64) < limit);
        if is_within {
            self.planned.insert((found.partition, found.offset), redrives);
            self.counts.redriven += 1;
        }
        is_within
    }

    fn fail(&mut self, found: &Found, why: &str) {
        self.counts.failed += 1;
        self.faults.push(format!("{}: {why}", found.place()));
    }

    /// Does what is planned; what is not done counts as failed.
    fn redrive(&mut self) -> Result<(), Fault> {
        if self.planned.is_empty() {
            return Ok(());
        }
        let settings = self.settings;
        let unavailable = |fault: String| (exit::UNAVAILABLE, fault);
        let deliveries = Redriver::of_deliveries(&settings.kafka).map_err(unavailable)?;
        let (planned, of_events, begun) = (std::mem::take(&mut self.planned), self.of_events.take(), Instant::now());
        let mut done = 0;
        let redriven = reading::values(settings, &planned.keys().copied().collect(), |found, value| {
            thread::sleep(due(done, self.manner.rate).saturating_sub(begun.elapsed()));
            let redrives = planned.get(&(found.partition, found.offset)).copied().unwrap_or_default();
            let sent = match (&found.letter.sink, &of_events) {
                (Some(sink), _) => ask(settings, &deliveries, found, value, sink, redrives),
                (None, Some(of_events)) => give_back(settings, of_events, found, value),
                (None, None) => Err("no producer for events".to_owned()),
            };
            sent.map_err(|fault| (exit::UNAVAILABLE, format!("{}: {fault}", found.place())))?;
            done += 1;
            Ok(())
        });
        let left = planned.len() as u64 - u64::from(done);
        (self.counts.redriven, self.counts.failed) = (u64::from(done), self.counts.failed + left);
        match redriven {
            Ok(()) if left > 0 => {
                let topic = &settings.topics.dead_letter;
                self.faults.push(format!("{left} dead letters left {topic} by retention meanwhile"));
                Ok(())
            }
            redriven => redriven,
        }
    }
}

/// How long after the first one the next may go, when so many are done.
fn due(done: u32, rate: u32) -> Duration {
    Duration::from_secs(1) * done / rate.max(1)
}

/// What names a delivery: its sink, and the alert's coordinates.
fn delivery(found: &Found) -> Option<(String, String)> {
    Some((found.letter.sink.clone()?, found.letter.source.clone()))
}

/// An alert on its ledgers, if it came from this topic.
fn named(found: &Found, alerts: &str) -> Option<Named> {
    let (_, partition, offset) = found.letter.place().filter(|(topic, ..)| *topic == alerts)?;
    Some((partition, ledger::key(found.letter.alert_id(), offset)))
}

/// Asks the owner of the alert's partition at its sink.
fn ask(
    settings: &Settings,
    redriver: &Redriver,
    found: &Found,
    value: Option<&[u8]>,
    sink: &str,
    redrives: u32,
) -> Result<(), String> {
    let (_, partition, offset) = found.letter.place().ok_or("its source is no place in a topic")?;
    let bytes = |bytes: &[u8]| Bytes(bytes.to_vec());
    let headers = found.letter.headers.iter();
    let alert = Payload {
        key: found.key.clone().map(Bytes),
        value: value.map(bytes),
        headers: headers.map(|(name, value)| (name.clone(), value.as_deref().map(bytes))).collect(),
    };
    let asked = now();
    let time = found.letter.first_failed.or(found.time).unwrap_or(asked);
    let wish = Redrive { offset: offset.0, time, asked, redrives, alert };
    let key = ledger::key(found.letter.alert_id(), offset);
    redriver.ask(&settings.topics.ledger(sink), partition, &key, wish)
}

/// Puts an event on its topic again.
fn give_back(settings: &Settings, redriver: &Redriver, found: &Found, value: Option<&[u8]>) -> Result<(), String> {
    let (_, partition, _) = found.letter.place().ok_or("its source is no place in a topic")?;
    let (key, headers) = (found.key.as_deref(), &found.letter.headers);
    let time: Option<Timestamp> = found.letter.time.filter(|time| time.is_plausible());
    let event = Event { partition, time, key, value, headers };
    redriver.give_back(&settings.topics.events, &event, &settings.topics.feedback, &found.place())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::letter::Letter;

    #[test]
    fn each_second_has_so_many() {
        #[rustfmt::skip]
        let rows = [
            // done  a second  due, in ms
            (   0,      50,          0),
            (   1,      50,         20),
            (  50,      50,      1_000),
            (   3,       1,      3_000),
            (   3,       0,      3_000),
            (9_999, 10_000,        999),
        ];
        for (done, rate, expected) in rows {
            assert_eq!(due(done, rate).as_millis(), expected, "{done} at {rate} a second");
        }
    }

    #[test]
    fn an_alert_is_named_by_its_partition_and_id_or_offset_and_only_on_its_own_topic() {
        let found = |source: &str, id: &[u8]| Found {
            topic: "hotlead.dead-letter".into(),
            partition: Partition(0),
            offset: Offset(12),
            time: None,
            key: None,
            letter: Letter {
                sink: Some("crm".into()),
                source: source.into(),
                headers: vec![("ce_id".into(), Some(id.to_vec()))],
                ..Letter::default()
            },
        };
        let id = b"0123456789abcdef0123456789abcdef";
        let of = |source: &str, id: &[u8]| named(&found(source, id), "hotlead.alerts");
        assert_eq!(of("hotlead.alerts/3@7", id), Some((Partition(3), id.to_vec())));
        assert_eq!(of("hotlead.alerts/3@7", b"no id"), Some((Partition(3), b"@7".to_vec())));
        assert_eq!(of("other.alerts/3@7", id), None);
        assert_eq!(of("hotlead.alerts", id), None);
    }
}
