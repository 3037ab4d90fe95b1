//! `hotlead demo`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{exit, runtime, say};
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
    #[arg(long, value_name = "N", default_value_t = Demo::SPEED, value_parser = clap::value_parser!(u32).range(1..=3600))]
    speed: u32,
    /// The same seed brings the same leads
    #[arg(long, value_name = "N", default_value_t = Demo::SEED)]
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
            say::line(faults);
            return exit::SOFTWARE;
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let demo = Demo { speed: options.speed, seed: options.seed, port: options.port, length: options.length };
    let interrupted = async {
        // Without a signal there is still --for, and the terminal's own way to end a program.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    match runtime.block_on(demo.run(rules, interrupted, &mut io::stdout(), &mut io::stderr())) {
        Ok(()) => exit::DONE,
        Err(error @ DemoError::Port { .. }) => {
            say::line(error);
            exit::UNAVAILABLE
        }
        Err(error) => {
            say::line(error);
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

/// A duration as in the files, from one second to a day.
fn length(text: &str) -> Result<Duration, String> {
    let length = Duration::from(config::duration(text)?);
    let day = Duration::from_secs(86_400);
    let fits = (Duration::from_secs(1)..=day).contains(&length);
    fits.then_some(length).ok_or_else(|| format!("must be from 1s to 1d, got {text}"))
}
