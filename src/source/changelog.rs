//! Reads partitions of the changelog from their beginning to the end that they had, side by side, outside any group.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset as RdOffset, TopicPartitionList};

use super::batch::{Batch, BatchQueue, MAX_BATCH, Polled, c_name};
use super::error::{SourceError, away, broken};
use super::probe::{Quiet, outside_groups};
use crate::config::settings::Kafka;
use crate::core::ids::{Offset, Partition};
use crate::telemetry::broker_log::BrokerLog;

/// How long one question to the brokers may take.
const ASK: Duration = Duration::from_secs(5);

/// What the file may change: a whole changelog is read as fast as it comes, and the end behind the last transaction's
/// marker is told by an empty fetch.
const PREFERRED: [(&str, &str); 3] =
    [("fetch.queue.backoff.ms", "5"), ("queued.max.messages.kbytes", "65536"), ("fetch.wait.max.ms", "10")];

/// A reader of some partitions of the changelog.
pub struct ChangelogReader {
    // Before `consumer`, as the queue has to go first.
    batches: BatchQueue<Quiet>,
    consumer: Arc<BaseConsumer<Quiet>>,
    /// Asks for ends: under read_committed they are those of the last stable record.
    ends: BaseConsumer<Quiet>,
    topic: String,
    topic_c: CString,
    open: BTreeMap<Partition, Stretch>,
}

/// How far a partition has to be read.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    next: Offset,
    end: Offset,
}

impl ChangelogReader {
    /// A reader that reads nothing yet.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn new(kafka: &Kafka, topic: &str, log: &BrokerLog) -> Result<Self, SourceError> {
        let client = |isolation: &str| -> Result<BaseConsumer<Quiet>, SourceError> {
            let mut config = outside_groups(kafka, "hotlead.restore", &PREFERRED);
            config.set("enable.partition.eof", "true");
            config.set("isolation.level", isolation);
            config.create_with_context(Quiet(log.clone())).map_err(|error| broken(&error))
        };
        let consumer = Arc::new(client("read_committed")?);
        let no_queue = || SourceError::Broken("librdkafka gave no queue".to_owned());
        Ok(Self {
            batches: BatchQueue::new(Arc::clone(&consumer)).ok_or_else(no_queue)?,
            consumer,
            ends: client("read_uncommitted")?,
            topic: topic.to_owned(),
            topic_c: c_name(topic).ok_or_else(|| SourceError::Broken(format!("no name of a topic: {topic:?}")))?,
            open: BTreeMap::new(),
        })
    }

    /// The first and the next offset of a partition, of open transactions too.
    ///
    /// # Errors
    /// [`SourceError::Away`]: ask again.
    pub fn ends(&self, partition: Partition) -> Result<(Offset, Offset), SourceError> {
        let ends = self.ends.fetch_watermarks(&self.topic, partition.0, ASK);
        if ends.is_err() {
            // A broker that has just started may tell of fewer partitions, and a client that reads nothing believes it
            // for minutes, without a question. Without an answer the caller comes again.
            let _ = self.ends.fetch_metadata(Some(&self.topic), ASK);
        }
        ends.map(|(low, high)| (Offset(low), Offset(high))).map_err(|error| away(&error))
    }

    /// Reads another partition, up to the end that it has now.
    ///
    /// # Errors
    /// [`SourceError::Away`]: ask again.
    pub fn begin(&mut self, partition: Partition) -> Result<(), SourceError> {
        let (low, end) = self.ends(partition)?;
        if low < end {
            self.open.insert(partition, Stretch { next: low, end });
            self.batches.forward(&self.topic_c, partition);
            let mut list = TopicPartitionList::new();
            let added = list.add_partition_offset(&self.topic, partition.0, RdOffset::Offset(low.0));
            added.map_err(|error| broken(&error))?;
            self.consumer.incremental_assign(&list).map_err(|error| broken(&error))?;
        }
        Ok(())
    }

    /// Stops reading a partition.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn end(&mut self, partition: Partition) -> Result<(), SourceError> {
        self.open.remove(&partition);
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition.0);
        let assigned = self.consumer.assignment().map_err(|error| broken(&error))?;
        if assigned.find_partition(&self.topic, partition.0).is_some() {
            self.consumer.incremental_unassign(&list).map_err(|error| broken(&error))?;
        }
        Ok(())
    }

    /// Whether a partition has been read to its end.
    pub fn is_done(&self, partition: Partition) -> bool {
        !self.open.contains_key(&partition)
    }

    /// Offsets that are still to be read of a partition.
    pub fn left(&self, partition: Partition) -> i64 {
        self.open.get(&partition).map_or(0, |stretch| stretch.end.0 - stretch.next.0)
    }

    /// The next records, if any come within `wait_ms`. To be told to [`Self::note`] afterwards.
    pub fn take(&mut self, wait_ms: i32) -> Batch<'_> {
        // Callbacks and errors come this way, no records.
        let _ = self.consumer.poll(Duration::ZERO);
        for partition in self.open.keys() {
            self.batches.forward(&self.topic_c, *partition);
        }
        let at_most = if wait_ms > 0 { 1 } else { MAX_BATCH };
        self.batches.take(at_most, wait_ms)
    }

    /// Notes how far a batch came.
    pub fn note(&mut self, progress: &[(Partition, Offset)]) {
        for (partition, next) in progress {
            if let Some(stretch) = self.open.get_mut(partition) {
                stretch.next = stretch.next.max(*next);
                if stretch.next >= stretch.end {
                    self.open.remove(partition);
                }
            }
        }
    }
}

/// How far one entry of a batch brings its partition: past the record, or to where nothing more can be read for now.
pub fn progress(polled: &Polled<'_>) -> Option<(Partition, Offset)> {
    match polled {
        Polled::Message(message) => Some((message.partition(), Offset(message.offset().0 + 1))),
        Polled::Fault(partition, RDKafkaErrorCode::PartitionEOF, at) => Some((*partition, *at)),
        Polled::Fault(..) => None,
    }
}
