//! The records of a sink's ledger: what became of each alert, what waits to be tried again, and the state of the sink.
//!
//! The topic is compacted. An alert's key is its id, or `@` and its offset where it has none; `sink` is the state of the
//! sink; what is asked of it begins with `ask/`; a Slack bot's cards begin with `card/`, its digests with `digest/`, what it
//! has to redact with `redact/`. A value is JSON with its version; none is a tombstone.

mod card;
mod erasure;

use serde::{Deserialize, Serialize};

use crate::core::ids::Offset;
use crate::core::time::Timestamp;

pub use card::{Card, Digest, Fired, Intent, Place, Shown};
pub use erasure::{Erasure, Redaction, is_erasure, lead_hash};

/// Of the records that are written; all up to this one can be read.
pub const VERSION: u32 = 3;

/// The key of the sink's own state.
pub const SINK: &[u8] = b"sink";

/// The key of the wish that a sink be opened again.
pub const UNBLOCK: &[u8] = b"ask/unblock";

/// What the key of a wish that a dead letter be delivered again begins with; see [`redrive_key`].
const REDRIVE: &[u8] = b"ask/redrive/";

/// The header of an alert that a fallback got: the id of the sink in whose place.
pub const INSTEAD_OF: &str = "hotlead_instead_of";

/// Before a lead's key: its card in Slack.
pub const CARD: &[u8] = b"card/";

/// Before a digest's id: one that was about to be posted.
pub const DIGEST: &[u8] = b"digest/";

/// A record's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Entry {
    /// An alert that is tried again later; its offset may be committed.
    Parked(Parked),
    /// An alert with its terminal state.
    Ended(Ended),
    /// How the sink stands.
    Sink(SinkState),
    /// An operator wants the sink opened again.
    Unblock {
        /// When it was asked for.
        time: Timestamp,
    },
    /// An operator wants a dead letter delivered again. Gone (a tombstone) as soon as another record of the alert says
    /// what became of it.
    Redrive(Redrive),
    /// A lead's card in Slack.
    Card(Card),
    /// A digest that was about to be posted; a tombstone follows when that is over.
    Digest(Digest),
    /// A lead was erased.
    Erase(Erasure),
    /// Messages that have yet to lose what they say of an erased lead.
    Redact(Redaction),
}

/// A dead letter that is to be delivered again, or an alert that comes in place of a sink that cannot be reached: that one
/// names the sink in a header, [`INSTEAD_OF`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redrive {
    /// Its offset on the alert topic.
    pub offset: i64,
    /// The Kafka timestamp of its record, or the earliest time that is known of it.
    pub time: Timestamp,
    /// When it was asked for: it may take so long from here as any alert from its record's time.
    pub asked: Timestamp,
    /// Which redrive of the alert this is, from 1.
    pub redrives: u32,
    /// The record itself.
    pub alert: Payload,
}

/// An alert that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// Its offset on the alert topic.
    pub offset: i64,
    /// The Kafka timestamp of its record.
    pub time: Timestamp,
    /// Not before this; a time that is past means behind another alert of its lead.
    pub next_at: Timestamp,
    /// What happened so far.
    #[serde(flatten)]
    pub tries: Tries,
    /// The record itself.
    pub alert: Payload,
}

/// An alert's terminal state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Its offset on the alert topic.
    pub offset: i64,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Why it was given up: the dead letter's `hotlead_reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The message that shows it, or one newer in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub tries: Tries,
}

/// The attempts at one alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tries {
    /// Made so far.
    pub attempts: u32,
    /// Those that the other side answered by refusing the message itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refusals: u32,
    /// When the first of them failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failed: Option<Timestamp>,
    /// The last HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    /// Of the last failure; never a value, never a secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// How often it came back from the dead letters; what stands above counts from the last time on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redrives: u32,
    /// When an operator asked for the last of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// Its sink cannot be reached, and the sink's fallback has it too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lent: bool,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_false(truth: &bool) -> bool {
    !truth
}

/// How a delivery ended: the label `outcome` of `hotlead_deliveries_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The other side has it.
    Delivered,
    /// It is in a digest.
    Coalesced,
    /// A newer one was sent in its place.
    Superseded,
    /// A policy holds it back for good.
    Suppressed,
    /// Its record left the topic by retention.
    Expired,
    /// It was given up, and lies in the dead-letter topic.
    DeadLettered,
}

impl Outcome {
    /// The metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Coalesced => "coalesced",
            Self::Superseded => "superseded",
            Self::Suppressed => "suppressed",
            Self::Expired => "expired",
            Self::DeadLettered => "dead_lettered",
        }
    }
}

/// How a sink stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SinkState {
    /// Whether it takes anything.
    pub standing: Standing,
    /// Since when.
    pub since: Timestamp,
    /// A hash of the address that this is about: another address starts open.
    pub endpoint: String,
    /// The answer that led to it; never a value, never a secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Since when it is tried and takes nothing: known where its fallback stands in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Timestamp>,
}

/// Whether a sink takes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Open,
    /// Its credential is refused.
    Blocked,
    /// It said that it is gone for good.
    Disabled,
}

impl Standing {
    /// The name in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Blocked => "blocked",
            Self::Disabled => "disabled",
        }
    }
}

/// A record of the alert topic, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// The lead's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Bytes>,
    /// The alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Bytes>,
    /// Names and values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// Bytes, as text where they are text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Bytes(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Raw { base64: String },
}

impl From<Written> for Bytes {
    fn from(written: Written) -> Self {
        use base64::Engine as _;
        match written {
            Written::Text(text) => Self(text.into_bytes()),
            // What somebody else damaged is delivered as what it is: refused, and seen.
            Written::Raw { base64 } => {
                Self(base64::engine::general_purpose::STANDARD.decode(base64).unwrap_or_default())
            }
        }
    }
}

impl From<Bytes> for Written {
    fn from(bytes: Bytes) -> Self {
        use base64::Engine as _;
        match String::from_utf8(bytes.0) {
            Ok(text) => Self::Text(text),
            Err(fault) => Self::Raw { base64: base64::engine::general_purpose::STANDARD.encode(fault.as_bytes()) },
        }
    }
}

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerFault {
    /// Written by a newer hotlead.
    Newer(u32),
    /// No record of ours.
    Foreign,
}

impl std::fmt::Display for LedgerFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Newer(version) => write!(
                f,
                "written by a newer hotlead (ledger version {version}, this one reads up to {VERSION}): run that one, \
                 or a still newer one"
            ),
            Self::Foreign => f.write_str("this is no ledger record that hotlead wrote"),
        }
    }
}

#[derive(Serialize)]
struct Versioned<'a> {
    v: u32,
    #[serde(flatten)]
    entry: &'a Entry,
}

#[derive(Deserialize)]
struct Head {
    v: u32,
}

/// An alert's key on the ledger.
pub fn key(ce_id: Option<&[u8]>, offset: Offset) -> Vec<u8> {
    let hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    match ce_id {
        Some(id) if id.len() == 32 && id.iter().all(hex) => id.to_vec(),
        _ => format!("@{offset}").into_bytes(),
    }
}

/// The key of the wish that the alert of this key be delivered again: another one for each time, so that what ends one
/// wish never ends the next.
pub fn redrive_key(key: &[u8], redrives: u32) -> Vec<u8> {
    [REDRIVE, key, b"/", redrives.to_string().as_bytes()].concat()
}

/// The key of the alert that a wish is about, if the key is one of a wish.
pub fn redriven_key(key: &[u8]) -> Option<&[u8]> {
    let rest = key.strip_prefix(REDRIVE)?;
    let slash = rest.iter().rposition(|byte| *byte == b'/')?;
    Some(&rest[..slash])
}

/// A record's value.
pub fn write(entry: &Entry) -> Vec<u8> {
    // Plain data: nothing in it can fail to be written.
    serde_json::to_vec(&Versioned { v: VERSION, entry }).unwrap_or_default()
}

/// Reads a record's value; a tombstone is `None`.
///
/// # Errors
/// [`LedgerFault`].
pub fn read(value: Option<&[u8]>) -> Result<Option<Entry>, LedgerFault> {
    let Some(value) = value else {
        return Ok(None);
    };
    let head: Head = serde_json::from_slice(value).map_err(|_| LedgerFault::Foreign)?;
    if head.v > VERSION {
        return Err(LedgerFault::Newer(head.v));
    }
    serde_json::from_slice(value).map(Some).map_err(|_| LedgerFault::Foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ids_or_offsets() {
        let id = b"0123456789abcdef0123456789abcdef";
        assert_eq!(key(Some(id), Offset(7)), id);
        for strange in [None, Some(b"sink".as_slice()), Some(b"\xff"), Some(b"")] {
            assert_eq!(key(strange, Offset(7)), b"@7");
        }
    }

    #[test]
    fn a_wish_has_a_key_for_each_time_and_names_the_alert() {
        for key in [&b"0123456789abcdef0123456789abcdef"[..], b"@7"] {
            let keys = [redrive_key(key, 1), redrive_key(key, 2)];
            assert_ne!(keys[0], keys[1]);
            assert!(keys.iter().all(|wish| redriven_key(wish) == Some(key)));
        }
        for other in [&b"@7"[..], SINK, UNBLOCK, b"ask/redrive/"] {
            assert_eq!(redriven_key(other), None);
        }
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        for bytes in [&b"text \xe2\x9c\x93"[..], b"\xff\xfe", b""] {
            let text = serde_json::to_string(&Bytes(bytes.to_vec())).expect("JSON");
            assert_eq!(serde_json::from_str::<Bytes>(&text).expect("bytes").0, bytes, "{text}");
        }
    }

    #[test]
    fn what_is_not_ours_or_newer_says_so() {
        assert_eq!(read(None), Ok(None));
        assert_eq!(read(Some(b"{}")), Err(LedgerFault::Foreign));
        assert_eq!(read(Some(br#"{"v":1,"state":"unknown"}"#)), Err(LedgerFault::Foreign));
        assert_eq!(read(Some(br#"{"v":4,"state":"unknown"}"#)), Err(LedgerFault::Newer(4)));
    }
}
