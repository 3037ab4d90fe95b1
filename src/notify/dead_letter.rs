//! Deliveries that are given up: the alert as it was published, with headers that say why.

use std::future::Future;
use std::pin::Pin;

use rdkafka::ClientContext;
use rdkafka::error::KafkaResult;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

use super::job::GivenUp;
use super::kafka::client_config;
use super::redact::Redactor;
use crate::config::settings::Settings;
use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;

/// Bytes of `hotlead_detail`.
const MAX_DETAIL: usize = 1024;

/// A record of the alert topic, as it came.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// The lead's key.
    pub key: Option<Vec<u8>>,
    /// The alert.
    pub value: Option<Vec<u8>>,
    /// Names and values.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Incoming {
    /// The alert's id as the CloudEvents header has it.
    pub fn alert_id(&self) -> String {
        let header = self.headers.iter().find(|(name, _)| name == "ce_id");
        let value = header.and_then(|(_, value)| value.as_deref()).unwrap_or(b"-");
        String::from_utf8_lossy(value).into_owned()
    }
}

/// A record for the dead-letter topic.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// As the alert had it.
    pub key: Option<Vec<u8>>,
    /// As the alert had it.
    pub value: Option<Vec<u8>>,
    /// The alert's own, then ours.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl DeadLetter {
    /// Of a delivery that is given up; `topic` is the alert topic.
    pub fn new(sink: &str, topic: &str, given_up: &GivenUp<Incoming>, redactor: &Redactor) -> Self {
        let (Partition(partition), Offset(offset)) = (given_up.ticket.partition, given_up.ticket.offset);
        let mut detail = redactor.redact(&given_up.detail);
        detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
        let ours = [
            ("hotlead_sink", sink.to_owned()),
            ("hotlead_reason", given_up.reason.name().to_owned()),
            ("hotlead_detail", detail),
            ("hotlead_attempts", given_up.attempts.to_string()),
            ("hotlead_first_failed", given_up.first_failed.map(|t: Timestamp| t.to_string()).unwrap_or_default()),
            ("hotlead_last_status", given_up.last_status.map(|s| s.to_string()).unwrap_or_default()),
            ("hotlead_source", format!("{topic}/{partition}@{offset}")),
            ("hotlead_redrives", "0".to_owned()),
        ];
        let record = &given_up.record;
        let mut headers = record.headers.clone();
        headers.extend(ours.map(|(name, value)| (name.to_owned(), Some(value.into_bytes()))));
        Self { key: record.key.clone(), value: record.value.clone(), headers }
    }
}

/// Where dead letters go.
pub trait Graveyard: Send + Sync {
    /// Ends when the letter is safe, or with the reason why it is not.
    fn bury<'a>(&'a self, letter: &'a DeadLetter) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}

/// The dead-letter topic.
pub struct DeadLetterTopic {
    producer: ThreadedProducer<Acknowledged>,
    topic: String,
}

struct Acknowledged;

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = Box<oneshot::Sender<Result<(), String>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let result = result.as_ref().map(|_| ()).map_err(|(error, _)| error.to_string());
        let _ = waiting.send(result); // nobody waits any more: the process is stopping
    }
}

impl DeadLetterTopic {
    /// Prepares the producer; it connects when there is something to send.
    ///
    /// # Errors
    /// If librdkafka refuses a property.
    pub fn new(settings: &Settings) -> KafkaResult<Self> {
        let mut config = client_config(&settings.kafka);
        config
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("message.timeout.ms", "30000")
            .set("queue.buffering.max.kbytes", "16384");
        Ok(Self { producer: config.create_with_context(Acknowledged)?, topic: settings.topics.dead_letter.clone() })
    }
}

impl Graveyard for DeadLetterTopic {
    fn bury<'a>(&'a self, letter: &'a DeadLetter) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            let mut headers = OwnedHeaders::new_with_capacity(letter.headers.len());
            for (key, value) in &letter.headers {
                headers = headers.insert(Header { key, value: value.as_ref() });
            }
            let (sender, acknowledged) = oneshot::channel();
            let mut record =
                BaseRecord::<[u8], [u8], _>::with_opaque_to(&self.topic, Box::new(sender)).headers(headers);
            record.key = letter.key.as_deref();
            record.payload = letter.value.as_deref();
            self.producer.send(record).map_err(|(error, _)| error.to_string())?;
            acknowledged.await.map_err(|_| "the producer ended".to_owned())?
        })
    }
}
