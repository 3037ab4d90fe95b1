//! `hotlead simulate`.

use std::io::{self, BufWriter};

use clap::Args;

use super::exit;
use crate::run::simulate::output::{Pace, to_lines, to_topic};
use crate::run::simulate::{Scenario, Simulator};

/// What can be typed after `hotlead simulate`.
#[derive(Debug, Args)]
pub struct Options {
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    events: u64,
    /// How many leads
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    leads: u32,
    /// The same seed gives the same events
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Events a second; without it as fast as they go
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Send them to these brokers, host:port,host:port, instead of printing them
    #[arg(long, value_name = "B", requires = "topic")]
    brokers: Option<String>,
    /// The topic to send them to, keyed by lead
    #[arg(long, value_name = "T", requires = "brokers")]
    topic: Option<String>,
}

/// Runs it and answers with the exit code.
pub fn run(options: &Options) -> u8 {
    let scenario = Scenario { seed: options.seed, leads: options.leads as usize, start: Scenario::START };
    let count = usize::try_from(options.events).unwrap_or(usize::MAX);
    let events = Simulator::new(scenario).take(count);
    let pace = Pace::new(options.rate);
    if let (Some(brokers), Some(topic)) = (&options.brokers, &options.topic) {
        return match to_topic(events, pace, brokers, topic) {
            Ok(()) => {
                eprintln!("{count} events sent to {topic}");
                exit::DONE
            }
            Err(error) => {
                eprintln!("{error}");
                exit::UNAVAILABLE
            }
        };
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    match to_lines(events, pace, &mut out) {
        Ok(()) => exit::DONE,
        // Whoever read it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::DONE,
        Err(error) => {
            eprintln!("standard output: {error}");
            exit::SOFTWARE
        }
    }
}
