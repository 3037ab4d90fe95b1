//! The names that a rules file defines, and looking one up.

use std::collections::HashSet;

use crate::config::fault::{Faults, quote};
use crate::config::map::Map;
use crate::config::suggest::did_you_mean;
use crate::config::tree::{Entry, Node, Value};
use crate::config::view::View;

/// Names that the file defines, well or badly: what refers to a bad one has no fault of its own.
pub(super) struct Names<'a> {
    pub entries: &'a [Entry],
    known: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    /// No names at all.
    pub fn none() -> Self {
        Self::in_map(None)
    }

    /// The names of a section.
    pub fn of(map: &Map<'a>, key: &str) -> Self {
        Self::in_map(map.get(key).map(|view| view.node))
    }

    /// The names of groups of points.
    pub fn of_groups(map: &Map<'a>) -> Self {
        let scoring = map.get("scoring").map(|view| view.node);
        let groups = scoring.and_then(|node| match &node.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == "groups"),
            _ => None,
        });
        Self::in_map(groups.map(|entry| &entry.node))
    }

    fn in_map(node: Option<&'a Node>) -> Self {
        let entries = match node.map(|node| &node.value) {
            Some(Value::Map(entries)) => entries.as_slice(),
            _ => &[],
        };
        let known = entries.iter().map(|entry| entry.key.as_str()).collect();
        Self { entries, known }
    }

    /// The name if it is known, else a fault with the nearest one.
    pub fn find(&self, what: &str, view: &View<'_>, faults: &mut Faults) -> Option<String> {
        /// Comparing every name with every other would take seconds in a file made for it.
        const HINTS: usize = 100;
        let name = view.reference(faults)?;
        if self.known.contains(name) {
            return Some(name.to_owned());
        }
        let hint = if faults.len() < HINTS {
            did_you_mean(name, self.entries.iter().map(|entry| entry.key.as_str()))
        } else {
            String::new()
        };
        view.fault(faults, format!("there is no {what} {}{hint}", quote(name)));
        None
    }
}
