//! From an event to the filters that take it, without trying each one.
//!
//! A filter that wants one of some texts, or one of some prefixes, in a field is found by looking the field's value up;
//! only filters that have neither are tried one by one. So the cost of an event grows with the filters that it matches,
//! not with all of them.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::event::{Event, FieldId, FieldTable, Kind, Value};
use super::matching;
use super::spec::{FilterSpec, Matcher, Scalar, Test};

/// A filter whose fields are slots.
#[derive(Clone, Debug)]
pub struct Filter {
    on: Option<Kind>,
    fields: Vec<(FieldId, Matcher)>,
}

impl Filter {
    /// Turns field paths into slots.
    pub fn compile(spec: &FilterSpec, table: &mut FieldTable) -> Self {
        let fields = spec.fields.iter();
        Self { on: spec.on, fields: fields.map(|(path, matcher)| (table.id(path.clone()), matcher.clone())).collect() }
    }

    /// Whether one test of one field decides, beside the kind.
    fn has_one_test(&self) -> bool {
        matches!(&*self.fields, [(_, matcher)] if matcher.tests.len() == 1)
    }

    /// Every part holds.
    pub fn takes(&self, event: &Event<'_>) -> bool {
        self.on.is_none_or(|kind| kind == event.kind)
            && self.fields.iter().all(|(field, matcher)| matching::holds(matcher, event.fields.get(*field)))
    }
}

/// Filters by what an event must have to match them.
#[derive(Debug)]
pub struct Index {
    filters: Vec<Filter>,
    kinds: [KindIndex; Kind::ALL.len()],
}

#[derive(Debug, Default)]
struct KindIndex {
    fields: Vec<FieldIndex>,
    /// Filters that no text leads to.
    others: Vec<u16>,
}

/// Filters by the text of one field.
#[derive(Debug)]
struct FieldIndex {
    field: FieldId,
    whole: Table,
    prefixes: Table,
    /// Lengths of the prefixes in bytes, each once.
    lengths: Vec<usize>,
}

/// Texts in lower case and the filters that each leads to.
#[derive(Debug, Default)]
struct Table(HashTable<(Box<str>, Vec<Candidate>)>);

/// A filter that a text leads to.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    filter: u16,
    /// Whether the filter asks for nothing else.
    is_sure: bool,
}

impl Table {
    fn add(&mut self, text: &str, candidate: Candidate) {
        let hash = |text: &str| xxh3_64(text.as_bytes());
        let entry = self.0.entry(hash(text), |(known, _)| **known == *text, |(known, _)| hash(known));
        entry.or_insert_with(|| (text.into(), Vec::new())).into_mut().1.push(candidate);
    }

    fn get(&self, text: &[u8]) -> &[Candidate] {
        let found = self.0.find(xxh3_64(text), |(known, _)| known.as_bytes() == text);
        found.map_or(&[], |(_, candidates)| candidates)
    }
}

/// What leads to a filter.
enum Lead<'a> {
    Whole(FieldId, Vec<&'a str>),
    Prefix(FieldId, &'a [String]),
    Nothing,
}

impl Index {
    /// An index of these filters; a filter's number is its position.
    pub fn new(filters: Vec<Filter>) -> Self {
        let mut kinds: [KindIndex; Kind::ALL.len()] = Default::default();
        for (number, filter) in (0..).zip(&filters) {
            for kind in Kind::ALL {
                if filter.on.is_none_or(|on| on == kind) {
                    kinds[kind as usize].add(filter, number);
                }
            }
        }
        Self { filters, kinds }
    }

    /// Writes the numbers of all filters that take the event to `found`, ascending; `scratch` is overwritten.
    pub fn find(&self, event: &Event<'_>, found: &mut Vec<u16>, scratch: &mut String) {
        found.clear();
        let kind = &self.kinds[event.kind as usize];
        let takes = |number: u16| self.filters[usize::from(number)].takes(event);
        for index in &kind.fields {
            index.candidates(event.fields.get(index.field), scratch, &mut |candidate| {
                if candidate.is_sure || takes(candidate.filter) {
                    found.push(candidate.filter);
                }
            });
        }
        found.extend(kind.others.iter().copied().filter(|number| takes(*number)));
        if found.len() > 1 {
            found.sort_unstable();
            found.dedup();
        }
    }
}

impl KindIndex {
    fn add(&mut self, filter: &Filter, number: u16) {
        let candidate = Candidate { filter: number, is_sure: filter.has_one_test() };
        match lead(filter) {
            Lead::Whole(field, texts) => {
                let index = self.field(field);
                texts.into_iter().for_each(|text| index.whole.add(text, candidate));
            }
            Lead::Prefix(field, prefixes) => {
                let index = self.field(field);
                for prefix in prefixes {
                    index.prefixes.add(prefix, candidate);
                    if !index.lengths.contains(&prefix.len()) {
                        index.lengths.push(prefix.len());
                    }
                }
            }
            Lead::Nothing => self.others.push(number),
        }
    }

    fn field(&mut self, field: FieldId) -> &mut FieldIndex {
        let known = self.fields.iter().position(|index| index.field == field);
        let at = known.unwrap_or_else(|| {
            self.fields.push(FieldIndex {
                field,
                whole: Table::default(),
                prefixes: Table::default(),
                lengths: Vec::new(),
            });
            self.fields.len() - 1
        });
        &mut self.fields[at]
    }
}

/// The first test that only certain texts, or texts with certain beginnings, can pass.
fn lead(filter: &Filter) -> Lead<'_> {
    let tests = filter.fields.iter().flat_map(|(field, matcher)| matcher.tests.iter().map(|test| (*field, test)));
    let mut prefix = Lead::Nothing;
    for (field, test) in tests {
        match test {
            Test::Equals(wanted) => {
                let texts = wanted.iter().map(|scalar| match scalar {
                    Scalar::Text(text) => Some(text.as_str()),
                    // A number is equal to many texts ("50", "50.0"): not to be looked up.
                    Scalar::Bool(_) | Scalar::Number(_) => None,
                });
                if let Some(texts) = texts.collect() {
                    return Lead::Whole(field, texts);
                }
            }
            Test::Prefix(prefixes) if matches!(prefix, Lead::Nothing) => prefix = Lead::Prefix(field, prefixes),
            _ => {}
        }
    }
    prefix
}

impl FieldIndex {
    /// Calls `found` for each filter that the value leads to; a list may lead to one more than once.
    fn candidates(&self, value: Value<'_>, scratch: &mut String, found: &mut impl FnMut(Candidate)) {
        if let Value::List(list) = value {
            // The items of a list are never lists, so this goes one level deep.
            list.items().for_each(|item| self.candidates(item, scratch, found));
            return;
        }
        let Some(text) = matching::plain(value) else {
            return;
        };
        let text = lower(&text, scratch).as_bytes();
        self.whole.get(text).iter().copied().for_each(&mut *found);
        for length in &self.lengths {
            if let Some(head) = text.get(..*length) {
                self.prefixes.get(head).iter().copied().for_each(&mut *found);
            }
        }
    }
}

/// Unicode lower case, without a copy where the text is that already.
fn lower<'a>(text: &'a str, scratch: &'a mut String) -> &'a str {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return text;
    }
    scratch.clear();
    if text.is_ascii() {
        scratch.push_str(text);
        scratch.make_ascii_lowercase();
    } else {
        scratch.push_str(&text.to_lowercase());
    }
    scratch
}
