//! The command line: what can be typed, and which room answers.

pub mod backtest;
pub mod capture;
pub mod check;
pub mod exit;
pub mod sink_test;
pub mod run;
pub mod tail;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Tells the right people within milliseconds when a lead turns hot.
#[derive(Debug, Parser)]
#[command(name = "hotlead", version, max_term_width = 100, after_help = "Start here:  hotlead demo")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check rules and config files
    #[command(after_help = "Example:  hotlead check deploy/hotlead.yaml deploy/rules/*.yaml")]
    Check {
        /// Rules or config files, told apart by their content
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Run a file of events through rules: what would have fired?
    #[command(after_help = "Examples:\n  hotlead backtest --rules rules.yaml --events events.ndjson\n  \
        hotlead simulate --events 100000 | hotlead backtest --rules rules.yaml --events - --json")]
    Backtest(backtest::Options),
    /// Print a completion script for a shell
    #[command(after_help = "Example:  hotlead completions bash > /etc/bash_completion.d/hotlead")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Which config file.
#[derive(Debug, Args)]
pub struct Config {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = "hotlead.yaml")]
    config: PathBuf,
}

/// Which part of a topic.
#[derive(Debug, Args)]
pub struct Stretch {
    /// Where to begin
    #[arg(long, value_enum, default_value_t = From::End)]
    from: From,
    /// Stop at the end as it was at the start
    #[arg(long)]
    until_end: bool,
}

/// Where reading a topic begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// With the oldest record that is still there
    Beginning,
    /// With what comes from now on
    End,
}

/// Reads the command line, does what it says, and answers with the exit code.
pub fn main() -> u8 {
    match Cli::parse().command {
        Command::Check { files } => check::run(&files),
        Command::Backtest(options) => backtest::run(&options),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "hotlead", &mut std::io::stdout());
            exit::DONE
        }
    }
}
