//! The changelog's records: a lead's state, and what the numbers in states mean.
//!
//! | key | value |
//! |---|---|
//! | the lead's key | version (1 byte), the id of its names (4 bytes), the state in the form of that version |
//! | the lead's key | nothing: the lead is forgotten |
//! | `FF` "names/" and an id | version (1 byte), the names as JSON |
//!
//! Names stand once in each partition, before the first state that is written in them. A lead's key is text, so none
//! begins with the byte FF. The state of a lead ends with its newest event, whose offset is the input that it includes.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::core::names::Names;
use crate::core::stored::Form;

/// Of the records that are written; all up to this one can be read.
pub const VERSION: u8 = 3;

const NAMES: &[u8] = b"\xFFnames/";

/// Which names a state is written in: a hash of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamesId(pub u32);

/// A record of the changelog.
#[derive(Debug, PartialEq, Eq)]
pub enum StateRecord<'a> {
    /// A lead's state.
    Lead {
        /// Its key.
        lead: &'a str,
        /// What the numbers in it mean.
        names: NamesId,
        /// Its form, which follows from the version, and its bytes.
        state: (Form, &'a [u8]),
    },
    /// A lead that is forgotten.
    Gone {
        /// Its key.
        lead: &'a str,
    },
    /// What numbers mean.
    Names(NamesId, Box<Names>),
}

/// A record that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFault {
    /// Written by a newer hotlead.
    Newer(u8),
    /// No record of ours.
    Foreign,
}

impl fmt::Display for StateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(version) => write!(
                f,
                "written by a newer hotlead (state version {version}, this one reads up to {VERSION}): run that one, or \
                 a still newer one"
            ),
            Self::Foreign => f.write_str("this is no state that hotlead wrote"),
        }
    }
}

/// What comes before a lead's state of this form in the value of its record.
pub fn head(NamesId(names): NamesId, form: Form) -> [u8; 5] {
    let version = match form {
        Form::Fixed => 1,
        Form::Compact => VERSION,
    };
    let mut head = [version, 0, 0, 0, 0];
    head[1..].copy_from_slice(&names.to_le_bytes());
    head
}

/// The id of names, and the key and value of their record.
pub fn names(names: &Names) -> (NamesId, Vec<u8>, Vec<u8>) {
    let json = serde_json::to_vec(names).expect("names are texts and numbers");
    let id = NamesId(xxh3_64(&json) as u32);
    let key = [NAMES, &id.0.to_be_bytes()].concat();
    (id, key, [&[VERSION], &json[..]].concat())
}

/// Reads a record.
///
/// # Errors
/// [`StateFault`].
pub fn read<'a>(key: &'a [u8], value: Option<&'a [u8]>) -> Result<StateRecord<'a>, StateFault> {
    let value = value.unwrap_or_default();
    let (version, rest) = value.split_first().map_or((VERSION, value), |(version, rest)| (*version, rest));
    let form = match version {
        1 => Form::Fixed,
        2 | 3 => Form::Compact,
        0 => return Err(StateFault::Foreign),
        4.. => return Err(StateFault::Newer(version)),
    };
    if let Some(id) = key.strip_prefix(NAMES) {
        let id = id.try_into().map_err(|_| StateFault::Foreign)?;
        let names = serde_json::from_slice(rest).map_err(|_| StateFault::Foreign)?;
        return Ok(StateRecord::Names(NamesId(u32::from_be_bytes(id)), names));
    }
    let lead = std::str::from_utf8(key).map_err(|_| StateFault::Foreign)?;
    if value.is_empty() {
        return Ok(StateRecord::Gone { lead });
    }
    let (names, state) = rest.split_first_chunk().ok_or(StateFault::Foreign)?;
    Ok(StateRecord::Lead { lead, names: NamesId(u32::from_le_bytes(*names)), state: (form, state) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_apart() {
        let written = |form| [&head(NamesId(0x0102_0304), form)[..], b"state"].concat();
        let (old, value) = (written(Form::Fixed), written(Form::Compact));
        let without_updates = [&[2], &value[1..]].concat();
        let lead = |form| StateRecord::Lead { lead: "u1", names: NamesId(0x0102_0304), state: (form, b"state") };
        let (id, key, json) = names(&Names::default());
        #[rustfmt::skip]
        let rows = [
            (&b"u1"[..], Some(&value[..]),     Ok(lead(Form::Compact)), "a lead"),
            (b"u1",      Some(&old),           Ok(lead(Form::Fixed)), "a lead of the first version"),
            (b"u1",      Some(&without_updates), Ok(lead(Form::Compact)), "a lead of the second version"),
            (b"u1",      None,                 Ok(StateRecord::Gone { lead: "u1" }), "a tombstone"),
            (&key,       Some(&json),          Ok(StateRecord::Names(id, Box::default())), "names"),
            (b"u1",      Some(b"\x04later"),   Err(StateFault::Newer(4)), "of the next version"),
            (b"u1",      Some(b"\x00"),        Err(StateFault::Foreign), "a version that never was"),
            (b"u1",      Some(b"\x01abc"),     Err(StateFault::Foreign), "cut short"),
            (b"\xFFu1",  Some(&value),         Err(StateFault::Foreign), "a key that is no text"),
            (&key,       Some(b"\x01{"),       Err(StateFault::Foreign), "names that are no JSON"),
        ];
        for (key, value, expected, why) in rows {
            assert_eq!(read(key, value), expected, "{why}");
        }
    }
}
