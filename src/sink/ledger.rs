//! What operators ask of a sink, written to its ledger, where the owner of each partition reads it.

use super::feedback::tell;
use crate::codec::ledger::{self, Entry, Erasure};
use crate::config::settings::Kafka;
use crate::core::time::Timestamp;

/// Asks that a sink that is shut be opened again. Blocks.
///
/// # Errors
/// One line: what the brokers said, or that they said nothing.
pub fn unblock(kafka: &Kafka, ledger: &str, time: Timestamp) -> Result<(), String> {
    tell(kafka, ledger, ledger::UNBLOCK, &ledger::write(&Entry::Unblock { time }), None)
}

/// Tells a sink that a lead was erased while nobody owned the events. Blocks.
///
/// # Errors
/// As [`unblock`].
pub fn erase(kafka: &Kafka, ledger: &str, lead: &str, time: Timestamp) -> Result<(), String> {
    let erasure = Erasure::by_nobody(lead.as_bytes(), time);
    tell(kafka, ledger, &erasure.key(), &ledger::write(&Entry::Erase(erasure.clone())), None)
}
