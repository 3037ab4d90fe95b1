//! What an error of a transaction asks for.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same call again.
    Again,
    /// Abort, undo, read again.
    Abort,
    /// Another process has our name.
    Fenced,
    /// Only a new producer of the same name ends this transaction.
    Renew,
    /// Nothing helps but a new process: what is committed is safe.
    Stop,
}

/// The traits of an error that decide.
#[derive(Clone, Copy, Debug)]
struct Traits {
    code: Option<RDKafkaErrorCode>,
    retriable: bool,
    requires_abort: bool,
    fatal: bool,
}

impl Verdict {
    pub(super) fn on(error: &KafkaError) -> Self {
        let code = error.rdkafka_error_code();
        Self::of(match error {
            KafkaError::Transaction(inner) => Traits {
                code,
                retriable: inner.is_retriable(),
                requires_abort: inner.txn_requires_abort(),
                fatal: inner.is_fatal(),
            },
            // A flush that ran out of time.
            KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut) => {
                Traits { code, retriable: true, requires_abort: false, fatal: false }
            }
            _ => Traits { code, retriable: false, requires_abort: false, fatal: false },
        })
    }

    fn of(traits: Traits) -> Self {
        use RDKafkaErrorCode as Code;
        match traits.code {
            Some(Code::Fenced | Code::ProducerFenced | Code::FencedInstanceId) => Self::Fenced,
            // An old epoch is a fence too, unless an abort is enough to get a new one.
            Some(Code::InvalidProducerEpoch) if !traits.requires_abort => Self::Fenced,
            // The coordinator gave the transaction up, or a record was lost from its sequence.
            Some(
                Code::InvalidTransactionalState
                | Code::OutOfOrderSequenceNumber
                | Code::UnknownProducerId
                | Code::InvalidProducerIdMapping,
            ) if !traits.requires_abort => Self::Renew,
            _ if traits.fatal => Self::Stop,
            _ if traits.requires_abort => Self::Abort,
            _ if traits.retriable => Self::Again,
            _ => Self::Stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_error_has_its_answer() {
        use RDKafkaErrorCode as Code;
        #[rustfmt::skip]
        let rows = [
            // code                           retriable, abort, fatal
            (Code::OperationTimedOut,              true,  false, false, Verdict::Again,  "brokers slow"),
            (Code::CoordinatorLoadInProgress,      true,  false, false, Verdict::Again,  "a broker that just started"),
            (Code::IllegalGeneration,              false, true,  false, Verdict::Abort,  "the group moved on"),
            (Code::UnknownMemberId,                false, true,  false, Verdict::Abort,  "the group forgot us"),
            (Code::OperationTimedOut,              true,  true,  false, Verdict::Abort,  "an abort wins over again"),
            (Code::Fenced,                         false, false, true,  Verdict::Fenced, "librdkafka's own code"),
            (Code::ProducerFenced,                 false, true,  false, Verdict::Fenced, "the broker's code"),
            (Code::FencedInstanceId,               false, true,  false, Verdict::Fenced, "the group's code"),
            (Code::InvalidProducerEpoch,           false, false, true,  Verdict::Fenced, "an old epoch"),
            (Code::InvalidProducerEpoch,           false, true,  false, Verdict::Abort,  "an epoch that an abort renews"),
            (Code::TransactionalIdAuthorizationFailed, false, false, true, Verdict::Stop, "not permitted"),
            (Code::InvalidTransactionalState,      false, false, true,  Verdict::Renew,  "the coordinator gave it up"),
            (Code::InvalidTransactionalState,      false, true,  false, Verdict::Abort,  "unless an abort is enough"),
            (Code::OutOfOrderSequenceNumber,       false, false, true,  Verdict::Renew,  "a record was lost on the way"),
            (Code::State,                          false, false, false, Verdict::Stop,   "a call out of turn is our fault"),
        ];
        for (code, retriable, requires_abort, fatal, expected, why) in rows {
            let traits = Traits { code: Some(code), retriable, requires_abort, fatal };
            assert_eq!(Verdict::of(traits), expected, "{why}");
        }
    }
}
