//! Reads one record: from bytes to an event, or to the reason why not.

use super::envelope::{Envelope, Text};
use super::format::{self, Format, Marks, Outer};
use super::plan::{self, Plan, Readers, Source};
use super::scan::Fault;
use super::tree::{Sprout, Tree};
use super::walk::{Found, walk};
use super::{DeadLetter, Reason, Record, refuse};
use crate::core::event::{Event, FieldPath, FieldTable, Fields, Kind, Shape, Slot};
use crate::core::limits::{MAX_EVENT_ID, MAX_LEAD_KEY, MAX_RECORD};
use crate::core::time::Timestamp;

/// Reads records; compiled for the fields that the rules read. Reused for every record of a thread.
///
/// ```
/// use hotlead::codec::{Decoder, Record};
/// use hotlead::core::event::{FieldPath, FieldTable};
/// let mut decoder = Decoder::new(&FieldTable::new(), &[FieldPath::UserId]);
/// let value = br#"{"type":"page","userId":"u1","timestamp":"2026-11-22T10:02:14.120Z","properties":{"path":"/pricing"}}"#;
/// let event = decoder.decode(Record { value: Some(value), ..Record::default() }).expect("an event");
/// assert_eq!((event.lead, event.label()), ("u1", "/pricing"));
/// ```
#[derive(Debug)]
pub struct Decoder {
    tree: Tree,
    marks: Marks,
    outer: Outer,
    /// Those of the table, then those that only the lead's key reads.
    plans: Box<[Plan]>,
    readers: Readers,
    /// How many of the plans are of the table.
    fields: usize,
    /// Indices of the plans for the lead's key, the first present one counts.
    lead_key: Box<[usize]>,
    found: Found,
    /// By plan.
    slots: Box<[Slot]>,
}

/// What every event has, as far as it could be read.
struct Known<'a> {
    kind: Option<Kind>,
    time: Result<Timestamp, NoTime>,
    lead: Slot,
    id: Text<'a>,
    scope: Text<'a>,
}

/// Why an event has no time: the field that holds something else, or `None` if it and its record name none.
type NoTime = Option<&'static str>;

impl Decoder {
    /// A decoder for these fields; the lead's key is the first present of `lead_key`.
    pub fn new(fields: &FieldTable, lead_key: &[FieldPath]) -> Self {
        let event = || {
            let mut event = Sprout::default();
            format::want_marks(&mut event);
            for path in fields.paths().iter().chain(lead_key) {
                plan::want(path, &mut event);
            }
            event
        };
        // The event inside an envelope has the same nodes in the same order, so one set of plans serves both.
        let mut root = event();
        format::want_outer(&mut root, event());
        let tree = Tree::new(root);
        let mut paths: Vec<&FieldPath> = fields.paths().iter().collect();
        let mut index = |wanted| {
            let known = paths.iter().position(|path| *path == wanted);
            known.unwrap_or_else(|| {
                paths.push(wanted);
                paths.len() - 1
            })
        };
        let lead_key = lead_key.iter().map(&mut index).collect();
        let plans: Box<[Plan]> = paths.iter().map(|path| Plan::new(path, &tree)).collect();
        Self {
            marks: Marks::new(&tree),
            outer: Outer::new(&tree),
            readers: Readers::new(&plans, &tree),
            slots: vec![Slot::default(); plans.len()].into(),
            plans,
            fields: fields.paths().len(),
            lead_key,
            found: Found::new(&tree),
            tree,
        }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// A [`DeadLetter`] that says why it cannot be read.
    pub fn decode<'a>(&'a mut self, record: Record<'a>) -> Result<Event<'a>, DeadLetter> {
        let text = text_of(record.value)?;
        walk(text, &self.tree, &mut self.found).map_err(refuse_json)?;
        let known = self.know(text, &record)?;
        let fields =
            Fields { text, written: &self.found.written, slots: &self.slots[..self.fields], items: &self.found.items };
        let lead = fields.text_at(known.lead);
        match (known.kind, &known.time, lead) {
            (Some(kind), Ok(time), Some(lead)) if lead.len() <= MAX_LEAD_KEY => Ok(Event {
                kind,
                time: *time,
                lead,
                id: id_of(known.id, fields),
                id_scope: known.scope.of(fields).unwrap_or_default(),
                fields,
            }),
            _ => Err(known.refuse(fields)),
        }
    }

    /// Finds out the format and, by it, everything else.
    #[inline(always)]
    fn know<'a>(&mut self, text: &str, record: &Record<'a>) -> Result<Known<'a>, DeadLetter> {
        let mut source = Source { text, found: &mut self.found, root: 0 };
        let envelope = Envelope::open(record, &self.outer, &source)?;
        source.root = envelope.root;
        let kind = self.marks.kind(&source).or(envelope.kind);
        let is_object = source.at(0).shape() == Shape::Object;
        let format = self.marks.tell(&source, kind.is_some());
        let Some(format) = format.filter(|_| is_object) else {
            return Err(refuse(Reason::UnknownFormat, "no format that is read"));
        };
        // A CloudEvent always says what happened: in its type, if its data has none.
        let type_slot = match envelope.name {
            _ if kind.is_some() || self.marks.has_type(&source) => Slot::default(),
            name => source.keep(name),
        };
        let kind = kind.or_else(|| source.says(type_slot).map(|_| Kind::Track));
        // Of an event without a kind only the lead is looked at, for the dead letter.
        let fields_kind = kind.unwrap_or(Kind::Track);
        self.readers.fill(&self.plans, &mut source, fields_kind, &mut self.slots);
        if let Some(name) = self.slots.get_mut(usize::from(FieldTable::NAME.0)).filter(|slot| slot.is_absent()) {
            *name = type_slot;
        }
        let candidates = self.lead_key.iter().map(|index| self.slots[*index]);
        let lead = candidates.into_iter().find(|slot| source.says(*slot).is_some());
        let time = event_time(&self.marks, &source, format, &envelope, record.time);
        let own_id = self.marks.id(&source, format);
        let (id, scope) = match source.says(own_id) {
            Some(_) => (Text::Found(own_id), Text::default()),
            None => (envelope.id, envelope.scope),
        };
        Ok(Known { kind, time, lead: lead.unwrap_or_default(), id, scope })
    }
}

/// The record's bytes as text of a size that is decoded.
fn text_of(value: Option<&[u8]>) -> Result<&str, DeadLetter> {
    let value = value.unwrap_or_default();
    if value.is_empty() {
        return Err(refuse(Reason::Empty, "no bytes"));
    }
    if value.len() > MAX_RECORD {
        let detail = format!("{} bytes, at most {MAX_RECORD} are decoded", value.len());
        return Err(refuse(Reason::TooLarge, detail));
    }
    simdutf8::basic::from_utf8(value).map_err(|_| not_utf8(value))
}

#[cold]
fn not_utf8(value: &[u8]) -> DeadLetter {
    let place = std::str::from_utf8(value).map_or_else(|error| error.valid_up_to(), str::len);
    refuse(Reason::NotUtf8, format!("no UTF-8 at byte {place}"))
}

#[cold]
fn refuse_json(fault: Fault) -> DeadLetter {
    match fault {
        Fault::NotJson(at) => refuse(Reason::NotJson, format!("no JSON at byte {at}")),
        Fault::TooDeep(at) => refuse(Reason::TooDeep, format!("nested too deep at byte {at}")),
    }
}

/// The event's own time, else the envelope's, else the record's.
#[inline]
fn event_time(
    marks: &Marks,
    source: &Source<'_, '_>,
    format: Format,
    envelope: &Envelope<'_>,
    record: Option<Timestamp>,
) -> Result<Timestamp, NoTime> {
    let own = marks.time(source, format).transpose();
    if let Some(time) = own.or(envelope.time) {
        return time.map_err(Some);
    }
    record.filter(|time| time.is_plausible()).ok_or(None)
}

/// An event's id; one that is too long is none.
#[inline]
fn id_of<'a>(id: Text<'a>, fields: Fields<'a>) -> Option<&'a str> {
    id.of(fields).filter(|id| id.len() <= MAX_EVENT_ID)
}

impl<'a> Text<'a> {
    #[inline]
    fn of(self, fields: Fields<'a>) -> Option<&'a str> {
        match self {
            Self::Header(text) => Some(text),
            Self::Found(slot) => fields.text_at(slot),
        }
    }
}

impl Known<'_> {
    /// The first fault in the order of rules.md 1, with what is known all the same.
    #[cold]
    fn refuse(self, fields: Fields<'_>) -> DeadLetter {
        let lead = fields.text_at(self.lead);
        let (reason, detail) = match (self.kind, &self.time, lead) {
            (None, _, _) => (Reason::NoType, "type is no kind of event".to_owned()),
            (_, Err(Some(field)), _) => (Reason::BadTime, format!("{field} is no time from 2000 to 9999")),
            (_, Err(None), _) => (Reason::BadTime, "no time in the event, and none of its record".to_owned()),
            (_, _, Some(lead)) => {
                (Reason::NoLead, format!("a lead key of {} bytes, at most {MAX_LEAD_KEY} are read", lead.len()))
            }
            (_, _, None) => (Reason::NoLead, "no field of lead_key is present".to_owned()),
        };
        DeadLetter {
            reason,
            detail,
            lead: lead.filter(|lead| lead.len() <= MAX_LEAD_KEY).map(str::to_owned),
            time: self.time.ok(),
            id: id_of(self.id, fields).map(str::to_owned),
        }
    }
}
