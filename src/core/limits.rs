//! Every limit of the program, each with its reason.

use super::time::Span;

/// Times that one count may remember for a lead: 8 KiB of state at the most, and no rule seen in the field needs more
/// than 100.
pub const MAX_RING: usize = 1024;

/// Ids of the events applied last that a lead remembers besides those of its rings (design.md 3): retries of a producer
/// come within a few events.
pub const RECENT_IDS: usize = 16;

/// Newest contributions of a points group that an alert lists one by one; the rest is one line (design.md 3).
pub const LISTED_CONTRIBUTIONS: usize = 8;

/// Bytes of a lead's key: longer than any e-mail address (254) or id seen, short enough for a Kafka key.
pub const MAX_LEAD_KEY: usize = 512;

/// Bytes of an event's id that are read: a longer one is a fault of the sender.
pub const MAX_EVENT_ID: usize = 1024;

/// Bytes of the label that evidence remembers of an event: a line on a card.
pub const MAX_LABEL: usize = 80;

/// Bytes of a trait's value that are remembered: enough for any name or address; more would be a document.
pub const MAX_TRAIT: usize = 256;

/// Bytes of a record's value that are decoded: 4 times what the largest tracking libraries send (32 KiB an event, 500
/// KiB a batch).
pub const MAX_RECORD: usize = 2 * 1024 * 1024;

/// Nesting of JSON that is followed: serde_json's own limit, so that what we accept others can read.
pub const MAX_DEPTH: usize = 128;

/// Items of a list value that are looked at.
pub const MAX_LIST_ITEMS: usize = 1024;

/// Bytes of a rules or config file: the largest sample has 8 KiB.
pub const MAX_FILE: usize = 1024 * 1024;

/// Signals, ignores, points entries, fits, suppressions, flags or rules of one file, each.
pub const MAX_ENTRIES: usize = 1000;

/// Nesting of conditions and of `not` in matchers.
pub const MAX_CONDITION_DEPTH: usize = 16;

/// Bytes that one compiled regex may take.
pub const MAX_REGEX: usize = 256 * 1024;

/// The longest span a file may name.
pub const MAX_SPAN: Span = Span::from_secs(20 * 365 * 86_400);

/// Points of one entry, cap or threshold, positive or negative.
pub const MAX_POINTS: i64 = 1_000_000;

/// Attempts under way at one endpoint: enough to drain 10,000 alerts in two minutes at 100 ms each, and few enough that a
/// receiver that hangs ties up little.
pub const MAX_IN_FLIGHT: usize = 8;

/// Alerts of one partition that a sink keeps in memory: at 4 KiB each 8 MiB; beyond it Kafka is the backlog.
pub const MAX_TRACKED: usize = 2_000;
