//! The service: workers that turn events into alerts, started, watched and stopped together.
//!
//! One thread owns a group member, its partitions' engines and a producer; nothing of a lead is shared.

mod deliveries;
pub mod demo;
mod detect;
mod encode;
mod handover;
mod lane;
mod restore;
mod round;
pub mod shown;
pub mod simulate;
mod startup;
mod watchman;
pub mod whole;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::config::settings::Settings;
use crate::console::View;
use crate::core::rule::RuleSet;
use crate::sink::PublishError;
use crate::source::{Known, Probe, ProbeFault, SourceError};
use crate::telemetry::access::Right;
use crate::telemetry::broker_log::BrokerLog;
use crate::telemetry::events::Running;
use crate::telemetry::{HotAlerts, Metrics, Readiness};
use handover::Handover;

/// Between two questions whether the brokers still answer.
const WATCH: Duration = Duration::from_secs(5);

/// So many answers in a row that the changelog is not there are believed: a broker that has just started may not know of
/// all topics yet.
const BELIEVED: u32 = 3;

/// A process that was told to stop waits so long for brokers that do not answer.
const DRAIN: Duration = Duration::from_secs(10);

/// How rounds are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Exactly once: alerts, dead letters and offsets in one transaction, static group members.
    Transactional,
    /// For the in-process broker of the demo: no transaction, no static members, offsets after the records.
    Plain,
}

/// What a running service shares with whoever started it. Clones are handles to the same things.
#[derive(Clone, Debug)]
pub struct Hooks {
    /// Ends the service.
    pub stop: Stop,
    /// Counted while running.
    pub metrics: Metrics,
    /// Whether the service does its work.
    pub readiness: Readiness,
    /// Committed alerts.
    pub hot: HotAlerts,
    /// What the console shows, if anybody looks: every event that was seen goes there.
    pub view: Option<Arc<View>>,
    /// How rounds are committed.
    pub mode: Mode,
    /// Leads may start anew where their state is gone.
    pub fresh_state: bool,
}

impl Hooks {
    /// New ones.
    pub fn new(mode: Mode) -> Self {
        Self {
            stop: Stop::default(),
            metrics: Metrics::new(),
            readiness: Readiness::default(),
            hot: HotAlerts::default(),
            view: None,
            mode,
            fresh_state: false,
        }
    }
}

/// Tells every thread of a service to end; a clone is another handle.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<StopState>);

#[derive(Debug, Default)]
struct StopState {
    told: AtomicBool,
    /// Unix milliseconds.
    told_at: AtomicI64,
}

impl Stop {
    /// Commit the last round and end.
    pub fn stop(&self) {
        self.0.told_at.store(now_ms(), Ordering::Relaxed);
        self.0.told.store(true, Ordering::Relaxed);
    }

    /// Whether it was told.
    pub fn is_told(&self) -> bool {
        self.0.told.load(Ordering::Relaxed)
    }

    /// Whether waiting for brokers has gone on long enough since it was told.
    fn is_overdue(&self) -> bool {
        let waited = now_ms() - self.0.told_at.load(Ordering::Relaxed);
        self.is_told() && u128::try_from(waited).unwrap_or(0) > DRAIN.as_millis()
    }

    /// Waits, but not longer than until it is told.
    fn wait(&self, span: Duration) {
        let end = Instant::now() + span;
        while !self.is_told() && Instant::now() < end {
            thread::sleep(Duration::from_millis(50).min(span));
        }
    }
}

/// Why the service ended otherwise than by being told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError {
    /// A topic is missing or forbidden, or the brokers did not answer while stopping.
    Unreachable(String),
    /// librdkafka refuses the configuration.
    Config(String),
    /// Another process runs with the same instance name.
    Fenced {
        /// The name.
        instance: String,
    },
    /// Anything else; what is committed is safe.
    Broken(String),
}

impl RunError {
    /// As interface.md says.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreachable(_) => 69,
            Self::Broken(_) => 70,
            Self::Fenced { .. } => 75,
            Self::Config(_) => 78,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) | Self::Config(text) | Self::Broken(text) => f.write_str(text),
            Self::Fenced { instance } => {
                write!(f, "fenced: another process runs as instance {instance}; give each its own `instance:`")
            }
        }
    }
}

impl std::error::Error for RunError {}

impl RunError {
    fn of_source(error: SourceError, instance: &str) -> Self {
        match error {
            SourceError::Fenced => Self::Fenced { instance: instance.to_owned() },
            SourceError::Away(text) | SourceError::Forbidden(text) => Self::Unreachable(text),
            SourceError::Broken(text) => Self::Broken(text),
        }
    }

    fn of_publish(error: PublishError, instance: &str) -> Self {
        match error {
            PublishError::Fenced => Self::Fenced { instance: instance.to_owned() },
            PublishError::GaveUp => Self::Unreachable(
                "the brokers did not answer while stopping: the last round is not committed, it will be done again"
                    .to_owned(),
            ),
            PublishError::Forbidden(text) => Self::Unreachable(text),
            PublishError::Aborted(text) | PublishError::Lost(text) | PublishError::Broken(text) => Self::Broken(text),
            PublishError::TooLarge => Self::Broken("a record is too large for its topic".to_owned()),
        }
    }

    fn of_probe(fault: ProbeFault) -> Self {
        match fault {
            ProbeFault::Away(text) | ProbeFault::Forbidden(text) => Self::Unreachable(text),
            ProbeFault::Config(text) => Self::Config(text),
        }
    }
}

/// What all workers of a service share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) hooks: Hooks,
    pub(crate) log: BrokerLog,
    pub(crate) known: Known,
    pub(crate) handover: Handover,
}

/// Runs the service until it is told to stop. Blocks; not for a thread of an async runtime.
///
/// # Errors
/// [`RunError`], after all workers have ended.
pub fn start(settings: Settings, rules: Arc<RuleSet>, hooks: Hooks) -> Result<(), RunError> {
    match prepare(settings, rules, hooks)? {
        Some(prepared) => prepared.run(),
        None => Ok(()),
    }
}

/// A service whose brokers answer and whose topics are there; it consumes nothing yet.
pub struct Prepared {
    shared: Shared,
    probe: Probe,
}

/// Waits for the brokers and sees to the topics. `None` if it was told to stop meanwhile. Blocks.
///
/// # Errors
/// [`RunError`]: a topic is missing, or librdkafka refuses the configuration.
pub fn prepare(settings: Settings, rules: Arc<RuleSet>, hooks: Hooks) -> Result<Option<Prepared>, RunError> {
    let log = BrokerLog::default();
    let probe = Probe::new(&settings.kafka, &settings.group, log.clone()).map_err(RunError::of_probe)?;
    let Some(known) = startup::prepare(&settings, hooks.mode, &probe, &hooks.stop)? else {
        return Ok(None);
    };
    log.started();
    hooks.readiness.set_connected(true);
    let partitions = usize::try_from(known.partitions).unwrap_or(0);
    hooks.readiness.expect(settings.workers, settings.sinks.len(), partitions);
    let settings = Arc::new(settings);
    Ok(Some(Prepared { shared: Shared { settings, rules, hooks, log, known, handover: Handover::default() }, probe }))
}

impl Prepared {
    /// Runs until it is told to stop. Blocks.
    ///
    /// # Errors
    /// [`RunError`], after all workers have ended.
    pub fn run(self) -> Result<(), RunError> {
        work(&self.shared, &self.probe)
    }

    /// What it runs with.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }
}

fn work(shared: &Shared, probe: &Probe) -> Result<(), RunError> {
    let workers = (0..shared.settings.workers)
        .map(|number| spawn(number, shared.clone()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            shared.hooks.stop.stop();
            RunError::Broken(format!("no thread for a worker: {error}"))
        })?;
    let watched = watch(shared, probe, &workers);
    shared.hooks.readiness.set_stopping();
    // The first error is the cause; the others were told to stop because of it. A fence explains whatever else went
    // wrong with the transactions of this process.
    workers.into_iter().map(join).fold(watched, |known, ended| match ended {
        Err(RunError::Fenced { .. }) => ended,
        _ => known.and(ended),
    })
}

fn spawn(number: usize, shared: Shared) -> std::io::Result<JoinHandle<Result<(), RunError>>> {
    thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
        let stop = shared.hooks.stop.clone();
        let result = worker::run(number, shared);
        if result.is_err() {
            stop.stop();
        }
        result
    })
}

fn join(worker: JoinHandle<Result<(), RunError>>) -> Result<(), RunError> {
    let bug = |_| Err(RunError::Broken("a worker panicked: this is a bug".to_owned()));
    worker.join().unwrap_or_else(bug)
}

/// Keeps readiness up to date until the service ends, and tells when it is ready for the first time.
///
/// # Errors
/// The events topic has another number of partitions now, or the changelog is gone: state would not be found.
fn watch(shared: &Shared, probe: &Probe, workers: &[JoinHandle<Result<(), RunError>>]) -> Result<(), RunError> {
    let mut asked = Instant::now();
    let mut told = false;
    let mut missed = 0;
    while !shared.hooks.stop.is_told() && !workers.iter().any(JoinHandle::is_finished) {
        if asked.elapsed() >= WATCH {
            let topics = &shared.settings.topics;
            let answer = probe.partitions(&topics.events, Right::Read, WATCH);
            if let Ok(Some(now)) = answer
                && now != shared.known.partitions
            {
                shared.hooks.stop.stop();
                return Err(startup::other_partitions(&shared.settings, now, &topics.state, shared.known.partitions));
            }
            let state = match shared.hooks.mode {
                Mode::Transactional => probe.partitions(&topics.state, Right::Read, WATCH),
                Mode::Plain => Ok(Some(0)),
            };
            missed = if matches!(state, Ok(None)) { missed + 1 } else { 0 };
            if missed == BELIEVED {
                shared.hooks.stop.stop();
                return Err(startup::changelog_deleted(&shared.settings));
            }
            let connected = answer.is_ok();
            if shared.hooks.readiness.set_connected(connected) != connected {
                match answer {
                    Ok(_) => tracing::info!("the brokers answer again"),
                    Err(fault) => tracing::error!("{fault}"),
                }
            }
            asked = Instant::now();
        }
        if !told && shared.hooks.readiness.is_ready().is_ok() {
            running(&shared.settings);
            told = true;
        }
        shared.hooks.stop.wait(Duration::from_millis(200));
    }
    // A worker that panicked could not tell the others.
    shared.hooks.stop.stop();
    Ok(())
}

/// Tells that the service consumes.
fn running(settings: &Settings) {
    let (group, instance) = (&settings.group, &settings.instance);
    Running { group, instance, topic: &settings.topics.events, workers: settings.workers }.tell();
}

/// The wall clock in Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_pinned_ones() {
        let fenced = RunError::of_publish(PublishError::Fenced, "hot-1");
        assert_eq!(fenced.exit_code(), 75);
        assert!(fenced.to_string().contains("instance hot-1"), "{fenced}");
        assert_eq!(RunError::of_source(SourceError::Fenced, "hot-1").exit_code(), 75);
        let away = ProbeFault::Away("cannot reach Kafka".to_owned());
        assert_eq!(RunError::of_probe(away).exit_code(), 69);
        let config = ProbeFault::Config("refused".to_owned());
        assert_eq!(RunError::of_probe(config).exit_code(), 78);
        let broken = PublishError::Broken("state".to_owned());
        assert_eq!(RunError::of_publish(broken, "hot-1").exit_code(), 70);
    }

    #[test]
    fn stop_is_overdue_only_after_it_was_told() {
        let stop = Stop::default();
        assert!(!stop.is_overdue(), "never told");
        stop.stop();
        assert!(stop.is_told() && !stop.is_overdue(), "just told");
        stop.0.told_at.fetch_sub(10_001, Ordering::Relaxed);
        assert!(stop.is_overdue());
    }
}
