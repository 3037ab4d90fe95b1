//! `hotlead capture`: the events topic to NDJSON that `backtest` reads with its coordinates.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use serde_json::value::RawValue;

use super::tail::{Reading, follow};
use crate::config::settings::Settings;

/// Writes records to `out` and returns the exit code.
pub fn capture(settings: &Settings, reading: Reading, out: &mut dyn Write) -> u8 {
    let group = format!("{}.capture", settings.group);
    follow(
        settings,
        &group,
        &settings.topics.events,
        reading,
        out,
        line,
    )
}

/// One record as one line.
fn line(message: &BorrowedMessage<'_>, out: &mut dyn Write) -> io::Result<()> {
    let record = serde_json::json!({
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp().to_millis().filter(|ms| *ms >= 0),
        "key": message.key().map(String::from_utf8_lossy),
    });
    write!(out, r#"{{"record":{record}"#)?;
    match message.payload() {
        None => {}
        Some(value) => match embedded(value) {
            Some(json) => write!(out, r#","value":{json}"#)?,
            None => write!(out, r#","value_base64":"{}""#, STANDARD.encode(value))?,
        },
    }
    out.write_all(b"}\n")
}

/// A value that stands on one line as the JSON it is.
fn embedded(value: &[u8]) -> Option<&str> {
    let json: &RawValue = serde_json::from_slice(value).ok()?;
    let is_whole = json.get().len() == value.len() && json.get() != "null";
    (is_whole && !value.contains(&b'\n') && !value.contains(&b'\r')).then_some(json.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_line_of_whole_json_is_embedded() {
        #[rustfmt::skip]
        let rows: [(&[u8], bool); 7] = [
            (b"{\"a\": 1}", true), (b"7", true), (b" {}", false), (b"{\n}", false), (b"null", false), (b"{", false), (b"\xff", false),
        ];
        for (value, expected) in rows {
            assert_eq!(
                embedded(value).is_some(),
                expected,
                "{:?}",
                value.escape_ascii().to_string()
            );
        }
    }
}
