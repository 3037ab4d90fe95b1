//! Moves the state of leads to the partition numbers of an events topic that has grown.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::verdict::Verdict;
use crate::config::settings::Kafka;
use crate::core::ids::Partition;
use crate::core::time::Timestamp;
use crate::telemetry::access::{Denied, Resource, Right};

/// How long one call may take.
const WAIT: Duration = Duration::from_secs(60);

/// How long all calls that write may take together: less than the time after which the brokers end the transaction.
const PATIENCE: Duration = Duration::from_secs(600);

/// A record that has to be written for a lead to be found elsewhere; no value ends what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocated<'a> {
    /// Where to.
    pub partition: Partition,
    /// The record's key.
    pub key: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its timestamp; the present time if it has none.
    pub time: Option<Timestamp>,
}

/// Why records were not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// None of them was, for this reason.
    None(String),
    /// Nobody has said whether they were.
    Unknown(String),
}

impl fmt::Display for WriteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None(text) | Self::Unknown(text) => f.write_str(text),
        }
    }
}

/// Gives a topic more partitions; one that has got them meanwhile is fine. Blocks.
///
/// # Errors
/// One line: what the brokers said.
pub fn grow(kafka: &Kafka, topic: &str, partitions: i32) -> Result<(), String> {
    let admin: AdminClient<DefaultClientContext> = config(kafka).create().map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let options = AdminOptions::new().request_timeout(Some(WAIT)).operation_timeout(Some(WAIT));
    let wanted = NewPartitions::new(topic, usize::try_from(partitions).unwrap_or(1));
    let grown = runtime.block_on(admin.create_partitions([&wanted], &options)).map_err(|error| error.to_string())?;
    match grown.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAuthorizationFailed))) => {
            Err(Denied { resource: Resource::Topic(topic), right: Right::Alter }.to_string())
        }
        Some(Err((_, code))) if code != RDKafkaErrorCode::InvalidPartitions => Err(format!("topic {topic}: {code}")),
        _ => Ok(()),
    }
}

/// The one transaction in which state moves.
pub struct Relocation<'a> {
    producer: BaseProducer,
    topic: &'a str,
}

impl<'a> Relocation<'a> {
    /// Takes the transactional id over: another process that has it can write no more, and what it left open has ended
    /// without effect. So what is read afterwards is what will be. Blocks.
    ///
    /// # Errors
    /// One line: what the brokers said.
    pub fn begin(kafka: &Kafka, topic: &'a str, id: &str) -> Result<Self, String> {
        let mut config = config(kafka);
        config.set("transactional.id", id).set("transaction.timeout.ms", "900000").set("compression.type", "lz4");
        let producer: BaseProducer = config.create().map_err(|error| error.to_string())?;
        producer.init_transactions(WAIT).map_err(|error| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed) => {
                Denied { resource: Resource::TransactionalId(id), right: Right::Write }.to_string()
            }
            _ => format!("transactional id {id}: {error}"),
        })?;
        Ok(Self { producer, topic })
    }

    /// Waits until the brokers that it writes to know of so many partitions of its topic. Blocks.
    ///
    /// # Errors
    /// One line: what the brokers said.
    pub fn wait_for(&self, partitions: i32) -> Result<(), String> {
        let give_up = Instant::now() + WAIT;
        loop {
            let metadata = self.producer.client().fetch_metadata(Some(self.topic), WAIT);
            let metadata = metadata.map_err(|error| self.said(&error))?;
            let found = metadata.topics().iter().find(|found| found.name() == self.topic);
            let led = found.map_or(0, |found| found.partitions().iter().filter(|part| part.leader() >= 0).count());
            if led >= usize::try_from(partitions).unwrap_or(0) {
                return Ok(());
            }
            if Instant::now() > give_up {
                return Err(format!("topic {}: only {led} of {partitions} partitions have a leader", self.topic));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Writes all records, or none. Blocks.
    ///
    /// # Errors
    /// [`WriteFault`].
    pub fn write<'r>(self, records: impl Iterator<Item = Relocated<'r>>) -> Result<(), WriteFault> {
        let give_up = Instant::now() + PATIENCE;
        let sent = self.send(records).and_then(|()| again(give_up, || self.producer.flush(WAIT)));
        if let Err(error) = sent {
            return Err(self.abort(&error));
        }
        again(give_up, || self.producer.commit_transaction(WAIT)).map_err(|error| match Verdict::on(&error) {
            Verdict::Abort => self.abort(&error),
            _ => WriteFault::Unknown(self.said(&error)),
        })
    }

    fn send<'r>(&self, records: impl Iterator<Item = Relocated<'r>>) -> Result<(), KafkaError> {
        self.producer.begin_transaction()?;
        for Relocated { partition, key, value, time } in records {
            loop {
                let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(self.topic).partition(partition.0).key(key);
                record.payload = value;
                record.timestamp = time.map(Timestamp::as_millis);
                match self.producer.send(record) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                        self.producer.poll(Duration::from_millis(10));
                    }
                    Err((error, _)) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Ends the transaction without effect. If that cannot be told to the brokers, they or the next one of the same name
    /// end it so.
    fn abort(&self, error: &KafkaError) -> WriteFault {
        let _ = self.producer.abort_transaction(WAIT);
        WriteFault::None(self.said(error))
    }

    fn said(&self, error: &KafkaError) -> String {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Denied { resource: Resource::Topic(self.topic), right: Right::Write }.to_string()
            }
            Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced) => {
                "another `hotlead state move` has begun".to_owned()
            }
            _ => format!("topic {}: {error}", self.topic),
        }
    }
}

/// The same call until it ends, or the time is over.
fn again(give_up: Instant, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    loop {
        match call() {
            Err(error) if Verdict::on(&error) == Verdict::Again && Instant::now() < give_up => {}
            ended => return ended,
        }
    }
}

fn config(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap());
    for (name, value) in kafka.client_properties() {
        config.set(name, value);
    }
    config
}
