//! A reader of a whole topic, or of what a group has not read, that is no member of any: for commands.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset as RdOffset, TopicPartitionList};

use super::probe::{Probe, ProbeFault, Quiet, outside_groups, refused};
use crate::config::settings::Kafka;
use crate::core::ids::Partition;
use crate::telemetry::access::{Denied, Resource, Right};
use crate::telemetry::broker_log::BrokerLog;

/// How long brokers may take to answer a command.
const ASK: Duration = Duration::from_secs(8);

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At the first record that is still there.
    Beginning,
    /// At what comes from now on.
    End,
    /// Where the group stands; a partition that it has not begun with is not read.
    Committed,
}

/// All partitions of one topic, read_committed.
pub struct Reader {
    consumer: BaseConsumer<Quiet>,
    topic: String,
    /// Partitions that have not reached the end that they had when reading began.
    open: BTreeMap<Partition, i64>,
}

impl Reader {
    /// Opens the topic; `Ok(None)` if there is no such topic.
    ///
    /// # Errors
    /// Why the brokers give no answer within about ten seconds.
    pub fn open(kafka: &Kafka, group: &str, topic: &str, begin: Begin) -> Result<Option<Self>, ProbeFault> {
        let log = BrokerLog::default();
        let probe = Probe::new(kafka, group, log.clone())?;
        let Some(partitions) = probe.partitions(topic, Right::Read, ASK)? else {
            return Ok(None);
        };
        let standing = match begin {
            Begin::Committed => probe.standing(topic, partitions, ASK)?,
            Begin::Beginning | Begin::End => Vec::new(),
        };
        let mut next = standing.into_iter().map(|standing| standing.begun.then_some(standing.next));
        let consumer = consumer(kafka, group, log)?;
        let mut list = TopicPartitionList::new();
        let mut open = BTreeMap::new();
        for partition in (0..partitions).map(Partition) {
            let ends = consumer.fetch_watermarks(topic, partition.0, ASK);
            let (low, end) = ends.map_err(|error| ProbeFault::Away(error.to_string()))?;
            let first = match begin {
                Begin::Beginning => low,
                Begin::End => end,
                Begin::Committed => next.next().flatten().unwrap_or(end),
            };
            let added = list.add_partition_offset(topic, partition.0, RdOffset::Offset(first));
            added.map_err(|error| ProbeFault::Config(error.to_string()))?;
            if first < end {
                open.insert(partition, end);
            }
        }
        let assigned = consumer.assign(&list);
        assigned.map_err(|error| ProbeFault::Config(error.to_string()))?;
        Ok(Some(Self { consumer, topic: topic.to_owned(), open }))
    }

    /// Whether every partition reached the end that it had when reading began.
    pub fn at_end(&self) -> bool {
        self.open.is_empty()
    }

    /// The next record, if one comes within `wait`.
    ///
    /// # Errors
    /// [`ProbeFault::Forbidden`]; whatever else goes wrong may pass.
    pub fn next(&mut self, wait: Duration) -> Result<Option<BorrowedMessage<'_>>, ProbeFault> {
        let Some(polled) = self.consumer.poll(wait) else {
            return Ok(None);
        };
        match polled {
            Ok(message) => {
                let partition = Partition(message.partition());
                if self.open.get(&partition).is_some_and(|end| message.offset() + 1 >= *end) {
                    self.open.remove(&partition);
                }
                Ok(Some(message))
            }
            // Control records of transactions take offsets too: then no record is the last one, but the end is told.
            Err(KafkaError::PartitionEOF(partition)) => {
                self.open.remove(&Partition(partition));
                Ok(None)
            }
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                let denied = Denied { resource: Resource::Topic(&self.topic), right: Right::Read };
                Err(ProbeFault::Forbidden(denied.to_string()))
            }
            Err(_) => Ok(None),
        }
    }
}

fn consumer(kafka: &Kafka, group: &str, log: BrokerLog) -> Result<BaseConsumer<Quiet>, ProbeFault> {
    let mut config = outside_groups(kafka, group, &[("fetch.queue.backoff.ms", "5")]);
    config.set("enable.partition.eof", "true");
    config.create_with_context(Quiet(log)).map_err(|error| ProbeFault::Config(refused(&error)))
}
