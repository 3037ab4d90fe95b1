//! `hotlead backtest`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{exit, files, say};
use crate::backtest::decisions::{Alerts, Decisions};
use crate::backtest::leaps::Watched;
use crate::backtest::summary::Summary;
use crate::backtest::{Backtest, BacktestError, Observer};
use crate::core::event::FieldPath;

/// What can be typed after `hotlead backtest`.
#[derive(Debug, Args)]
pub struct Options {
    /// The rules file
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Events as NDJSON in any accepted format; - reads standard input
    #[arg(long, value_name = "FILE")]
    events: String,
    /// The lead's key is the first of these fields that an event has
    #[arg(long, value_delimiter = ',', default_value = "user_id,email,anonymous_id", value_parser = key_field)]
    lead_key: Vec<FieldPath>,
    /// One alert a line
    #[arg(long)]
    json: bool,
    /// One line for each touched rule and each refused event
    #[arg(long, conflicts_with = "json")]
    decisions: bool,
}

fn key_field(text: &str) -> Result<FieldPath, String> {
    FieldPath::parse(text).ok_or_else(|| "must be a field such as user_id, email or traits.id".to_owned())
}

/// Runs it and answers with the exit code.
pub fn run(options: &Options) -> u8 {
    let rules = match files::rules(&options.rules) {
        Ok(rules) => Arc::new(rules),
        Err(code) => return code,
    };
    let events: Box<dyn BufRead> = match options.events.as_str() {
        "-" => Box::new(io::stdin().lock()),
        path => match File::open(path) {
            Ok(file) => Box::new(BufReader::with_capacity(1 << 20, file)),
            Err(error) => {
                say::line(format_args!("{path}: {error}"));
                return exit::NO_INPUT;
            }
        },
    };
    let backtest = Backtest::new(Arc::clone(&rules), &options.lead_key, &options.events);
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let done = if options.decisions {
        write(backtest, events, Watched::new(Decisions(out)), |watched| {
            say::lines(&watched.leaps);
            watched.observer.0.flush()
        })
    } else if options.json {
        write(backtest, events, Watched::new(Alerts(out)), |watched| {
            say::lines(&watched.leaps);
            watched.observer.0.flush()
        })
    } else {
        let mut out = out;
        write(backtest, events, Summary::new(&rules), |summary| {
            write!(out, "{summary}")?;
            out.flush()
        })
    };
    match done {
        Ok(()) => exit::DONE,
        Err(BacktestError::Output(error)) => say::unwritten(&error),
        Err(BacktestError::Events(error)) => {
            say::line(format_args!("{}: {error}", options.events));
            exit::NO_INPUT
        }
    }
}

fn write<O: Observer>(
    mut backtest: Backtest,
    events: Box<dyn BufRead>,
    mut observer: O,
    finish: impl FnOnce(&mut O) -> io::Result<()>,
) -> Result<(), BacktestError> {
    backtest.run(events, &mut observer)?;
    finish(&mut observer).map_err(BacktestError::Output)
}
