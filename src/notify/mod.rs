//! Delivery: each sink reads the alert topic on its own and brings every alert to people, in order per lead.

mod clock;
mod cloudevent;
mod consumer;
mod dead_letter;
pub mod destination;
mod gate;
mod guard;
pub mod http;
mod job;
mod kafka;
mod lanes;
pub mod message;
mod observer;
mod payload;
#[cfg(test)]
mod receiver;
mod redact;
mod rotation;
pub mod route;
pub mod sample;
pub mod slack;
mod verdict;
pub mod webhook;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc as blocking};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

pub use dead_letter::{DeadLetter, Graveyard, Incoming};
pub use observer::{Observer, Unobserved};
pub use redact::Redactor;
pub use verdict::{AttemptResult, Judged, Reason, Shut, Verdict};

use crate::config::settings::{Settings, Sink, Target};
use crate::core::limits::{MAX_IN_FLIGHT, MAX_TRACKED};
use crate::core::time::Span;
use crate::telemetry::log;
use consumer::Reading;
use dead_letter::DeadLetterTopic;
use destination::Destination;
use gate::Gate;
use job::Bounds;
use lanes::Lanes;
use route::Routes;
use worker::{Surroundings, Worker};

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
    workers: tokio::task::JoinSet<()>,
    /// Ends with it.
    rotation: tokio::task::JoinSet<()>,
}

impl Running {
    /// Starts nothing new, gives what is under way 5 s to end, commits and leaves the groups.
    pub async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a sink's consumer thread broke down");
                }
            }
        });
        if joined.await.is_err() {
            tracing::error!("waiting for the sinks' threads broke down");
        }
        // Each worker ends when its thread has.
        while self.workers.join_next().await.is_some() {}
    }

    /// Whether every sink's thread is still there; false is our own fault.
    pub fn is_alive(&self) -> bool {
        !self.threads.iter().any(JoinHandle::is_finished)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Starts a consumer thread and a worker for every sink. Kafka need not be reachable yet.
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
    let ours = |fault: String| StartError { sink: None, fault };
    let redactor = Arc::new(Redactor::new(settings));
    log::hide(redactor.clone());
    let routes = Arc::new(Routes::new(&settings.routing));
    let graveyard: Arc<dyn Graveyard> =
        Arc::new(DeadLetterTopic::new(settings).map_err(|error| ours(redactor.redact(&error.to_string())))?);
    let mut gates: BTreeMap<&str, Arc<Mutex<Gate>>> = BTreeMap::new();
    let mut running = Running {
        stop: Arc::default(),
        threads: Vec::new(),
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
            Target::Webhook { .. } => Arc::new(Mutex::new(destination.gate())),
        };
        let around = Surroundings {
            sink: sink.id.clone(),
            topic: settings.topics.alerts.clone(),
            destination,
            routes: routes.clone(),
            gate,
            graveyard: graveyard.clone(),
            observer: observer.clone(),
            redactor: redactor.clone(),
        };
        start_sink(settings, sink, around, &mut running).map_err(|error| fault(sink)(redactor.redact(&error)))?;
    }
    running.rotation.spawn(rotation::watch(destinations, redactor));
    Ok(running)
}

fn start_sink(settings: &Settings, sink: &Sink, around: Surroundings, running: &mut Running) -> Result<(), String> {
    let (events, received) = mpsc::channel(CHANNEL);
    let (commands, ordered) = blocking::channel();
    let reading = Reading {
        kafka: settings.kafka.clone(),
        group: format!("{}.{}", settings.group, sink.id),
        sink: sink.id.clone(),
        topic: settings.topics.alerts.clone(),
        start: sink.start,
    };
    let consumer = consumer::consumer(reading, events, running.stop.clone()).map_err(|error| error.to_string())?;
    let max_age_ms = i64::try_from(sink.max_age.as_millis()).unwrap_or(i64::MAX);
    let bounds = Bounds { in_flight: MAX_IN_FLIGHT, tracked: MAX_TRACKED };
    let lanes = Lanes::new(bounds, Span::from_millis(max_age_ms)).with_schedule(sink.schedule());
    running.workers.spawn(Worker::new(around, lanes, commands).run(received));
    let thread = std::thread::Builder::new()
        .name(format!("sink-{}", sink.id))
        .spawn(move || consumer::consume(consumer, &ordered))
        .map_err(|error| format!("no thread: {error}"))?;
    running.threads.push(thread);
    Ok(())
}
