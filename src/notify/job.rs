//! What the lanes of a sink hand out and take back: attempts, tickets, and what is to be written to the ledger.

use std::sync::Arc;

use super::gate::Pass;
use super::verdict::Reason;
use crate::codec::ledger::{Card, Digest, Erasure, Outcome, Redaction, Standing, Tries};
use crate::core::backoff::Schedule;
use crate::core::ids::{NextOffset, Offset, Partition};
use crate::core::time::{Span, Timestamp};

/// How a sink delivers.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Attempts under way, and answers that are not recorded yet.
    pub in_flight: usize,
    /// Records of one partition that are in memory and hold its offset; the partition is paused at it, and resumed at
    /// half of it.
    pub tracked: usize,
    /// Parked alerts of all partitions; at it nothing more is read.
    pub parked: usize,
    /// An alert older than this is given up.
    pub max_age: Span,
    /// When to try again.
    pub schedule: Schedule,
}

/// Under which assignment a record was read: what comes from an earlier one is stale.
pub type Epoch = u64;

/// Where a record lies on the alert topic.
pub type Place = (Partition, Offset);

/// Where a record lies, and under which assignment it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// Of the alert topic.
    pub partition: Partition,
    /// Of the record.
    pub offset: Offset,
    /// Of the partition.
    pub epoch: Epoch,
}

/// A message to be sent now; then [`Lanes::finish`](super::lanes::Lanes::finish).
#[derive(Debug)]
pub struct Attempt<R> {
    /// To be handed back.
    pub ticket: Ticket,
    /// To be handed back to the gate, whatever became of the partition.
    pub pass: Pass,
    /// What to send.
    pub record: Arc<R>,
    /// From 1.
    pub number: u32,
    /// The other side refused the whole message before: send as little as possible.
    pub minimal: bool,
}

/// What an attempt's end led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Its end is to be recorded.
    Ended(Ending),
    /// Tried again at that time.
    Retry(Timestamp),
    /// The sink is shut; the alert stays at the head of its lane. True if it was open before.
    Shut(bool),
    /// The partition has another owner by now.
    Stale,
}

/// How a delivery ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// The other side has it.
    Delivered,
    /// It is in a digest.
    Coalesced,
    /// A newer one was sent in its place, which names its rule too.
    Superseded,
    /// It changes nothing that the other side shows.
    Suppressed,
    /// It goes to the dead-letter topic.
    GivenUp(Reason),
}

impl Ending {
    /// The terminal state.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Delivered => Outcome::Delivered,
            Self::Coalesced => Outcome::Coalesced,
            Self::Superseded => Outcome::Superseded,
            Self::Suppressed => Outcome::Suppressed,
            Self::GivenUp(_) => Outcome::DeadLettered,
        }
    }

    /// Why it was given up.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::GivenUp(reason) => Some(reason),
            _ => None,
        }
    }
}

/// What becomes of an alert on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits there; its offset is free.
    Parked {
        /// Until then.
        next_at: Timestamp,
    },
    /// It has its terminal state.
    Ended(Ending),
}

/// One alert for the ledger.
#[derive(Debug)]
pub struct Write<R> {
    /// Which.
    pub ticket: Ticket,
    /// The alert topic's record.
    pub record: Arc<R>,
    /// Its Kafka timestamp.
    pub time: Timestamp,
    /// What becomes of it.
    pub fate: Fate,
    /// The message that shows it, where that matters.
    pub into: Option<Arc<str>>,
    /// What happened so far.
    pub tries: Tries,
    /// The sink's fallback gets it too, in the same transaction.
    pub lend: bool,
}

/// How the sink stands from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether it takes anything.
    pub standing: Standing,
    /// Since when.
    pub since: Timestamp,
    /// The answer that led to it.
    pub detail: String,
    /// Since when it is tried and takes nothing, where a fallback stands in for it.
    pub failing: Option<Timestamp>,
}

impl Change {
    /// Open, as long as anybody knows.
    pub const OPEN: Self =
        Self { standing: Standing::Open, since: Timestamp::from_millis(0), detail: String::new(), failing: None };
}

/// What is to be written at once or not at all: then [`Lanes::written`](super::lanes::Lanes::written).
#[derive(Debug)]
pub struct Batch<R> {
    /// Every partition that is concerned, under which assignment, and how far it is done with the batch.
    pub partitions: Vec<(Partition, Epoch, NextOffset)>,
    /// In no order; each alert once.
    pub writes: Vec<Write<R>>,
    /// What a sink notes beside its alerts; each key once.
    pub notes: Vec<Note>,
    /// For each of the partitions.
    pub change: Option<Change>,
}

/// What a sink notes on its ledger beside its alerts, such as a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Of the ledger.
    pub partition: Partition,
    /// The record's key.
    pub key: Vec<u8>,
    /// The record's value; `None` ends what was noted.
    pub value: Option<Vec<u8>>,
}

/// An alert that the ledger kept for us.
#[derive(Debug)]
pub struct Kept<R> {
    /// Of its record on the alert topic.
    pub offset: Offset,
    /// The lead's key.
    pub key: Vec<u8>,
    /// The Kafka timestamp of its record.
    pub time: Timestamp,
    /// Not before this.
    pub next_at: Timestamp,
    /// What happened so far.
    pub tries: Tries,
    /// The record.
    pub record: R,
}

/// A partition as its former owner left it.
#[derive(Debug)]
pub struct Takeover<R> {
    /// Which.
    pub partition: Partition,
    /// Ours, from now on.
    pub epoch: Epoch,
    /// Where reading begins.
    pub next: NextOffset,
    /// In the order of their offsets.
    pub parked: Vec<Kept<R>>,
    /// Offsets behind `next` whose outcome is known.
    pub settled: Vec<Offset>,
    /// Alerts that came back from the dead letters, and how often: an older wish for one is not fulfilled again.
    pub redriven: Vec<(Offset, u32)>,
    /// The endpoint said that it is gone, since then.
    pub disabled: Option<Timestamp>,
    /// The ledger says that the sink is shut or failing, whether that still holds or not.
    pub said_shut: bool,
    /// Since when it is tried and takes nothing, as far as the ledger knows.
    pub failing: Option<Timestamp>,
    /// By their leads' keys; also of other addresses of the sink.
    pub cards: Vec<(Vec<u8>, Card)>,
    /// Digests of which nobody knows whether they were posted.
    pub digests: Vec<Digest>,
    /// Leads that were erased.
    pub erasures: Vec<Erasure>,
    /// Messages that have yet to lose what they say of one.
    pub redactions: Vec<Redaction>,
}

impl<R> Takeover<R> {
    /// Of a partition of which the ledger says nothing.
    pub fn of_nothing(partition: Partition, epoch: Epoch, next: NextOffset) -> Self {
        Self {
            partition,
            epoch,
            next,
            parked: vec![],
            settled: vec![],
            redriven: vec![],
            disabled: None,
            said_shut: false,
            failing: None,
            cards: vec![],
            digests: vec![],
            erasures: vec![],
            redactions: vec![],
        }
    }
}
