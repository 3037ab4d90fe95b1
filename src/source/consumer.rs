//! One member of the consumer group: joins, tells of assignments as values, and gives batches of records.
//!
//! The rebalance callback decides nothing: it notes what the group wants, and the worker answers with
//! [`Member::assign`] and [`Member::unassign`] when its open round is committed. Until it answers, the generation is
//! still valid.

use std::collections::VecDeque;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset as RdOffset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use super::batch::{Batch, BatchQueue, c_name};
use super::error::{SourceError, away, broken, fatal};
use crate::config::settings::Kafka;
use crate::core::ids::{NextOffset, Offset, Partition};
use crate::telemetry::access::{Denied, Resource, Right};
use crate::telemetry::broker_log::BrokerLog;

/// How long one question to the brokers may take.
const ASK: Duration = Duration::from_secs(10);

/// In this time a few heartbeats are answered.
const HEARTBEATS: Duration = Duration::from_millis(1500);

/// What the group wants of this member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These are ours as soon as we say so; none at all is an answer too.
    Assigned(Vec<Partition>),
    /// These have to be given back. `lost`: another member may own them already.
    Revoked {
        /// Which.
        partitions: Vec<Partition>,
        /// Too late to commit.
        lost: bool,
    },
}

/// What the consumer's callbacks write to.
pub struct Membership {
    log: BrokerLog,
    changes: Mutex<VecDeque<Change>>,
    closing: AtomicBool,
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.line(level as i32, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().map_or(0, |code| code as i32);
        self.log.fault(code, reason);
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<_> = list.elements().iter().map(|element| Partition(element.partition())).collect();
        let change = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Change::Assigned(partitions),
            _ if self.closing.load(Ordering::Relaxed) => {
                // The last round is committed and nobody will answer any more.
                let _ = consumer.incremental_unassign(list);
                return;
            }
            _ => Change::Revoked { lost: consumer.assignment_lost(), partitions },
        };
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push_back(change);
    }
}

/// One consumer in the group, reading one topic.
pub struct Member {
    // Before `consumer`, whose drop leaves the group and needs the queue gone.
    batches: BatchQueue<Membership>,
    consumer: Arc<BaseConsumer<Membership>>,
    group: String,
    topic: String,
    topic_c: CString,
}

/// Properties of a group member; the file may change the first ones, the others are part of our promises.
const PREFERRED: [(&str, &str); 5] = [
    // The default of 1000 stalls a consumer that decodes: 5 gave six times the throughput.
    ("fetch.queue.backoff.ms", "5"),
    // Fetched ahead per member: some hundred milliseconds of work at full speed.
    ("queued.max.messages.kbytes", "32768"),
    // A static member that stops for good is missed after this.
    ("session.timeout.ms", "10000"),
    // How soon a member hears of a rebalance: its partitions have no owner meanwhile.
    ("heartbeat.interval.ms", "500"),
    ("fetch.wait.max.ms", "100"),
];
const FIXED: [(&str, &str); 7] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("group.protocol", "classic"),
    ("partition.assignment.strategy", "cooperative-sticky"),
];

impl Member {
    /// Joins `group` to read `topic`. With `instance` it is a static member: after a restart it gets its partitions
    /// back at once, without a rebalance, and another process of that name is fenced.
    ///
    /// # Errors
    /// A property that librdkafka refuses.
    pub fn join(
        kafka: &Kafka,
        group: &str,
        instance: Option<&str>,
        topic: &str,
        log: BrokerLog,
    ) -> Result<Self, SourceError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.bootstrap());
        for (name, value) in PREFERRED.into_iter().chain(kafka.client_properties()).chain(FIXED) {
            config.set(name, value);
        }
        config.set("group.id", group);
        if let Some(instance) = instance {
            config.set("group.instance.id", instance);
        }
        let membership = Membership { log, changes: Mutex::default(), closing: AtomicBool::new(false) };
        let consumer: BaseConsumer<Membership> =
            config.create_with_context(membership).map_err(|error| broken(&error))?;
        consumer.subscribe(&[topic]).map_err(|e| broken(&e))?;
        let consumer = Arc::new(consumer);
        let out_of_memory = || SourceError::Broken("librdkafka gave no queue".to_owned());
        Ok(Self {
            batches: BatchQueue::new(Arc::clone(&consumer)).ok_or_else(out_of_memory)?,
            consumer,
            group: group.to_owned(),
            topic: topic.to_owned(),
            topic_c: c_name(topic).ok_or_else(|| SourceError::Broken(format!("no name of a topic: {topic:?}")))?,
        })
    }

    /// Serves callbacks and gives the next thing that the group wants.
    ///
    /// # Errors
    /// Fenced by another process, a right that we lack, or a consumer that is beyond repair.
    pub fn next_change(&self) -> Result<Option<Change>, SourceError> {
        match self.consumer.poll(Duration::ZERO) {
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => Err(fatal(code)),
            Some(Ok(message)) => {
                // Partitions are forwarded before they are assigned, so nothing may come this way.
                let (partition, offset) = (message.partition(), message.offset());
                let text = format!("a record passed by its queue: {partition}@{offset}");
                Err(SourceError::Broken(text))
            }
            Some(Err(error)) => match error.rdkafka_error_code().and_then(|code| self.denied(code)) {
                Some(denied) => Err(denied),
                // Other errors were told to the broker log already.
                None => Ok(self.pending_change()),
            },
            None => Ok(self.pending_change()),
        }
    }

    /// Waits for a few heartbeats to be answered: a member whose place in the group another process of its name has taken
    /// learns of it by them.
    ///
    /// # Errors
    /// Fenced by that process, or a consumer that is beyond repair.
    pub fn wait_for_heartbeats(&self) -> Result<(), SourceError> {
        let begun = Instant::now();
        while let Some(left) = HEARTBEATS.checked_sub(begun.elapsed()) {
            if let Some(Err(KafkaError::MessageConsumptionFatal(code))) = self.consumer.poll(left) {
                return Err(fatal(code));
            }
        }
        Ok(())
    }

    /// What an error says about a right that we lack, if it is about one.
    pub fn denied(&self, code: RDKafkaErrorCode) -> Option<SourceError> {
        let resource = match code {
            RDKafkaErrorCode::TopicAuthorizationFailed => Resource::Topic(&self.topic),
            RDKafkaErrorCode::GroupAuthorizationFailed => Resource::Group(&self.group),
            _ => return None,
        };
        Some(SourceError::Forbidden(Denied { resource, right: Right::Read }.to_string()))
    }

    fn pending_change(&self) -> Option<Change> {
        let mut changes = self.consumer.context().changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.pop_front()
    }

    /// Takes records; see [`BatchQueue::take`].
    pub fn take(&mut self, at_most: usize, wait_ms: i32) -> Batch<'_> {
        self.batches.take(at_most, wait_ms)
    }

    /// Accepts partitions, each to be read from that offset.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn assign(&self, partitions: &[(Partition, Offset)]) -> Result<(), SourceError> {
        for (partition, _) in partitions {
            self.forward(*partition);
        }
        let list = self.list(partitions.iter().map(|(p, o)| (*p, o.0)))?;
        self.consumer.incremental_assign(&list).map_err(|e| broken(&e))
    }

    /// Accepts partitions of which nobody knows yet from where they are to be read: nothing is fetched. Without an answer
    /// to the group the partitions that we have would wait as well.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn hold(&self, partitions: &[Partition]) -> Result<(), SourceError> {
        let mut list = self.plain_list(partitions);
        list.set_all_offsets(RdOffset::End).map_err(|e| broken(&e))?;
        self.consumer.incremental_assign(&list).map_err(|e| broken(&e))?;
        self.pause(partitions)
    }

    /// Sends what is fetched of a partition to our own queue. An assignment that has just ended may undo this a moment
    /// after the next one began, and then nobody would read the partition: so it is to be said again now and then,
    /// which brings what has gathered meanwhile.
    pub fn forward(&self, partition: Partition) {
        self.batches.forward(&self.topic_c, partition);
    }

    /// Stops fetching partitions of ours for now; for the group nothing changes.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn pause(&self, partitions: &[Partition]) -> Result<(), SourceError> {
        self.consumer.pause(&self.plain_list(partitions)).map_err(|e| broken(&e))
    }

    /// Fetches paused partitions again, from where they stood.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn resume(&self, partitions: &[Partition]) -> Result<(), SourceError> {
        self.consumer.resume(&self.plain_list(partitions)).map_err(|e| broken(&e))
    }

    /// Gives partitions back.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn unassign(&self, partitions: &[Partition]) -> Result<(), SourceError> {
        self.consumer.incremental_unassign(&self.plain_list(partitions)).map_err(|e| broken(&e))
    }

    /// Reads partitions again from these offsets; what was fetched of them is dropped.
    ///
    /// # Errors
    /// [`SourceError::Away`]: a partition could not be moved, as one that is being revoked.
    pub fn seek(&self, partitions: &[(Partition, Offset)]) -> Result<(), SourceError> {
        if partitions.is_empty() {
            return Ok(());
        }
        let list = self.list(partitions.iter().map(|(p, o)| (*p, o.0)))?;
        let sought = self.consumer.seek_partitions(list, ASK).map_err(|e| away(&e))?;
        match sought.elements().iter().find_map(|e| e.error().err()) {
            Some(error) => Err(away(&error)),
            None => Ok(()),
        }
    }

    /// Committed offsets of partitions; `None` where there is none. As long as a transaction that moves them is open
    /// nobody knows them: then the answer is awaited for so long, and is to be asked for again with other work in between.
    ///
    /// # Errors
    /// [`SourceError::Away`]: ask again.
    pub fn committed(
        &self,
        partitions: &[Partition],
        wait: Duration,
    ) -> Result<Vec<(Partition, Option<Offset>)>, SourceError> {
        self.committed_of(&self.topic, partitions, wait)
    }

    /// The same of another topic.
    ///
    /// # Errors
    /// [`SourceError::Away`]: ask again.
    pub fn committed_of(
        &self,
        topic: &str,
        partitions: &[Partition],
        wait: Duration,
    ) -> Result<Vec<(Partition, Option<Offset>)>, SourceError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(topic, partition.0);
        }
        let list = self.consumer.committed_offsets(list, wait).map_err(|e| away(&e))?;
        list.elements()
            .iter()
            .map(|element| {
                element.error().map_err(|e| away(&e))?;
                let offset = match element.offset() {
                    RdOffset::Offset(offset) => Some(Offset(offset)),
                    _ => None,
                };
                Ok((Partition(element.partition()), offset))
            })
            .collect()
    }

    /// The first and the next offset of a partition's log.
    ///
    /// # Errors
    /// [`SourceError::Away`]: ask again.
    pub fn ends(&self, partition: Partition) -> Result<(Offset, Offset), SourceError> {
        let ends = self.consumer.fetch_watermarks(&self.topic, partition.0, ASK);
        ends.map(|(low, high)| (Offset(low), Offset(high))).map_err(|e| away(&e))
    }

    /// The first offset whose record is not older than `since_ms`; `None` if there is none.
    ///
    /// # Errors
    /// [`SourceError::Away`]: ask again.
    pub fn first_since(&self, partition: Partition, since_ms: i64) -> Result<Option<Offset>, SourceError> {
        let list = self.list([(partition, since_ms)].into_iter())?;
        let found = self.consumer.offsets_for_times(list, ASK).map_err(|e| away(&e))?;
        let offset = found.elements().first().map(|element| element.offset());
        Ok(match offset {
            Some(RdOffset::Offset(offset)) => Some(Offset(offset)),
            _ => None,
        })
    }

    /// The newest known end of a partition's log; see [`BatchQueue::known_end`].
    pub fn known_end(&self, partition: Partition) -> Option<Offset> {
        self.batches.known_end(&self.topic_c, partition)
    }

    /// Who we are in the group, for a transaction that holds offsets.
    pub fn group(&self) -> Option<ConsumerGroupMetadata> {
        self.consumer.group_metadata()
    }

    /// Offsets in the form in which a transaction takes them: of our topic, and of `other`.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn offsets(
        &self,
        offsets: impl Iterator<Item = (Partition, NextOffset)>,
        other: &str,
        others: impl Iterator<Item = (Partition, NextOffset)>,
    ) -> Result<TopicPartitionList, SourceError> {
        let mut list = self.list(offsets.map(|(partition, next)| (partition, next.get())))?;
        for (partition, next) in others {
            let added = list.add_partition_offset(other, partition.0, RdOffset::Offset(next.get()));
            added.map_err(|e| broken(&e))?;
        }
        Ok(list)
    }

    /// Commits offsets without a transaction.
    ///
    /// # Errors
    /// [`SourceError::Away`]: ask again.
    pub fn commit(&self, offsets: &TopicPartitionList) -> Result<(), SourceError> {
        self.consumer.commit(offsets, CommitMode::Sync).map_err(|e| away(&e))
    }

    fn plain_list(&self, partitions: &[Partition]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, partition.0);
        }
        list
    }

    fn list(&self, numbers: impl Iterator<Item = (Partition, i64)>) -> Result<TopicPartitionList, SourceError> {
        let mut list = TopicPartitionList::new();
        for (partition, number) in numbers {
            list.add_partition_offset(&self.topic, partition.0, RdOffset::Offset(number)).map_err(|e| broken(&e))?;
        }
        Ok(list)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.consumer.context().closing.store(true, Ordering::Relaxed);
    }
}
