//! What a commit round writes to the changelog, gathered in one buffer that is reused from round to round.

use std::ops::Range;

use crate::core::ids::Partition;

/// Records for the changelog, each to the partition number of its input.
#[derive(Debug, Default)]
pub struct Changelog {
    bytes: Vec<u8>,
    records: Vec<(Partition, Range<usize>, Option<Range<usize>>)>,
}

/// One record; no value is a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub partition: Partition,
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

impl Changelog {
    /// Adds a record whose value is `head` and `rest`; without either it is a tombstone.
    pub fn add(&mut self, partition: Partition, key: &[u8], head: &[u8], rest: &[u8]) {
        let key = self.append(&[key]);
        let value = self.append(&[head, rest]);
        self.records.push((partition, key, (!value.is_empty()).then_some(value)));
    }

    fn append(&mut self, parts: &[&[u8]]) -> Range<usize> {
        let start = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        start..self.bytes.len()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.records.iter().map(|(partition, key, value)| Entry {
            partition: *partition,
            key: &self.bytes[key.clone()],
            value: value.clone().map(|value| &self.bytes[value]),
        })
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all; the memory is kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut changelog = Changelog::default();
        changelog.add(Partition(3), b"u1", b"head", b"state");
        changelog.add(Partition(4), b"u2", b"", b"");
        let entries: Vec<_> = changelog.entries().collect();
        let one = Entry { partition: Partition(3), key: b"u1", value: Some(b"headstate") };
        let gone = Entry { partition: Partition(4), key: b"u2", value: None };
        assert_eq!(entries, [one, gone]);
        assert_eq!((changelog.len(), changelog.bytes()), (2, 13));
        changelog.clear();
        assert!(changelog.is_empty());
    }
}
