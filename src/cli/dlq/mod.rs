//! `hotlead dlq`: dead letters, what they are, why they are some, and how they go back.

mod choice;
mod decision;
mod found;
mod reading;
mod redriving;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;

use self::choice::Choice;
use self::reading::Fault;
use self::redriving::Manner;
use super::{Config, files, say};
use crate::config::settings::Settings;
use crate::core::limits::REDRIVE_RATE;
use crate::core::time::Timestamp;

/// What can be typed after `hotlead dlq`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A line for each: when, where, of which sink, why, from where, attempts; the oldest first
    ///
    /// Nothing of a lead is shown. Ends with 1 if there is none.
    #[command(after_help = "Example:  hotlead dlq ls --sink crm --reason exhausted --since 2d --config hotlead.yaml")]
    Ls {
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        config: Config,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// One object a line
        #[arg(long)]
        json: bool,
    },
    /// All of one, with the lead's data
    #[command(after_help = "Examples:\n  hotlead dlq show hotlead.dead-letter/0@12 --config hotlead.yaml\n  \
        hotlead dlq show --lead u1 --limit 5 --config hotlead.yaml --json")]
    Show {
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        config: Config,
        /// So many, the oldest first
        #[arg(long, value_name = "N", default_value_t = 1)]
        limit: usize,
        /// One object a line
        #[arg(long)]
        json: bool,
    },
    /// Send them back: a delivery to its sink alone, an event to the events topic
    ///
    /// Prints how many were redriven, skipped because they are delivered, and failed. What was redriven before is not
    /// redriven again, so the same command can be repeated. Ends with 1 if one failed or there is none.
    #[command(after_help = "Examples:\n  \
        hotlead dlq redrive --sink crm --reason exhausted --dry-run --config hotlead.yaml\n  \
        hotlead dlq redrive --reason not_json --since 2026-11-22T10:00:00Z --config hotlead.yaml")]
    Redrive {
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        config: Config,
        /// At most so many go back
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// So many in a second
        #[arg(long, value_name = "N", default_value_t = REDRIVE_RATE, value_parser = clap::value_parser!(u32).range(1..))]
        rate: u32,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Also what is delivered already
        #[arg(long)]
        force: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does what was typed, and answers with the exit code.
pub fn run(command: &Command) -> u8 {
    match command {
        Command::Ls { choice, config, limit, json } => told(ls(&config.config, choice, *limit, *json)),
        Command::Show { choice, config, limit, json } => told(show(&config.config, choice, *limit, *json)),
        Command::Redrive { choice, config, limit, rate, dry_run, force, json } => {
            let (limit, rate, dry_run, force, json) = (*limit, *rate, *dry_run, *force, *json);
            redriving::run(&config.config, choice, Manner { limit, rate, dry_run, force, json })
        }
    }
}

fn ls(config: &Path, choice: &Choice, limit: Option<usize>, json: bool) -> Result<u8, Fault> {
    let settings = match settings(config, choice) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let letters = reading::chosen(&settings, choice, now())?;
    let lines = letters.iter().take(limit.unwrap_or(usize::MAX));
    Ok(say::data(lines.map(|found| if json { found.json() } else { found.line() } + "\n").collect::<String>()))
}

fn show(config: &Path, choice: &Choice, limit: usize, json: bool) -> Result<u8, Fault> {
    let settings = match settings(config, choice) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let letters = reading::chosen(&settings, choice, now())?;
    let order: Vec<_> = letters.iter().take(limit).map(|found| (found.partition, found.offset)).collect();
    let mut shown = Vec::new();
    reading::values(&settings, &BTreeSet::from_iter(order.iter().copied()), |found, value| {
        let text = if json { found.whole_json(value) + "\n" } else { found.whole(value) };
        shown.push(((found.partition, found.offset), text));
        Ok(())
    })?;
    shown.sort_by_key(|(place, _)| order.iter().position(|known| known == place));
    let written = say::data(shown.into_iter().map(|(_, text)| text).collect::<String>());
    if letters.len() > order.len() {
        say::line(format_args!("{} more; see hotlead dlq ls, or raise --limit", letters.len() - order.len()));
    }
    Ok(written)
}

/// The config file; or the exit code, also if there is no sink of the id that was typed.
fn settings(config: &Path, choice: &Choice) -> Result<Settings, u8> {
    if choice.sink.is_some() {
        files::sinks(config, choice.sink.as_deref())?;
    }
    files::settings_for_reading(config)
}

fn told(result: Result<u8, Fault>) -> u8 {
    result.unwrap_or_else(|(code, fault)| {
        say::line(fault);
        code
    })
}

/// Now, by this machine's clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
