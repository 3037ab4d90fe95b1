//! Every limit of the program, each with its reason.

use super::time::Span;

/// Times that one count may remember for a lead: 8 KiB of state at the most, and no rule seen in the field needs more
/// than 100.
pub const MAX_RING: usize = 1024;

/// Times that all counts of a file may remember for a lead: 400 KiB of state at the most. A lead's events are numbered with
/// 16 bits, and those of counts that the file had once are carried along.
pub const MAX_REMEMBERED: i64 = 20_000;

/// Times that a lead remembers for counts which the file in force does not have: as many as for those that it has, so that
/// all of them still have numbers of 16 bits.
pub const MAX_CARRIED: usize = MAX_REMEMBERED as usize;

/// Ids of the events applied last that a lead remembers besides those of its rings (design.md 3): retries of a producer
/// come within a few events.
pub const RECENT_IDS: usize = 16;

/// Newest contributions of a points group that an alert lists one by one; the rest is one line (design.md 3).
pub const LISTED_CONTRIBUTIONS: usize = 8;

/// Leads of a partition that stay in hand beside those that wait for a commit: one of 64, at 2 KiB each an eighth of what
/// the leads at rest take; at least a busy site's visitors of one moment, at most 2 MiB.
pub const LEADS_FOR_ONE_IN_HAND: usize = 64;
/// See [`LEADS_FOR_ONE_IN_HAND`].
pub const FEWEST_IN_HAND: usize = 256;
/// See [`LEADS_FOR_ONE_IN_HAND`].
pub const MOST_IN_HAND: usize = 1024;

/// Bytes of text that a lead in hand may gather beyond twice what it needs, before it is written anew.
pub const LOOSE_TEXT: usize = 4096;

/// Episodes for which a lead in hand has room from the beginning: 88 bytes each, so with many rules it takes 4 KiB, not 2.
pub const EPISODES_IN_HAND: usize = 32;

/// Leads that one commit round may change: at 2 KiB in hand and 300 bytes staged 40 MB, and a commit of well under a
/// second.
pub const MAX_ROUND_LEADS: usize = 16_384;

/// Bytes of one lead's state on the changelog: 65,536 remembered events of 22 bytes, and their labels.
pub const MAX_STATE_RECORD: usize = 8 * 1024 * 1024;

/// Leads that one partition remembers unless the config says otherwise: about 1 GB.
pub const DEFAULT_MAX_LEADS: usize = 4_000_000;

/// What is forgotten at once when a partition has too many leads, as a share of those that it may have: finding them
/// looks at all, so it must not happen at each commit.
pub const FORGOTTEN_SHARE: usize = 64;

/// How late an event may be and still find the lead that it belongs to, if its lead is one that would start anew at any
/// event that is in time: an offline phone's events are late by days, the log of a broken collector by weeks.
pub const LATEST: Span = Span::from_secs(30 * 86_400);

/// Leads of a partition that are looked at each second, whether they are silent: a tenth of a millisecond, and all of 4
/// million within two hours.
pub const LOOKED_AT: usize = 1024;

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

/// Nodes of a rules or config file with its aliases followed: ten for each line of the largest file that makes sense, and
/// where a "billion laughs" file stops.
pub const MAX_NODES: usize = 200_000;

/// Nesting of a rules or config file: conditions nest 16 deep at two levels each, the rest of the file takes ten.
pub const MAX_NESTING: usize = 64;

/// Faults that are listed of one file; no one reads more before mending the first.
pub const MAX_FAULTS: usize = 1000;

/// Regexes of one file: each takes some milliseconds to compile.
pub const MAX_PATTERNS: usize = 1000;

/// Fields and traits that one file may name, repetitions counted: a field's index has 16 bits.
pub const MAX_MATCHERS: usize = 10_000;

/// Characters of a name in a file (signal, rule, group): it becomes a metric label and a table's column.
pub const MAX_NAME: usize = 64;

/// Characters of a sentence in a file that goes on a card.
pub const MAX_SENTENCE: usize = 500;

/// Bytes of a secret's file: the largest certificate chain seen has 20 KiB.
pub const MAX_SECRET: usize = 64 * 1024;

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

/// Alerts that a live reader may fall behind before it misses some.
pub const ALERTS_BEHIND: usize = 1024;

/// Records that one commit round may publish: a round stays under a second, and its memory under a few megabytes.
pub const MAX_ROUND_RECORDS: usize = 10_000;

/// Bytes of the values that one commit round may publish before it commits at once: a burst of refused giants must not
/// fill the producer's queue.
pub const MAX_ROUND_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a record that we send: what a fetch of librdkafka can bring, so that every dead letter can be passed on.
pub const MAX_SENT_RECORD: usize = 100_000_000;

/// Bytes that a topic takes of one record unless it was told otherwise (Kafka's `max.message.bytes`), less the
/// headers that a dead letter adds.
pub const PLAIN_RECORD: usize = 1_000_000;
/// Attempts under way at one endpoint: enough to drain 10,000 alerts in two minutes at 100 ms each, and few enough that a
/// receiver that hangs ties up little.
pub const MAX_IN_FLIGHT: usize = 8;

/// Alerts that wait in a sink's ledger at once: at 4 KiB each 40 MiB, as they are kept in memory too; beyond it nothing is
/// read, and Kafka is the backlog.
pub const MAX_PARKED: usize = 10_000;

/// Alerts that may wait in a sink's ledger for a redrive to bring more: half of [`MAX_PARKED`], so that what comes back
/// never stops what is new.
pub const MAX_REDRIVEN: usize = MAX_PARKED / 2;

/// Dead letters that are redriven in a second unless it is said otherwise: fast enough for an outage's thousands, slow
/// enough for a receiver that has just come back.
pub const REDRIVE_RATE: u32 = 50;

/// Bytes of one record of a ledger: an alert of the largest size a topic takes by itself, as text within JSON.
pub const MAX_LEDGER_RECORD: usize = 8 * 1024 * 1024;

/// Alerts of one partition that a sink keeps in memory: at 4 KiB each 8 MiB; beyond it Kafka is the backlog.
pub const MAX_TRACKED: usize = 2_000;

/// Cards of a Slack bot that are remembered: at 2 KiB each 20 MiB. A lead whose card was forgotten gets a new one.
pub const MAX_CARDS: usize = 10_000;

/// Messages of one lead beside its card that a Slack bot remembers, so that an erasure finds them: a year of monthly cards,
/// each with a few replies; at 50 bytes each 2.5 KB in a card's record.
pub const MAX_TOLD: usize = 50;

/// Erased leads of one partition that a sink remembers: at 200 bytes each 2 MB. Those that were erased first are forgotten
/// first, and by then their alerts have long left the topic.
pub const MAX_ERASED: usize = 10_000;

/// Alerts of one digest: they are in memory twice while it is written, at 5 KiB each 10 MiB.
pub const MAX_DIGEST: usize = 2_000;
