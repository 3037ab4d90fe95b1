//! Records' bytes to events, alerts to records' bytes: total, never panicking; what cannot be read gets a reason.
//!
//! # Formats
//!
//! Told apart record by record, in this order. *Present* means: not null and not blank text.
//!
//! | format | known by | id | time: the first present | kind |
//! |---|---|---|---|---|
//! | CloudEvents, binary | header `ce_specversion` | the data's own, else `ce_id` within `ce_source` | the data's own, else `ce_time` | the data's own, else the last dotted word of `ce_type` |
//! | CloudEvents, structured | header `content-type: application/cloudevents+json`, or `specversion` and (`source` or an object `data`) | the data's own, else `id` within `source` | the data's own, else `time` | as above, of `type` |
//! | hotlead's own | an object `lead` | `id` | `time` | `type` |
//! | Segment, RudderStack | any of `messageId`, `userId`, `anonymousId`, `originalTimestamp` | `messageId` | `timestamp`, `originalTimestamp`, `sentAt`, `receivedAt` | `type` |
//! | Segment without ids | a known kind, `timestamp` or `sentAt`, no `distinct_id` | none | as above | `type` |
//! | own without `lead` | a known kind, no `distinct_id` | `id` | `time` | `type` |
//! | `unknown_format` | anything else: PostHog, Snowplow, HubSpot, lists, bare values | | | |
//!
//! A CloudEvent carries one of the others as its JSON `data` (an object; `data_base64` and other media types are
//! `unknown_format`); its `subject` is not read. Its type is mandatory and says what happened: around data without a
//! `type`, a type whose last word is no kind makes a `track` event of that name (`com.example.quote.requested`), if the
//! data has no name of its own. So `no_type` is left for data whose own `type` is no kind, and for what is no CloudEvent
//! and has no `type`. Whatever the format, an event that names no time has its record's
//! timestamp; a time that is present and cannot be read is `bad_time` and never replaced by another. An id longer than
//! [`MAX_EVENT_ID`](crate::core::limits::MAX_EVENT_ID) bytes is no id.
//!
//! Where each field lies is in `plan.rs`. One JSON key that occurs twice counts as if only the last were there.

pub mod alert;
pub mod dead_letter;
mod decode;
mod envelope;
pub mod feedback;
mod format;
mod guess;
pub mod ledger;
pub mod letter;
pub mod line;
pub mod ops;
mod plan;
mod scan;
pub mod schema;
pub mod state;
mod stops;
#[cfg(test)]
mod tests;
pub mod time;
mod tree;
#[cfg(test)]
mod twin;
mod walk;

pub use decode::Decoder;

pub use crate::core::refusal::Reason;
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

/// A dead letter of which nothing but the fault is known.
#[cold]
fn refuse(reason: Reason, detail: impl Into<String>) -> DeadLetter {
    DeadLetter { reason, detail: detail.into(), lead: None, time: None, id: None }
}
