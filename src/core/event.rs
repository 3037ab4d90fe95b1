//! One engagement event as the engine sees it: what it is, whose, when, and the fields that the rules read.
//!
//! An [`Event`] borrows. The decoder finds the wanted fields in the record's bytes and notes where they are
//! ([`Slot`]); text with escapes, which cannot be borrowed, is written to a second text. Both are reused from record
//! to record, so reading a field costs no allocation.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::slot::{Shape, Slot};
use super::time::Timestamp;

/// What happened, in Segment's terms: the `on:` of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A page of a site was viewed.
    Page,
    /// A screen of an app was viewed.
    Screen,
    /// Something was done; its name says what.
    Track,
    /// Traits of a person became known.
    Identify,
    /// A person belongs to a company, with the company's traits.
    Group,
    /// Two ids belong to one person.
    Alias,
}

impl Kind {
    /// Every kind, in the order of their discriminants.
    pub const ALL: [Self; 6] = [Self::Page, Self::Screen, Self::Track, Self::Identify, Self::Group, Self::Alias];

    /// The name as in files and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Track => "track",
            Self::Identify => "identify",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }

    /// The kind of that name; names are lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        // As bytes this is a jump by length and a comparison with a constant.
        Some(match name.as_bytes() {
            b"page" => Self::Page,
            b"screen" => Self::Screen,
            b"track" => Self::Track,
            b"identify" => Self::Identify,
            b"group" => Self::Group,
            b"alias" => Self::Alias,
            _ => return None,
        })
    }
}

/// The keys of a dotted path, outermost first.
pub type Keys = Box<[Box<str>]>;

/// A field of an event, the same for every source format.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldPath {
    /// The event's or page's name.
    Name,
    /// The id of a known user.
    UserId,
    /// The id of a visitor that is not known yet.
    AnonymousId,
    /// The id of the user's company.
    GroupId,
    /// The person's e-mail address, trimmed and in lower case (rules.md 4).
    Email,
    /// What follows the last `@` of [`Self::Email`].
    EmailDomain,
    /// The browser's name for itself.
    UserAgent,
    /// The sender's network address.
    Ip,
    /// `page.*`: from the properties, else from the context, key by key (rules.md 11).
    Page(Keys),
    /// `campaign.*`, of the context.
    Campaign(Keys),
    /// `properties.*`.
    Properties(Keys),
    /// `traits.*`: of the event itself, else of its context.
    Traits(Keys),
    /// `context.*`.
    Context(Keys),
    /// What the event says of the *remembered* trait of that name: a group event's `name` is the trait `company`, its
    /// other traits keep their names, and its e-mail address is nobody's (rules.md 4).
    Trait(Keys),
}

impl FieldPath {
    /// The fields without a path, and the first words of those with one, for suggestions.
    pub const NAMES: [&'static str; 13] = [
        "name",
        "user_id",
        "anonymous_id",
        "group_id",
        "email",
        "email_domain",
        "user_agent",
        "ip",
        "page.",
        "campaign.",
        "properties.",
        "traits.",
        "context.",
    ];

    /// The field that a `where:` names; `None` if there is no such field.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "name" => Self::Name,
            "user_id" => Self::UserId,
            "anonymous_id" => Self::AnonymousId,
            "group_id" => Self::GroupId,
            "email" => Self::Email,
            "email_domain" => Self::EmailDomain,
            "user_agent" => Self::UserAgent,
            "ip" => Self::Ip,
            _ => {
                let (first, rest) = text.split_once('.')?;
                let keys = keys(rest)?;
                match first {
                    "page" => Self::Page(keys),
                    "campaign" => Self::Campaign(keys),
                    "properties" => Self::Properties(keys),
                    "traits" => Self::Traits(keys),
                    "context" => Self::Context(keys),
                    _ => return None,
                }
            }
        })
    }

    /// The field that carries the trait of that name; `None` for an empty name or part of it.
    pub fn of_trait(name: &str) -> Option<Self> {
        Some(match name {
            "email" => Self::Email,
            "email_domain" => Self::EmailDomain,
            _ => Self::Trait(keys(name)?),
        })
    }
}

fn keys(dotted: &str) -> Option<Keys> {
    let keys: Keys = dotted.split('.').map(Box::from).collect();
    keys.iter().all(|key| !key.is_empty()).then_some(keys)
}

/// Index of a field in a [`FieldTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u16);

/// The fields that the rules, identity and evidence read, each once. The codec pulls just these out of a record.
#[derive(Clone, Debug)]
pub struct FieldTable {
    paths: Vec<FieldPath>,
}

impl FieldTable {
    /// Always present: identity and evidence need them.
    pub const NAME: FieldId = FieldId(0);
    /// See [`FieldPath::UserId`].
    pub const USER_ID: FieldId = FieldId(1);
    /// See [`FieldPath::AnonymousId`].
    pub const ANONYMOUS_ID: FieldId = FieldId(2);
    /// See [`FieldPath::Email`].
    pub const EMAIL: FieldId = FieldId(3);
    /// `page.path`: the label of a page view.
    pub const PAGE_PATH: FieldId = FieldId(4);

    /// A table of the fields that are always read.
    pub fn new() -> Self {
        let path: Keys = Box::new(["path".into()]);
        Self {
            paths: vec![
                FieldPath::Name,
                FieldPath::UserId,
                FieldPath::AnonymousId,
                FieldPath::Email,
                FieldPath::Page(path),
            ],
        }
    }

    /// The id of a field, new if it was not in the table.
    ///
    /// # Panics
    /// With more than 65,535 fields, which the limits of a rules file exclude.
    pub fn id(&mut self, path: FieldPath) -> FieldId {
        let known = self.paths.iter().position(|known| *known == path);
        let index = known.unwrap_or_else(|| {
            self.paths.push(path);
            self.paths.len() - 1
        });
        FieldId(u16::try_from(index).expect("limits of a rules file keep fields under 65,536"))
    }

    /// All fields; the position is the id.
    pub fn paths(&self) -> &[FieldPath] {
        &self.paths
    }
}

impl Default for FieldTable {
    fn default() -> Self {
        Self::new()
    }
}

/// The wanted fields of one record.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// The record's text.
    pub text: &'a str,
    /// Text that could not be borrowed.
    pub written: &'a str,
    /// One slot for each field of the table.
    pub slots: &'a [Slot],
    /// The items of all lists.
    pub items: &'a [Slot],
}

impl<'a> Fields<'a> {
    /// The value of one field; absent if the table has no such field.
    pub fn get(&self, id: FieldId) -> Value<'a> {
        self.slots.get(usize::from(id.0)).map_or(Value::Absent, |slot| self.value(*slot))
    }

    /// Whether a field has a value.
    pub fn has(&self, id: FieldId) -> bool {
        self.slots.get(usize::from(id.0)).is_some_and(|slot| !slot.is_absent())
    }

    /// A field's text, if it is text or a number.
    pub fn text_of(&self, id: FieldId) -> Option<&'a str> {
        self.slots.get(usize::from(id.0)).and_then(|slot| self.text_at(*slot))
    }

    /// A slot's text, if it is text or a number.
    #[inline]
    pub fn text_at(&self, slot: Slot) -> Option<&'a str> {
        match slot.shape() {
            Shape::Text | Shape::Number => self.text.get(slot.range()),
            Shape::Written => self.written.get(slot.range()),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn value(self, slot: Slot) -> Value<'a> {
        let range = slot.range();
        match slot.shape() {
            Shape::Absent => Value::Absent,
            Shape::False => Value::Bool(false),
            Shape::True => Value::Bool(true),
            Shape::Number => Value::Number(&self.text[range]),
            Shape::Text => Value::Text(&self.text[range]),
            Shape::Written => Value::Text(&self.written[range]),
            Shape::List => Value::List(List { fields: self, range: (slot.start() as u32, slot.end() as u32) }),
            Shape::Object => Value::Object,
        }
    }
}

/// One value, borrowed. Null and blank text are [`Value::Absent`].
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Not there.
    Absent,
    /// A truth value.
    Bool(bool),
    /// A number, as its JSON text.
    Number(&'a str),
    /// Text that is not blank.
    Text(&'a str),
    /// A list of values.
    List(List<'a>),
    /// An object; only its existence can be asked about.
    Object,
}

/// A list value: its items, never lists themselves (an inner list counts as an object).
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    fields: Fields<'a>,
    range: (u32, u32),
}

impl<'a> List<'a> {
    /// The items in order, absent ones left out.
    pub fn items(self) -> impl Iterator<Item = Value<'a>> {
        let range = self.range.0 as usize..self.range.1 as usize;
        self.fields.items[range]
            .iter()
            .map(move |slot| self.fields.value(*slot))
            .filter(|value| !matches!(value, Value::Absent))
    }
}

/// One decoded event.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its own time, as it says; the engine clamps it.
    pub time: Timestamp,
    /// The lead's key: the first present of the configured list.
    pub lead: &'a str,
    /// Its id as printed; without one its coordinates stand in.
    pub id: Option<&'a str>,
    /// What makes the id unique beside the id itself: a CloudEvent's source, else empty.
    pub id_scope: &'a str,
    /// The fields that are read.
    pub fields: Fields<'a>,
}

impl<'a> Event<'a> {
    /// What evidence calls it: a page's path, else its name, else its kind.
    pub fn label(&self) -> &'a str {
        let path = match self.kind {
            Kind::Page | Kind::Screen => self.fields.text_of(FieldTable::PAGE_PATH),
            _ => None,
        };
        path.or_else(|| self.fields.text_of(FieldTable::NAME)).unwrap_or(self.kind.name())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
