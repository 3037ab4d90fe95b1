//! Notices to the ops topic, outside of any commit round: handed to a producer and never waited for.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use crate::codec::ops::{Notice, Type};
use crate::config::settings::{Kafka, Topics};
use crate::telemetry::Metrics;
use crate::telemetry::broker_log::BrokerLog;

/// How long the last notices may take when the process ends.
const LAST: Duration = Duration::from_secs(5);

/// Between two lines about notices that were not taken.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// What becomes of notices.
struct Outcomes {
    log: BrokerLog,
    metrics: Metrics,
    said: Mutex<Option<Instant>>,
}

impl ClientContext for Outcomes {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.line(level as i32, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().map_or(0, |code| code as i32);
        self.log.fault(code, reason);
    }
}

impl ProducerContext for Outcomes {
    type DeliveryOpaque = Box<Notice>;

    fn delivery(&self, result: &DeliveryResult<'_>, notice: Box<Notice>) {
        match (result, &notice.sink) {
            (Ok(_), Some(sink)) if notice.r#type == Type::Heartbeat => self.metrics.heartbeat(sink, Instant::now()),
            (Ok(_), _) => {}
            (Err((error, _)), _) => self.lost(&notice, error),
        }
    }
}

impl Outcomes {
    /// The log and the metrics have said the same: nothing else depends on it.
    fn lost(&self, notice: &Notice, error: &KafkaError) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() > SAY_AGAIN) {
            *said = Some(Instant::now());
            tracing::warn!(what = notice.r#type.name(), %error, "a notice did not reach the ops topic");
        }
    }
}

/// See the module's documentation.
pub struct Ops {
    producer: ThreadedProducer<Outcomes>,
    topic: String,
    group: String,
    metrics: Metrics,
}

impl fmt::Debug for Ops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ops")
    }
}

impl Ops {
    /// A producer for the notices of the deployment `group`; it contacts nobody yet.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn open(kafka: &Kafka, topics: &Topics, group: &str, metrics: Metrics) -> Result<Self, String> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.bootstrap());
        for (name, value) in kafka.client_properties() {
            config.set(name, value);
        }
        config.set("enable.idempotence", "true").set("linger.ms", "0");
        let outcomes = Outcomes { log: BrokerLog::default(), metrics: metrics.clone(), said: Mutex::default() };
        let producer = config.create_with_context(outcomes);
        let producer = producer.map_err(|error| format!("the producer of notices refuses: {error}"))?;
        Ok(Self { producer, topic: topics.ops.clone(), group: group.to_owned(), metrics })
    }

    /// Counts a notice and sends it. Returns at once.
    pub fn tell(&self, notice: Notice) {
        self.metrics.notice(notice.sink.as_deref().unwrap_or_default(), notice.r#type.name());
        let (key, value) = notice.record(&self.group);
        let record = BaseRecord::with_opaque_to(&self.topic, Box::new(notice)).key(&key).payload(&value);
        if let Err((error, record)) = self.producer.send(record) {
            self.producer.context().lost(&record.delivery_opaque, &error);
        }
    }

    /// Waits until the brokers have all notices, but not for long. Blocks.
    pub fn finish(&self) {
        // Who lost them says so.
        let _ = self.producer.flush(LAST);
    }
}
