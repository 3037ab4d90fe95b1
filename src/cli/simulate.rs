//! `hotlead simulate`.

use std::io::{self, BufWriter};
use std::time::SystemTime;

use clap::Args;

use super::{exit, say};
use crate::core::time::{Span, Timestamp};
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
    /// The same seed gives the same events; sent to a topic, the last of them is now
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
    let mut scenario = Scenario { seed: options.seed, leads: options.leads as usize, start: Scenario::START };
    let count = usize::try_from(options.events).unwrap_or(usize::MAX);
    let pace = Pace::new(options.rate);
    if let (Some(brokers), Some(topic)) = (&options.brokers, &options.topic) {
        // The last of them is now: a topic would drop older ones by retention, and refuse those of the future.
        let last = Simulator::new(scenario).take(count).map(|event| event.sent).max();
        let length = last.map_or(Span::ZERO, |last| last - scenario.start);
        scenario.start = now() - length;
        return match to_topic(Simulator::new(scenario).take(count), pace, brokers, topic) {
            Ok(()) => {
                say::line(format_args!("{count} events sent to {topic}"));
                exit::DONE
            }
            Err(error) => {
                say::line(error);
                exit::UNAVAILABLE
            }
        };
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written = to_lines(Simulator::new(scenario).take(count), pace, &mut out);
    written.map_or_else(|error| say::unwritten(&error), |()| exit::DONE)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
