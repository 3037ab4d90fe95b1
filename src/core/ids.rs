//! Identities: of an alert, of an event in a lead's memory, and of a place in a partition.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// A Kafka partition's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub i32);

/// A record's own offset in its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

/// One past the last record done: what is committed. Never a record's own offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextOffset(i64);

impl Offset {
    /// The offset to commit once this record is done.
    pub fn next(self) -> NextOffset {
        NextOffset(self.0 + 1)
    }
}

impl NextOffset {
    /// The raw number, as Kafka commits it.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where the records of one engine come from: one partition of a topic, or a file without coordinates.
///
/// ```
/// use hotlead::core::ids::{Origin, Partition};
/// let kafka = Origin::Topic { topic: "engagement".into(), partition: Partition(2) };
/// assert_eq!(kafka.source(1234), "engagement/2@1234");
/// assert_eq!(Origin::File { path: "events.ndjson".into() }.source(7), "events.ndjson:7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// Positions are offsets.
    Topic {
        /// The topic's full name.
        topic: Box<str>,
        /// The partition within it.
        partition: Partition,
    },
    /// Positions are line numbers, from 1; the path is printed as it was typed, `-` for standard input.
    File {
        /// As typed.
        path: Box<str>,
    },
}

impl Origin {
    /// The coordinates of one record, as every output prints them.
    pub fn source(&self, position: i64) -> String {
        let (Self::Topic { topic: name, .. } | Self::File { path: name }) = self;
        // Room for a partition's and an offset's usual digits: an alert has several of these.
        let mut source = String::with_capacity(name.len() + 24);
        let written = match self {
            Self::Topic { topic, partition } => write!(source, "{topic}/{partition}@{position}"),
            Self::File { path } => write!(source, "{path}:{position}"),
        };
        written.expect("a string takes all text");
        source
    }
}

/// Identifies one alert: a hash of what it is about, so that any replay gives the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(pub u128);

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for AlertId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AlertId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let whole = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u128::from_str_radix(&text, 16) {
            Ok(id) if whole => Ok(Self(id)),
            _ => Err(serde::de::Error::custom(format!("an alert id has 32 hexadecimal digits, got {text:?}"))),
        }
    }
}

impl schemars::JsonSchema for AlertId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AlertId".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
    }
}
