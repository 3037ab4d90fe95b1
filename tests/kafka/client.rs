//! What tests do with topics: create, fill, read to the end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::Broker;
use crate::supervise::wait_for;

const DEADLINE: Duration = Duration::from_secs(60);

/// A name that no other test, test process or test run uses.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let time = SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_millis();
    format!("{prefix}-{time}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A record to produce. Without a partition, the key decides; without a timestamp, the clock.
#[derive(Clone, Default)]
pub struct Outgoing {
    pub partition: Option<i32>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Outgoing {
    pub fn new(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(key.into()), value: Some(value.into()), ..Self::default() }
    }
}

/// A record as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|h| h.iter().map(|h| (h.key.into(), h.value.map(Into::into))).collect());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(Into::into),
            value: message.payload().map(Into::into),
            headers: headers.unwrap_or_default(),
        }
    }

    /// The value as text, with � for what is not UTF-8; empty for a tombstone.
    pub fn value_text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// Keeps what went wrong with deliveries.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Vec<KafkaError>>>);

impl ClientContext for Failures {}
impl ProducerContext for Failures {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.lock().expect("nothing panics with the lock held").push(error.clone());
        }
    }
}

impl Broker {
    /// Creates a topic and waits until its partitions have leaders. `config` is of the topic (`cleanup.policy`, …).
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1)); // the broker's default
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let admin: AdminClient<DefaultClientContext> = self.client_config().create().expect("an admin client");
        let options = AdminOptions::new().request_timeout(Some(DEADLINE)).operation_timeout(Some(DEADLINE));
        let created = block_on(admin.create_topics([&topic], &options)).expect("the broker answers");
        assert_eq!(created, [Ok(name.to_string())]);
        let consumer = self.reader("read_committed");
        wait_for("leaders of all partitions", DEADLINE, || {
            let metadata = consumer.fetch_metadata(Some(name), DEADLINE).ok()?;
            let found = metadata.topics().first()?.partitions();
            (found.len() == usize::try_from(partitions).ok()? && found.iter().all(|p| p.leader() >= 0)).then_some(())
        });
    }

    /// Gives a topic so many partitions.
    pub fn grow_topic(&self, name: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> = self.client_config().create().expect("an admin client");
        let options = AdminOptions::new().request_timeout(Some(DEADLINE)).operation_timeout(Some(DEADLINE));
        let partitions = NewPartitions::new(name, partitions);
        let grown = block_on(admin.create_partitions([&partitions], &options)).expect("the broker answers");
        assert_eq!(grown, [Ok(name.to_string())]);
    }

    /// Produces records in this order and waits until all are acknowledged.
    pub fn produce(&self, topic: &str, records: impl IntoIterator<Item = Outgoing>) {
        let feeder = self.feeder(topic);
        for record in records {
            feeder.send(&record);
        }
        feeder.finish();
    }

    /// For producing one record after the other.
    pub fn feeder(&self, topic: &str) -> Feeder {
        let failures = Failures::default();
        let mut config = self.client_config();
        config.set("enable.idempotence", "true").set("linger.ms", "1").set("partitioner", "murmur2_random");
        config.set("message.max.bytes", "20000000"); // tests produce what is too large on purpose
        let producer = config.create_with_context(failures.clone()).expect("a producer");
        Feeder { producer, failures, topic: topic.to_owned() }
    }

    /// All records that are there now, by partition and offset, without those of aborted transactions. Waits for
    /// transactions that are open now to end.
    ///
    /// # Panics
    /// If a transaction stays open for a minute.
    pub fn consume_all_read_committed(&self, topic: &str) -> Vec<Record> {
        let (committed, all) = (self.reader("read_committed"), self.reader("read_uncommitted"));
        for partition in 0..self.partition_count(topic) {
            let end = |reader: &BaseConsumer| reader.fetch_watermarks(topic, partition, DEADLINE).map(|(_, end)| end);
            let written = end(&all).expect("the broker answers");
            // Under read_committed, the end is where the first open transaction begins.
            wait_for("the end of open transactions", DEADLINE, || (end(&committed).ok()? >= written).then_some(()));
        }
        self.consume_visible(topic)
    }

    /// The records that a read_committed consumer can see now, by partition and offset: those before the first
    /// transaction that is open.
    pub fn consume_visible(&self, topic: &str) -> Vec<Record> {
        let consumer = self.reader("read_committed");
        let partitions = self.partition_count(topic);
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            assignment.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset that exists");
        }
        consumer.assign(&assignment).expect("an assignment");
        let (mut records, mut at_end) = (Vec::new(), BTreeSet::new());
        let mut start = Instant::now();
        while at_end.len() < partitions as usize {
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => {
                    start = Instant::now(); // however many there are
                    records.push(Record::of(&message));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    at_end.insert(partition);
                }
                Some(Err(error)) => eprintln!("reading {topic}: {error}"), // transient, or the deadline tells
                None => {}
            }
            assert!(start.elapsed() < DEADLINE, "of {partitions} partitions of {topic} only {at_end:?} were read");
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    fn partition_count(&self, topic: &str) -> i32 {
        let metadata = self.reader("read_committed").fetch_metadata(Some(topic), DEADLINE).expect("the broker answers");
        i32::try_from(metadata.topics()[0].partitions().len()).expect("a count of partitions")
    }

    fn reader(&self, isolation: &str) -> BaseConsumer {
        let mut config = self.client_config();
        config.set("group.id", "test-reader").set("isolation.level", isolation).set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true").set("auto.offset.reset", "error");
        config.set("fetch.wait.max.ms", "10").set("fetch.queue.backoff.ms", "5");
        config.create().expect("a consumer")
    }
}

/// Produces to one topic: what is sent arrives once and in this order.
pub struct Feeder {
    producer: ThreadedProducer<Failures>,
    failures: Failures,
    topic: String,
}

impl Feeder {
    /// Hands a record to the client, which sends it at once.
    pub fn send(&self, record: &Outgoing) {
        let mut outgoing = BaseRecord::<[u8], [u8]>::to(&self.topic);
        outgoing.partition = record.partition;
        outgoing.timestamp = record.timestamp;
        outgoing.key = record.key.as_deref();
        outgoing.payload = record.value.as_deref();
        if !record.headers.is_empty() {
            let insert =
                |all: OwnedHeaders, (key, value): &(String, Vec<u8>)| all.insert(Header { key, value: Some(value) });
            outgoing.headers = Some(record.headers.iter().fold(OwnedHeaders::new(), insert));
        }
        let mut waiting = Some(outgoing);
        wait_for("room in the producer's queue", DEADLINE, || {
            match self.producer.send(waiting.take()?) {
                Ok(()) => return Some(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                    waiting = Some(again);
                }
                Err((error, _)) => panic!("a record that cannot be sent: {error}"),
            }
            None
        });
    }

    /// Waits until all records are acknowledged.
    pub fn finish(&self) {
        self.producer.flush(DEADLINE).expect("all records are acknowledged");
        let failures = self.failures.0.lock().expect("nothing panics with the lock held");
        assert!(failures.is_empty(), "{} records failed, the first: {}", failures.len(), failures[0]);
    }
}

/// From a thread of its own: the calling test may itself run in a runtime.
fn block_on<F: Future<Output: Send> + Send>(future: F) -> F::Output {
    let run = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future);
    std::thread::scope(|scope| scope.spawn(run).join()).expect("no panic in a client's future")
}
