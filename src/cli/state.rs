//! `hotlead state`: what the changelog holds of leads, in words; and how to erase one.

mod relocate;
mod stock;

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use self::stock::Stock;
use super::{exit, files, say};
use crate::config::settings::{Settings, Sink, Target, Topics};
use crate::core::ids::Partition;
use crate::core::plain::plain;
use crate::core::stored::Stored;
use crate::sink::feedback;

pub use relocate::relocate;

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
    text.push_str(&told(&settings.sinks));
    let _ = writeln!(
        text,
        "what hotlead cannot remove: alerts about this lead on {alerts} until they expire (7 days unless the topic says \
         otherwise), those that were given up ({dead_letter}, 30 days), this wish with the lead's key ({feedback}, 30 days), \
         older records of it on {state} and on the sinks' ledgers until the brokers compact them, and its events on {events}"
    );
    let _ = writeln!(text, "an event of this lead that comes later starts its state anew");
    text
}

/// What becomes of what sinks have told of a lead.
fn told(sinks: &[Sink]) -> String {
    let ids = |wanted: fn(&Target) -> bool| {
        let ids = sinks.iter().filter(|sink| wanted(&sink.target)).map(|sink| sink.id.as_str());
        ids.collect::<Vec<_>>().join(", ")
    };
    let all = ids(|_| true);
    let bots = ids(|target| matches!(target, Target::Bot(_)));
    let others = ids(|target| !matches!(target, Target::Bot(_)));
    let mut text = String::new();
    if !all.is_empty() {
        let _ = writeln!(text, "alerts that wait in {all} are dropped as soon as that is done");
    }
    if !bots.is_empty() {
        let _ = writeln!(
            text,
            "cards and replies that {bots} posted are edited to \"Erased on request\" (`hotlead sink status` says whether some \
             are still to be redacted); digests that name the lead are not, nor messages whose place its ledger has lost: delete \
             those in Slack"
        );
    }
    if !others.is_empty() {
        let _ = writeln!(text, "what {others} has sent cannot be changed from here: delete it where it went");
    }
    text
}

fn with_stock(config: &Path, only: Option<&str>, then: impl FnOnce(&Settings, &Stock) -> u8) -> u8 {
    let settings = match files::settings_with_all_sinks(config) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match Stock::shown(&settings, only) {
        Ok(stock) => then(&settings, &stock),
        Err((code, fault)) => {
            say::line(fault);
            code
        }
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
            return say::unwritten(&fault);
        }
    }
    out.flush().map_or_else(|fault| say::unwritten(&fault), |()| exit::DONE)
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
