//! The consumer thread of one sink: records in, partitions taken over and given back.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Message, Offset as Position, TopicPartitionList};
use tokio::sync::mpsc;

use super::dead_letter::Incoming;
use super::destination::wall_clock;
use super::fence::Fence;
use super::job::Takeover;
use super::kafka::client_config;
use super::replay::{Asked, Page, Replay};
use super::worker::{Command, DRAIN, Event};
use crate::config::settings::{Kafka, Start};
use crate::core::ids::{Offset, Partition};
use crate::core::time::{Span, Timestamp};
use crate::telemetry::access::{Denied, Resource, Right};

/// Longest wait for a record: so late at most is a commit or a pause.
const POLL: Duration = Duration::from_millis(50);

/// For one question to the broker.
const ASK: Duration = Duration::from_secs(10);

/// After a question to the broker that was not answered.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(60);

/// For the question of a sign of life: meanwhile nothing is read.
const ASK_ALIVE: Duration = Duration::from_secs(5);

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
    /// The sink's ledger.
    pub ledger: String,
    /// A hash of the sink's address.
    pub endpoint: String,
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
    fence: Fence,
    replay: Mutex<Replay>,
    stop: Arc<AtomicBool>,
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
}

impl Assignments {
    fn assign(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.renew(consumer);
        if partitions.count() == 0 {
            // The topic may have grown, and the others own what is new.
            self.tell(Event::Assigned(Vec::new(), self.all(consumer).unwrap_or_default()));
            return consumer.incremental_assign(partitions);
        }
        let sink = &self.reading.sink;
        let (of, (positions, fresh)) = loop {
            let found = self.all(consumer).and_then(|of| Ok((of, self.positions(consumer, partitions)?)));
            match found {
                Ok(found) => break found,
                // Without knowing where to begin it would skip or repeat: better to ask again.
                Err(error) if !self.stop.load(Ordering::Relaxed) => {
                    tracing::warn!(sink, %error, "committed offsets are not to be had yet");
                    std::thread::sleep(ASK_AGAIN);
                }
                Err(error) => return Err(error),
            }
        };
        let Some(takeovers) = self.take_over(&positions) else {
            return consumer.incremental_assign(&TopicPartitionList::new()); // stopping: nothing begins any more
        };
        let parked: usize = takeovers.iter().map(|takeover| takeover.parked.len()).sum();
        self.tell(Event::Assigned(takeovers, of));
        consumer.incremental_assign(&positions)?;
        if fresh.count() > 0 {
            // A new sink's beginning counts from now on, also if it stops before its first delivery.
            consumer.commit(&fresh, CommitMode::Sync)?;
        }
        tracing::info!(sink, partitions = ?numbers(partitions), parked, "partitions assigned");
        Ok(())
    }

    /// What the former owner left, from the ledger. The committed offsets are known, so all that belongs to them is there.
    fn take_over(&self, positions: &TopicPartitionList) -> Option<Vec<Takeover<Incoming>>> {
        let begin = |element: &TopicPartitionListElem<'_>| match element.offset() {
            // The position itself is one past the record before it.
            Position::Offset(next) => Some((Partition(element.partition()), Offset(next - 1).next())),
            _ => None,
        };
        let begins: Vec<_> = positions.elements().iter().filter_map(begin).collect();
        let replay = self.replay();
        let pages = loop {
            match replay.begin(&begins) {
                Ok(pages) => break pages,
                Err(_) if self.stop.load(Ordering::Relaxed) => return None,
                Err(fault) => {
                    let (sink, topic) = (&self.reading.sink, replay.topic());
                    match fault.denied(topic) {
                        Some(denied) => tracing::warn!(sink, "{denied}"),
                        None => tracing::warn!(sink, "the ledger {topic} cannot be read, nothing is sent: {fault}"),
                    }
                    std::thread::sleep(ASK_AGAIN);
                }
            }
        };
        let epoch = self.fence.assigned(&numbers(positions));
        let takeover = |(partition, page): (_, Page)| page.takeover(partition, epoch, &self.reading.endpoint);
        Some(pages.into_iter().map(takeover).collect())
    }

    /// How many partitions the alert topic has.
    fn all(&self, consumer: &BaseConsumer<Self>) -> KafkaResult<usize> {
        let metadata = consumer.fetch_metadata(Some(&self.reading.topic), ASK)?;
        Ok(metadata.topics().iter().map(|topic| topic.partitions().len()).sum())
    }

    /// Takes the group's present generation as the proof that our partitions are ours.
    fn renew(&self, consumer: &BaseConsumer<Self>) {
        // In this order: a member that is thrown out in between is seen as one.
        let proof = consumer.group_metadata();
        self.fence.renew(proof.filter(|_| !consumer.assignment_lost()));
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
                Position::Offset(known) => Position::Offset(known.max(self.first(consumer, partition, known)?)),
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

    /// The first offset that is still there; what lies between a position and it has expired.
    fn first(&self, consumer: &BaseConsumer<Self>, partition: i32, position: i64) -> KafkaResult<i64> {
        let (low, _) = consumer.fetch_watermarks(&self.reading.topic, partition, ASK)?;
        if let Ok(expired @ 1..) = u64::try_from(low - position) {
            let sink = &self.reading.sink;
            tracing::error!(sink, partition, expired, "alerts left the topic by retention before they were sent");
            self.tell(Event::Expired(expired));
        }
        Ok(low)
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
        let gone = numbers(partitions);
        self.renew(consumer);
        if consumer.assignment_lost() {
            self.fence.gone(&gone);
            self.tell(Event::Lost(gone.clone()));
        } else {
            self.drain(gone.clone());
            self.fence.gone(&gone);
        }
        self.replay().end(&gone);
        consumer.incremental_unassign(partitions)
    }

    /// Ends what is under way, and has it recorded.
    fn drain(&self, partitions: Vec<Partition>) {
        let (answer, drained) = blocking::sync_channel(1);
        self.tell(Event::Revoking(partitions, answer));
        if drained.recv_timeout(DRAIN + Duration::from_secs(1)).is_err() {
            tracing::warn!(sink = self.reading.sink, "what is under way did not end in time, it may be sent again");
        }
    }

    fn replay(&self) -> MutexGuard<'_, Replay> {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: Event) {
        let _ = self.events.blocking_send(event); // the worker ends only after this thread
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<Partition> {
    partitions.elements().iter().map(|element| Partition(element.partition())).collect()
}

/// How soon a member that died, or one that came, is noticed; the file may say otherwise. The default of 45 s leaves a
/// dead owner's alerts waiting for as long.
const PREFERRED: [(&str, &str); 2] = [("session.timeout.ms", "10000"), ("heartbeat.interval.ms", "1000")];

/// Prepares a sink's consumer; it connects in [`consume`].
///
/// # Errors
/// If librdkafka refuses a property.
pub fn consumer(
    reading: Reading,
    events: mpsc::Sender<Event>,
    fence: Fence,
    stop: Arc<AtomicBool>,
) -> KafkaResult<BaseConsumer<Assignments>> {
    let replay = Mutex::new(Replay::new(&reading.kafka, &reading.group, reading.ledger.clone())?);
    let mut config = client_config(&reading.kafka);
    for (name, value) in PREFERRED {
        if !reading.kafka.properties.contains_key(name) {
            config.set(name, value);
        }
    }
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
    config.create_with_context(Assignments { reading, events, fence, replay, stop })
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
    let mut next_beat = Instant::now();
    while !context.stop.load(Ordering::Relaxed) {
        if context.fence.is_member() && Instant::now() >= next_beat {
            next_beat = Instant::now() + BEAT;
            // Whether the brokers answer this client; of the end itself nothing follows.
            match consumer.fetch_watermarks(topic, 0, ASK_ALIVE) {
                Ok(_) => context.tell(Event::Alive),
                Err(error) => say(&error, "no sign of life: the brokers do not answer"),
            }
        }
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
                say(&error, "pausing failed");
            }
        }
        let Asked { unblock, redrives, erasures } = context.replay().asked();
        if unblock {
            context.tell(Event::Unblock);
        }
        for (partition, kept) in redrives {
            context.tell(Event::Redrive(partition, kept));
        }
        for (partition, erasure) in erasures {
            context.tell(Event::Erased(partition, erasure));
        }
    }
    match consumer.assignment() {
        Ok(assigned) => context.drain(numbers(&assigned)),
        Err(error) => tracing::warn!(sink, %error, "what is assigned is not to be had"),
    }
}

fn obey(consumer: &BaseConsumer<Assignments>, topic: &str, command: Command) -> KafkaResult<()> {
    match command {
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
