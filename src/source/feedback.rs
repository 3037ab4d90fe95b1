//! Reads the feedback topic: the same partition numbers as the events that a worker owns, by its own assignment.

use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset as RdOffset, TopicPartitionList};

use super::error::{SourceError, broken};
use super::probe::{Quiet, outside_groups};
use crate::config::settings::Kafka;
use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;
use crate::telemetry::broker_log::BrokerLog;

/// A reader of partitions of the feedback topic; what it has read is committed with the rounds of its owner.
pub struct FeedbackReader {
    consumer: BaseConsumer<Quiet>,
    topic: String,
}

/// A record of the feedback topic.
#[derive(Debug)]
pub struct Said {
    /// Where it came from, which is where its lead's events come from.
    pub partition: Partition,
    /// Its own offset.
    pub offset: Offset,
    /// Its Kafka timestamp.
    pub time: Option<Timestamp>,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

impl FeedbackReader {
    /// A reader that reads nothing yet.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn new(kafka: &Kafka, topic: &str, log: BrokerLog) -> Result<Self, SourceError> {
        let config = outside_groups(kafka, "hotlead.feedback", &[]);
        let consumer = config.create_with_context(Quiet(log)).map_err(|error| broken(&error))?;
        Ok(Self { consumer, topic: topic.to_owned() })
    }

    /// Reads a partition from this offset, or from its beginning; again if it was read already.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn begin(&self, partition: Partition, offset: Option<Offset>) -> Result<(), SourceError> {
        self.end(partition)?;
        let offset = offset.map_or(RdOffset::Beginning, |offset| RdOffset::Offset(offset.0));
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition.0, offset).map_err(|error| broken(&error))?;
        self.consumer.incremental_assign(&list).map_err(|error| broken(&error))
    }

    /// Reads a partition no more.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn end(&self, partition: Partition) -> Result<(), SourceError> {
        let assigned = self.consumer.assignment().map_err(|error| broken(&error))?;
        if assigned.find_partition(&self.topic, partition.0).is_none() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition.0);
        self.consumer.incremental_unassign(&list).map_err(|error| broken(&error))
    }

    /// The next record, if one is there.
    pub fn next(&self) -> Option<Said> {
        // What goes wrong was told to the broker log.
        let message = self.consumer.poll(Duration::ZERO)?.ok()?;
        Some(Said {
            partition: Partition(message.partition()),
            offset: Offset(message.offset()),
            time: message.timestamp().to_millis().map(Timestamp::from_millis),
            value: message.payload().map(<[u8]>::to_vec),
        })
    }
}
