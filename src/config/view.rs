//! A value of the tree with its path: asked for what it should be, it gives that or notes a fault.

use super::fault::{Faults, quote};
use super::scalar::{self, Scalar, ScalarKind};
use super::tree::{Entry, Node, Value, join};
use crate::core::limits::{MAX_ENTRIES, MAX_NAME, MAX_SENTENCE};
use crate::core::spec::Tenths;
use crate::core::time::Span;

/// A value with its path from the top of the file.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    pub node: &'a Node,
    pub path: String,
}

impl<'a> View<'a> {
    /// The top of a file.
    pub fn top(node: &'a Node) -> Self {
        let path = String::new();
        Self { node, path }
    }

    /// Notes a fault of this value.
    pub fn fault(&self, faults: &mut Faults, message: impl Into<String>) {
        let path = if self.path.is_empty() { "file" } else { &self.path };
        faults.add(self.node.place, path, message);
    }

    /// Notes that it should be something else.
    pub fn must_be(&self, faults: &mut Faults, wanted: &str) {
        self.fault(faults, format!("must be {wanted}, got {}", self.shown()));
    }

    /// What it is, in words.
    fn shown(&self) -> String {
        match &self.node.value {
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
            Value::Scalar(Scalar { raw, kind }) => match kind {
                ScalarKind::Null => "nothing".into(),
                ScalarKind::Bool(value) => format!("the truth value {value}"),
                ScalarKind::Number(_) => format!("the number {}", quote(raw).trim_matches('"')),
                ScalarKind::Text => quote(raw),
            },
        }
    }

    /// The scalar, if it is one and not nothing.
    pub fn scalar(&self) -> Option<&'a Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) if scalar.kind != ScalarKind::Null => Some(scalar),
            _ => None,
        }
    }

    /// The text, if it is one; notes nothing.
    pub fn as_text(&self) -> Option<&'a str> {
        self.scalar().filter(|scalar| scalar.kind == ScalarKind::Text).map(|scalar| scalar.raw.as_str())
    }

    /// Whether nothing follows the key.
    pub fn is_null(&self) -> bool {
        matches!(&self.node.value, Value::Scalar(scalar) if scalar.kind == ScalarKind::Null)
    }

    /// The items, if it is a list; notes nothing.
    pub fn as_list(&self) -> Option<Vec<View<'a>>> {
        let Value::List(items) = &self.node.value else {
            return None;
        };
        let item = |(index, node)| View { node, path: format!("{}[{index}]", self.path) };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The value of a key, if it is a map with that key; notes nothing.
    pub fn entry(&self, key: &str) -> Option<View<'a>> {
        let Value::Map(entries) = &self.node.value else {
            return None;
        };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        Some(entry.view(&self.path))
    }

    /// A text that is not blank.
    pub fn text(&self, faults: &mut Faults) -> Option<&'a str> {
        let text = self.as_text().filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.must_be(faults, "a text");
        }
        text
    }

    /// A text of one line that can go on a card.
    pub fn sentence(&self, faults: &mut Faults) -> Option<String> {
        let text = self.text(faults)?;
        if text.chars().count() > MAX_SENTENCE || text.chars().any(char::is_control) {
            self.must_be(faults, &format!("one line of at most {MAX_SENTENCE} characters"));
            return None;
        }
        Some(text.to_owned())
    }

    /// A name as the file writes it, quoted or not; the characters are not looked at.
    pub fn reference(&self, faults: &mut Faults) -> Option<&'a str> {
        let raw = self.scalar().map(|scalar| scalar.raw.as_str());
        if raw.is_none() {
            self.must_be(faults, "a name");
        }
        raw
    }

    /// A new name: `[A-Za-z0-9_.-]{1,64}`.
    pub fn name(&self, faults: &mut Faults) -> Option<&'a str> {
        let name = self.reference(faults)?;
        if !is_name(name) {
            self.fault(faults, bad_name(name));
            return None;
        }
        Some(name)
    }

    pub fn truth(&self, faults: &mut Faults) -> Option<bool> {
        match self.scalar().map(|scalar| scalar.kind) {
            Some(ScalarKind::Bool(value)) => Some(value),
            _ => {
                self.must_be(faults, "true or false");
                None
            }
        }
    }

    /// The truth value, if it is one; notes nothing.
    pub fn as_truth(&self) -> Option<bool> {
        match self.scalar()?.kind {
            ScalarKind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// A finite number.
    pub fn number(&self, faults: &mut Faults) -> Option<f64> {
        match self.scalar().map(|scalar| scalar.kind) {
            Some(ScalarKind::Number(value)) if value.is_finite() => Some(value),
            _ => {
                self.must_be(faults, "a number");
                None
            }
        }
    }

    /// A whole number in this range, both ends included.
    pub fn whole(&self, faults: &mut Faults, from: i64, to: i64) -> Option<i64> {
        let number = self.number(faults)?;
        if number.fract() != 0.0 || !(from as f64..=to as f64).contains(&number) {
            self.must_be(faults, &format!("a whole number from {from} to {to}"));
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "in range")]
        Some(number as i64)
    }

    pub fn points(&self, faults: &mut Faults) -> Option<Tenths> {
        let number = self.number(faults)?;
        scalar::tenths(number).map_err(|message| self.fault(faults, message)).ok()
    }

    /// A duration of at least `from`.
    pub fn duration(&self, faults: &mut Faults, from: Span) -> Option<Span> {
        let Some(text) = self.as_text() else {
            self.must_be(faults, "a duration such as 90s, 15m, 1h30m or 7d");
            return None;
        };
        match scalar::duration(text) {
            Ok(span) if span < from => {
                self.must_be(faults, &format!("at least {} ms", from.as_millis()).replace("000 ms", "s"));
                None
            }
            Ok(span) => Some(span),
            Err(message) => {
                self.fault(faults, message);
                None
            }
        }
    }

    /// A list of at least one and at most [`MAX_ENTRIES`] items.
    pub fn list(&self, faults: &mut Faults, of: &str) -> Option<Vec<View<'a>>> {
        let Some(items) = self.as_list() else {
            self.must_be(faults, &format!("a list of {of}"));
            return None;
        };
        match items.len() {
            0 => self.fault(faults, "must not be an empty list"),
            n if n > MAX_ENTRIES => self.fault(faults, format!("must have at most {MAX_ENTRIES} {of}, got {n}")),
            _ => return Some(items),
        }
        None
    }

    /// The entries of a map with keys of the user's own; none if nothing follows the key.
    pub fn entries(&self, faults: &mut Faults, of: &str) -> Vec<(&'a Entry, View<'a>)> {
        match &self.node.value {
            Value::Map(entries) if entries.len() > MAX_ENTRIES => {
                let n = entries.len();
                self.fault(faults, format!("must have at most {MAX_ENTRIES} {of}, got {n}"));
                Vec::new()
            }
            Value::Map(entries) => entries.iter().map(|entry| (entry, entry.view(&self.path))).collect(),
            _ if self.is_null() => Vec::new(),
            _ => {
                self.must_be(faults, &format!("a map of {of}"));
                Vec::new()
            }
        }
    }

    /// As [`Self::entries`], the keys being new names.
    pub fn named(&self, faults: &mut Faults, of: &str) -> Vec<(&'a str, View<'a>)> {
        let mut named = Vec::new();
        for (entry, view) in self.entries(faults, of) {
            if is_name(&entry.key) {
                named.push((entry.key.as_str(), view));
            } else {
                faults.add(entry.place, &view.path, bad_name(&entry.key));
            }
        }
        named
    }
}

impl Entry {
    pub fn view(&self, path: &str) -> View<'_> {
        View { node: &self.node, path: join(path, &self.key) }
    }
}

/// What became of a key that may be left out: `None` if it is there and wrong.
pub(super) fn optional<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

/// Whether a text can be a name: it becomes a metric label and a column of tables.
pub(super) fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(fits)
}

fn bad_name(name: &str) -> String {
    format!("a name has 1 to {MAX_NAME} letters, digits or _.- and nothing else, got {}", quote(name))
}
