//! The producer of one worker: a whole commit round is on the topics, with its offsets, or nothing of it.

mod reports;

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};
use rdkafka::topic_partition_list::TopicPartitionList;

use self::reports::{Deliveries, Failed};
use super::changelog::Changelog;
use super::outgoing::{Outgoing, Target};
use super::verdict::Verdict;
use crate::config::settings::{Kafka, Topics};
use crate::core::limits::MAX_SENT_RECORD;
use crate::telemetry::access::{Denied, Resource, Right};
use crate::telemetry::broker_log::BrokerLog;
use crate::telemetry::events::TransactionWaits;

/// How long one call may block before we look whether to stop.
const CALL: Duration = Duration::from_secs(5);

/// Between two lines about a call that has to be made again and again.
const TELL: Duration = Duration::from_secs(5);

/// How long a transaction may be open: after a crash, readers wait so long at the most.
const TRANSACTION: Duration = Duration::from_secs(10);

/// How long an abort may take: the coordinator has ended the transaction by itself then.
const ABORT: Duration = Duration::from_secs(15);

/// Between two looks at what is in flight: spinning starves the broker on a small machine, a longer sleep is latency.
/// What took long already may take a sixteenth longer: a large round's looks would cost more than they find.
const DRAIN_STEP: Duration = Duration::from_micros(50);
const LONGEST_DRAIN_STEP: Duration = Duration::from_millis(2);
const DRAIN_SHARE: u32 = 16;

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
    /// As aborted, but only a new producer of the same name can end the transaction: open another outbox.
    Lost(String),
    /// Another process runs with the same instance name.
    Fenced,
    /// We lack a right: the line about it.
    Forbidden(String),
    /// We were told to stop while the brokers did not answer; what is committed is safe.
    GaveUp,
    /// Only a new process helps; what is committed is safe.
    Broken(String),
}

impl PublishError {
    /// What an error means of a transaction that has been open for so long.
    fn after(self, open: Duration) -> Self {
        match self {
            // The coordinator ended it and took our epoch: there is no other process of our name.
            Self::Fenced if open >= TRANSACTION => {
                Self::Lost(format!("the transaction was open for {open:.1?}: the brokers gave it up"))
            }
            other => other,
        }
    }
}

/// A producer and how it commits.
pub struct Outbox {
    producer: BaseProducer<Deliveries>,
    /// `None` sends without transactions.
    transactional_id: Option<String>,
    alerts: String,
    dead_letters: String,
    ops: String,
    state: String,
    ledgers: Vec<String>,
    give_up: Box<dyn Fn() -> bool + Send>,
}

impl Outbox {
    /// A producer; a transactional one blocks until it has ended what a former process of the same id left open. `ledgers`
    /// are the topics of [`Target::Ledgers`].
    /// `give_up` says whether to stop waiting for brokers that do not answer.
    ///
    /// # Errors
    /// [`PublishError`], never aborted.
    pub fn open(
        kafka: &Kafka,
        topics: &Topics,
        ledgers: Vec<String>,
        delivery: &Delivery,
        log: BrokerLog,
        give_up: impl Fn() -> bool + Send + 'static,
    ) -> Result<Self, PublishError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.bootstrap());
        config.set("compression.type", "lz4");
        // A transaction may find the coordinator still ending the one before, and asks again after this. With the
        // default, 100 ms, one alert in ten was late by as much.
        config.set("retry.backoff.ms", "10");
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
            config.set("transaction.timeout.ms", TRANSACTION.as_millis().to_string());
        }
        let deliveries = Deliveries::new(log);
        let producer: BaseProducer<Deliveries> = config
            .create_with_context(deliveries)
            .map_err(|error| PublishError::Broken(format!("the producer refuses: {error}")))?;
        let outbox = Self {
            producer,
            transactional_id: match delivery {
                Delivery::Transactional { id } => Some(id.clone()),
                Delivery::Plain => None,
            },
            alerts: topics.alerts.clone(),
            dead_letters: topics.dead_letter.clone(),
            ops: topics.ops.clone(),
            state: topics.state.clone(),
            ledgers,
            give_up: Box::new(give_up),
        };
        if outbox.holds_offsets() {
            outbox.insist(|producer| producer.init_transactions(CALL))?;
        }
        Ok(outbox)
    }

    /// Whether offsets go into the transaction; otherwise the caller commits them after [`Self::publish`].
    pub fn holds_offsets(&self) -> bool {
        self.transactional_id.is_some()
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
        if !self.holds_offsets() {
            self.enqueue_all(round, changelog)?;
            self.drain()?;
            return self.failed().map_or(Ok(()), Err);
        }
        let begun = Instant::now();
        let published = self.transaction(round, changelog, offsets, group);
        let published = published.map_err(|error| error.after(begun.elapsed()));
        match &published {
            Err(PublishError::Aborted(_) | PublishError::TooLarge) => {
                self.abort().map_err(|error| error.after(begun.elapsed()))?;
            }
            // The process ends: readers need not wait until the transaction times out, if it can be helped.
            Err(PublishError::Forbidden(_)) => drop(self.abort()),
            _ => {}
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
        self.enqueue_all(round, changelog)?;
        // While the records are under way: both take a millisecond or two.
        let offsets = self.insist(|producer| producer.send_offsets_to_transaction(offsets, group, CALL));
        self.drain()?;
        // A record that was refused is the cause, whatever became of the offsets.
        self.failed().map_or(offsets, Err)?;
        // Nothing is in flight: with something in flight it would wait in steps of 100 ms.
        self.insist(|producer| producer.commit_transaction(CALL))
    }

    /// Hands all records to the producer.
    fn enqueue_all(&self, round: &[Outgoing], changelog: &Changelog) -> Result<(), PublishError> {
        self.producer.context().take();
        for record in round {
            let topic = match record.target {
                Target::Alerts => &self.alerts,
                Target::DeadLetters => &self.dead_letters,
                Target::Ops => &self.ops,
                Target::Ledgers => {
                    self.enqueue_everywhere(record)?;
                    continue;
                }
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
        Ok(())
    }

    /// Hands a record to the producer for each partition of each ledger: alerts of before the topics grew lie elsewhere than
    /// newer ones.
    fn enqueue_everywhere(&self, record: &Outgoing) -> Result<(), PublishError> {
        for topic in &self.ledgers {
            let away = |error: KafkaError| PublishError::Aborted(format!("{topic}: {error}"));
            let metadata = self.producer.client().fetch_metadata(Some(topic), CALL).map_err(away)?;
            match metadata.topics().iter().find_map(|topic| topic.error()).map(RDKafkaErrorCode::from) {
                // A ledger that is not there holds nothing.
                None | Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {}
                Some(RDKafkaErrorCode::TopicAuthorizationFailed) => return Err(forbidden(Resource::Topic(topic))),
                Some(code) => return Err(away(KafkaError::MetadataFetch(code))),
            }
            let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
            for partition in partitions.map(|partition| partition.id()) {
                self.enqueue(|| {
                    let mut base: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(partition);
                    base.key = record.key.as_deref();
                    base.payload = record.value.as_deref();
                    base
                })?;
            }
        }
        Ok(())
    }

    /// Waits until the brokers took or refused every record.
    fn drain(&self) -> Result<(), PublishError> {
        let begun = Instant::now();
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::ZERO);
            thread::sleep((begun.elapsed() / DRAIN_SHARE).clamp(DRAIN_STEP, LONGEST_DRAIN_STEP));
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
        let Failed { code, topic } = self.producer.context().take()?;
        Some(match code {
            RDKafkaErrorCode::TopicAuthorizationFailed => forbidden(Resource::Topic(&topic)),
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
        let begun = Instant::now();
        let aborted = self.insist(|producer| {
            let aborted = producer.abort_transaction(CALL);
            // librdkafka may ask for the same call again for ever.
            if begun.elapsed() < ABORT { aborted } else { aborted.or(Ok(())) }
        });
        match aborted {
            _ if begun.elapsed() >= ABORT => Err(PublishError::Lost("a transaction could not be aborted".to_owned())),
            Err(PublishError::Aborted(text)) => Err(PublishError::Lost(text)),
            other => other,
        }
    }

    /// Makes a call, again as long as the error says so.
    fn insist(&self, call: impl Fn(&BaseProducer<Deliveries>) -> KafkaResult<()>) -> Result<(), PublishError> {
        let mut told = Instant::now();
        loop {
            let Err(error) = call(&self.producer) else {
                return Ok(());
            };
            self.producer.poll(Duration::ZERO);
            if let Some(denied) = error.rdkafka_error_code().and_then(|code| self.denied(code)) {
                return Err(denied);
            }
            match Verdict::on(&error) {
                Verdict::Again if (self.give_up)() => return Err(PublishError::GaveUp),
                // A coordinator that loads answers at once: not a thousand times a second.
                Verdict::Again => {
                    thread::sleep(Duration::from_millis(20));
                    if told.elapsed() >= TELL {
                        told = Instant::now();
                        let reason = error.to_string();
                        TransactionWaits { id: self.transactional_id.as_deref(), reason: &reason }.tell();
                    }
                }
                Verdict::Abort => return Err(PublishError::Aborted(error.to_string())),
                Verdict::Fenced => return Err(PublishError::Fenced),
                Verdict::Renew => return Err(PublishError::Lost(error.to_string())),
                Verdict::Stop => return Err(PublishError::Broken(error.to_string())),
            }
        }
    }

    /// What an error says about a right on our own transactional id, if it is about one.
    fn denied(&self, code: RDKafkaErrorCode) -> Option<PublishError> {
        let id = self.transactional_id.as_deref()?;
        (code == RDKafkaErrorCode::TransactionalIdAuthorizationFailed).then(|| forbidden(Resource::TransactionalId(id)))
    }

    /// Lets callbacks speak while there is nothing to publish.
    pub fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }
}

/// What is said when we may not write.
fn forbidden(resource: Resource<'_>) -> PublishError {
    PublishError::Forbidden(Denied { resource, right: Right::Write }.to_string())
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::RDKafkaRespErr;

    use super::*;

    #[test]
    fn a_fence_after_the_transactions_time_is_not_another_process() {
        assert_eq!(PublishError::Fenced.after(TRANSACTION - Duration::from_millis(1)), PublishError::Fenced);
        let given_up = PublishError::Lost("the transaction was open for 10.0s: the brokers gave it up".into());
        assert_eq!(PublishError::Fenced.after(TRANSACTION), given_up);
        assert_eq!(PublishError::TooLarge.after(2 * TRANSACTION), PublishError::TooLarge);
    }

    /// Goal: each partition of a ledger is told of an erasure, or the round is aborted; only a ledger that is not there is passed
    /// over.
    #[test]
    fn a_ledger_that_is_away_for_a_moment_misses_no_erasure() {
        use RDKafkaRespErr::{RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART};
        let cluster = MockCluster::new(1).expect("a broker");
        cluster.create_topic("ledger", 3, 1).expect("a topic");
        let kafka = Kafka { brokers: vec![cluster.bootstrap_servers()], properties: Default::default() };
        let name = || "other".to_owned();
        let topics = Topics {
            events: name(),
            alerts: name(),
            dead_letter: name(),
            state: name(),
            feedback: name(),
            ops: name(),
            delivery: name(),
            replication_factor: None,
        };
        let ledgers = vec!["ledger".to_owned()];
        let outbox = Outbox::open(&kafka, &topics, ledgers, &Delivery::Plain, BrokerLog::default(), || false);
        let outbox = outbox.expect("an outbox");
        let (key, value) = (Some(b"key".to_vec()), Some(b"value".to_vec()));
        let record = Outgoing { target: Target::Ledgers, key, value, headers: Vec::new() };
        assert_eq!(outbox.enqueue_everywhere(&record), Ok(()));
        assert_eq!(outbox.producer.in_flight_count(), 3);
        cluster.topic_error("ledger", RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE).expect("set");
        assert!(matches!(outbox.enqueue_everywhere(&record), Err(PublishError::Aborted(_))));
        cluster.topic_error("ledger", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).expect("set");
        assert_eq!(outbox.enqueue_everywhere(&record), Ok(()));
    }
}
