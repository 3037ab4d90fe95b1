//! Deliveries that are given up: the alert as it was published, with headers that say why.

use super::job::Write;
use super::redact::Redactor;
use super::verdict::Reason;
use crate::codec::ledger::{Bytes, INSTEAD_OF, Payload};
use crate::core::alert::AlertKind;
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
    pub fn id(&self) -> Option<&[u8]> {
        let header = self.headers.iter().find(|(name, _)| name == "ce_id");
        header.and_then(|(_, value)| value.as_deref())
    }

    /// The sink in whose place it came, if this one is that sink's fallback.
    pub fn instead_of(&self) -> Option<&str> {
        let header = self.headers.iter().find(|(name, _)| name == INSTEAD_OF);
        header.and_then(|(_, value)| std::str::from_utf8(value.as_deref()?).ok())
    }

    /// Whether the alert only changes what an earlier one said: it was updated or closed.
    pub fn changes_a_card(&self) -> bool {
        #[derive(serde::Deserialize)]
        struct Head {
            kind: AlertKind,
        }
        let head = serde_json::from_slice::<Head>(self.value.as_deref().unwrap_or_default());
        head.is_ok_and(|head| head.kind != AlertKind::Opened)
    }

    /// The event that led to the alert, `topic/partition@offset`.
    pub fn event(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Head {
            trigger: Trigger,
        }
        #[derive(serde::Deserialize)]
        struct Trigger {
            source: String,
        }
        let head = serde_json::from_slice::<Head>(self.value.as_deref().unwrap_or_default());
        head.ok().map(|head| head.trigger.source)
    }

    /// Its id for people.
    pub fn alert_id(&self) -> String {
        String::from_utf8_lossy(self.id().unwrap_or(b"-")).into_owned()
    }
}

impl From<Payload> for Incoming {
    fn from(payload: Payload) -> Self {
        let bytes = |bytes: Option<Bytes>| bytes.map(|bytes| bytes.0);
        let headers = payload.headers.into_iter().map(|(name, value)| (name, bytes(value)));
        Self { key: bytes(payload.key), value: bytes(payload.value), headers: headers.collect() }
    }
}

impl From<&Incoming> for Payload {
    fn from(record: &Incoming) -> Self {
        let bytes = |bytes: &Option<Vec<u8>>| bytes.clone().map(Bytes);
        let headers = record.headers.iter().map(|(name, value)| (name.clone(), bytes(value)));
        Self { key: bytes(&record.key), value: bytes(&record.value), headers: headers.collect() }
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
    pub fn new(sink: &str, topic: &str, given_up: &Write<Incoming>, reason: Reason, redactor: &Redactor) -> Self {
        let (Partition(partition), Offset(offset)) = (given_up.ticket.partition, given_up.ticket.offset);
        let tries = &given_up.tries;
        let mut detail = redactor.redact(&tries.detail);
        detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
        let ours = [
            ("hotlead_sink", sink.to_owned()),
            ("hotlead_reason", reason.name().to_owned()),
            ("hotlead_detail", detail),
            ("hotlead_attempts", tries.attempts.to_string()),
            ("hotlead_first_failed", tries.first_failed.map(|t: Timestamp| t.to_string()).unwrap_or_default()),
            ("hotlead_last_status", tries.last_status.map(|s| s.to_string()).unwrap_or_default()),
            ("hotlead_source", format!("{topic}/{partition}@{offset}")),
            ("hotlead_redrives", tries.redrives.to_string()),
        ];
        let record = &given_up.record;
        let mut headers = record.headers.clone();
        headers.extend(ours.map(|(name, value)| (name.to_owned(), Some(value.into_bytes()))));
        Self { key: record.key.clone(), value: record.value.clone(), headers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_opened_stands_by_itself() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"id":"1","kind":"opened"}"#,  false),
            (r#"{"id":"1","kind":"updated"}"#, true),
            (r#"{"id":"1","kind":"closed"}"#,  true),
            // No alert of ours: refused when it is sent, not passed over.
            (r#"{"id":"1","kind":"other"}"#,   false),
            ("{}",                             false),
        ];
        for (value, changes) in rows {
            let record = Incoming { value: Some(value.as_bytes().to_vec()), ..Incoming::default() };
            assert_eq!(record.changes_a_card(), changes, "{value}");
        }
    }
}
