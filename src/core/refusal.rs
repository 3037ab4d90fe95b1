//! Why a record cannot be read as an event: a closed set, told by the codec, counted by telemetry.

/// Why a record is a dead letter: a closed set, the metric label and the `hotlead_reason` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// More bytes than are decoded.
    TooLarge,
    /// A tombstone or no bytes.
    Empty,
    /// Not UTF-8.
    NotUtf8,
    /// Nested deeper than is followed.
    TooDeep,
    /// Not JSON.
    NotJson,
    /// JSON, but of no format we know.
    UnknownFormat,
    /// No kind of event, or one we do not know.
    NoType,
    /// No time that can be read, or one before 2000 or after 9999.
    BadTime,
    /// No lead key, or one that is too long.
    NoLead,
}

impl Reason {
    /// Every reason, in the order of their discriminants.
    pub const ALL: [Self; 9] = [
        Self::TooLarge,
        Self::Empty,
        Self::NotUtf8,
        Self::TooDeep,
        Self::NotJson,
        Self::UnknownFormat,
        Self::NoType,
        Self::BadTime,
        Self::NoLead,
    ];

    /// The label.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::TooDeep => "too_deep",
            Self::NotJson => "not_json",
            Self::UnknownFormat => "unknown_format",
            Self::NoType => "no_type",
            Self::BadTime => "bad_time",
            Self::NoLead => "no_lead",
        }
    }
}
