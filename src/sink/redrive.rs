//! What a redrive writes: wishes to the ledgers of sinks, and events back to their topic, each with a note of it in one
//! transaction.

use std::sync::PoisonError;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};

use super::feedback::Failed;
use crate::codec::feedback;
use crate::codec::ledger::{self, Entry, Redrive};
use crate::codec::letter::Headers;
use crate::config::settings::Kafka;
use crate::core::ids::Partition;
use crate::core::limits::MAX_SENT_RECORD;
use crate::core::time::Timestamp;

/// How long the brokers may take.
const WAIT: Duration = Duration::from_secs(15);

/// How long a transaction may be open: after a kill, the next redrive waits so long at the most.
const TRANSACTION: &str = "10000";

/// An event as it goes back.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Where it lay, and lies again.
    pub partition: Partition,
    /// Its record's timestamp; `None` is now.
    pub time: Option<Timestamp>,
    /// As it was.
    pub key: Option<&'a [u8]>,
    /// As it was.
    pub value: Option<&'a [u8]>,
    /// As they were.
    pub headers: &'a Headers,
}

/// A producer for one command. Blocks; not for a thread of an async runtime.
pub struct Redriver {
    producer: BaseProducer<Failed>,
}

impl Redriver {
    /// One that asks the owners of ledgers.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn of_deliveries(kafka: &Kafka) -> Result<Self, String> {
        Self::open(kafka, |config| {
            config.set("enable.idempotence", "true").set("message.timeout.ms", WAIT.as_millis().to_string());
        })
    }

    /// One that gives events back. There is one at a time in a deployment: an older one can write nothing any more, so
    /// whoever reads the notes from now on knows all that was given back.
    ///
    /// # Errors
    /// One line: what the brokers said, or that they said nothing.
    pub fn of_events(kafka: &Kafka, group: &str) -> Result<Self, String> {
        let id = format!("{group}-redrive");
        let redriver = Self::open(kafka, |config| {
            config.set("transactional.id", &id).set("transaction.timeout.ms", TRANSACTION);
        })?;
        redriver.producer.init_transactions(WAIT).map_err(|error| words(kafka, &error))?;
        Ok(redriver)
    }

    fn open(kafka: &Kafka, set: impl FnOnce(&mut ClientConfig)) -> Result<Self, String> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.bootstrap());
        for (name, value) in kafka.client_properties() {
            config.set(name, value);
        }
        config.set("linger.ms", "0").set("message.max.bytes", MAX_SENT_RECORD.to_string());
        set(&mut config);
        let producer = config.create_with_context(Failed::default());
        Ok(Self { producer: producer.map_err(|error| format!("the producer refuses: {error}"))? })
    }

    /// Asks the owner of an alert's partition to deliver it again; `key` is the alert's on the ledger.
    ///
    /// # Errors
    /// One line: what the brokers said, or that they said nothing.
    pub fn ask(&self, ledger: &str, partition: Partition, key: &[u8], wish: Redrive) -> Result<(), String> {
        let key = ledger::redrive_key(key, wish.redrives);
        let value = ledger::write(&Entry::Redrive(wish));
        let record = BaseRecord::<[u8], [u8]>::to(ledger).partition(partition.0).key(&key).payload(&value);
        self.send(record)?;
        self.sent()
    }

    /// Puts an event on its topic again, with a note on the feedback topic that this dead letter was redriven: both or
    /// neither.
    ///
    /// # Errors
    /// One line: what the brokers said, or that they said nothing. Nothing is written then.
    pub fn give_back(&self, events: &str, event: &Event<'_>, notes: &str, letter: &str) -> Result<(), String> {
        self.producer.begin_transaction().map_err(|error| fault(&error))?;
        let given = self.in_transaction(events, event, notes, letter);
        if given.is_err() {
            self.producer.purge(PurgeConfig::default().queue().inflight());
            // One that cannot be aborted ends by its time.
            let _ = self.producer.abort_transaction(WAIT);
        }
        given
    }

    fn in_transaction(&self, events: &str, event: &Event<'_>, notes: &str, letter: &str) -> Result<(), String> {
        let mut headers = OwnedHeaders::new_with_capacity(event.headers.len());
        for (key, value) in event.headers {
            headers = headers.insert(Header { key, value: value.as_ref() });
        }
        let mut record = BaseRecord::<[u8], [u8]>::to(events).partition(event.partition.0).headers(headers);
        (record.key, record.payload) = (event.key, event.value);
        record.timestamp = event.time.map(Timestamp::as_millis);
        self.send(record)?;
        let note = feedback::redriven(letter);
        let record = BaseRecord::<[u8], [u8]>::to(notes).partition(event.partition.0).key(letter.as_bytes());
        self.send(record.payload(&note))?;
        self.sent()?;
        insist(|| self.producer.commit_transaction(WAIT)).map_err(|error| fault(&error))
    }

    fn send(&self, record: BaseRecord<'_, [u8], [u8]>) -> Result<(), String> {
        self.producer.send(record).map_err(|(error, record)| format!("topic {}: {error}", record.topic))
    }

    /// Waits until the brokers have it.
    fn sent(&self) -> Result<(), String> {
        self.producer.flush(WAIT).map_err(|error| fault(&error))?;
        match self.producer.context().0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }
}

/// The call again while its error says that this may help.
fn insist(call: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
    const TRIES: usize = 3;
    for _ in 1..TRIES {
        match call() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && !error.txn_requires_abort() => {}
            done => return done,
        }
    }
    call()
}

fn fault(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch) => {
            "another redrive was started and goes on in its place".to_owned()
        }
        _ => error.to_string(),
    }
}

fn words(kafka: &Kafka, error: &KafkaError) -> String {
    format!("cannot reach Kafka at {}: {error}", kafka.bootstrap())
}
