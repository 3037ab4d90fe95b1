//! Reads a partition of the ledger when it is taken over, and from then on what is asked for in it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset as Position, TopicPartitionList};

use super::dead_letter::Incoming;
use super::job::{Epoch, Kept, Takeover};
use super::kafka::client_config;
use crate::codec::ledger::{self, Ended, Entry, Erasure, Parked, Redrive, Standing, Tries};
use crate::config::settings::Kafka;
use crate::core::ids::{NextOffset, Offset, Partition};
use crate::core::time::Timestamp;
use crate::telemetry::access::{Denied, Resource, Right};

/// For one question to the broker.
const ASK: Duration = Duration::from_secs(10);

/// How long transactions of a former owner may stay open: the brokers end them after 10 s and look every 10 s.
const OPEN: Duration = Duration::from_secs(30);

/// How long the ledger may take to be read: half of what the group waits for a poll.
const READ: Duration = Duration::from_secs(120);

/// A reader of one sink's ledger outside any group.
pub struct Replay {
    /// Reads what is committed.
    reader: BaseConsumer,
    /// Asks for ends with open transactions.
    ends: BaseConsumer,
    topic: String,
    /// An operator asked that the sink be opened again.
    asked: Cell<bool>,
    /// Dead letters that are to be delivered again.
    redrives: RefCell<Vec<(Partition, Kept<Incoming>)>>,
    /// Leads that were erased.
    erasures: RefCell<Vec<(Partition, Erasure)>>,
}

/// What was asked for since the last look.
#[derive(Debug)]
pub struct Asked {
    /// The sink is to be opened again.
    pub unblock: bool,
    /// Dead letters are to be delivered again, in the order in which that was asked for.
    pub redrives: Vec<(Partition, Kept<Incoming>)>,
    /// Leads were erased.
    pub erasures: Vec<(Partition, Erasure)>,
}

/// A ledger cannot be read now, or not by this version.
#[derive(Debug)]
pub enum ReplayFault {
    /// It may help to ask again.
    Away(KafkaError),
    /// In words.
    Other(String),
}

impl std::fmt::Display for ReplayFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(error) => error.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl ReplayFault {
    /// What it says about a right that we lack, if it is about one.
    pub fn denied<'a>(&self, topic: &'a str) -> Option<Denied<'a>> {
        let Self::Away(error) = self else {
            return None;
        };
        (error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed))
            .then_some(Denied { resource: Resource::Topic(topic), right: Right::Read })
    }
}

impl From<KafkaError> for ReplayFault {
    fn from(error: KafkaError) -> Self {
        Self::Away(error)
    }
}

/// What a partition of the ledger says that still matters, the newest record of each key.
#[derive(Debug)]
pub struct Page {
    /// Where the next owner begins to read the alerts.
    next: NextOffset,
    entries: BTreeMap<Vec<u8>, Entry>,
    /// How often alerts came back from the dead letters, of those that did.
    redriven: BTreeMap<Offset, u32>,
}

impl Page {
    /// An empty page for an owner that begins there.
    pub fn new(next: NextOffset) -> Self {
        Self { next, entries: BTreeMap::new(), redriven: BTreeMap::new() }
    }

    /// Takes in the next record.
    pub fn take(&mut self, key: &[u8], entry: Option<Entry>) {
        if let Some(Entry::Parked(Parked { offset, tries, .. }) | Entry::Ended(Ended { offset, tries, .. })) = &entry
            && tries.redrives > 0
        {
            let known = self.redriven.entry(Offset(*offset)).or_default();
            *known = tries.redrives.max(*known);
        }
        match entry {
            // It will not be read again: all that matters is that it is not parked any more.
            Some(Entry::Ended(ended)) if ended.offset < self.next.get() => drop(self.entries.remove(key)),
            Some(entry) => drop(self.entries.insert(key.to_vec(), entry)),
            None => drop(self.entries.remove(key)),
        }
    }

    /// What the next owner has to know. `endpoint` is the hash of the sink's address now.
    pub fn takeover(self, partition: Partition, epoch: Epoch, endpoint: &str) -> Takeover<Incoming> {
        let mut takeover = Takeover::of_nothing(partition, epoch, self.next);
        let mut redriven = self.redriven;
        let mut unblocked = None;
        for (key, entry) in self.entries {
            match entry {
                Entry::Card(card) => {
                    takeover.cards.push((key.strip_prefix(ledger::CARD).unwrap_or(&key).to_vec(), card));
                }
                Entry::Digest(digest) => takeover.digests.push(digest),
                Entry::Erase(erasure) => takeover.erasures.push(erasure),
                Entry::Redact(redaction) => takeover.redactions.push(redaction),
                Entry::Parked(parked) => takeover.parked.push(kept(parked)),
                Entry::Ended(ended) => takeover.settled.push(Offset(ended.offset)),
                Entry::Sink(state) => {
                    let holds = state.standing == Standing::Disabled && state.endpoint == endpoint;
                    takeover.disabled = holds.then_some(state.since);
                    takeover.said_shut = state.standing != Standing::Open || state.failing.is_some();
                    let shut = Some(state.since).filter(|_| state.standing != Standing::Open);
                    takeover.failing = state.failing.or(shut).filter(|_| state.endpoint == endpoint);
                }
                Entry::Unblock { time } => unblocked = Some(time),
                Entry::Redrive(wish) => {
                    let known = redriven.entry(Offset(wish.offset)).or_default();
                    // Else it was fulfilled, and asked for once more by somebody who could not see that yet.
                    if wish.redrives > *known {
                        *known = wish.redrives;
                        takeover.parked.push(wished(wish));
                    }
                }
            }
        }
        takeover.redriven = redriven.into_iter().collect();
        let still = |since: &Timestamp| unblocked.is_none_or(|asked| asked < *since);
        takeover.disabled = takeover.disabled.filter(still);
        takeover.failing = takeover.failing.filter(still);
        takeover.parked.sort_by_key(|kept| kept.offset);
        takeover
    }
}

fn kept(parked: Parked) -> Kept<Incoming> {
    let Parked { offset, time, next_at, tries, alert } = parked;
    let record = Incoming::from(alert);
    Kept { offset: Offset(offset), key: record.key.clone().unwrap_or_default(), time, next_at, tries, record }
}

/// A dead letter as its next life begins: attempts count anew, and so does its age.
pub(super) fn wished(wish: Redrive) -> Kept<Incoming> {
    let Redrive { offset, time, asked, redrives, alert } = wish;
    let record = Incoming::from(alert);
    let tries = Tries { redrives, asked: Some(asked), ..Tries::default() };
    let key = record.key.clone().unwrap_or_default();
    Kept { offset: Offset(offset), key, time, next_at: asked, tries, record }
}

impl Replay {
    /// A reader that reads nothing yet.
    ///
    /// # Errors
    /// If librdkafka refuses a property.
    pub fn new(kafka: &Kafka, group: &str, topic: String) -> KafkaResult<Self> {
        let client = |isolation: &str| {
            let mut config = client_config(kafka);
            config
                .set("group.id", format!("{group}.ledger")) // librdkafka wants one; nobody joins
                .set("isolation.level", isolation)
                .set("enable.auto.commit", "false")
                .set("enable.auto.offset.store", "false")
                .set("auto.offset.reset", "earliest")
                .set("enable.partition.eof", "true")
                .set("allow.auto.create.topics", "false")
                .set("fetch.queue.backoff.ms", "5")
                .set("fetch.wait.max.ms", "100")
                .set("queued.max.messages.kbytes", "2048");
            config.create()
        };
        Ok(Self {
            reader: client("read_committed")?,
            ends: client("read_uncommitted")?,
            topic,
            asked: Cell::new(false),
            redrives: RefCell::default(),
            erasures: RefCell::default(),
        })
    }

    /// The ledger's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Reads these partitions to the end that they have now, for an owner that begins at these offsets of the alerts; from
    /// then on [`Self::asked`] reads what comes.
    ///
    /// Whoever asks knows the committed offsets already, so no transaction of a former owner can be committed any more.
    ///
    /// # Errors
    /// [`ReplayFault`]. Nothing is read then.
    pub fn begin(&self, begins: &[(Partition, NextOffset)]) -> Result<BTreeMap<Partition, Page>, ReplayFault> {
        let mut list = TopicPartitionList::new();
        for (partition, _) in begins {
            self.await_stable(*partition)?;
            list.add_partition_offset(&self.topic, partition.0, Position::Beginning)?;
        }
        self.reader.incremental_assign(&list)?;
        let read = self.read(begins);
        if read.is_err() {
            self.reader.incremental_unassign(&list)?;
        }
        read
    }

    /// Waits until transactions that a former owner left open have ended.
    fn await_stable(&self, partition: Partition) -> Result<(), ReplayFault> {
        let (_, end) = self.ends.fetch_watermarks(&self.topic, partition.0, ASK)?;
        let begun = Instant::now();
        // Under read_committed the end is where the first open transaction begins.
        while self.reader.fetch_watermarks(&self.topic, partition.0, ASK)?.1 < end {
            if begun.elapsed() > OPEN {
                let topic = &self.topic;
                return Err(ReplayFault::Other(format!("{topic}/{partition}: a transaction does not end")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn read(&self, begins: &[(Partition, NextOffset)]) -> Result<BTreeMap<Partition, Page>, ReplayFault> {
        let mut pages: BTreeMap<Partition, Page> = begins.iter().map(|(p, next)| (*p, Page::new(*next))).collect();
        let mut open: BTreeSet<Partition> = pages.keys().copied().collect();
        let begun = Instant::now();
        while !open.is_empty() {
            match self.reader.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let partition = Partition(message.partition());
                    self.note(&message, &pages);
                    let entry = ledger::read(message.payload()).map_err(|fault| {
                        ReplayFault::Other(format!("{}/{partition}@{}: {fault}", self.topic, message.offset()))
                    })?;
                    if let Some(page) = pages.get_mut(&partition) {
                        page.take(message.key().unwrap_or_default(), entry);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&Partition(partition))),
                Some(Err(error)) if passes(&error) => {}
                Some(Err(error)) => return Err(error.into()),
                None => {}
            }
            if begun.elapsed() > READ {
                return Err(ReplayFault::Other(format!("{} could not be read in {READ:?}", self.topic)));
            }
        }
        Ok(pages)
    }

    /// Reads these partitions no longer.
    pub fn end(&self, partitions: &[Partition]) {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, partition.0);
        }
        // One that was never read is refused, and that is as good.
        let _ = self.reader.incremental_unassign(&list);
    }

    /// What was asked for since the last call.
    pub fn asked(&self) -> Asked {
        // Our own records come this way too; what waits is a few of them.
        while let Some(polled) = self.reader.poll(Duration::ZERO) {
            polled.iter().for_each(|message| self.note(message, &BTreeMap::new()));
        }
        Asked { unblock: self.asked.take(), redrives: self.redrives.take(), erasures: self.erasures.take() }
    }

    /// Looks for a wish that is newer than what was read at the takeover.
    fn note(&self, message: &BorrowedMessage<'_>, replayed: &BTreeMap<Partition, Page>) {
        let partition = Partition(message.partition());
        let key = message.key().unwrap_or_default();
        if replayed.contains_key(&partition) || message.payload().is_none() {
            return;
        }
        if key == ledger::UNBLOCK {
            self.asked.set(true);
        } else if ledger::redriven_key(key).is_some()
            && let Ok(Some(Entry::Redrive(wish))) = ledger::read(message.payload())
        {
            self.redrives.borrow_mut().push((partition, wished(wish)));
        } else if ledger::is_erasure(key)
            && let Ok(Some(Entry::Erase(erasure))) = ledger::read(message.payload())
            && !erasure.heard
        {
            self.erasures.borrow_mut().push((partition, erasure));
        }
    }
}

/// Errors of the client that mend themselves.
fn passes(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code();
    matches!(code, Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut))
}
