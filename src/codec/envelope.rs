//! The envelope of a CloudEvent, in a record's headers or around its JSON: what stands in for what the data lacks.

use super::format::{Outer, read_time};
use super::plan::Source;
use super::time;
use super::tree::NodeId;
use super::{DeadLetter, Reason, Record, refuse};
use crate::core::event::{Kind, Shape, Slot};
use crate::core::time::Timestamp;

/// What an envelope says beside its data; empty if there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Envelope<'a> {
    /// The root of the event's own JSON.
    pub(super) root: NodeId,
    /// The last word of the CloudEvent's type, if that is a kind.
    pub(super) kind: Option<Kind>,
    /// The CloudEvent's type.
    pub(super) name: Text<'a>,
    /// The CloudEvent's id.
    pub(super) id: Text<'a>,
    /// Its source, within which the id is unique.
    pub(super) scope: Text<'a>,
    /// Its time; an error is one that cannot be read.
    pub(super) time: Option<Result<Timestamp, &'static str>>,
}

/// Text of a header, or of the record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    Header(&'a str),
    Found(Slot),
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Found(Slot::default())
    }
}

impl<'a> Envelope<'a> {
    /// Takes the envelope off.
    ///
    /// # Errors
    /// A CloudEvent in structured mode whose data is no JSON object.
    #[inline(always)]
    pub(super) fn open(record: &Record<'a>, outer: &Outer, source: &Source<'_, '_>) -> Result<Self, DeadLetter> {
        // What says that there is an envelope is missing from most records.
        if record.headers.is_empty() && source.at(outer.specversion).is_absent() {
            return Ok(Self::default());
        }
        Self::take_off(record, outer, source)
    }

    #[inline(never)]
    fn take_off(record: &Record<'a>, outer: &Outer, source: &Source<'_, '_>) -> Result<Self, DeadLetter> {
        let media_type = header(record, "content-type").unwrap_or_default();
        const STRUCTURED: &str = "application/cloudevents+json";
        let is_marked = media_type.get(..STRUCTURED.len()).is_some_and(|start| start.eq_ignore_ascii_case(STRUCTURED));
        if !is_marked && header(record, "ce_specversion").is_some() {
            return Ok(Self::binary(record));
        }
        let shape = |node| source.at(node).shape();
        let has_data = shape(outer.data) == Shape::Object;
        let has_version = shape(outer.specversion) != Shape::Absent;
        if !is_marked && !(has_version && (has_data || shape(outer.source) != Shape::Absent)) {
            return Ok(Self::default());
        }
        if !has_data {
            let detail = "a CloudEvent whose data is no JSON object";
            return Err(refuse(Reason::UnknownFormat, detail));
        }
        Ok(Self::structured(outer, source))
    }

    fn binary(record: &Record<'a>) -> Self {
        let text = |name| header(record, name).map_or(Text::default(), Text::Header);
        Self {
            root: 0,
            kind: header(record, "ce_type").and_then(last_word),
            name: text("ce_type"),
            id: text("ce_id"),
            scope: text("ce_source"),
            time: header(record, "ce_time").map(|text| {
                let time = time::from_text(text).filter(|time| time.is_plausible());
                time.ok_or("ce_time")
            }),
        }
    }

    fn structured(outer: &Outer, source: &Source<'_, '_>) -> Self {
        let time = source.at(outer.time);
        let is_there = !time.is_absent();
        Self {
            root: outer.data,
            kind: source.says(source.at(outer.kind)).and_then(last_word),
            name: Text::Found(source.at(outer.kind)),
            id: Text::Found(source.at(outer.id)),
            scope: Text::Found(source.at(outer.source)),
            time: is_there.then(|| read_time(source, time).ok_or("time")),
        }
    }
}

/// The text of a header; names are compared without regard to case. Blank or not UTF-8 is absent.
fn header<'a>(record: &Record<'a>, name: &str) -> Option<&'a str> {
    let named = |(have, _): &&(&str, &[u8])| have.eq_ignore_ascii_case(name);
    let (_, value) = record.headers.iter().find(named)?;
    let text = std::str::from_utf8(value).ok()?;
    (!text.trim().is_empty()).then_some(text)
}

/// `com.example.page` is a page.
fn last_word(kind: &str) -> Option<Kind> {
    kind.rsplit('.').next().and_then(Kind::from_name)
}
