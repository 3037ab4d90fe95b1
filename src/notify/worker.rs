//! The delivery of one sink: takes records from its consumer thread, starts attempts, and has their ends recorded.

mod attempt;
pub mod bot;
mod ownership;
mod reach;

use std::collections::HashMap;
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use self::attempt::{About, Attempted, attempt_one};
use self::bot::Bot;
use super::books::Counts;
use super::breaker::Standing as Breaker;
use super::clock::Clock;
use super::dead_letter::Incoming;
use super::destination::{Destination, wall_clock};
use super::erasures::Erasures;
use super::gate::{Gate, Pass};
use super::job::{Attempt, Batch, Change, Ending, Finished, Kept, Takeover, Ticket};
use super::lanes::Lanes;
use super::observer::{Observer, Then, Tried};
use super::redact::Redactor;
use super::route::Routes;
use super::slack::api::Method;
use super::slack::board::Outcome;
use super::verdict::{AttemptResult, Judged, Reason, Verdict};
use crate::codec::ledger::{Erasure, Standing};
use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;

/// How long what is under way may take to end when a partition goes to another owner or the process stops.
pub const DRAIN: Duration = Duration::from_secs(5);

/// What the consumer thread tells.
#[derive(Debug)]
pub enum Event {
    /// These partitions are ours now, as their former owner left them, of so many that there are.
    Assigned(Vec<Takeover<Incoming>>, usize),
    /// A record, with its Kafka timestamp.
    Record(Partition, Offset, Option<Timestamp>, Incoming),
    /// So many records left the topic before they were read.
    Expired(u64),
    /// These partitions go: end what is under way, within [`DRAIN`], then answer.
    Revoking(Vec<Partition>, blocking::SyncSender<()>),
    /// These partitions are gone already.
    Lost(Vec<Partition>),
    /// An operator wants a shut sink opened.
    Unblock,
    /// The thread is in its group, and the brokers answer it.
    Alive,
    /// An operator wants a dead letter of this partition delivered again.
    Redrive(Partition, Kept<Incoming>),
    /// A lead was erased that may have alerts in this partition.
    Erased(Partition, Erasure),
}

/// What the consumer thread is told.
#[derive(Debug)]
pub enum Command {
    /// Pause (true) or resume partitions.
    Pause(Vec<(Partition, bool)>),
}

/// What a sink's worker needs to know of its surroundings.
pub struct Surroundings {
    /// The sink's id.
    pub sink: String,
    /// Where to.
    pub destination: Arc<Destination>,
    /// Which alerts the sink takes.
    pub routes: Arc<Routes>,
    /// Shared by all sinks with the same address.
    pub gate: Arc<Mutex<Gate>>,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
    /// Knows every secret.
    pub redactor: Arc<Redactor>,
}

struct Draining {
    partitions: Vec<Partition>,
    deadline: Instant,
    answer: blocking::SyncSender<()>,
}

/// What a task brings back.
enum Done {
    Attempt(Attempted),
    Order(Outcome),
}

/// What a task is for.
enum Task {
    /// The last is the number of the attempt.
    Attempt(Ticket, Pass, u32),
    /// Of the board.
    Order(u64, Method),
}

/// The ledger, as the worker sees it.
pub struct Records {
    /// What is to be written; one batch at a time.
    pub batches: blocking::Sender<Batch<Incoming>>,
    /// Told of which partitions it is written: the others have another owner.
    pub written: mpsc::UnboundedReceiver<Vec<Partition>>,
}

/// See the module's documentation.
pub struct Worker {
    around: Arc<Surroundings>,
    lanes: Lanes<Incoming>,
    commands: blocking::Sender<Command>,
    records: Records,
    tasks: JoinSet<Done>,
    running: HashMap<Id, Task>,
    /// Of a Slack bot.
    bot: Option<Bot>,
    /// How many the alert topic has.
    partitions: usize,
    erasures: Erasures,
    draining: Vec<Draining>,
    clock: Clock,
    stood: Standing,
    breaker_was_open: bool,
    counts: Counts,
}

impl Worker {
    /// A worker without partitions.
    pub fn new(
        around: Surroundings,
        lanes: Lanes<Incoming>,
        commands: blocking::Sender<Command>,
        records: Records,
    ) -> Self {
        Self {
            around: Arc::new(around),
            lanes,
            commands,
            records,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            bot: None,
            partitions: 0,
            erasures: Erasures::default(),
            draining: Vec::new(),
            clock: Clock::start(wall_clock()),
            stood: Standing::Open,
            breaker_was_open: false,
            counts: Counts::default(),
        }
    }

    /// The same for a sink that is a Slack bot.
    pub fn with_bot(self, bot: Bot) -> Self {
        Self { bot: Some(bot), ..self }
    }

    /// Works until the consumer thread ends.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        let mut renewals = self.around.destination.renewals();
        loop {
            self.start_attempts();
            self.lend();
            self.settle();
            let wake = self.wake_at();
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => return,
                },
                Some(done) = self.tasks.join_next_with_id() => self.end(done),
                Ok(()) = renewals.changed() => {
                    self.lanes.renewed(self.clock.now());
                    self.bot.iter_mut().for_each(|bot| bot.board.renewed());
                }
                Some(partitions) = self.records.written.recv() => self.written(&partitions),
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    fn take(&mut self, event: Event) {
        let (sink, observer) = (&self.around.sink, &self.around.observer);
        match event {
            Event::Assigned(takeovers, of) => {
                observer.assigned(sink);
                self.partitions = of.max(self.partitions);
                takeovers.into_iter().for_each(|takeover| self.assign(takeover));
                self.share();
            }
            Event::Record(partition, offset, _, record)
                if !self.around.routes.takes(&self.around.sink, record.value.as_deref()) =>
            {
                self.lanes.skip((partition, offset));
            }
            Event::Record(partition, offset, time, record) => {
                let key = record.key.clone().unwrap_or_default();
                let time = time.unwrap_or_else(|| self.clock.now());
                let is_erased = self.erasures.cover(partition, &key, &record, time);
                self.lanes.admit((partition, offset), &key, time, record);
                if is_erased {
                    self.lanes.suppress((partition, offset));
                }
            }
            Event::Expired(alerts) => observer.expired(sink, alerts),
            Event::Revoking(partitions, answer) => {
                self.lanes.revoke(&partitions);
                self.draining.push(Draining { partitions, deadline: Instant::now() + DRAIN, answer });
            }
            Event::Lost(partitions) => self.forget(&partitions),
            Event::Unblock => {
                if self.lanes.unblock(self.clock.now()) {
                    tracing::info!(sink, "an operator opened the sink again");
                }
            }
            Event::Alive => observer.alive(sink),
            Event::Redrive(partition, kept) => {
                let (alert, redrives, place) = (kept.record.alert_id(), kept.tries.redrives, (partition, kept.offset));
                let is_erased = self.erasures.cover(partition, &kept.key, &kept.record, kept.time);
                let instead_of = kept.record.instead_of().map(str::to_owned);
                if self.lanes.redrive(partition, kept) {
                    match instead_of {
                        Some(of) => {
                            tracing::info!(sink, alert, instead_of = %of, "an alert comes in place of another sink")
                        }
                        None => tracing::info!(sink, alert, redrives, "a dead letter is delivered again"),
                    }
                    if is_erased {
                        self.lanes.suppress(place);
                    }
                }
            }
            Event::Erased(partition, erasure) => self.erase(partition, erasure),
        }
    }

    fn start_attempts(&mut self) {
        if self.bot.is_some() {
            return self.start_orders();
        }
        loop {
            let attempt = {
                let mut gate = self.around.gate.lock().unwrap_or_else(PoisonError::into_inner);
                let attempt = self.lanes.next(self.clock.now(), &mut gate);
                let is_open = gate.breaker() != Breaker::Closed;
                drop(gate);
                self.tell_breaker(is_open);
                attempt
            };
            let Some(Attempt { ticket, pass, record, number, minimal }) = attempt else {
                return;
            };
            let attempt = attempt_one(self.around.clone(), record, number, minimal);
            let task = self.tasks.spawn(async { Done::Attempt(attempt.await) });
            self.running.insert(task.id(), Task::Attempt(ticket, pass, number));
        }
    }

    fn end(&mut self, done: Result<(Id, Done), JoinError>) {
        let id = done.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        if let Err(error) = &done {
            // Our own fault: the alert must not be lost by it.
            tracing::error!(sink = self.around.sink, %error, "a delivery attempt broke down");
        }
        match (self.running.remove(&id), done.map(|(_, done)| done)) {
            (Some(Task::Attempt(ticket, pass, number)), Ok(Done::Attempt(attempted))) => {
                self.open_gate(pass, &attempted.judged);
                self.finish(ticket, number, attempted);
            }
            (Some(Task::Attempt(ticket, pass, number)), _) => {
                let later = Verdict::Later { retry_after: None, reason: Reason::Exhausted };
                let judged = Judged::failed(later, AttemptResult::Unexpected, None, "the attempt broke down");
                self.open_gate(pass, &judged);
                self.finish(ticket, number, Attempted { judged, after_event: None, about: About::default() });
            }
            (Some(Task::Order(order, method)), Ok(Done::Order(outcome))) => self.order_ended(order, method, &outcome),
            (Some(Task::Order(order, method)), _) => self.order_ended(order, method, &bot::broken(method)),
            (None, _) => {}
        }
    }

    fn finish(&mut self, ticket: Ticket, number: u32, done: Attempted) {
        let now = self.clock.now();
        let (sink, observer) = (&self.around.sink, &self.around.observer);
        let Attempted { judged, after_event, about } = done;
        observer.attempted(sink, judged.result);
        let (detail, status) = (self.around.redactor.redact(&judged.detail), judged.status);
        let place = (ticket.partition, ticket.offset);
        let since = self.lanes.tried(place).map_or(now, |(_, since, _)| since);
        let finished = self.lanes.finish(now, ticket, judged, fastrand::f64());
        if let Some(then) = Then::after(finished) {
            let About { alert, rule, lead } = &about;
            observer.tried(sink, &Tried { place, alert, since, rule, lead, number, status, detail: &detail, then });
        }
        match finished {
            Finished::Ended(Ending::Delivered) => observer.accepted(sink, after_event.unwrap_or_default()),
            Finished::Ended(Ending::GivenUp(reason)) => {
                let reason = reason.name();
                tracing::error!(sink, reason, "delivery given up, the alert goes to the dead-letter topic");
            }
            Finished::Retry(at) => tracing::debug!(sink, in_ms = (at - now).as_millis(), "next attempt"),
            Finished::Shut(true) => {
                tracing::error!(sink, detail, "the sink is shut, its backlog stays in Kafka");
            }
            Finished::Ended(_) | Finished::Shut(false) | Finished::Stale => {}
        }
    }

    /// The ledger has the batch.
    fn written(&mut self, partitions: &[Partition]) {
        for (ticket, ending) in self.lanes.written(partitions) {
            self.around.observer.ended(&self.around.sink, (ticket.partition, ticket.offset), ending);
        }
    }

    /// Hands on what changed, and answers drains that are over.
    fn settle(&mut self) {
        let around = self.around.clone();
        let (sink, observer) = (&around.sink, &around.observer);
        let stands = self.lanes.stands();
        if self.stood != stands.standing {
            self.stood = stands.standing;
            let detail = around.redactor.redact(&stands.detail);
            observer.stands(sink, &Change { detail, ..stands });
            if self.stood == Standing::Open {
                tracing::info!(sink, "the sink is open again");
            }
        }
        if let Some(batch) = self.lanes.take_batch() {
            let _ = self.records.batches.send(batch); // an ended ledger thread writes no more
        }
        let pauses = self.lanes.take_pauses();
        if !pauses.is_empty() {
            let _ = self.commands.send(Command::Pause(pauses));
        }
        let now = Instant::now();
        for i in (0..self.draining.len()).rev() {
            let drain = &self.draining[i];
            if now >= drain.deadline || self.lanes.is_drained(&drain.partitions) {
                let drain = self.draining.swap_remove(i);
                self.forget(&drain.partitions);
                let _ = drain.answer.send(());
            }
        }
        let counts = self.lanes.books().counts();
        if counts != self.counts {
            self.counts = counts;
            observer.counted(sink, counts);
        }
    }

    fn wake_at(&self) -> Instant {
        let at = match &self.bot {
            Some(bot) => bot.board.wake_at(),
            None => self.lanes.wake_at(),
        };
        let lanes = at.into_iter().chain(self.lanes.lends_at()).map(|at| self.clock.instant(at));
        let drains = self.draining.iter().map(|drain| drain.deadline);
        let idle = Instant::now() + Duration::from_secs(3_600);
        drains.chain(lanes).fold(idle, Instant::min)
    }
}

/// All that a log says of a lead: eight hexadecimal digits.
fn lead_tag(key: &str) -> String {
    format!("{:08x}", xxhash_rust::xxh3::xxh3_64(key.as_bytes()) as u32)
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
