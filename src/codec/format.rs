//! Which format a record has, and where that format says what it is: id, type, time.

use super::plan::Source;
use super::time;
use super::tree::{NodeId, Sprout, Tree};
use crate::core::event::{Kind, Shape, Slot};
use crate::core::time::Timestamp;

/// The format of an event, once an envelope is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `schemas/event/v1`.
    Own,
    /// Segment and RudderStack.
    Segment,
}

/// The nodes that tell formats apart and carry what an event always has.
#[derive(Debug)]
pub(super) struct Marks {
    kind: NodeId,
    id: NodeId,
    time: NodeId,
    lead: NodeId,
    message_id: NodeId,
    user_id: NodeId,
    anonymous_id: NodeId,
    distinct_id: NodeId,
    /// The first present one is the event's time, with its name for a fault.
    segment_times: [(NodeId, &'static str); 4],
}

const SEGMENT_TIMES: [&str; 4] = ["timestamp", "originalTimestamp", "sentAt", "receivedAt"];

const MARKS: [&str; 8] = ["type", "id", "time", "lead", "messageId", "userId", "anonymousId", "distinct_id"];

/// The envelope of a CloudEvent in structured mode: what is not the event's own.
#[derive(Debug)]
pub(super) struct Outer {
    pub(super) specversion: NodeId,
    pub(super) source: NodeId,
    pub(super) kind: NodeId,
    pub(super) id: NodeId,
    pub(super) time: NodeId,
    /// The root of the event inside.
    pub(super) data: NodeId,
}

/// Asks for what [`Marks`] reads.
pub(super) fn want_marks(root: &mut Sprout) {
    for name in MARKS.into_iter().chain(SEGMENT_TIMES) {
        root.want([name]);
    }
}

/// Hangs an event as `data` into an envelope.
pub(super) fn want_outer(root: &mut Sprout, data: Sprout) {
    for name in ["specversion", "source"] {
        root.want([name]);
    }
    root.hang("data", data);
}

fn node(tree: &Tree, name: &str) -> NodeId {
    tree.find([name]).expect("asked for before the tree was fixed")
}

impl Outer {
    pub(super) fn new(tree: &Tree) -> Self {
        Self {
            specversion: node(tree, "specversion"),
            source: node(tree, "source"),
            kind: node(tree, "type"),
            id: node(tree, "id"),
            time: node(tree, "time"),
            data: node(tree, "data"),
        }
    }
}

impl Marks {
    pub(super) fn new(tree: &Tree) -> Self {
        Self {
            kind: node(tree, "type"),
            id: node(tree, "id"),
            time: node(tree, "time"),
            lead: node(tree, "lead"),
            message_id: node(tree, "messageId"),
            user_id: node(tree, "userId"),
            anonymous_id: node(tree, "anonymousId"),
            distinct_id: node(tree, "distinct_id"),
            segment_times: SEGMENT_TIMES.map(|name| (node(tree, name), name)),
        }
    }

    /// The event's kind, if it names one that we know.
    #[inline]
    pub(super) fn kind(&self, source: &Source<'_, '_>) -> Option<Kind> {
        source.says(source.at(self.kind)).and_then(Kind::from_name)
    }

    /// Whether it has a type at all.
    #[inline]
    pub(super) fn has_type(&self, source: &Source<'_, '_>) -> bool {
        !source.at(self.kind).is_absent()
    }

    /// Which format the event has (the table in the module's documentation); `None` if none that we read.
    #[inline]
    pub(super) fn tell(&self, source: &Source<'_, '_>, has_kind: bool) -> Option<Format> {
        let is_there = |node| !source.at(node).is_absent();
        if source.at(self.lead).shape() == Shape::Object {
            return Some(Format::Own);
        }
        let [(timestamp, _), (original, _), (sent, _), _] = self.segment_times;
        let ids = [self.message_id, self.user_id, self.anonymous_id, original];
        if ids.into_iter().any(is_there) {
            return Some(Format::Segment);
        }
        if !has_kind || is_there(self.distinct_id) {
            return None;
        }
        if is_there(timestamp) || is_there(sent) {
            return Some(Format::Segment);
        }
        Some(Format::Own)
    }

    /// Where the event's id is.
    #[inline]
    pub(super) fn id(&self, source: &Source<'_, '_>, format: Format) -> Slot {
        source.at(match format {
            Format::Own => self.id,
            Format::Segment => self.message_id,
        })
    }

    /// The event's time: `None` if it names none.
    ///
    /// # Errors
    /// The name of the field that holds something else.
    #[inline]
    pub(super) fn time(&self, source: &Source<'_, '_>, format: Format) -> Result<Option<Timestamp>, &'static str> {
        let one = [(self.time, "time")];
        let fields: &[_] = match format {
            Format::Own => &one,
            Format::Segment => &self.segment_times,
        };
        for (node, name) in fields {
            let value = source.at(*node);
            if !value.is_absent() {
                return read_time(source, value).map(Some).ok_or(name);
            }
        }
        Ok(None)
    }
}

/// A time that an event can have.
pub(super) fn read_time(source: &Source<'_, '_>, value: Slot) -> Option<Timestamp> {
    let text = source.says(value)?;
    let time = match value.shape() {
        Shape::Number => time::from_number(text),
        _ => time::from_text(text),
    };
    time.filter(|time| time.is_plausible())
}
