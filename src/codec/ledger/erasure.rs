//! What a ledger says of leads that were erased: which alerts nobody is told of any more, and which messages in Slack have yet
//! to lose what they say.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::card::{Intent, Place};
use super::is_false;
use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;

/// What the key of an erasure begins with; see [`Erasure::key`].
const ERASE: &[u8] = b"ask/erase/";

/// Before a card's episode: it is to say no longer whom it was about.
pub const REDACT: &[u8] = b"redact/";

/// A lead was erased. Nothing in it says who: it stays on the ledger for as long as an alert of before may turn up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// See [`lead_hash`].
    pub lead: String,
    /// When it was asked for: an owner may hear of it much later.
    pub time: Timestamp,
    /// The partition of the events whose owner erased it, `topic/partition`; none if nobody owned it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where the owner stood in that partition: alerts that events before this led to are of before the erasure.
    #[serde(default)]
    pub before: i64,
    /// The sink's own note that it knows: what its cards said is in redactions since.
    #[serde(default, skip_serializing_if = "is_false")]
    pub heard: bool,
}

impl Erasure {
    /// By the owner of a partition of the events, who has read it up to there.
    pub fn by_owner(lead: &[u8], time: Timestamp, (topic, partition): (&str, Partition), next: Offset) -> Self {
        let source = Some(format!("{topic}/{partition}"));
        Self { lead: lead_hash(lead), time, source, before: next.0, heard: false }
    }

    /// While no partition of the events has an owner.
    pub fn by_nobody(lead: &[u8], time: Timestamp) -> Self {
        Self { lead: lead_hash(lead), time, source: None, before: 0, heard: false }
    }

    /// The record's key: each owner's erasure has its own, a later one takes the place of an earlier.
    pub fn key(&self) -> Vec<u8> {
        [ERASE, self.lead.as_bytes(), b"/", self.source.as_deref().unwrap_or("-").as_bytes()].concat()
    }

    /// Whether an alert of this lead is of before the erasure: by the event that led to it (`topic/partition@offset`) where its
    /// partition is known to the erasure, else by the Kafka timestamp of the alert's record.
    pub fn covers(&self, event: Option<&str>, time: Timestamp) -> bool {
        let place = event.and_then(|event| event.rsplit_once('@'));
        match place.and_then(|(source, offset)| Some((source, offset.parse::<i64>().ok()?))) {
            Some((source, offset)) if self.source.as_deref() == Some(source) => offset < self.before,
            _ => time <= self.time,
        }
    }
}

/// Whether this is the key of an erasure.
pub fn is_erasure(key: &[u8]) -> bool {
    key.starts_with(ERASE)
}

/// Stands for a lead where its key must not: 32 hexadecimal digits of SHA-256.
pub fn lead_hash(lead: &[u8]) -> String {
    Sha256::digest(lead)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Messages in Slack that are to lose what they say of a lead; a tombstone follows when they have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redaction {
    /// Stands for the card in its metadata.
    pub episode: String,
    /// The newest alert that the card showed: of its metadata.
    pub alert_id: String,
    /// When it was asked for.
    pub asked: Timestamp,
    /// What has to be edited.
    pub places: Vec<Place>,
    /// A message of which nobody knows whether it was posted: it is looked for first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
}

impl Redaction {
    /// The record's key.
    pub fn key(&self) -> Vec<u8> {
        [REDACT, self.episode.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_of_before_by_its_event_or_else_by_its_time() {
        let at = Timestamp::from_millis;
        let owned = Erasure::by_owner(b"u1", at(1_000), ("events", Partition(2)), Offset(7));
        let nobodys = Erasure::by_nobody(b"u1", at(1_000));
        #[rustfmt::skip]
        let rows = [
            // event,                record's time, by the owner, by nobody
            (Some("events/2@6"),     9_999,         true,         false),
            (Some("events/2@7"),     0,             false,        true),
            (Some("events/3@6"),     1_000,         true,         true),
            (Some("events/3@6"),     1_001,         false,        false),
            (Some("other/2@6"),      1_001,         false,        false),
            (Some("a.ndjson:6"),     1_000,         true,         true),
            (Some("events/2@x"),     1_001,         false,        false),
            (None,                   1_000,         true,         true),
        ];
        for (event, time, by_owner, by_nobody) in rows {
            let covered = (owned.covers(event, at(time)), nobodys.covers(event, at(time)));
            assert_eq!(covered, (by_owner, by_nobody), "{event:?} at {time}");
        }
    }

    #[test]
    fn nothing_in_it_says_who() {
        let erasure =
            Erasure::by_owner(b"dana@acme.example", Timestamp::default(), ("events", Partition(2)), Offset(7));
        let key = String::from_utf8(erasure.key()).expect("text");
        assert!(is_erasure(key.as_bytes()) && key.ends_with("/events/2"), "{key}");
        assert_ne!(key.as_bytes(), Erasure::by_nobody(b"dana@acme.example", Timestamp::default()).key());
        let value = serde_json::to_string(&erasure).expect("JSON");
        assert!(!key.contains("dana") && !value.contains("dana"), "{key} {value}");
        assert_eq!(erasure.lead.len(), 32);
    }
}
