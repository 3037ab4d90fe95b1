//! The producer of one worker: a whole commit round is on the topics, with its offsets, or nothing of it.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::changelog::Changelog;
use super::outgoing::{Outgoing, Target};
use super::verdict::Verdict;
use crate::config::settings::{Kafka, Topics};
use crate::core::limits::MAX_SENT_RECORD;
use crate::telemetry::broker_log::BrokerLog;

/// How long one call may block before we look whether to stop.
const CALL: Duration = Duration::from_secs(5);

/// Between two looks at what is in flight: spinning starves the broker on a small machine, a longer sleep is latency.
const DRAIN_STEP: Duration = Duration::from_micros(50);

/// How a round is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Exactly once. The id is stable: a new process with the same id ends what the old one left open.
    Transactional {
        /// The transactional id.
        id: String,
    },
    /// At least once, for a broker without transactions: the caller commits the offsets afterwards.
    Plain,
}

/// Why a round is not on the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// Nothing of the round is visible; undo it and read its records again.
    Aborted(String),
    /// As aborted, because a record is larger than its topic takes.
    TooLarge,
    /// Another process runs with the same instance name.
    Fenced,
    /// We were told to stop while the brokers did not answer; what is committed is safe.
    GaveUp,
    /// Only a new process helps; what is committed is safe.
    Broken(String),
}

/// Notes the first record that was not taken.
struct Deliveries {
    log: BrokerLog,
    failed: Mutex<Option<RDKafkaErrorCode>>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.line(level as i32, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().map_or(0, |code| code as i32);
        self.log.fault(code, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.note(error.rdkafka_error_code());
        }
    }
}

impl Deliveries {
    fn note(&self, code: Option<RDKafkaErrorCode>) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        // A size error explains the purges that follow from it.
        let newer = code.unwrap_or(RDKafkaErrorCode::Fail);
        if failed.is_none() || newer == RDKafkaErrorCode::MessageSizeTooLarge {
            *failed = Some(newer);
        }
    }

    fn take(&self) -> Option<RDKafkaErrorCode> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.take()
    }
}

/// A producer and how it commits.
pub struct Outbox {
    producer: BaseProducer<Deliveries>,
    transactional: bool,
    alerts: String,
    dead_letters: String,
    state: String,
    give_up: Box<dyn Fn() -> bool + Send>,
}

impl Outbox {
    /// A producer; a transactional one blocks until it has ended what a former process of the same id left open.
    /// `give_up` says whether to stop waiting for brokers that do not answer.
    ///
    /// # Errors
    /// [`PublishError`], never aborted.
    pub fn open(
        kafka: &Kafka,
        topics: &Topics,
        delivery: &Delivery,
        log: BrokerLog,
        give_up: impl Fn() -> bool + Send + 'static,
    ) -> Result<Self, PublishError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.bootstrap());
        config.set("compression.type", "lz4");
        for (name, value) in kafka.client_properties() {
            config.set(name, value);
        }
        // Records of a round are ready together: waiting for more is pure latency.
        config.set("linger.ms", "0");
        config.set("message.max.bytes", MAX_SENT_RECORD.to_string());
        // Java's partitioner: other clients find a lead on the same partition.
        config.set("partitioner", "murmur2_random");
        if let Delivery::Transactional { id } = delivery {
            config.set("transactional.id", id);
            config.set("transaction.timeout.ms", "10000");
        }
        let deliveries = Deliveries { log, failed: Mutex::default() };
        let producer: BaseProducer<Deliveries> = config
            .create_with_context(deliveries)
            .map_err(|error| PublishError::Broken(format!("the producer refuses: {error}")))?;
        let outbox = Self {
            producer,
            transactional: matches!(delivery, Delivery::Transactional { .. }),
            alerts: topics.alerts.clone(),
            dead_letters: topics.dead_letter.clone(),
            state: topics.state.clone(),
            give_up: Box::new(give_up),
        };
        if outbox.transactional {
            outbox.insist(|producer| producer.init_transactions(CALL))?;
        }
        Ok(outbox)
    }

    /// Whether offsets go into the transaction; otherwise the caller commits them after [`Self::publish`].
    pub fn holds_offsets(&self) -> bool {
        self.transactional
    }

    /// Publishes a round. When it returns, everything is committed, or nothing is and no transaction is open.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(
        &self,
        round: &[Outgoing],
        changelog: &Changelog,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), PublishError> {
        if !self.transactional {
            self.send(round, changelog)?;
            return self.failed().map_or(Ok(()), Err);
        }
        let published = self.transaction(round, changelog, offsets, group);
        if let Err(PublishError::Aborted(_) | PublishError::TooLarge) = &published {
            self.abort()?;
        }
        published
    }

    fn transaction(
        &self,
        round: &[Outgoing],
        changelog: &Changelog,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), PublishError> {
        self.insist(|producer| producer.begin_transaction())?;
        self.send(round, changelog)?;
        if let Some(error) = self.failed() {
            return Err(error);
        }
        self.insist(|producer| producer.send_offsets_to_transaction(offsets, group, CALL))?;
        // Nothing is in flight: with something in flight it would wait in steps of 100 ms.
        self.insist(|producer| producer.commit_transaction(CALL))
    }

    /// Sends all records and waits until the brokers took or refused them.
    fn send(&self, round: &[Outgoing], changelog: &Changelog) -> Result<(), PublishError> {
        self.producer.context().take();
        for record in round {
            let topic = match record.target {
                Target::Alerts => &self.alerts,
                Target::DeadLetters => &self.dead_letters,
            };
            self.enqueue(|| {
                let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
                for (key, value) in &record.headers {
                    let value = value.as_deref();
                    headers = headers.insert(Header { key, value });
                }
                let mut base: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).headers(headers);
                base.key = record.key.as_deref();
                base.payload = record.value.as_deref();
                base
            })?;
        }
        for entry in changelog.entries() {
            self.enqueue(|| {
                let mut base: BaseRecord<'_, [u8], [u8]> =
                    BaseRecord::to(&self.state).partition(entry.partition.0).key(entry.key);
                base.payload = entry.value;
                base
            })?;
        }
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::ZERO);
            thread::sleep(DRAIN_STEP);
            if (self.give_up)() {
                return Err(PublishError::GaveUp);
            }
        }
        Ok(())
    }

    /// Puts a record into the producer's queue; waits while that is full.
    fn enqueue<'a>(&self, record: impl Fn() -> BaseRecord<'a, [u8], [u8]>) -> Result<(), PublishError> {
        loop {
            match self.producer.send(record()) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.producer.poll(Duration::from_millis(1));
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge), _)) => {
                    return Err(PublishError::TooLarge);
                }
                Err((error, _)) => return Err(PublishError::Aborted(error.to_string())),
            }
        }
    }

    fn failed(&self) -> Option<PublishError> {
        Some(match self.producer.context().take()? {
            RDKafkaErrorCode::MessageSizeTooLarge => PublishError::TooLarge,
            RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced => PublishError::Fenced,
            code => PublishError::Aborted(format!("a record was not taken: {code}")),
        })
    }

    /// Ends the transaction without a trace.
    fn abort(&self) -> Result<(), PublishError> {
        // With records in flight the call would wait for reports that only we can fetch.
        self.producer.purge(PurgeConfig::default().queue().inflight());
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::from_millis(1));
        }
        match self.insist(|producer| producer.abort_transaction(CALL)) {
            Err(PublishError::Aborted(text)) => Err(PublishError::Broken(text)),
            other => other,
        }
    }

    /// Makes a call, again as long as the error says so.
    fn insist(&self, call: impl Fn(&BaseProducer<Deliveries>) -> KafkaResult<()>) -> Result<(), PublishError> {
        loop {
            let Err(error) = call(&self.producer) else {
                return Ok(());
            };
            self.producer.poll(Duration::ZERO);
            match Verdict::on(&error) {
                Verdict::Again if (self.give_up)() => return Err(PublishError::GaveUp),
                // A coordinator that loads answers at once: not a thousand times a second.
                Verdict::Again => thread::sleep(Duration::from_millis(20)),
                Verdict::Abort => return Err(PublishError::Aborted(error.to_string())),
                Verdict::Fenced => return Err(PublishError::Fenced),
                Verdict::Stop => return Err(PublishError::Broken(error.to_string())),
            }
        }
    }

    /// Lets callbacks speak while there is nothing to publish.
    pub fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }
}
