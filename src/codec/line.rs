//! A line of a file of events: the event alone, or a captured record with its coordinates; and the writer of such.
//!
//! A captured value stands in the line as the JSON it is, byte for byte. One that is no JSON, or that does not fit on
//! one line, stands there in base64; so does a key or a header that is no text. Reading a captured line gives the
//! bytes that were written.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::scan::{self, Json};
use super::stops::Stops;
use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;

/// Where a record was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinates {
    /// The topic's full name.
    pub topic: String,
    /// The partition within it.
    pub partition: Partition,
    /// The record's offset.
    pub offset: Offset,
}

/// One line, read; or one record, to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// `None` for an event alone.
    pub coordinates: Option<Coordinates>,
    /// The record's timestamp; `None` for an event alone, or a record that has none.
    pub time: Option<Timestamp>,
    /// The record's key.
    pub key: Option<Cow<'a, [u8]>>,
    /// Names and values, in order; a value may be null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The exact bytes of the record's value; `None` is a tombstone.
    pub value: Option<Cow<'a, [u8]>>,
}

/// The line as JSON. A member's order here is its order in the file.
#[derive(Serialize, Deserialize)]
struct Captured<'a> {
    #[serde(borrow)]
    record: Place<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value_base64: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct Place<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    partition: i32,
    offset: i64,
    /// Unix milliseconds; `null` if the record has none.
    timestamp: Option<i64>,
    /// `null` if the record has none.
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    key_base64: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Header<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    /// `null` if the header has none.
    #[serde(borrow, default)]
    value: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value_base64: Option<Cow<'a, str>>,
}

/// Reads one line, without its line feed. Total: a line that is no captured record is an event alone, and the decoder
/// says what is wrong with it.
pub fn read(line: &[u8]) -> Line<'_> {
    /// Made once: it takes longer to make than to use.
    static RECORD: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"record\""));
    let alone = || Line { value: Some(Cow::Borrowed(line)), ..Line::default() };
    // An event alone is the usual case, and seldom says "record" anywhere.
    if RECORD.find(line).is_none() {
        return alone();
    }
    let text = std::str::from_utf8(line).ok();
    text.and_then(captured).unwrap_or_else(alone)
}

fn captured(text: &str) -> Option<Line<'_>> {
    let captured: Captured<'_> = serde_json::from_str(text).ok()?;
    let place = captured.record;
    let value = match (captured.value, captured.value_base64) {
        (_, Some(encoded)) => Some(Cow::Owned(STANDARD.decode(&*encoded).ok()?)),
        // A member `"value":null` does not reach this as a value: it is a tombstone.
        (value, None) => value.map(|value| Cow::Borrowed(value.get().as_bytes())),
    };
    let mut headers = Vec::with_capacity(place.headers.len());
    for header in place.headers {
        let value = bytes(header.value, header.value_base64)?.map(Cow::into_owned);
        headers.push((header.name.into_owned(), value));
    }
    Some(Line {
        coordinates: Some(Coordinates {
            topic: place.topic.into_owned(),
            partition: Partition(place.partition),
            offset: Offset(place.offset),
        }),
        time: place.timestamp.map(Timestamp::from_millis),
        key: bytes(place.key, place.key_base64)?,
        headers,
        value,
    })
}

/// Bytes that stand in the line as text or in base64; the outer `None` is a wrong encoding.
#[allow(clippy::option_option, reason = "absent and unreadable are different")]
fn bytes<'a>(text: Option<Cow<'a, str>>, encoded: Option<Cow<'a, str>>) -> Option<Option<Cow<'a, [u8]>>> {
    Some(match (text, encoded) {
        (_, Some(encoded)) => Some(Cow::Owned(STANDARD.decode(&*encoded).ok()?)),
        (Some(Cow::Borrowed(text)), None) => Some(Cow::Borrowed(text.as_bytes())),
        (Some(Cow::Owned(text)), None) => Some(Cow::Owned(text.into_bytes())),
        (None, None) => None,
    })
}

impl Line<'_> {
    /// Writes a record as one line of a capture, with its line feed. A line without coordinates is an event alone:
    /// its bytes as they are.
    pub fn write(&self, out: &mut Vec<u8>) {
        let value = self.value.as_deref();
        if let Some(place) = &self.coordinates {
            let embedded = value.and_then(embedded);
            let encoded = value.filter(|_| embedded.is_none());
            let captured = Captured {
                record: self.place(place),
                value: embedded,
                value_base64: encoded.map(|value| STANDARD.encode(value).into()),
            };
            serde_json::to_writer(&mut *out, &captured).expect("texts and numbers into memory cannot fail");
        } else {
            out.extend_from_slice(value.unwrap_or_default());
        }
        out.push(b'\n');
    }

    fn place<'b>(&'b self, place: &'b Coordinates) -> Place<'b> {
        let (key, key_base64) = self.key.as_deref().map_or((None, None), text_or_base64);
        let header = |(name, value): &'b (String, Option<Vec<u8>>)| {
            let (value, value_base64) = value.as_deref().map_or((None, None), text_or_base64);
            Header { name: name.into(), value, value_base64 }
        };
        Place {
            topic: place.topic.as_str().into(),
            partition: place.partition.0,
            offset: place.offset.0,
            timestamp: self.time.map(Timestamp::as_millis),
            key,
            key_base64,
            headers: self.headers.iter().map(header).collect(),
        }
    }
}

type Encoded<'a> = (Option<Cow<'a, str>>, Option<Cow<'a, str>>);

fn text_or_base64(bytes: &[u8]) -> Encoded<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.into()), None),
        Err(_) => (None, Some(STANDARD.encode(bytes).into())),
    }
}

/// The value as JSON to embed: only what comes back byte for byte from one line.
fn embedded(value: &[u8]) -> Option<&RawValue> {
    let text = std::str::from_utf8(value).ok()?;
    // White space around is not part of a value, a line feed or carriage return ends the line, and a bare null would
    // come back as a tombstone.
    let is_bare = !text.starts_with([' ', '\t']) && !text.ends_with([' ', '\t']);
    let is_line = !value.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    if !is_bare || !is_line || text == "null" {
        return None;
    }
    // What is nested too deeply for the decoder is for nobody else to follow either.
    let mut stops = Stops::default();
    stops.find(value);
    let json = Json { bytes: value, stops: stops.words() };
    let is_whole = scan::value(json, 0, 0) == Ok(value.len());
    is_whole.then(|| serde_json::from_str(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured_line(value: Option<&'static [u8]>) -> Line<'static> {
        Line {
            coordinates: Some(Coordinates {
                topic: "engagement".into(),
                partition: Partition(2),
                offset: Offset(1234),
            }),
            time: Some(Timestamp::from_millis(1_795_341_734_120)),
            key: Some(Cow::Borrowed(b"u1")),
            headers: Vec::new(),
            value: value.map(Cow::Borrowed),
        }
    }

    fn written(line: &Line<'_>) -> String {
        let mut out = Vec::new();
        line.write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_line_has_the_pinned_form() {
        let place =
            r#"{"record":{"topic":"engagement","partition":2,"offset":1234,"timestamp":1795341734120,"key":"u1"}"#;
        #[rustfmt::skip]
        let rows: [(Option<&[u8]>, &str); 9] = [
            (Some(br#"{"type":"page", "n":1.50e2}"#), r#","value":{"type":"page", "n":1.50e2}}"#),
            (Some(b"[1,2]"),           r#","value":[1,2]}"#),
            (Some(b"no json"),         r#","value_base64":"bm8ganNvbg=="}"#),
            (Some(b"{\n}"),            r#","value_base64":"ewp9"}"#),
            (Some(b" {}"),             r#","value_base64":"IHt9"}"#),
            (Some(b"\xff"),            r#","value_base64":"/w=="}"#),
            (Some(b"null"),            r#","value_base64":"bnVsbA=="}"#),
            (Some(b""),                r#","value_base64":""}"#),
            (None,                     "}"),
        ];
        for (value, rest) in rows {
            let line = captured_line(value);
            let text = written(&line);
            assert_eq!(text, format!("{place}{rest}\n"));
            assert_eq!(read(text.trim_end().as_bytes()), line);
        }
    }

    #[test]
    fn headers_have_texts_bytes_or_nothing() {
        let value = |value: &[u8]| Some(value.to_vec());
        #[rustfmt::skip]
        let rows = [
            (value(b"v"),    r#"[{"name":"n","value":"v"}]"#),
            (value(b""),     r#"[{"name":"n","value":""}]"#),
            (value(b"\xff"), r#"[{"name":"n","value":null,"value_base64":"/w=="}]"#),
            (None,           r#"[{"name":"n","value":null}]"#),
        ];
        for (value, expected) in rows {
            let line = Line { headers: vec![("n".to_owned(), value)], ..captured_line(None) };
            let text = written(&line);
            assert!(text.contains(&format!("\"headers\":{expected}}}")), "{text}");
            assert_eq!(read(text.trim_end().as_bytes()), line);
        }
    }

    #[test]
    fn an_event_alone_is_its_own_bytes() {
        #[rustfmt::skip]
        let lines: [&[u8]; 6] = [
            br#"{"type":"page"}"#, br#"{"type":"track","properties":{"record":1}}"#, br#"{"record":1,"value":2}"#,
            br#"{"record":{"topic":"t"},"value":{}}"#, b"\xff\"record\"", b"",
        ];
        for line in lines {
            let read = read(line);
            assert_eq!(read.value.as_deref(), Some(line));
            assert_eq!((&read.coordinates, read.time), (&None, None));
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_captured_comes_back_byte_for_byte(
            value in proptest::option::of(proptest::prop_oneof![
                "[\\[\\]{}\",:a1 \n]{0,12}".prop_map(String::into_bytes),
                proptest::collection::vec(proptest::num::u8::ANY, 0..20),
            ]),
            key in proptest::option::of(proptest::collection::vec(proptest::num::u8::ANY, 0..9)),
            headers in proptest::collection::vec(
                (".{0,5}", proptest::option::of(proptest::collection::vec(proptest::num::u8::ANY, 0..5))), 0..3,
            ),
            time in proptest::option::of(-1i64..2_000_000_000_000),
        ) {
            let line = Line {
                value: value.map(Cow::Owned),
                key: key.map(Cow::Owned),
                headers,
                time: time.map(Timestamp::from_millis),
                ..captured_line(None)
            };
            let text = written(&line);
            let body = text.strip_suffix('\n').expect("a line feed at the end");
            proptest::prop_assert!(!body.contains(['\n', '\r']));
            proptest::prop_assert_eq!(read(body.as_bytes()), line);
        }
    }
    use proptest::strategy::Strategy as _;
}
