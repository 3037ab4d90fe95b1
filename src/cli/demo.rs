//! `hotlead demo`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::exit;
use crate::config;
use crate::core::rule::RuleSet;
use crate::run::demo::{Demo, DemoError, RULES};

/// What can be typed after `hotlead demo`.
#[derive(Debug, Args)]
pub struct Options {
    /// End by itself after this long, such as 30s or 2m
    #[arg(long = "for", value_name = "TIME", value_parser = length)]
    length: Option<Duration>,
    /// Simulated seconds that pass in a second
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    speed: u32,
    /// The same seed brings the same leads
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the live page is; 0 takes any free port
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
}

/// Runs it and answers with the exit code.
pub fn run(options: &Options) -> u8 {
    let rules = match embedded_rules() {
        Ok(rules) => rules,
        Err(faults) => {
            eprintln!("{faults}");
            return exit::SOFTWARE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start threads: {error}");
            return exit::SOFTWARE;
        }
    };
    let demo = Demo {
        speed: options.speed,
        seed: options.seed,
        port: options.port,
        length: options.length,
    };
    let interrupted = async {
        // Without a signal there is still --for, and the terminal's own way to end a program.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    match runtime.block_on(demo.run(rules, interrupted, &mut io::stdout(), &mut io::stderr())) {
        Ok(()) => exit::DONE,
        Err(error @ DemoError::Port { .. }) => {
            eprintln!("{error}");
            exit::UNAVAILABLE
        }
        Err(error) => {
            eprintln!("{error}");
            exit::SOFTWARE
        }
    }
}

/// The rules in the binary; a test keeps them free of faults.
fn embedded_rules() -> Result<Arc<RuleSet>, String> {
    let (name, text) = RULES;
    match config::rules::read(name, text) {
        (Some(spec), _) => Ok(Arc::new(RuleSet::compile(spec))),
        (None, faults) => Err(faults.to_string()),
    }
}

/// `30s`, `2m`, `1h30m`: from one second to a day.
fn length(text: &str) -> Result<Duration, String> {
    let fault = || format!("must be a time such as 30s, 2m or 1h30m, from 1s to 24h, got {text:?}");
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
        let number: u64 = rest[..end].parse().map_err(|_| fault())?;
        let unit = match rest.as_bytes()[end] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            _ => return Err(fault()),
        };
        seconds = number
            .checked_mul(unit)
            .and_then(|more| seconds.checked_add(more))
            .ok_or_else(fault)?;
        rest = &rest[end + 1..];
    }
    if (1..=86_400).contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        Err(fault())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_rules_have_no_faults() {
        let (name, text) = RULES;
        let (spec, faults) = config::rules::read(name, text);
        assert!(spec.is_some(), "{faults}");
    }

    #[test]
    fn lengths_are_times_from_a_second_to_a_day() {
        #[rustfmt::skip]
        let rows = [
            ("1s", Some(1)), ("30s", Some(30)), ("2m", Some(120)), ("1h30m", Some(5400)), ("24h", Some(86_400)),
            ("0s", None), ("24h1s", None), ("30", None), ("s", None), ("", None), ("1d", None), ("-1s", None),
            ("1é", None), ("99999999999999999999h", None), ("9999999999999999999h", None),
        ];
        for (text, seconds) in rows {
            assert_eq!(
                length(text).ok(),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
    }
}
