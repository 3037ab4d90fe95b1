//! Why a group member cannot go on, and whether asking again helps.

use std::fmt;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why a member cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceError {
    /// Another process runs with the same instance name.
    Fenced,
    /// The brokers did not answer, or not now: ask again.
    Away(String),
    /// We lack a right: the line about it.
    Forbidden(String),
    /// It will not get better by itself.
    Broken(String),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced => f.write_str("fenced"),
            Self::Away(text) | Self::Forbidden(text) | Self::Broken(text) => f.write_str(text),
        }
    }
}

pub(super) fn fatal(code: RDKafkaErrorCode) -> SourceError {
    match code {
        RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::Fenced => SourceError::Fenced,
        code => SourceError::Broken(format!("the consumer failed: {code}")),
    }
}

pub(super) fn broken(error: &KafkaError) -> SourceError {
    SourceError::Broken(format!("the consumer refuses: {error}"))
}

pub(super) fn away(error: &KafkaError) -> SourceError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::FencedInstanceId) => SourceError::Fenced,
        _ => SourceError::Away(error.to_string()),
    }
}
