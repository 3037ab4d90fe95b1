//! The consumer thread of one sink: records in, offsets out. All calls into librdkafka that may block happen here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Message, Offset as Position, TopicPartitionList};
use tokio::sync::mpsc;

use super::dead_letter::Incoming;
use super::destination::wall_clock;
use super::kafka::client_config;
use super::worker::{Command, Commits, DRAIN, Event};
use crate::config::settings::{Kafka, Start};
use crate::core::ids::{NextOffset, Offset, Partition};
use crate::core::time::{Span, Timestamp};
use crate::telemetry::access::{Denied, Resource, Right};

/// Longest wait for a record: so late at most is a commit or a pause.
const POLL: Duration = Duration::from_millis(50);

/// For one question to the broker.
const ASK: Duration = Duration::from_secs(10);

/// Between two lines of the log about the same trouble.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// What a sink reads, and as whom.
#[derive(Clone, Debug)]
pub struct Reading {
    /// How to reach Kafka.
    pub kafka: Kafka,
    /// The sink's own consumer group.
    pub group: String,
    /// The sink's id.
    pub sink: String,
    /// The alert topic.
    pub topic: String,
    /// Where a new sink begins.
    pub start: Start,
}

impl Reading {
    /// What an error says about a right that we lack, if it is about one.
    fn denied(&self, error: &KafkaError) -> Option<Denied<'_>> {
        let resource = match error.rdkafka_error_code()? {
            RDKafkaErrorCode::GroupAuthorizationFailed => Resource::Group(&self.group),
            RDKafkaErrorCode::TopicAuthorizationFailed => Resource::Topic(&self.topic),
            _ => return None,
        };
        Some(Denied { resource, right: Right::Read })
    }
}

/// Told by librdkafka which partitions come and go.
pub struct Assignments {
    reading: Reading,
    events: mpsc::Sender<Event>,
    stop: Arc<AtomicBool>,
    /// Our partitions, and how far each is committed.
    owned: Mutex<Owned>,
}

/// Keeps a commit that was asked for before a partition went from undoing what its next owner committed.
#[derive(Debug, Default)]
struct Owned(BTreeMap<Partition, NextOffset>);

impl Owned {
    /// What of these commits is ours and does not go back; it counts as committed from now on.
    fn take_forward(&mut self, commits: &Commits) -> Commits {
        let mut forward = commits.clone();
        forward.retain(|(partition, next)| self.0.get(partition).is_some_and(|at| next >= at));
        self.0.extend(forward.iter().copied());
        forward
    }
}

impl ClientContext for Assignments {}

impl ConsumerContext for Assignments {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let result = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, partitions),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoke(consumer, partitions),
            other => {
                tracing::warn!(sink = self.reading.sink, code = ?other, "rebalance failed");
                consumer.incremental_unassign(partitions)
            }
        };
        if let Err(error) = result {
            tracing::error!(sink = self.reading.sink, %error, "rebalance failed");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::warn!(sink = self.reading.sink, %error, "a commit failed, the next one makes up for it");
        }
    }
}

impl Assignments {
    fn assign(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) -> KafkaResult<()> {
        if partitions.count() == 0 {
            self.tell(Event::Assigned(Vec::new()));
            return consumer.incremental_assign(partitions);
        }
        let (positions, fresh) = loop {
            match self.positions(consumer, partitions) {
                Ok(found) => break found,
                // Without knowing where to begin it would skip or repeat: better to ask again.
                Err(error) if !self.stop.load(Ordering::Relaxed) => {
                    tracing::warn!(sink = self.reading.sink, %error, "committed offsets are not to be had yet");
                    std::thread::sleep(Duration::from_millis(500));
                }
                Err(error) => return Err(error),
            }
        };
        for element in positions.elements() {
            if let Position::Offset(next) = element.offset() {
                let before = Offset(next - 1).next(); // the position itself, one past the record before it
                self.owned().0.insert(Partition(element.partition()), before);
            }
        }
        self.tell(Event::Assigned(numbers(partitions)));
        consumer.incremental_assign(&positions)?;
        if fresh.count() > 0 {
            // A new sink's beginning counts from now on, also if it stops before its first delivery.
            consumer.commit(&fresh, CommitMode::Sync)?;
        }
        tracing::info!(sink = self.reading.sink, partitions = ?numbers(partitions), "partitions assigned");
        Ok(())
    }

    /// Where each partition begins, and which of these have no committed offset yet.
    fn positions(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &TopicPartitionList,
    ) -> KafkaResult<(TopicPartitionList, TopicPartitionList)> {
        let committed = consumer.committed_offsets(partitions.clone(), ASK)?;
        let (mut positions, mut fresh) = (TopicPartitionList::new(), TopicPartitionList::new());
        for element in committed.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            let position = match element.offset() {
                known @ Position::Offset(_) => known,
                _ => {
                    let begin = Position::Offset(self.beginning(consumer, partition)?);
                    fresh.add_partition_offset(topic, partition, begin)?;
                    begin
                }
            };
            positions.add_partition_offset(topic, partition, position)?;
        }
        Ok((positions, fresh))
    }

    fn beginning(&self, consumer: &BaseConsumer<Self>, partition: i32) -> KafkaResult<i64> {
        let topic = &self.reading.topic;
        let (low, high) = consumer.fetch_watermarks(topic, partition, ASK)?;
        let age = match self.reading.start {
            Start::Latest => return Ok(high),
            Start::Earliest => return Ok(low),
            Start::Age(age) => Span::from_millis(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
        };
        let mut times = TopicPartitionList::new();
        let since = (wall_clock() - age).as_millis().max(0);
        times.add_partition_offset(topic, partition, Position::Offset(since))?;
        let found = consumer.offsets_for_times(times, ASK)?;
        match found.elements().first().map(|element| element.offset()) {
            Some(Position::Offset(offset)) => Ok(offset),
            _ => Ok(high),
        }
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) -> KafkaResult<()> {
        if consumer.assignment_lost() {
            self.tell(Event::Lost(numbers(partitions)));
        } else if let Err(error) = self.drain(consumer, partitions) {
            tracing::warn!(sink = self.reading.sink, %error, "last commit failed, some alerts may be sent again");
        }
        for partition in numbers(partitions) {
            self.owned().0.remove(&partition);
        }
        consumer.incremental_unassign(partitions)
    }

    /// Ends what is under way, and commits how far it went.
    fn drain(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let (answer, commits) = blocking::sync_channel(1);
        self.tell(Event::Revoking(numbers(partitions), answer));
        let commits = commits.recv_timeout(DRAIN + Duration::from_secs(1)).unwrap_or_default();
        commit(consumer, &self.reading.topic, &commits, CommitMode::Sync)
    }

    fn owned(&self) -> MutexGuard<'_, Owned> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: Event) {
        let _ = self.events.blocking_send(event); // the worker ends only after this thread
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<Partition> {
    partitions.elements().iter().map(|element| Partition(element.partition())).collect()
}

fn commit(consumer: &BaseConsumer<Assignments>, topic: &str, commits: &Commits, mode: CommitMode) -> KafkaResult<()> {
    let commits = consumer.context().owned().take_forward(commits);
    if commits.is_empty() {
        return Ok(());
    }
    let mut offsets = TopicPartitionList::new();
    for (Partition(partition), next) in commits {
        offsets.add_partition_offset(topic, partition, Position::Offset(next.get()))?;
    }
    consumer.commit(&offsets, mode)
}

/// Prepares a sink's consumer; it connects in [`consume`].
///
/// # Errors
/// If librdkafka refuses a property.
pub fn consumer(
    reading: Reading,
    events: mpsc::Sender<Event>,
    stop: Arc<AtomicBool>,
) -> KafkaResult<BaseConsumer<Assignments>> {
    let mut config = client_config(&reading.kafka);
    config
        .set("group.id", &reading.group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // What retention took is lost: go on with the oldest that is left.
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("allow.auto.create.topics", "false")
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("fetch.wait.max.ms", "100")
        // Of each sink: 2,000 alerts wait in its lanes anyway.
        .set("queued.max.messages.kbytes", "2048");
    config.create_with_context(Assignments { reading, events, stop, owned: Mutex::default() })
}

/// The life of the thread: until `stop` is set. Ends what is under way, commits, and leaves the group.
pub fn consume(consumer: BaseConsumer<Assignments>, commands: &blocking::Receiver<Command>) {
    let context = consumer.context().clone();
    let (sink, topic) = (&context.reading.sink, &context.reading.topic);
    let mut said: Option<Instant> = None;
    let mut say = |error: &dyn fmt::Display, what: &str| {
        if said.is_none_or(|at| at.elapsed() > SAY_AGAIN) {
            said = Some(Instant::now());
            tracing::warn!(sink, %error, "{what}");
        }
    };
    if let Err(error) = consumer.subscribe(&[topic]) {
        tracing::error!(sink, %error, "cannot subscribe to {topic}");
        return;
    }
    while !context.stop.load(Ordering::Relaxed) {
        match consumer.poll(POLL) {
            Some(Ok(message)) => context.tell(record(&message)),
            Some(Err(error)) => match context.reading.denied(&error) {
                Some(denied) => say(&denied, "a right is missing"),
                None => say(&error, "the alert topic cannot be read now"),
            },
            None => {}
        }
        while let Ok(command) = commands.try_recv() {
            if let Err(error) = obey(&consumer, topic, command) {
                say(&error, "commit or pause failed");
            }
        }
    }
    let assigned = consumer.assignment();
    if let Err(error) = assigned.and_then(|assigned| context.drain(&consumer, &assigned)) {
        tracing::warn!(sink, %error, "last commit failed, some alerts may be sent again");
    }
}

fn obey(consumer: &BaseConsumer<Assignments>, topic: &str, command: Command) -> KafkaResult<()> {
    match command {
        Command::Commit(commits) => commit(consumer, topic, &commits, CommitMode::Async),
        Command::Pause(changes) => {
            for (Partition(partition), pause) in changes {
                let mut one = TopicPartitionList::new();
                one.add_partition(topic, partition);
                if pause {
                    consumer.pause(&one)?;
                } else {
                    consumer.resume(&one)?;
                }
            }
            Ok(())
        }
    }
}

fn record(message: &BorrowedMessage<'_>) -> Event {
    let headers = message.headers().map(|headers| {
        let owned =
            |header: rdkafka::message::Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
        headers.iter().map(owned).collect()
    });
    let incoming = Incoming {
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    };
    let time = message.timestamp().to_millis().filter(|ms| *ms > 0).map(Timestamp::from_millis);
    Event::Record(Partition(message.partition()), Offset(message.offset()), time, incoming)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_partitions_are_committed_and_never_back() {
        let at = |partition, next: i64| (Partition(partition), Offset(next - 1).next());
        let mut owned = Owned([at(0, 5), at(1, 7)].into());
        let asked = vec![at(0, 6), at(1, 6), at(2, 9)];
        assert_eq!(owned.take_forward(&asked), [at(0, 6)]);
        let again = vec![at(0, 6), at(1, 8)];
        assert_eq!(owned.take_forward(&again), again, "a lost commit is repeated");
        owned.0.remove(&Partition(1));
        assert_eq!(owned.take_forward(&vec![at(1, 9)]), []);
    }
}
