//! What the brokers report of each record of a round, and what librdkafka has to say meanwhile.

use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;

use crate::telemetry::broker_log::BrokerLog;

/// Notes the first record that was not taken.
pub(super) struct Deliveries {
    log: BrokerLog,
    failed: Mutex<Option<Failed>>,
}

/// Why a record was not taken, and by which topic.
pub(super) struct Failed {
    pub(super) code: RDKafkaErrorCode,
    pub(super) topic: String,
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
        if let Err((error, record)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            self.note(Failed { code, topic: record.topic().to_owned() });
        }
    }
}

impl Deliveries {
    /// Of a producer that tells this log.
    pub(super) fn new(log: BrokerLog) -> Self {
        Self { log, failed: Mutex::default() }
    }

    fn note(&self, newer: Failed) {
        use RDKafkaErrorCode::{MessageSizeTooLarge, TopicAuthorizationFailed};
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        // These explain the purges that follow from them.
        if failed.is_none() || matches!(newer.code, MessageSizeTooLarge | TopicAuthorizationFailed) {
            *failed = Some(newer);
        }
    }

    pub(super) fn take(&self) -> Option<Failed> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.take()
    }
}
