//! A record that waits for its commit round.

use std::borrow::Cow;

/// Which topic a record goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The alert topic.
    Alerts,
    /// The dead-letter topic.
    DeadLetters,
    /// The ops topic.
    Ops,
    /// Each partition of each sink's ledger.
    Ledgers,
}

/// A header's name and value.
pub type Header = (Cow<'static, str>, Option<Cow<'static, [u8]>>);

/// A record to be published; the partition follows from the key, by Java's hash, unless it goes to all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub target: Target,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers in order.
    pub headers: Vec<Header>,
}

impl Outgoing {
    /// Bytes of key and value.
    pub fn size(&self) -> usize {
        let size = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        size(&self.key) + size(&self.value)
    }
}
