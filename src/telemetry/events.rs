//! One struct for each thing that happens while running; `tell` updates the metrics and writes the log.

use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::Metrics;
use super::log::lead_hash;
use crate::core::ids::{Offset, Partition};
use crate::core::names::FreshCount;
use crate::core::time::Span;

/// The brokers do not answer, or refuse us; we will ask again.
#[derive(Debug)]
pub struct BrokersAway<'a> {
    /// One line: where, and why.
    pub reason: &'a str,
    /// When we ask again.
    pub retry_after: Duration,
}

impl BrokersAway<'_> {
    /// Logs it.
    pub fn tell(&self) {
        let seconds = self.retry_after.as_secs();
        error!("{}; trying again in {seconds} s", self.reason);
    }
}

/// A topic of ours was missing and was created.
#[derive(Debug)]
pub struct TopicCreated<'a> {
    /// Its name.
    pub topic: &'a str,
    /// Its partitions.
    pub partitions: i32,
}

impl TopicCreated<'_> {
    /// Logs it.
    pub fn tell(&self) {
        info!(topic = self.topic, partitions = self.partitions, "topic created");
    }
}

/// The alert topic keeps its records for a shorter time than a sink may need them.
#[derive(Debug)]
pub struct RetentionShort<'a> {
    /// The topic.
    pub topic: &'a str,
    /// How long it keeps them.
    pub kept: Span,
    /// The sink that tries longest.
    pub sink: &'a str,
    /// Its `max_age`.
    pub needed: Span,
}

impl RetentionShort<'_> {
    /// Logs it.
    pub fn tell(&self) {
        let Self { topic, kept, sink, needed } = self;
        warn!(
            topic,
            sink,
            "the alert topic keeps alerts for {kept}, but a sink may need them for {needed} (max_age): in a longer outage \
             they expire unsent. Raise its retention.ms"
        );
    }
}

/// A worker got partitions.
#[derive(Debug)]
pub struct Assigned<'a> {
    /// The worker's number.
    pub worker: usize,
    /// What it got, and where it begins.
    pub partitions: &'a [(Partition, Offset)],
}

impl Assigned<'_> {
    /// Logs it, unless there was nothing to get yet: others give back first.
    pub fn tell(&self) {
        if self.partitions.is_empty() {
            return;
        }
        info!(worker = self.worker, partitions = %list(self.partitions), "partitions assigned");
    }
}

/// A partition's state is being read from the changelog.
#[derive(Debug)]
pub struct Restoring {
    /// Which.
    pub partition: Partition,
    /// Offsets of the changelog that are behind us.
    pub done: i64,
    /// Offsets in all.
    pub all: i64,
    /// Since it began.
    pub took: Duration,
}

impl Restoring {
    /// Logs how far it is, how fast it goes, and how long it will take.
    pub fn tell(&self) {
        let rate = self.done as f64 / self.took.as_secs_f64().max(0.001);
        let left = (self.all - self.done) as f64 / rate.max(1.0);
        let (partition, done, all) = (self.partition, self.done, self.all);
        info!("restoring partition {partition}: {done} of {all} records, {rate:.0} a second, {left:.0} s left");
    }
}

/// A partition's state is that of its committed offset.
#[derive(Debug)]
pub struct Restored {
    /// Which.
    pub partition: Partition,
    /// Records read.
    pub records: u64,
    /// Leads with state.
    pub leads: usize,
    /// From its assignment.
    pub took: Duration,
}

impl Restored {
    /// Logs it, unless there was nothing to read.
    pub fn tell(&self) {
        if self.records > 0 {
            let (partition, records, leads) = (self.partition, self.records, self.leads);
            info!(%partition, records, leads, took = ?self.took, "state restored");
        }
    }
}

/// A count of the rules in force that the stored state knows nothing of: the file was edited.
#[derive(Debug)]
pub struct CountBegun<'a>(pub &'a FreshCount);

impl CountBegun<'_> {
    /// Logs how long it knows less than happened.
    pub fn tell(&self) {
        let FreshCount { signal, at_least, within, blind } = self.0;
        info!("count of {signal}, {at_least} within {within}: starts anew, blind for {blind}");
    }
}

/// A worker gave partitions back, or lost them.
#[derive(Debug)]
pub struct Revoked<'a> {
    /// The worker's number.
    pub worker: usize,
    /// Which.
    pub partitions: &'a [Partition],
    /// Whether others may own them already: the open round was dropped.
    pub lost: bool,
    /// The topic.
    pub topic: &'a str,
}

impl Revoked<'_> {
    /// Logs it and forgets the partitions' gauges.
    pub fn tell(&self, metrics: &Metrics) {
        for partition in self.partitions {
            metrics.forget_partition(self.topic, *partition);
        }
        let partitions: Vec<String> = self.partitions.iter().map(ToString::to_string).collect();
        let partitions = partitions.join(" ");
        if self.lost {
            warn!(worker = self.worker, partitions, "partitions lost");
        } else {
            info!(worker = self.worker, partitions, "partitions revoked");
        }
    }
}

fn list(partitions: &[(Partition, Offset)]) -> String {
    let texts: Vec<String> = partitions.iter().map(|(partition, offset)| format!("{partition}@{offset}")).collect();
    texts.join(" ")
}

/// A commit round is on the topics.
#[derive(Debug)]
pub struct Committed {
    /// From begin to committed.
    pub took: Duration,
    /// Alerts in it, of any kind.
    pub alerts: usize,
    /// Dead letters in it.
    pub dead_letters: usize,
    /// Records that were gone before they were read, and over which it has moved the offsets.
    pub offsets_lost: u64,
}

impl Committed {
    /// Observes its duration, and counts what was lost.
    pub fn tell(&self, metrics: &Metrics) {
        metrics.offsets_lost().inc_by(self.offsets_lost);
        metrics.commit_seconds().observe(self.took.as_secs_f64());
        if self.alerts + self.dead_letters > 0 {
            let (alerts, dead_letters) = (self.alerts, self.dead_letters);
            debug!(alerts, dead_letters, took = ?self.took, "round committed");
        }
    }
}

/// A commit round could not be committed; it was undone and its records are read again.
#[derive(Debug)]
pub struct Aborted<'a> {
    /// The worker's number.
    pub worker: usize,
    /// Why.
    pub reason: &'a str,
}

impl Aborted<'_> {
    /// Counts and logs it.
    pub fn tell(&self, metrics: &Metrics) {
        metrics.aborts().inc();
        warn!(worker = self.worker, "round aborted, done again: {}", self.reason);
    }
}

/// Records were removed from the events topic before we read them.
#[derive(Debug)]
pub struct OffsetsLost<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: Partition,
    /// What we wanted to read next.
    pub wanted: Offset,
    /// What is there still.
    pub earliest: Offset,
    /// How many lay between.
    pub lost: u64,
}

impl OffsetsLost<'_> {
    /// Logs the gap. The commit that moves the offsets over it counts the records: until then it may be seen again.
    pub fn tell(&self) {
        error!(
            topic = self.topic,
            partition = self.partition.0,
            wanted = self.wanted.0,
            earliest = self.earliest.0,
            lost = self.lost,
            "records were gone before they were read: resuming at the earliest"
        );
    }
}

/// A record's key is not the key of its lead. Told once by each worker; the metric counts all.
#[derive(Debug)]
pub struct ForeignKey<'a> {
    /// The record.
    pub source: &'a str,
    /// The key of the lead in the event.
    pub lead: &'a str,
}

impl ForeignKey<'_> {
    /// Logs it, with the fix.
    pub fn tell(&self) {
        warn!(
            record = self.source,
            lead = lead_hash(self.lead),
            "a record's key is not its lead's key, so one lead's events may lie on several partitions and count apart: \
             let the producer key records by the first present of `lead_key`, or set `lead_key` to what the records \
             are keyed by (told once; hotlead_foreign_keys_total counts)"
        );
    }
}

/// A dead letter is larger than its topic takes: it is passed on without its value.
#[derive(Debug)]
pub struct DeadLetterCut<'a> {
    /// The topic.
    pub topic: &'a str,
}

impl DeadLetterCut<'_> {
    /// Logs it, with the fix.
    pub fn tell(&self) {
        error!(
            topic = self.topic,
            "a dead letter is larger than the topic takes; such ones are passed on without their value from now on: \
             raise max.message.bytes of the topic, then read the record at its coordinates (hotlead_source)"
        );
    }
}

/// Every worker consumes.
#[derive(Debug)]
pub struct Running<'a> {
    /// The consumer group.
    pub group: &'a str,
    /// This process within it.
    pub instance: &'a str,
    /// Where events come from.
    pub topic: &'a str,
    /// Worker threads.
    pub workers: usize,
}

impl Running<'_> {
    /// Logs it.
    pub fn tell(&self) {
        let (group, instance, topic, workers) = (self.group, self.instance, self.topic, self.workers);
        info!(group, instance, topic, workers, "running");
    }
}

/// A lead was erased, as an operator asked.
#[derive(Debug)]
pub struct Erased<'a> {
    /// The partition of its events.
    pub partition: Partition,
    /// Its key.
    pub lead: &'a str,
}

impl Erased<'_> {
    /// Logs it, without naming the lead.
    pub fn tell(&self) {
        info!(partition = %self.partition, lead = %lead_hash(self.lead), "lead erased");
    }
}

/// A record of the feedback topic says nothing that we know; it is passed over.
#[derive(Debug)]
pub struct FeedbackUnknown<'a> {
    /// The topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// What is wrong.
    pub fault: &'a str,
}

impl FeedbackUnknown<'_> {
    /// Logs it.
    pub fn tell(&self) {
        warn!("{}/{}@{}: {}", self.topic, self.partition, self.offset, self.fault);
    }
}

/// The transaction coordinator wants a call again and again.
#[derive(Debug)]
pub struct TransactionWaits<'a> {
    /// The transactional id.
    pub id: Option<&'a str>,
    /// What it says.
    pub reason: &'a str,
}

impl TransactionWaits<'_> {
    /// Logs it.
    pub fn tell(&self) {
        warn!("transactions of {:?} wait: {}; trying again", self.id.unwrap_or_default(), self.reason);
    }
}

/// Leads were forgotten.
#[derive(Debug)]
pub struct LeadsForgotten {
    /// Because a partition had more than `most`; nothing is told of none.
    pub surplus: usize,
    /// The bound of a partition that they were above.
    pub most: usize,
    /// Because their next event starts them anew in any case.
    pub silent: usize,
}

impl LeadsForgotten {
    /// Counts them, and logs it.
    pub fn tell(&self, metrics: &Metrics) {
        let Self { surplus, most, silent } = self;
        if *surplus > 0 {
            metrics.forgotten(*surplus as u64);
            warn!(
                "a partition has more than max_leads ({most}) leads: {surplus} that were silent for longest are forgotten"
            );
        }
        if *silent > 0 {
            metrics.freed(*silent as u64);
            debug!(leads = silent, "leads that were silent for longer than forget_after are freed");
        }
    }
}
