//! The command line: what can be typed, and which room answers.

pub mod backtest;
pub mod capture;
pub mod check;
pub mod demo;
pub mod dlq;
pub mod exit;
mod files;
pub mod render;
pub mod route;
pub mod run;
mod say;
pub mod simulate;
pub mod sink_status;
pub mod sink_test;
pub mod state;
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
    /// Watch simulated leads turn hot: the whole live path, nothing else to start
    #[command(after_help = "Example:  hotlead demo --for 30s --speed 20 --seed 7 --port 8081")]
    Demo(demo::Options),
    /// Read events from Kafka and publish alerts
    #[command(after_help = "Example:  hotlead run --config deploy/hotlead.yaml")]
    Run {
        #[command(flatten)]
        config: Config,
        /// Let leads start anew where the topic with their state is empty; otherwise that is an error
        #[arg(long)]
        fresh_state: bool,
    },
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
    /// Make realistic events, as NDJSON or into a topic
    #[command(after_help = "Examples:\n  hotlead simulate --events 1000 --seed 7 > events.ndjson\n  \
        hotlead simulate --events 1000 --rate 50 --brokers localhost:9092 --topic engagement")]
    Simulate(simulate::Options),
    /// Print alerts from the alert topic
    #[command(after_help = "Example:  hotlead tail --config hotlead.yaml --json --from beginning --until-end")]
    Tail {
        #[command(flatten)]
        config: Config,
        /// The alert as JSON, one a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        stretch: Stretch,
    },
    /// Write the events topic to a file that `backtest` reads
    #[command(
        after_help = "Example:  hotlead capture --config hotlead.yaml --from beginning --until-end > events.ndjson"
    )]
    Capture {
        #[command(flatten)]
        config: Config,
        #[command(flatten)]
        stretch: Stretch,
    },
    /// Look at what is remembered of leads, or erase it
    #[command(subcommand, after_help = "Example:  hotlead state show u1 --config hotlead.yaml")]
    State(StateCommand),
    /// Try out where alerts go, look at how that stands
    #[command(subcommand, after_help = "Example:  hotlead sink status --config hotlead.yaml")]
    Sink(SinkCommand),
    /// Look at dead letters, and send them back
    #[command(subcommand, after_help = "Example:  hotlead dlq ls --config hotlead.yaml")]
    Dlq(dlq::Command),
    /// Find out which sinks alerts go to
    #[command(subcommand, after_help = "Example:  hotlead route test event.json --config hotlead.yaml")]
    Route(RouteCommand),
    /// Show what alerts look like in Slack or at a webhook, without sending anything
    #[command(after_help = "Examples:\n  hotlead render event.json --config hotlead.yaml --sink sdr-channel\n  \
        hotlead tail --json --from beginning --until-end | hotlead render - --json")]
    Render {
        #[command(flatten)]
        sample: Sample,
        #[command(flatten)]
        config: Config,
        /// As this sink gets it, also if it takes none of them; otherwise as each sink that takes it
        #[arg(long, value_name = "ID")]
        sink: Option<String>,
        /// One object a line
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Example:  hotlead completions bash > /etc/bash_completion.d/hotlead")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum StateCommand {
    /// What is stored of one lead
    #[command(after_help = "Example:  hotlead state show u1 --config hotlead.yaml --json")]
    Show {
        /// The lead's key
        lead: String,
        #[command(flatten)]
        config: Config,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// What is stored of every lead, sorted by key
    #[command(after_help = "Example:  hotlead state dump --config hotlead.yaml --json > state.ndjson")]
    Dump {
        #[command(flatten)]
        config: Config,
        /// As JSON, one lead a line
        #[arg(long)]
        json: bool,
    },
    /// Move the state of all leads after the events topic has got more partitions
    ///
    /// Every instance has to be stopped. Events must be keyed by lead and partitioned by the hash that Java clients use
    /// (murmur2). If it was interrupted, run it again.
    #[command(after_help = "Example:  hotlead state move --config hotlead.yaml")]
    Move {
        #[command(flatten)]
        config: Config,
        /// Leave states that are not where murmur2 of the lead's key says; otherwise they are an error
        #[arg(long)]
        leave_strays: bool,
    },
    /// Forget a lead
    #[command(after_help = "Example:  hotlead state erase u1 --config hotlead.yaml")]
    Erase {
        /// The lead's key
        #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
        lead: String,
        #[command(flatten)]
        config: Config,
    },
}

#[derive(Debug, Subcommand)]
enum SinkCommand {
    /// Send one real message, marked TEST
    #[command(after_help = "Example:  hotlead sink test sdr-channel --config hotlead.yaml")]
    Test {
        /// The sink's id in the config file
        id: String,
        #[command(flatten)]
        config: Config,
    },
    /// What the ledger says of one sink, or of all: open or shut, what waits, what became of alerts
    #[command(after_help = "Example:  hotlead sink status crm --config hotlead.yaml --json")]
    Status {
        /// The sink's id in the config file; all sinks without it
        id: Option<String>,
        #[command(flatten)]
        config: Config,
        /// As JSON, one sink a line
        #[arg(long)]
        json: bool,
    },
    /// Open a sink again that is blocked or disabled
    #[command(after_help = "Example:  hotlead sink unblock crm --config hotlead.yaml")]
    Unblock {
        /// The sink's id in the config file
        id: String,
        #[command(flatten)]
        config: Config,
    },
}

#[derive(Debug, Subcommand)]
enum RouteCommand {
    /// Where the alerts of a file go, or those that its events lead to
    ///
    /// Ends with 1 if they go nowhere, or not where they are expected.
    #[command(after_help = "Examples:\n  hotlead route test alert.json --config hotlead.yaml\n  \
        hotlead route test event.json --expect sdr-channel --expect crm")]
    Test {
        #[command(flatten)]
        sample: Sample,
        #[command(flatten)]
        config: Config,
        /// Every alert has to go to this sink; may be repeated
        #[arg(long, value_name = "ID")]
        expect: Vec<String>,
        /// One object a line
        #[arg(long)]
        json: bool,
    },
}

/// A file of alerts or events.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Sample {
    /// Alerts or events as JSON, told apart by their content; - reads standard input
    file: Option<String>,
    /// The same
    #[arg(long, alias = "alert", value_name = "FILE", hide = true)]
    event: Option<String>,
}

impl Sample {
    fn file(&self) -> &str {
        self.file.as_deref().or(self.event.as_deref()).unwrap_or_default()
    }
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

/// Threads for what waits on sockets; or the exit code.
fn runtime() -> Result<tokio::runtime::Runtime, u8> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|error| {
        say::line(format_args!("cannot start threads: {error}"));
        exit::SOFTWARE
    })
}

/// Reads the command line, does what it says, and answers with the exit code.
pub fn main() -> u8 {
    match Cli::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Run { config, fresh_state } => run::run(&config.config, fresh_state),
        Command::Check { files } => check::run(&files),
        Command::Backtest(options) => backtest::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Tail { config, json, stretch } => tail::run(&config.config, &stretch, json),
        Command::Capture { config, stretch } => capture::run(&config.config, &stretch),
        Command::State(command) => match command {
            StateCommand::Show { lead, config, json } => state::show(&config.config, &lead, json),
            StateCommand::Dump { config, json } => state::dump(&config.config, json),
            StateCommand::Move { config, leave_strays } => state::relocate(&config.config, leave_strays),
            StateCommand::Erase { lead, config } => state::erase(&config.config, &lead),
        },
        Command::Sink(command) => match command {
            SinkCommand::Test { id, config } => sink_test::run(&config.config, &id),
            SinkCommand::Status { id, config, json } => sink_status::status(&config.config, id.as_deref(), json),
            SinkCommand::Unblock { id, config } => sink_status::unblock(&config.config, &id),
        },
        Command::Dlq(command) => dlq::run(&command),
        Command::Route(RouteCommand::Test { sample, config, expect, json }) => {
            route::test(&config.config, sample.file(), &expect, json)
        }
        Command::Render { sample, config, sink, json } => {
            render::run(&config.config, sample.file(), sink.as_deref(), json)
        }
        Command::Completions { shell } => completions(shell),
    }
}

/// Written in one piece: the generator itself panics when the reader has gone.
fn completions(shell: clap_complete::Shell) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hotlead", &mut script);
    say::data(script)
}
