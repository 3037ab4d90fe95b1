//! What operators say about leads, written to the feedback topic.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use crate::config::settings::Kafka;
use crate::core::ids::Partition;

/// How long the brokers may take.
const WAIT: Duration = Duration::from_secs(10);

/// Writes that a lead is to be erased: to the partition that has it, to all when that is not known. Blocks.
///
/// # Errors
/// One line: what the brokers said, or that they said nothing.
pub fn erase(kafka: &Kafka, topic: &str, lead: &str, known: Option<Partition>) -> Result<(), String> {
    let value = serde_json::json!({ "version": 1, "kind": "erase", "lead": lead }).to_string();
    tell(kafka, topic, lead.as_bytes(), value.as_bytes(), known)
}

/// Writes one record to a partition, or to each of the topic's.
pub(super) fn tell(
    kafka: &Kafka,
    topic: &str,
    key: &[u8],
    value: &[u8],
    known: Option<Partition>,
) -> Result<(), String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap());
    for (name, value) in kafka.client_properties() {
        config.set(name, value);
    }
    config.set("enable.idempotence", "true");
    let failed = Failed::default();
    let producer: BaseProducer<Failed> =
        config.create_with_context(failed.clone()).map_err(|error| format!("the producer refuses: {error}"))?;
    let partitions = match known {
        Some(partition) => vec![partition.0],
        None => {
            let metadata = producer.client().fetch_metadata(Some(topic), WAIT);
            let metadata = metadata.map_err(|error| format!("cannot reach Kafka at {}: {error}", kafka.bootstrap()))?;
            let found = metadata.topics().iter().find(|found| found.name() == topic && !found.partitions().is_empty());
            let found = found.ok_or_else(|| format!("topic {topic} does not exist (`hotlead run` creates it)"))?;
            found.partitions().iter().map(|partition| partition.id()).collect()
        }
    };
    for partition in partitions {
        let record = BaseRecord::to(topic).partition(partition).key(key).payload(value);
        producer.send(record).map_err(|(error, _)| format!("topic {topic}: {error}"))?;
    }
    producer.flush(WAIT).map_err(|error| format!("topic {topic}: {error}"))?;
    match failed.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(fault) => Err(format!("topic {topic}: {fault}")),
        None => Ok(()),
    }
}

/// What the brokers said of a record that they did not take.
#[derive(Clone, Default)]
pub(super) struct Failed(pub(super) Arc<Mutex<Option<String>>>);

impl ClientContext for Failed {}

impl ProducerContext for Failed {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }
    }
}
