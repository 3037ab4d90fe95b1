//! The delivery of one sink: takes records from its consumer thread, starts attempts, and says how far to commit.

use std::collections::HashMap;
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::clock::Clock;
use super::dead_letter::{DeadLetter, Graveyard, Incoming};
use super::destination::{Destination, wall_clock};
use super::gate::Gate;
use super::job::{Finished, GivenUp, Job, Ticket};
use super::lanes::Lanes;
use super::observer::Observer;
use super::redact::Redactor;
use super::route::Routes;
use super::verdict::{AttemptResult, Judged, Reason, Verdict};
use crate::core::alert::Alert;
use crate::core::ids::{NextOffset, Offset, Partition};
use crate::core::time::Timestamp;

/// How long what is under way may take to end when a partition goes to another owner or the process stops.
pub const DRAIN: Duration = Duration::from_secs(5);

/// Between two tries to write a dead letter: it is never dropped.
const BURY_AGAIN: Duration = Duration::from_secs(2);

/// How far partitions may be committed.
pub type Commits = Vec<(Partition, NextOffset)>;

/// What the consumer thread tells.
#[derive(Debug)]
pub enum Event {
    /// These partitions are ours now.
    Assigned(Vec<Partition>),
    /// A record, with its Kafka timestamp.
    Record(Partition, Offset, Option<Timestamp>, Incoming),
    /// These partitions go: end what is under way, within [`DRAIN`], then answer how far to commit.
    Revoking(Vec<Partition>, blocking::SyncSender<Commits>),
    /// These partitions are gone already.
    Lost(Vec<Partition>),
}

/// What the consumer thread is told.
#[derive(Debug)]
pub enum Command {
    /// The outcomes before these offsets are known.
    Commit(Commits),
    /// Pause (true) or resume partitions.
    Pause(Vec<(Partition, bool)>),
}

/// What a sink's worker needs to know of its surroundings.
pub struct Surroundings {
    /// The sink's id.
    pub sink: String,
    /// The alert topic.
    pub topic: String,
    /// Where to.
    pub destination: Arc<Destination>,
    /// Which alerts the sink takes.
    pub routes: Arc<Routes>,
    /// Shared by all sinks with the same address.
    pub gate: Arc<Mutex<Gate>>,
    /// Where to with what is given up.
    pub graveyard: Arc<dyn Graveyard>,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
    /// Knows every secret.
    pub redactor: Arc<Redactor>,
}

struct Draining {
    partitions: Vec<Partition>,
    deadline: Instant,
    answer: blocking::SyncSender<Commits>,
}

enum Done {
    Attempt(Judged, Option<Duration>),
    Buried(Reason),
}

/// See the module's documentation.
pub struct Worker {
    around: Arc<Surroundings>,
    lanes: Lanes<Incoming>,
    commands: blocking::Sender<Command>,
    tasks: JoinSet<Done>,
    tickets: HashMap<Id, Ticket>,
    draining: Vec<Draining>,
    clock: Clock,
    is_shut: bool,
}

impl Worker {
    /// A worker without partitions.
    pub fn new(around: Surroundings, lanes: Lanes<Incoming>, commands: blocking::Sender<Command>) -> Self {
        Self {
            around: Arc::new(around),
            lanes,
            commands,
            tasks: JoinSet::new(),
            tickets: HashMap::new(),
            draining: Vec::new(),
            clock: Clock::start(wall_clock()),
            is_shut: false,
        }
    }

    /// Works until the consumer thread ends.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        let mut renewals = self.around.destination.renewals();
        loop {
            self.start_jobs();
            self.settle();
            let wake = self.wake_at();
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => return,
                },
                Some(done) = self.tasks.join_next_with_id() => self.end(done),
                Ok(()) = renewals.changed() => self.lanes.renewed(self.clock.now()),
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Assigned(partitions) => {
                partitions.into_iter().for_each(|p| self.lanes.assign(p));
                self.around.observer.assigned(&self.around.sink);
            }
            Event::Record(partition, offset, _, record)
                if !self.around.routes.takes(&self.around.sink, record.value.as_deref()) =>
            {
                self.lanes.skip((partition, offset));
            }
            Event::Record(partition, offset, time, record) => {
                let key = record.key.clone().unwrap_or_default();
                let time = time.unwrap_or_else(|| self.clock.now());
                self.lanes.admit((partition, offset), &key, time, record);
            }
            Event::Revoking(partitions, answer) => {
                self.lanes.revoke(&partitions);
                self.draining.push(Draining { partitions, deadline: Instant::now() + DRAIN, answer });
            }
            Event::Lost(partitions) => {
                self.lanes.release(&partitions);
            }
        }
    }

    fn start_jobs(&mut self) {
        loop {
            let job = {
                let mut gate = self.around.gate.lock().unwrap_or_else(PoisonError::into_inner);
                self.lanes.next(self.clock.now(), &mut gate)
            };
            match job {
                None => return,
                Some(Job::GiveUp(given_up)) => self.bury(given_up),
                Some(Job::Attempt { ticket, record, number, minimal }) => {
                    let around = self.around.clone();
                    let task = self.tasks.spawn(attempt(around, record, number, minimal));
                    self.tickets.insert(task.id(), ticket);
                    self.around.observer.in_flight(&self.around.sink, self.lanes.in_flight());
                }
            }
        }
    }

    fn end(&mut self, done: Result<(Id, Done), JoinError>) {
        let id = done.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(ticket) = self.tickets.remove(&id) else {
            return;
        };
        match done {
            Ok((_, Done::Attempt(judged, after_event))) => self.finish(ticket, judged, after_event),
            Ok((_, Done::Buried(reason))) => {
                self.lanes.buried(ticket);
                self.around.observer.dead_lettered(&self.around.sink, reason);
            }
            Err(error) => {
                // Our own fault: the alert must not be lost by it.
                tracing::error!(sink = self.around.sink, %error, "a delivery attempt broke down");
                let later = Verdict::Later { retry_after: None, reason: Reason::Exhausted };
                let judged = Judged::failed(later, AttemptResult::Unexpected, None, "the attempt broke down");
                self.finish(ticket, judged, None);
            }
        }
    }

    fn finish(&mut self, ticket: Ticket, judged: Judged, after_event: Option<Duration>) {
        let now = self.clock.now();
        if let Some(length) = judged.freeze {
            self.around.gate.lock().unwrap_or_else(PoisonError::into_inner).freeze(now, length);
        }
        let (sink, observer) = (&self.around.sink, &self.around.observer);
        observer.attempted(sink, judged.result);
        let detail = judged.detail.clone();
        let finished = self.lanes.finish(now, ticket, judged, fastrand::f64());
        observer.in_flight(sink, self.lanes.in_flight());
        match finished {
            Finished::Delivered => {
                observer.delivered(sink, after_event.unwrap_or_default());
                if std::mem::take(&mut self.is_shut) {
                    observer.shut(sink, false);
                    tracing::info!(sink, "the sink is open again");
                }
            }
            Finished::Shut(true) => {
                self.is_shut = true;
                observer.shut(sink, true);
                let detail = self.around.redactor.redact(&detail);
                tracing::error!(sink, detail, "the sink is shut, its backlog stays in Kafka");
            }
            Finished::GiveUp(given_up) => self.bury(given_up),
            Finished::Retry(at) => {
                tracing::debug!(sink, in_ms = (at - now).as_millis(), "next attempt")
            }
            Finished::Shut(false) | Finished::Stale => {}
        }
    }

    fn bury(&mut self, given_up: GivenUp<Incoming>) {
        let (around, ticket, reason) = (self.around.clone(), given_up.ticket, given_up.reason);
        let letter = DeadLetter::new(&around.sink, &around.topic, &given_up, &around.redactor);
        tracing::error!(
            sink = around.sink,
            alert = given_up.record.alert_id(),
            reason = reason.name(),
            attempts = given_up.attempts,
            status = given_up.last_status,
            "delivery given up, the alert goes to the dead-letter topic"
        );
        let task = self.tasks.spawn(async move {
            while let Err(error) = around.graveyard.bury(&letter).await {
                tracing::error!(sink = around.sink, error, "the dead letter is not written yet");
                tokio::time::sleep(BURY_AGAIN).await;
            }
            Done::Buried(reason)
        });
        self.tickets.insert(task.id(), ticket);
    }

    /// Tells the consumer thread what changed, and answers drains that are over.
    fn settle(&mut self) {
        let commits = self.lanes.take_commits();
        if !commits.is_empty() {
            let _ = self.commands.send(Command::Commit(commits)); // an ended thread commits no more
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
                let _ = drain.answer.send(self.lanes.release(&drain.partitions));
                self.around.observer.in_flight(&self.around.sink, self.lanes.in_flight());
            }
        }
    }

    fn wake_at(&self) -> Instant {
        let lanes = self.lanes.wake_at().map(|at| self.clock.instant(at));
        let drains = self.draining.iter().map(|drain| drain.deadline);
        let idle = Instant::now() + Duration::from_secs(3_600);
        drains.chain(lanes).fold(idle, Instant::min)
    }
}

/// One attempt, start to end.
async fn attempt(around: Arc<Surroundings>, record: Arc<Incoming>, number: u32, minimal: bool) -> Done {
    let value = record.value.as_deref().unwrap_or_default();
    let Ok(alert) = serde_json::from_slice::<Alert>(value) else {
        let never = Verdict::Never(Reason::Message);
        let detail = "the record's value is no alert";
        return Done::Attempt(Judged::failed(never, AttemptResult::Message, None, detail), None);
    };
    let judged = around.destination.attempt(value, &alert, minimal).await.judged;
    let (sink, lead) = (around.sink.as_str(), lead_tag(&alert.lead.key));
    if judged.verdict == Verdict::Delivered {
        tracing::info!(sink, alert = %alert.id, rule = alert.rule, lead, status = judged.status, number, "delivered");
    } else {
        let (result, detail) = (judged.result.name(), around.redactor.redact(&judged.detail));
        tracing::warn!(
            sink, alert = %alert.id, rule = alert.rule, lead, status = judged.status, number, result, detail,
            "attempt failed"
        );
    }
    let after_ms = (wall_clock() - alert.trigger.time).as_millis();
    Done::Attempt(judged, Some(Duration::from_millis(after_ms.try_into().unwrap_or(0))))
}

/// All that a log says of a lead: eight hexadecimal digits.
fn lead_tag(key: &str) -> String {
    format!("{:08x}", xxhash_rust::xxh3::xxh3_64(key.as_bytes()) as u32)
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
