//! One worker: a thread that owns its group member, its lanes and its outbox, and turns records into committed rounds.

mod assignment;
mod fault;
mod upkeep;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::detect::Detector;
use super::lane::{Kept, Lanes};
use super::restore::{self, Done, Restore};
use super::round::{Forgotten, Pace, Round};
use super::{Mode, RunError, Shared, encode, now_ms};
use crate::codec::feedback::{self, Feedback};
use crate::codec::ledger::Erasure;
use crate::config::settings::Settings;
use crate::core::engine::Engine;
use crate::core::ids::{Offset, Origin, Partition};
use crate::core::limits::{MAX_ROUND_LEADS, PLAIN_RECORD};
use crate::core::time::{Day, Timestamp};
use crate::sink::{Changelog, Delivery, Outbox, PublishError};
use crate::source::{Change, FeedbackReader, MAX_BATCH, Member, Polled, Resolution, Said, SourceError};
use crate::telemetry::Labels;
use crate::telemetry::events::{
    Aborted, Assigned, Committed, DeadLetterCut, Erased, FeedbackUnknown, LeadsForgotten, OffsetsLost, Revoked,
};

/// With nothing to read, rebalances and the end are looked for this often.
const IDLE_MS: i32 = 20;

/// Between two updates of lag and leads.
const OBSERVE: Duration = Duration::from_secs(1);

/// After an abort: doubled up to 32 times that.
const BACKOFF: Duration = Duration::from_millis(100);

/// The stable name of a worker: of its transactions and of its place in the group.
fn name(number: usize, settings: &Settings) -> String {
    format!("{}-{}-{number}", settings.group, settings.instance)
}

/// A producer; what one of the same name left open is ended first.
fn open_outbox(number: usize, shared: &Shared) -> Result<Outbox, PublishError> {
    let settings = &shared.settings;
    let delivery = match shared.hooks.mode {
        Mode::Transactional => Delivery::Transactional { id: name(number, settings) },
        Mode::Plain => Delivery::Plain,
    };
    let stop = shared.hooks.stop.clone();
    let give_up = move || stop.is_overdue();
    let ledgers = settings.sinks.iter().map(|sink| settings.topics.ledger(&sink.id)).collect();
    Outbox::open(&settings.kafka, &settings.topics, ledgers, &delivery, shared.log.clone(), give_up)
}

struct Worker {
    number: usize,
    shared: Shared,
    member: Member,
    outbox: Outbox,
    lanes: Lanes,
    detector: Detector,
    round: Round,
    labels: Labels,
    pace: Pace,
    observed: Instant,
    /// Aborts in a row.
    aborts: u32,
    /// Partitions to be read from elsewhere; until they are, nothing is read.
    reposition: Vec<(Partition, Offset)>,
    unresolved: Option<Unresolved>,
    asked: Instant,
    /// When the offsets of the feedback were last committed anew.
    renewed: Instant,
    restoring: Restore,
    changelog: Changelog,
    /// `None` where there is no such topic: in the demo.
    feedback: Option<FeedbackReader>,
}

/// Partitions that the group gave us, none at all being an answer too, whose committed offsets are not known yet.
struct Unresolved {
    partitions: Vec<Partition>,
    /// The group has our answer, so that the partitions that we have go on.
    held: bool,
    /// How long to wait for the next answer.
    wait: Duration,
}

/// Works until the service is told to stop, then commits the last round and leaves.
pub(super) fn run(number: usize, shared: Shared) -> Result<(), RunError> {
    let Some(mut worker) = Worker::open(number, shared)? else {
        return Ok(());
    };
    worker.work()
}

impl Worker {
    /// Ends what a former process left open, then joins the group. `None` if it was told to stop meanwhile.
    fn open(number: usize, shared: Shared) -> Result<Option<Self>, RunError> {
        let settings = &shared.settings;
        let (kafka, topics, log) = (&settings.kafka, &settings.topics, shared.log.clone());
        let id = name(number, settings);
        let instance = (shared.hooks.mode == Mode::Transactional).then_some(id.as_str());
        let outbox = match open_outbox(number, &shared) {
            Ok(outbox) => outbox,
            Err(PublishError::GaveUp) => return Ok(None),
            Err(error) => return Err(RunError::of_publish(error, &settings.instance)),
        };
        let member = Member::join(kafka, &settings.group, instance, &topics.events, log)
            .map_err(|error| RunError::of_source(error, &settings.instance))?;
        let rules = shared.rules.spec().rules.iter().map(|rule| rule.id.as_str());
        let now = Instant::now();
        Ok(Some(Self {
            number,
            member,
            outbox,
            lanes: Lanes::default(),
            detector: Detector::new(settings, &shared.rules, shared.hooks.view.clone()),
            round: Round::default(),
            labels: Labels::new(&shared.hooks.metrics, rules),
            pace: Pace {
                idle: true,
                backlog: false,
                moved: false,
                last_commit: now,
                commit_took: Duration::ZERO,
                interval: settings.commit_interval,
            },
            observed: now,
            aborts: 0,
            reposition: Vec::new(),
            unresolved: None,
            asked: now,
            renewed: now,
            restoring: Restore::new(settings, &shared.log, &shared.hooks.metrics)
                .map_err(|error| RunError::of_source(error, &settings.instance))?,
            changelog: Changelog::default(),
            feedback: match shared.hooks.mode {
                Mode::Transactional => Some(
                    FeedbackReader::new(kafka, &topics.feedback, shared.log.clone())
                        .map_err(|error| RunError::of_source(error, &settings.instance))?,
                ),
                Mode::Plain => None,
            },
            shared,
        }))
    }

    fn work(&mut self) -> Result<(), RunError> {
        while !self.shared.hooks.stop.is_told() {
            while let Some(change) = self.member.next_change().map_err(|e| self.source(e))? {
                self.apply(change)?;
            }
            self.resolve()?;
            self.restore()?;
            // Behind all that moves a position, before anything is read.
            self.move_back()?;
            self.consume()?;
            self.listen();
            let now = Instant::now();
            self.round.note_time(now);
            self.pace.moved = self.lanes.have_moved();
            if self.round.is_due(now, &self.pace) || self.lanes.changed() >= MAX_ROUND_LEADS {
                self.commit()?;
            }
            if now.duration_since(self.observed) >= OBSERVE {
                self.observe(now);
            }
        }
        self.commit()
    }

    /// Takes what is there; after an empty look waits for the next record.
    fn consume(&mut self) -> Result<(), RunError> {
        let (at_most, wait_ms) = match self.pace.idle && self.restoring.is_empty() {
            // An alert waits only until its transaction may begin.
            true if self.round.has_waiting() => (1, self.pace.rest(Instant::now()).as_millis() as i32 + 1),
            true => (1, IDLE_MS),
            false => (MAX_BATCH, 0),
        };
        let mut faults = Vec::new();
        let batch = self.member.take(at_most, wait_ms);
        self.pace.idle = batch.is_empty();
        self.pace.backlog = batch.len() == MAX_BATCH;
        let mut headers = Vec::new();
        let mut lane = None;
        for polled in batch.iter() {
            let message = match polled {
                Polled::Message(message) => message,
                Polled::Fault(partition, code, _) => {
                    faults.push((partition, code));
                    continue;
                }
            };
            // Records come in runs of one partition.
            let partition = message.partition();
            if !matches!(&lane, Some((known, _)) if *known == partition) {
                lane = self.lanes.get_mut(partition).map(|lane| (partition, lane));
            }
            // A partition that we do not own any more has no lane: its new owner reads the record.
            if let Some((_, lane)) = &mut lane {
                self.detector.take(message, &mut headers, lane, &mut self.round);
            }
        }
        drop(batch);
        for (partition, code) in faults {
            self.fault(partition, code)?;
        }
        Ok(())
    }

    /// Does what operators said about leads of ours.
    fn listen(&mut self) {
        let Some(feedback) = &self.feedback else { return };
        while let Some(Said { partition, offset, time, value }) = feedback.next() {
            let Some(lane) = self.lanes.get_mut(partition) else { continue };
            match feedback::read(value.as_deref()) {
                Ok(Feedback::Redriven { .. }) => {}
                Ok(Feedback::Erase { lead }) => {
                    if self.detector.erase(&lead, lane) {
                        Erased { partition, lead: &lead }.tell();
                    }
                    if !self.shared.settings.sinks.is_empty() {
                        let place = (self.shared.settings.topics.events.as_str(), partition);
                        let asked = time.unwrap_or_else(|| Timestamp::from_millis(now_ms()));
                        let erasure = Erasure::by_owner(lead.as_bytes(), asked, place, lane.next());
                        self.round.erasure(encode::erasure(&erasure));
                    }
                }
                Err(fault) => {
                    let topic = &self.shared.settings.topics.feedback;
                    FeedbackUnknown { topic, partition, offset, fault: &fault }.tell();
                }
            }
            lane.heard(offset);
        }
    }

    /// Commits the round if there is anything to commit. An aborted one is undone, to be read again.
    fn commit(&mut self) -> Result<(), RunError> {
        if self.round.is_empty() && !self.lanes.have_moved() {
            return Ok(());
        }
        let started = Instant::now();
        let surplus = self.lanes.keep_at_most(self.shared.settings.max_leads);
        self.round.forget(Forgotten { surplus, silent: 0 });
        self.lanes.stage(&mut self.changelog, Day::of(Timestamp::from_millis(now_ms())));
        if self.shared.hooks.mode == Mode::Plain {
            // The demo's broker keeps 5 MiB a partition, and nothing is ever restored from it.
            self.changelog.clear();
        }
        match self.publish() {
            Ok(()) => {
                self.committed(started);
                Ok(())
            }
            Err(PublishError::Aborted(reason)) => {
                let worker = self.number;
                let reason = &reason;
                Aborted { worker, reason }.tell(&self.shared.hooks.metrics);
                self.undo()
            }
            Err(PublishError::Lost(reason)) => {
                let worker = self.number;
                Aborted { worker, reason: &reason }.tell(&self.shared.hooks.metrics);
                // A process of our name that began while we slept is not to be fenced by the one that it replaced.
                self.member.wait_for_heartbeats().map_err(|e| self.source(e))?;
                self.outbox = match open_outbox(self.number, &self.shared) {
                    Ok(outbox) => outbox,
                    Err(error) => return Err(RunError::of_publish(error, &self.shared.settings.instance)),
                };
                self.undo()
            }
            Err(PublishError::TooLarge) if self.detector.max_dead_letter > PLAIN_RECORD => {
                self.detector.max_dead_letter = PLAIN_RECORD;
                let topic = &self.shared.settings.topics.dead_letter;
                DeadLetterCut { topic }.tell();
                self.undo()
            }
            Err(error) => Err(RunError::of_publish(error, &self.shared.settings.instance)),
        }
    }

    fn publish(&self) -> Result<(), PublishError> {
        let broken = |error: SourceError| PublishError::Broken(error.to_string());
        let (lanes, feedback) = (&self.lanes, &self.shared.settings.topics.feedback);
        let offsets = self.member.offsets(lanes.offsets(), feedback, lanes.feedback_offsets()).map_err(broken)?;
        let no_group = || PublishError::Broken("the consumer has no group".to_owned());
        let group = self.member.group().ok_or_else(no_group)?;
        self.outbox.publish(self.round.records(), &self.changelog, &offsets, &group)?;
        if self.outbox.holds_offsets() {
            return Ok(());
        }
        let committed = self.member.commit(&offsets);
        committed.map_err(|error| PublishError::Aborted(error.to_string()))
    }

    /// The round is on the topics: now it may be seen.
    fn committed(&mut self, started: Instant) {
        let metrics = &self.shared.hooks.metrics;
        let took = started.elapsed();
        self.lanes.commit();
        self.labels.add(&mut self.detector.tally);
        Committed {
            took,
            alerts: self.round.alerts(),
            dead_letters: self.round.dead_letters(),
            offsets_lost: self.round.lost(),
        }
        .tell(metrics);
        let Forgotten { surplus, silent } = self.round.forgotten();
        LeadsForgotten { surplus, most: self.shared.settings.max_leads, silent }.tell(metrics);
        let now = now_ms();
        let (alerts, times) = self.round.take_committed();
        for time in times.flatten() {
            metrics.alerted_after((now - time.as_millis()).max(0) as f64 / 1000.0);
        }
        self.shared.hooks.hot.publish(alerts);
        self.pace.last_commit = started + took;
        self.pace.commit_took = took;
        self.aborts = 0;
    }

    /// Nothing of the round was visible; everything is as after the last commit, and records will be read again.
    fn undo(&mut self) -> Result<(), RunError> {
        self.drop_round()?;
        self.shared.hooks.stop.wait(BACKOFF * (1 << self.aborts.min(5)));
        self.aborts += 1;
        Ok(())
    }

    fn drop_round(&mut self) -> Result<(), RunError> {
        let unheard = self.lanes.unheard();
        self.reposition = self.lanes.roll_back();
        self.round.clear();
        self.detector.tally.clear();
        self.listen_from(&unheard)
    }

    /// After an undone round, and where a partition begins: reads on from where it has to.
    fn move_back(&mut self) -> Result<(), RunError> {
        if self.reposition.is_empty() {
            return Ok(());
        }
        match self.member.seek(&self.reposition) {
            Ok(()) => self.reposition.clear(),
            Err(SourceError::Away(_)) => {
                // A partition that is not being fetched cannot seek.
                let positions = std::mem::take(&mut self.reposition);
                self.restart(&positions)?;
            }
            Err(error) => return Err(self.source(error)),
        }
        self.pace.idle = false;
        Ok(())
    }

    /// Begins partitions of ours anew at these offsets.
    fn restart(&self, positions: &[(Partition, Offset)]) -> Result<(), RunError> {
        let partitions: Vec<_> = positions.iter().map(|(partition, _)| *partition).collect();
        let restarted = self.member.unassign(&partitions);
        restarted.and_then(|()| self.member.assign(positions)).map_err(|error| self.source(error))
    }

    fn apply(&mut self, change: Change) -> Result<(), RunError> {
        match change {
            Change::Assigned(partitions) => self.accept(partitions),
            Change::Revoked { partitions, lost } => {
                if lost {
                    // Others may own them: what we did not commit, they do.
                    self.drop_round()?;
                } else {
                    self.commit()?;
                }
                self.give_back(&partitions, lost)
            }
        }
    }

    fn source(&self, error: SourceError) -> RunError {
        RunError::of_source(error, &self.shared.settings.instance)
    }
}
