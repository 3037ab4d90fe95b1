//! `hotlead state`: what the changelog holds of leads, in words; and how to erase one.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::Message;

use super::{exit, files, say};
use crate::codec::state::{self, NamesId, StateRecord};
use crate::config::settings::{Settings, Topics};
use crate::core::ids::Partition;
use crate::core::names::Names;
use crate::core::plain::plain;
use crate::core::stored::{self, Form, Stored};
use crate::sink::relocation::{self, Relocated};
use crate::sink::{feedback, partition_of};
use crate::source::{Begin, Probe, ProbeFault, Reader};
use crate::telemetry::access::Right;
use crate::telemetry::broker_log::BrokerLog;

/// How long one answer of the brokers may take.
const ASK: Duration = Duration::from_secs(10);

/// How long instances that were stopped may stay members of their group.
const LEAVING: Duration = Duration::from_secs(60);

/// Leads' states as the changelog has them, by key. One whose records had different keys may have a state in more than
/// one partition.
#[derive(Default)]
struct Stock {
    leads: BTreeMap<(String, Partition), (NamesId, Form, Vec<u8>)>,
    names: HashMap<(Partition, NamesId), Names>,
}

/// Prints the state of one lead and answers with the exit code.
pub fn show(config: &Path, lead: &str, json: bool) -> u8 {
    with_stock(config, Some(lead), |_, stock| match stock.leads.first_key_value() {
        Some(_) => print(stock, json),
        None => {
            say::line(format_args!("no state of a lead {lead:?}"));
            exit::NOT_SO
        }
    })
}

/// Prints the state of all leads, sorted by key, and answers with the exit code.
pub fn dump(config: &Path, json: bool) -> u8 {
    with_stock(config, None, |_, stock| print(stock, json))
}

/// Writes that a lead is to be erased, says what follows, and answers with the exit code.
pub fn erase(config: &Path, lead: &str) -> u8 {
    with_stock(config, Some(lead), |settings, stock| {
        let known: Vec<Partition> = stock.leads.keys().map(|(_, partition)| *partition).collect();
        // To all partitions when none is known.
        let told: Vec<Option<Partition>> =
            if known.is_empty() { vec![None] } else { known.iter().copied().map(Some).collect() };
        for partition in told {
            if let Err(fault) = feedback::erase(&settings.kafka, &settings.topics.feedback, lead, partition) {
                say::line(fault);
                return exit::UNAVAILABLE;
            }
        }
        say::lines(erased(settings, lead, &known));
        exit::DONE
    })
}

fn erased(settings: &Settings, lead: &str, known: &[Partition]) -> String {
    let Topics { alerts, events, dead_letter, feedback, state, .. } = &settings.topics;
    let places: Vec<String> = known.iter().map(|partition| format!("{events}/{partition}")).collect();
    let mut text = match &places[..] {
        [_, ..] => format!("{lead:?} is being erased by whoever owns {}\n", places.join(" and ")),
        [] => format!("{lead:?} has no stored state; every owner of {events} was told to forget it\n"),
    };
    let _ = writeln!(
        text,
        "what hotlead cannot remove: alerts about this lead on {alerts} until they expire (7 days unless the topic says \
         otherwise), those that wait in a sink's ledger or were given up ({dead_letter}, 30 days), this wish with the \
         lead's key ({feedback}, 30 days), older state on {state} until the brokers compact it, its events on {events}, \
         and messages already sent to Slack and webhooks"
    );
    let _ = writeln!(text, "an event of this lead that comes later starts its state anew");
    text
}

/// Moves every lead's state to where its events are, after the events topic has grown; answers with the exit code.
pub fn relocate(config: &Path) -> u8 {
    with_stock(config, None, |settings, stock| match relocated(settings, stock) {
        Ok(moved) => {
            say::line(format_args!("{moved} of {} leads have moved", stock.leads.len()));
            exit::DONE
        }
        Err(fault) => {
            say::line(format_args!("{fault}\nnothing has moved; run it again before any instance is started"));
            exit::UNAVAILABLE
        }
    })
}

fn relocated(settings: &Settings, stock: &Stock) -> Result<usize, String> {
    let (kafka, topics) = (&settings.kafka, &settings.topics);
    let probe = Probe::new(kafka, &settings.group, BrokerLog::default()).map_err(|fault| fault.to_string())?;
    let partitions = probe.partitions(&topics.events, Right::Read, ASK);
    let partitions = partitions.map_err(|fault| fault.to_string())?;
    let partitions = partitions.ok_or_else(|| format!("topic {} does not exist", topics.events))?;
    // Instances that were just stopped are members until their sessions end; and only a group that was empty shares out
    // the new partitions when it begins again.
    let give_up = Instant::now() + LEAVING;
    while probe.members(&settings.group, ASK).map_err(|fault| fault.to_string())? > 0 {
        if Instant::now() > give_up {
            return Err(format!("group {} has members: stop every instance first", settings.group));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    for topic in [&topics.state, &topics.feedback] {
        relocation::grow(kafka, topic, partitions)?;
    }
    let moves: Vec<_> = stock
        .leads
        .iter()
        .map(|((lead, from), kept)| (lead, *from, partition_of(lead.as_bytes(), partitions), kept))
        .filter(|(_, from, to, ..)| from != to)
        .collect();
    // Names first, once for each partition that is written in them.
    let mut names: BTreeMap<(Partition, NamesId), (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for (_, from, to, (id, ..)) in &moves {
        let known =
            stock.names.get(&(*from, *id)).ok_or("a state is written in names that are not on the changelog")?;
        let (_, key, value) = state::names(known);
        names.insert((*to, *id), (key, value));
    }
    let values: Vec<Vec<u8>> =
        moves.iter().map(|(.., (id, form, state))| [&state::head(*id, *form)[..], state].concat()).collect();
    let records = names
        .iter()
        .map(|((to, _), (key, value))| Relocated { partition: *to, key, value: Some(value) })
        .chain(moves.iter().zip(&values).flat_map(|((lead, from, to, ..), value)| {
            let key = lead.as_bytes();
            [Relocated { partition: *to, key, value: Some(value) }, Relocated { partition: *from, key, value: None }]
        }));
    relocation::write(kafka, &topics.state, &format!("{}-state-move", settings.group), records)?;
    Ok(moves.len())
}

fn with_stock(config: &Path, only: Option<&str>, then: impl FnOnce(&Settings, &Stock) -> u8) -> u8 {
    let settings = match files::settings_for_reading(config) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match read(&settings, only) {
        Ok(stock) => then(&settings, &stock),
        Err((code, fault)) => {
            say::line(fault);
            code
        }
    }
}

/// Reads the changelog up to its present end.
fn read(settings: &Settings, only: Option<&str>) -> Result<Stock, (u8, String)> {
    let topic = &settings.topics.state;
    let group = format!("{}.state", settings.group);
    let away = |fault: ProbeFault| match fault {
        ProbeFault::Config(_) => (exit::CONFIG, fault.to_string()),
        _ => (exit::UNAVAILABLE, fault.to_string()),
    };
    let opened = Reader::open(&settings.kafka, &group, topic, Begin::Beginning).map_err(away)?;
    let missing = || (exit::UNAVAILABLE, format!("topic {topic} does not exist (`hotlead run` creates it)"));
    let mut reader = opened.ok_or_else(missing)?;
    let mut stock = Stock::default();
    while !reader.at_end() {
        let Some(message) = reader.next(Duration::from_millis(100)).map_err(away)? else {
            continue;
        };
        let partition = Partition(message.partition());
        let record = state::read(message.key().unwrap_or_default(), message.payload());
        let record =
            record.map_err(|fault| (exit::SOFTWARE, format!("{topic}/{partition}@{}: {fault}", message.offset())))?;
        stock.take(partition, record, only);
    }
    Ok(stock)
}

impl Stock {
    fn take(&mut self, partition: Partition, record: StateRecord<'_>, only: Option<&str>) {
        let wanted = |lead: &str| only.is_none_or(|only| only == lead);
        match record {
            StateRecord::Names(id, names) => {
                self.names.insert((partition, id), *names);
            }
            StateRecord::Lead { lead, names, state } if wanted(lead) => {
                self.leads.insert((lead.to_owned(), partition), (names, state.0, state.1.to_vec()));
            }
            StateRecord::Gone { lead } if wanted(lead) => {
                self.leads.remove(&(lead.to_owned(), partition));
            }
            StateRecord::Lead { .. } | StateRecord::Gone { .. } => {}
        }
    }

    /// In words, or why not.
    fn stored(
        &self,
        lead: &str,
        partition: Partition,
        (id, form, state): &(NamesId, Form, Vec<u8>),
    ) -> Result<Stored, &'static str> {
        let names = self.names.get(&(partition, *id)).ok_or("its names are not on the changelog")?;
        stored::read(lead, (*form, state), names).map_err(|_| "this is no state that hotlead wrote")
    }
}

fn print(stock: &Stock, json: bool) -> u8 {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    for ((lead, partition), kept) in &stock.leads {
        let stored = match stock.stored(lead, *partition, kept) {
            Ok(stored) => stored,
            Err(fault) => {
                say::line(format_args!("the state of {lead:?} in partition {partition} cannot be read: {fault}"));
                return exit::SOFTWARE;
            }
        };
        let written = match json {
            true => {
                serde_json::to_writer(&mut out, &stored).map_err(io::Error::from).and_then(|()| out.write_all(b"\n"))
            }
            false => out.write_all(text(&stored).as_bytes()),
        };
        if let Err(fault) = written {
            return broken(&fault);
        }
    }
    out.flush().map_or_else(|fault| broken(&fault), |()| exit::DONE)
}

fn broken(fault: &io::Error) -> u8 {
    // `state dump | head` ends quietly.
    if fault.kind() == io::ErrorKind::BrokenPipe {
        return exit::DONE;
    }
    say::line(format_args!("cannot write: {fault}"));
    exit::SOFTWARE
}

/// A lead's state for people.
fn text(stored: &Stored) -> String {
    let mut text = format!("{}  last event {}\n", plain(&stored.lead), stored.time);
    let mut line = |what: &str, name: &str, rest: String| {
        let _ = writeln!(text, "  {what:<11} {:<28} {}", plain(name), plain(&rest));
    };
    for (name, of) in &stored.traits {
        line("trait", name, format!("{}  since {}", of.value, of.time));
    }
    for count in &stored.counts {
        let last = count.times.last().map_or_else(String::new, |time| format!(", the last {time}"));
        let need = format!("{} within {}", count.at_least, count.within);
        line("count", &count.signal, format!("{} remembered for {need}{last}", count.times.len()));
    }
    for points in &stored.points {
        line("points", &points.signal, format!("{:.1} as of {} ({} each)", points.earned, points.as_of, points.points));
    }
    let switched = |on: bool| if on { "on" } else { "off" };
    for (name, mark) in &stored.suppressions {
        line("suppression", name, format!("{} since {}", switched(mark.on), mark.time));
    }
    for (name, mark) in &stored.flags {
        line("flag", name, format!("{} since {}", switched(mark.on), mark.time));
    }
    for (rule, episode) in &stored.episodes {
        let what = match (episode.open, episode.announced) {
            (true, true) => "hot, announced",
            (true, false) => "hot, held",
            (false, _) => "over",
        };
        let last = episode.last_announced.map_or_else(String::new, |time| format!(", last alert {time}"));
        line("rule", rule, format!("{what}, opened {}{last}", episode.opened));
    }
    text
}
