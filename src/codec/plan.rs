//! Where each field of an event lies in a record's JSON: places in order, the first present one counts.
//!
//! The places of all formats stand side by side (an own `lead.user_id`, a Segment `userId`): a record has those of its
//! format, so nobody has to ask which it is.

use super::envelope::Text;
use super::tree::{NodeId, Sprout, Tree};
use super::walk::{Found, is_blank};
use crate::core::event::{FieldPath, Kind, Shape, Slot};

/// How to get one field.
#[derive(Debug)]
pub(super) struct Plan {
    places: Box<[Place]>,
    /// Places of the page's address, if its path may be taken from there.
    address: Box<[Place]>,
    take: Take,
}

/// One place where a field may lie.
#[derive(Clone, Copy, Debug)]
struct Place {
    node: NodeId,
    /// What stands for the value if it is an object.
    inner: Option<NodeId>,
    /// Kinds of events for which the place counts, a bit each.
    kinds: u8,
}

/// What becomes of the value that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    AsIs,
    /// Text or number only; trimmed, lower case.
    Email,
    /// What follows the last `@` of the same.
    EmailDomain,
}

const ALL: u8 = 0b0011_1111;
const GROUP: u8 = bit(Kind::Group);

const fn bit(kind: Kind) -> u8 {
    1 << kind as u8
}

/// A place in words.
struct Wanted<'a> {
    keys: Vec<&'a str>,
    kinds: u8,
    inner: Option<&'static str>,
}

/// One or two fixed keys, then those of the field's own path.
fn wanted<'a>(first: &[&'static str], keys: &'a [Box<str>], kinds: u8) -> Wanted<'a> {
    let keys = keys.iter().map(|key| &**key);
    Wanted { keys: first.iter().copied().chain(keys).collect(), kinds, inner: None }
}

/// The places of a field, the first that counts first.
fn places(path: &FieldPath) -> Vec<Wanted<'_>> {
    let all = |first: &[&'static str]| wanted(first, &[], ALL);
    match path {
        FieldPath::Name => vec![wanted(&["event"], &[], bit(Kind::Track)), all(&["name"])],
        FieldPath::UserId => vec![all(&["lead", "user_id"]), all(&["userId"])],
        FieldPath::AnonymousId => vec![all(&["lead", "anonymous_id"]), all(&["anonymousId"])],
        FieldPath::GroupId => vec![all(&["lead", "group_id"]), all(&["groupId"]), all(&["context", "groupId"])],
        // The address among a group's traits is the company's: nobody's.
        FieldPath::Email | FieldPath::EmailDomain => vec![
            all(&["lead", "email"]),
            wanted(&["traits", "email"], &[], ALL & !GROUP),
            all(&["context", "traits", "email"]),
        ],
        FieldPath::UserAgent => vec![all(&["user_agent"]), all(&["context", "userAgent"])],
        FieldPath::Ip => vec![all(&["ip"]), all(&["context", "ip"])],
        // The properties of a track event are those of what was done, not of the page where it was done.
        FieldPath::Page(keys) => vec![
            wanted(&["page"], keys, ALL),
            wanted(&["properties"], keys, bit(Kind::Page) | bit(Kind::Screen)),
            wanted(&["context", "page"], keys, ALL),
        ],
        FieldPath::Campaign(keys) => vec![wanted(&["context", "campaign"], keys, ALL)],
        FieldPath::Properties(keys) => vec![wanted(&["properties"], keys, ALL)],
        FieldPath::Context(keys) => vec![wanted(&["context"], keys, ALL)],
        FieldPath::Traits(keys) => vec![wanted(&["traits"], keys, ALL), wanted(&["context", "traits"], keys, ALL)],
        FieldPath::Trait(keys) => trait_places(keys),
    }
}

fn trait_places(keys: &[Box<str>]) -> Vec<Wanted<'_>> {
    let mut places = Vec::with_capacity(3);
    let is = |name: &str| matches!(keys, [key] if **key == *name);
    if is("company") {
        places.push(wanted(&["traits", "name"], &[], GROUP));
    }
    // A group's own name is not the person's.
    let own = if is("name") { ALL & !GROUP } else { ALL };
    places.push(wanted(&["traits"], keys, own));
    places.push(wanted(&["context", "traits"], keys, ALL));
    if is("company") {
        for place in &mut places[1..] {
            place.inner = Some("name");
        }
    }
    places
}

/// The field that stands in for a missing page's path.
fn address_of(path: &FieldPath) -> Option<FieldPath> {
    match path {
        FieldPath::Page(keys) if matches!(&**keys, [key] if **key == *"path") => {
            Some(FieldPath::Page(Box::new(["url".into()])))
        }
        _ => None,
    }
}

/// Asks for all places of a field.
pub(super) fn want(path: &FieldPath, root: &mut Sprout) {
    let address = address_of(path);
    for path in [Some(path), address.as_ref()].into_iter().flatten() {
        for place in places(path) {
            root.want(place.keys.iter().copied());
            if let Some(inner) = place.inner {
                root.want(place.keys.iter().copied().chain([inner]));
            }
        }
    }
}

impl Plan {
    /// The plan for a field whose places are in the tree.
    pub(super) fn new(path: &FieldPath, tree: &Tree) -> Self {
        let find = |path: &FieldPath| -> Box<[Place]> {
            let places = places(path).into_iter();
            let place = |wanted: Wanted<'_>| {
                let keys = wanted.keys.iter().copied();
                let inner = wanted.inner.map(|inner| tree.find(keys.clone().chain([inner])));
                Some(Place { node: tree.find(keys)?, inner: inner.flatten(), kinds: wanted.kinds })
            };
            places.filter_map(place).collect()
        };
        Self {
            places: find(path),
            address: address_of(path).map(|url| find(&url)).unwrap_or_default(),
            take: match path {
                FieldPath::Email => Take::Email,
                FieldPath::EmailDomain => Take::EmailDomain,
                _ => Take::AsIs,
            },
        }
    }
}

/// Which plans read a node: most fields are absent of most records, and their places need no look.
#[derive(Debug)]
pub(super) struct Readers(Box<[u64]>);

impl Readers {
    /// Of these plans, whose places are in the tree.
    pub(super) fn new(plans: &[Plan], tree: &Tree) -> Self {
        let mut readers = vec![0; tree.len()];
        for (number, plan) in plans.iter().enumerate() {
            for place in plan.places.iter().chain(&plan.address) {
                for node in [Some(place.node), place.inner].into_iter().flatten() {
                    readers[usize::from(node)] |= Self::bit(number);
                }
            }
        }
        Self(readers.into())
    }

    /// The bit of a plan; with more than 64 plans some share one.
    fn bit(number: usize) -> u64 {
        1 << (number % 64)
    }

    /// Fills the slots of all plans that may find something; the others are absent.
    #[inline(always)]
    pub(super) fn fill(&self, plans: &[Plan], source: &mut Source<'_, '_>, kind: Kind, slots: &mut [Slot]) {
        slots.fill(Slot::default());
        let own = source.found.touched().iter().filter_map(|node| node.checked_sub(source.root));
        let mut bits = own.fold(0, |bits, node| bits | self.0[usize::from(node)]);
        while bits != 0 {
            let mut number = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            while let (Some(plan), Some(slot)) = (plans.get(number), slots.get_mut(number)) {
                *slot = source.get(plan, kind);
                number += 64;
            }
        }
    }
}

/// The text of one record, what was found in it, and the node under which the event's own JSON lies.
#[derive(Debug)]
pub(super) struct Source<'a, 'b> {
    pub(super) text: &'a str,
    pub(super) found: &'b mut Found,
    pub(super) root: NodeId,
}

impl Source<'_, '_> {
    /// What was found at a place of the event.
    #[inline(always)]
    pub(super) fn at(&self, node: NodeId) -> Slot {
        self.found.values[usize::from(self.root + node)]
    }

    /// What a slot says, if that is text or a number.
    #[inline(always)]
    pub(super) fn says(&self, slot: Slot) -> Option<&str> {
        let range = slot.range();
        match slot.shape() {
            Shape::Text | Shape::Number => self.text.get(range),
            Shape::Written => self.found.written.get(range),
            _ => None,
        }
    }

    /// Where a text is, for good: one of a header goes to the second text.
    #[cold]
    pub(super) fn keep(&mut self, text: Text<'_>) -> Slot {
        match text {
            Text::Found(slot) => slot,
            Text::Header(text) => {
                let start = self.found.written.len();
                self.found.written.push_str(text);
                Slot::new(Shape::Written, start, start + text.len())
            }
        }
    }

    /// The value of a field in an event of this kind.
    #[inline]
    pub(super) fn get(&mut self, plan: &Plan, kind: Kind) -> Slot {
        match plan.take {
            Take::AsIs => {
                let value = self.first(&plan.places, kind, |_| true);
                if value.is_absent() && !plan.address.is_empty() {
                    let address = self.first(&plan.address, kind, |_| true);
                    return self.path_of(address);
                }
                value
            }
            Take::Email => self.email(plan, kind),
            Take::EmailDomain => {
                let email = self.email(plan, kind);
                self.domain_of(email)
            }
        }
    }

    #[inline(always)]
    fn first(&self, places: &[Place], kind: Kind, fits: impl Fn(Shape) -> bool) -> Slot {
        let kind = bit(kind);
        for place in places.iter().filter(|place| place.kinds & kind != 0) {
            let mut value = self.at(place.node);
            if let (Some(inner), Shape::Object) = (place.inner, value.shape()) {
                value = self.at(inner);
            }
            if !value.is_absent() && fits(value.shape()) {
                return value;
            }
        }
        Slot::default()
    }

    fn email(&mut self, plan: &Plan, kind: Kind) -> Slot {
        let found =
            self.first(&plan.places, kind, |shape| matches!(shape, Shape::Text | Shape::Written | Shape::Number));
        let Some(text) = self.says(found) else {
            return Slot::default();
        };
        let trimmed = text.trim();
        if trimmed.bytes().any(|byte| byte.is_ascii_uppercase() || byte >= 0x80) {
            let lower = trimmed.to_lowercase();
            let start = self.found.written.len();
            self.found.written.push_str(&lower);
            return Slot::new(Shape::Written, start, start + lower.len());
        }
        let before = text.len() - text.trim_start().len();
        let start = found.start() + before;
        Slot::new(found.shape(), start, start + trimmed.len())
    }

    fn domain_of(&self, email: Slot) -> Slot {
        let Some(text) = self.says(email) else {
            return Slot::default();
        };
        match text.rfind('@') {
            Some(place) if !is_blank(&text[place + 1..]) => {
                Slot::new(email.shape(), email.start() + place + 1, email.end())
            }
            _ => Slot::default(),
        }
    }

    /// The path of an address, up to `?` or `#`: of `https://host/path` and `/path`. An address without a path has
    /// the path `/`; what is no address has none.
    fn path_of(&self, address: Slot) -> Slot {
        let Some(url) = self.says(address) else {
            return Slot::default();
        };
        let end = url.find(['?', '#']).unwrap_or(url.len());
        let url = &url[..end];
        let from = address.start();
        let slashes = match url.find("://") {
            Some(colon) => colon + 1,
            None if url.starts_with("//") => 0,
            None if url.starts_with('/') => return Slot::new(address.shape(), from, from + end),
            None => return Slot::default(),
        };
        match url[slashes + 2..].find('/') {
            Some(path) => Slot::new(address.shape(), from + slashes + 2 + path, from + end),
            // Borrowed from the address itself: its first slash is the text "/".
            None => Slot::new(address.shape(), from + slashes, from + slashes + 1),
        }
    }
}
