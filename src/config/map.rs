//! A map of fixed keys, compared with the table of what they may be.

use super::fault::{Faults, Place};
use super::shape::{Choice, Need, Shape};
use super::suggest::did_you_mean;
use super::tree::{Entry, Value, join};
use super::view::View;

/// A map whose keys were compared with what they may be.
#[derive(Clone, Debug)]
pub(super) struct Map<'a> {
    pub place: Place,
    pub path: String,
    entries: &'a [Entry],
    shape: &'static Shape,
}

impl<'a> View<'a> {
    /// A map of fixed keys: unknown ones, missing ones and wrong combinations are faults.
    pub fn map(&self, faults: &mut Faults, shape: &'static Shape) -> Option<Map<'a>> {
        let Value::Map(entries) = &self.node.value else {
            let names: Vec<_> = shape.all_keys().map(|key| key.name).take(4).collect();
            self.must_be(faults, &format!("a map with keys such as {}", names.join(", ")));
            return None;
        };
        let map = Map { place: self.node.place, path: self.path.clone(), entries, shape };
        map.check_keys(faults);
        Some(map)
    }
}

impl<'a> Map<'a> {
    /// The value of one of the shape's keys, if it is there.
    pub fn get(&self, key: &str) -> Option<View<'a>> {
        debug_assert!(self.shape.key(key).is_some(), "{key} is in no table");
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(entry.view(&self.path))
    }

    /// Every key with its value, in file order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, View<'a>)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), entry.view(&self.path)))
    }

    /// Notes a fault of the map itself.
    pub fn fault(&self, faults: &mut Faults, message: impl Into<String>) {
        let path = if self.path.is_empty() { "file" } else { &self.path };
        faults.add(self.place, path, message);
    }

    fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    fn check_keys(&self, faults: &mut Faults) {
        for entry in self.entries {
            let path = join(&self.path, &entry.key);
            if self.shape.key(&entry.key).is_none() {
                let hint = did_you_mean(&entry.key, self.shape.all_keys().map(|key| key.name));
                faults.add(entry.place, &path, format!("there is no such key{hint}"));
            }
        }
        for key in self.shape.all_keys() {
            if key.need == Need::Required && !self.has(key.name) {
                faults.add(self.place, &join(&self.path, key.name), "is missing");
            }
        }
        let there = |keys: &[&str]| keys.iter().filter(|key| self.has(key)).count();
        // A misspelt one has its own fault; a second would only confuse.
        let unknown = self.entries.iter().any(|entry| self.shape.key(&entry.key).is_none());
        match self.shape.choice {
            Choice::One(keys) if there(keys) > 1 || there(keys) == 0 && !unknown => {
                self.fault(faults, format!("must have exactly one of {}", keys.join(", ")));
            }
            Choice::Some(keys) if there(keys) == 0 && !unknown => {
                self.fault(faults, format!("must have at least one of {}", keys.join(", ")));
            }
            _ => {}
        }
    }
}
