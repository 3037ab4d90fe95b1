//! Delivery: each sink reads the alert topic on its own and brings every alert to people, in order per lead.

mod books;
mod breaker;
mod clock;
mod cloudevent;
mod consumer;
mod dead_letter;
pub mod destination;
mod erasures;
mod fence;
mod gate;
mod guard;
pub mod http;
mod job;
mod kafka;
mod lane;
mod lanes;
mod ledger;
pub mod message;
mod observer;
mod payload;
#[cfg(test)]
mod receiver;
mod redact;
mod replay;
mod rotation;
pub mod route;
pub mod sample;
pub mod slack;
#[cfg(test)]
mod stage;
mod verdict;
pub mod webhook;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

pub use books::Counts;
pub use dead_letter::{DeadLetter, Incoming};
pub use job::{Change, Ending, Place};
pub use observer::{Observer, Then, Tried, Unobserved};
pub use redact::Redactor;
pub use verdict::{AttemptResult, Judged, Reason, Shut, Verdict};

use crate::config::settings::{self, Settings, Sink, Target};
use crate::core::limits::{MAX_IN_FLIGHT, MAX_PARKED, MAX_TRACKED};
use crate::core::time::Span;
use crate::telemetry::log;
use consumer::Reading;
use destination::Destination;
use fence::Fence;
use gate::Gate;
use job::Policy;
use lanes::Lanes;
use ledger::{Ledger, Writing};
use payload::Disclosure;
use route::Routes;
use slack::board::Terms;
use slack::{Board, Folding, Pace};
use worker::bot::Bot;
use worker::{Records, Surroundings, Worker};

/// Events between a consumer thread and its worker; the worker takes them at once, so a few are enough.
const CHANNEL: usize = 64;

/// Why deliveries cannot start. In words without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError {
    /// The sink's id; `None` if it concerns all.
    pub sink: Option<String>,
    /// What is wrong.
    pub fault: String,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sink {
            Some(sink) => write!(f, "sink {sink}: {}", self.fault),
            None => f.write_str(&self.fault),
        }
    }
}

impl std::error::Error for StartError {}

/// The deliveries of all sinks, under way. Dropped without [`Running::stop`] they end soon, without waiting.
#[derive(Debug)]
pub struct Running {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    ledgers: Vec<JoinHandle<()>>,
    workers: tokio::task::JoinSet<()>,
    /// Ends with it.
    rotation: tokio::task::JoinSet<()>,
}

impl Running {
    /// Starts nothing new, gives what is under way 5 s to end, commits and leaves the groups.
    pub async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        join(std::mem::take(&mut self.threads)).await;
        // Each worker ends when its thread has, and its ledger after it.
        while self.workers.join_next().await.is_some() {}
        join(std::mem::take(&mut self.ledgers)).await;
    }

    /// Whether every sink's thread is still there; false is our own fault.
    pub fn is_alive(&self) -> bool {
        !self.threads.iter().chain(&self.ledgers).any(JoinHandle::is_finished)
    }
}

async fn join(threads: Vec<JoinHandle<()>>) {
    let joined = tokio::task::spawn_blocking(move || {
        if threads.into_iter().any(|thread| thread.join().is_err()) {
            tracing::error!("a sink's thread broke down");
        }
    });
    if joined.await.is_err() {
        tracing::error!("waiting for the sinks' threads broke down");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Starts a consumer thread, a worker and a ledger for every sink. Kafka need not be reachable yet.
///
/// # Errors
/// If a sink's settings cannot work, the system has no root certificates, or librdkafka refuses a property.
///
/// # Panics
/// Outside a tokio runtime.
pub fn start(settings: &Settings, observer: Arc<dyn Observer>) -> Result<Running, StartError> {
    let fault = |sink: &Sink| {
        let sink = sink.id.clone();
        move |fault: String| StartError { sink: Some(sink), fault }
    };
    let redactor = Arc::new(Redactor::new(settings));
    log::hide(redactor.clone());
    let routes = Arc::new(Routes::new(&settings.routing));
    let mut gates: BTreeMap<&str, Arc<Mutex<Gate>>> = BTreeMap::new();
    let mut paces: BTreeMap<(&str, &str), Arc<Mutex<Pace>>> = BTreeMap::new();
    let mut running = Running {
        stop: Arc::default(),
        threads: Vec::new(),
        ledgers: Vec::new(),
        workers: tokio::task::JoinSet::new(),
        rotation: tokio::task::JoinSet::new(),
    };
    let mut destinations = Vec::new();
    for sink in &settings.sinks {
        let destination = Arc::new(Destination::of(sink, &settings.group).map_err(fault(sink))?);
        destinations.push((sink.id.clone(), destination.clone()));
        let gate = match &sink.target {
            Target::Slack { webhook_url, .. } => {
                let shared = gates.entry(webhook_url.expose());
                shared.or_insert_with(|| Arc::new(Mutex::new(destination.gate()))).clone()
            }
            Target::Bot(_) | Target::Webhook(_) => Arc::new(Mutex::new(destination.gate())),
        };
        let around = Surroundings {
            sink: sink.id.clone(),
            destination,
            routes: routes.clone(),
            gate,
            observer: observer.clone(),
            redactor: redactor.clone(),
        };
        let bot = match &sink.target {
            Target::Bot(bot) => {
                let pace = paces.entry((bot.api_url.as_str(), bot.token.expose().trim())).or_default().clone();
                pace.lock().unwrap_or_else(PoisonError::into_inner).shared_by(&sink.id, &bot.channel);
                Some(Bot { board: Board::new(terms(settings, sink, bot)), pace })
            }
            _ => None,
        };
        start_sink(settings, sink, around, bot, &mut running).map_err(|error| fault(sink)(redactor.redact(&error)))?;
    }
    running.rotation.spawn(rotation::watch(destinations, redactor));
    Ok(running)
}

/// How a bot posts.
fn terms(settings: &Settings, sink: &Sink, bot: &settings::Bot) -> Terms {
    let span = |length: Duration| Span::from_millis(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
    let folding = Folding {
        gap: span(bot.episode_gap),
        home: endpoint(&sink.target),
        sink: format!("{}.{}", settings.group, sink.id),
    };
    Terms {
        folding,
        channel: bot.channel.clone(),
        stale_after: span(sink.stale_after),
        max_age: span(sink.max_age),
        on_uncertain: bot.on_uncertain,
        disclosure: Disclosure::of(sink),
        link: bot.crm_url.clone(),
    }
}

fn start_sink(
    settings: &Settings,
    sink: &Sink,
    around: Surroundings,
    bot: Option<Bot>,
    running: &mut Running,
) -> Result<(), String> {
    let (events, received) = mpsc::channel(CHANNEL);
    let (commands, ordered) = blocking::channel();
    let (batches, to_write) = blocking::channel();
    let (tell_written, written) = mpsc::unbounded_channel();
    let (fence, ledger) = (Fence::default(), settings.topics.ledger(&sink.id));
    let reading = Reading {
        kafka: settings.kafka.clone(),
        group: format!("{}.{}", settings.group, sink.id),
        sink: sink.id.clone(),
        topic: settings.topics.alerts.clone(),
        ledger: ledger.clone(),
        endpoint: endpoint(&sink.target),
        start: sink.start,
    };
    let writing = Writing {
        kafka: settings.kafka.clone(),
        sink: sink.id.clone(),
        alerts: settings.topics.alerts.clone(),
        ledger,
        dead_letters: settings.topics.dead_letter.clone(),
        transactional_id: format!("{}-{}-sink-{}", settings.group, settings.instance, sink.id),
        endpoint: endpoint(&sink.target),
        fallback: sink.fallback.as_ref().map(|fallback| settings.topics.ledger(fallback)),
        fence: fence.clone(),
        redactor: around.redactor.clone(),
        stop: running.stop.clone(),
    };
    let consumer = consumer::consumer(reading, events, fence, running.stop.clone()).map_err(|e| e.to_string())?;
    let max_age_ms = i64::try_from(sink.max_age.as_millis()).unwrap_or(i64::MAX);
    let policy = Policy {
        in_flight: MAX_IN_FLIGHT,
        tracked: MAX_TRACKED,
        parked: MAX_PARKED,
        max_age: Span::from_millis(max_age_ms),
        schedule: sink.schedule(),
    };
    let mut lanes = Lanes::new(policy);
    if matches!(sink.target, Target::Slack { .. }) {
        // An incoming webhook can only post: what changes a card would be another card.
        lanes = lanes.passing_over(Incoming::changes_a_card);
    }
    if let Some(fallback) = sink.fallback.clone() {
        let routes = around.routes.clone();
        lanes = lanes.lending(move |record: &Incoming| !routes.takes(&fallback, record.value.as_deref()));
    }
    let mut worker = Worker::new(around, lanes, commands, Records { batches, written });
    if let Some(bot) = bot {
        worker = worker.with_bot(bot);
    }
    running.workers.spawn(worker.run(received));
    let spawn = |name: String, life: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name).spawn(life).map_err(|error| format!("no thread: {error}"))
    };
    let ledger = Box::new(move || Ledger::new(writing).run(&to_write, &tell_written));
    running.ledgers.push(spawn(format!("ledger-{}", sink.id), ledger)?);
    let consume = Box::new(move || consumer::consume(consumer, &ordered));
    running.threads.push(spawn(format!("sink-{}", sink.id), consume)?);
    Ok(())
}

/// A hash of a sink's address: what is remembered of one address does not hold for another.
fn endpoint(target: &Target) -> String {
    let address = match target {
        Target::Slack { webhook_url, .. } => webhook_url.expose().to_owned(),
        // A token is exchanged, the channel stays the same.
        Target::Bot(bot) => format!("{}#{}", bot.api_url, bot.channel),
        Target::Webhook(webhook) => webhook.url.to_string(),
    };
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(address.as_bytes()))
}
