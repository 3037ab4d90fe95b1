//! Records' bytes to events, alerts to records' bytes: total, never panicking; what cannot be read gets a reason.

use crate::core::event::{Event, FieldPath, FieldTable};
use crate::core::time::Timestamp;

/// A record as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Names and values, as they came.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The record's timestamp: the event's time if the event has none.
    pub time: Option<Timestamp>,
}

/// Why a record is a dead letter: a closed set, the metric label and the `hotlead_reason` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// More bytes than are decoded.
    TooLarge,
    /// A tombstone or no bytes.
    Empty,
    /// Not UTF-8.
    NotUtf8,
    /// Nested deeper than is followed.
    TooDeep,
    /// Not JSON.
    NotJson,
    /// JSON, but of no format we know.
    UnknownFormat,
    /// No kind of event, or one we do not know.
    NoType,
    /// No time that can be read, or one before 2000 or after 9999.
    BadTime,
    /// No lead key, or one that is too long.
    NoLead,
}

impl Reason {
    /// The label.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::TooDeep => "too_deep",
            Self::NotJson => "not_json",
            Self::UnknownFormat => "unknown_format",
            Self::NoType => "no_type",
            Self::BadTime => "bad_time",
            Self::NoLead => "no_lead",
        }
    }
}

/// A record that cannot be read, with what could be read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why.
    pub reason: Reason,
    /// For people: names field and kind, quotes no values.
    pub detail: String,
    /// The lead's key, if it could be read.
    pub lead: Option<String>,
    /// The event's time, if it could be read.
    pub time: Option<Timestamp>,
    /// The event's id, if it could be read.
    pub id: Option<String>,
}

/// Reads records; compiled for the fields that the rules read. Reused for every record of a thread.
#[derive(Debug)]
pub struct Decoder {}

impl Decoder {
    /// A decoder for these fields; the lead's key is the first present of `lead_key`.
    pub fn new(_fields: &FieldTable, _lead_key: &[FieldPath]) -> Self {
        Self {}
    }

    /// Reads one record.
    ///
    /// # Errors
    /// A [`DeadLetter`] that says why it cannot be read.
    pub fn decode<'a>(&'a mut self, _record: Record<'a>) -> Result<Event<'a>, DeadLetter> {
        Err(DeadLetter {
            reason: Reason::UnknownFormat,
            detail: String::new(),
            lead: None,
            time: None,
            id: None,
        })
    }
}
