//! A dead letter as it was found on its topic, without its value: what `ls` shows of it, and its JSON form.

use serde::Serialize;

use crate::codec::ledger::Bytes;
use crate::codec::letter::Letter;
use crate::core::ids::{Offset, Partition};
use crate::core::plain::plain;
use crate::core::time::Timestamp;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The dead-letter topic.
    pub(super) topic: String,
    pub(super) partition: Partition,
    pub(super) offset: Offset,
    /// When it became a dead letter.
    pub(super) time: Option<Timestamp>,
    /// The lead's key.
    pub(super) key: Option<Vec<u8>>,
    pub(super) letter: Letter,
}

/// What is shown of a dead letter, without anything of a lead.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: Option<Timestamp>,
    place: String,
    sink: Option<&'a str>,
    reason: &'a str,
    detail: &'a str,
    source: &'a str,
    alert: Option<String>,
    attempts: Option<u32>,
    first_failed: Option<Timestamp>,
    last_status: Option<u16>,
    /// `None` of an event: nobody counts how often it came back.
    redrives: Option<u32>,
}

/// All of a dead letter.
#[derive(Debug, Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    key: Option<Bytes>,
    headers: Vec<(&'a str, Option<Bytes>)>,
    value: Option<Bytes>,
}

impl Found {
    /// Its place, as it is typed too.
    pub(super) fn place(&self) -> String {
        format!("{}/{}@{}", self.topic, self.partition, self.offset)
    }

    fn fields(&self) -> Line<'_> {
        let letter = &self.letter;
        let id = letter.sink.as_ref().and_then(|_| letter.alert_id());
        Line {
            time: self.time,
            place: self.place(),
            sink: letter.sink.as_deref(),
            reason: &letter.reason,
            detail: &letter.detail,
            source: &letter.source,
            alert: id.map(|id| String::from_utf8_lossy(id).into_owned()),
            attempts: letter.attempts,
            first_failed: letter.first_failed,
            last_status: letter.last_status,
            redrives: letter.sink.as_ref().map(|_| letter.redrives),
        }
    }

    /// One line: when, where, of which sink, why, from where, how often it was tried.
    pub(super) fn line(&self) -> String {
        let letter = &self.letter;
        let time = self.time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let sink = letter.sink.as_deref().unwrap_or("-");
        let attempts = letter.attempts.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let text = format!("{time}  {}  {sink}  {}  {}  {attempts}", self.place(), letter.reason, letter.source);
        plain(&text).into_owned()
    }

    /// The same as JSON.
    pub(super) fn json(&self) -> String {
        // Plain data: nothing in it can fail to be written.
        serde_json::to_string(&self.fields()).unwrap_or_default()
    }

    /// All of it as JSON, with the lead's key, the record's own headers and its value.
    pub(super) fn whole_json(&self, value: Option<&[u8]>) -> String {
        let bytes = |bytes: &[u8]| Bytes(bytes.to_vec());
        let headers = self.letter.headers.iter();
        let whole = Whole {
            line: self.fields(),
            key: self.key.clone().map(Bytes),
            headers: headers.map(|(name, value)| (name.as_str(), value.as_deref().map(bytes))).collect(),
            value: value.map(bytes),
        };
        serde_json::to_string(&whole).unwrap_or_default()
    }

    /// All of it for people.
    pub(super) fn whole(&self, value: Option<&[u8]>) -> String {
        let letter = &self.letter;
        let text = |bytes: Option<&[u8]>| bytes.map_or("-".into(), |bytes| String::from_utf8_lossy(bytes).into_owned());
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let mut rows = vec![
            ("dead since", time(self.time)),
            ("sink", letter.sink.clone()),
            ("reason", Some(letter.reason.clone())),
            ("detail", Some(letter.detail.clone())),
            ("source", Some(letter.source.clone())),
            ("event time", time(letter.time)),
            ("attempts", letter.attempts.map(|number| number.to_string())),
            ("first failed", time(letter.first_failed)),
            ("last status", letter.last_status.map(|status| status.to_string())),
            ("redrives", letter.sink.as_ref().map(|_| letter.redrives.to_string())),
            ("key", Some(text(self.key.as_deref()))),
        ];
        rows.retain(|(_, value)| value.as_ref().is_some_and(|value| !value.is_empty()));
        let mut shown = format!("{}\n", plain(&self.place()));
        let mut row = |name: &str, value: &str| {
            shown += &format!("  {:<14}{}\n", plain(name), plain(value));
        };
        rows.iter().for_each(|(name, value)| row(name, value.as_deref().unwrap_or_default()));
        for (name, value) in &letter.headers {
            row("header", &format!("{name}: {}", text(value.as_deref())));
        }
        row("value", if value.is_some() { "" } else { "none" });
        for line in text(value).lines().filter(|_| value.is_some()) {
            shown += &format!("    {}\n", plain(line));
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        let letter = Letter {
            sink: Some("crm".into()),
            reason: "exhausted".into(),
            detail: "status 503".into(),
            source: "hotlead.alerts/0@3".into(),
            attempts: Some(12),
            last_status: Some(503),
            headers: vec![("ce_id".into(), Some(b"0123".to_vec())), ("raw".into(), Some(b"\xff".to_vec()))],
            ..Letter::default()
        };
        Found {
            topic: "hotlead.dead-letter".into(),
            partition: Partition(0),
            offset: Offset(12),
            time: Some(Timestamp::from_millis(1_795_341_734_120)),
            key: Some(b"u1\x1b[31m".to_vec()),
            letter,
        }
    }

    #[test]
    fn a_line_says_all_but_whom_it_is_about() {
        let line = "2026-11-22T10:02:14.120Z  hotlead.dead-letter/0@12  crm  exhausted  hotlead.alerts/0@3  12";
        assert_eq!(found().line(), line);
        let mut event = found();
        (event.letter.sink, event.letter.attempts, event.letter.reason) = (None, None, "not\u{202e}json".into());
        let line = "2026-11-22T10:02:14.120Z  hotlead.dead-letter/0@12  -  not\u{fffd}json  hotlead.alerts/0@3  -";
        assert_eq!(event.line(), line);
        assert!(!found().json().contains("u1"));
    }

    #[test]
    fn all_of_it_is_shown_and_nothing_in_it_steers_the_terminal() {
        let shown = found().whole(Some(b"{\n\"name\":\"Dana\x1b]0;x\x07\"}"));
        let expected = "hotlead.dead-letter/0@12
  dead since    2026-11-22T10:02:14.120Z
  sink          crm
  reason        exhausted
  detail        status 503
  source        hotlead.alerts/0@3
  attempts      12
  last status   503
  redrives      0
  key           u1\u{fffd}[31m
  header        ce_id: 0123
  header        raw: \u{fffd}
  value         
    {
    \"name\":\"Dana\u{fffd}]0;x\u{fffd}\"}
";
        assert_eq!(shown, expected);
        let json: serde_json::Value = serde_json::from_str(&found().whole_json(None)).expect("JSON");
        assert_eq!((&json["alert"], &json["value"]), (&"0123".into(), &serde_json::Value::Null));
        assert_eq!(json["headers"][1][1]["base64"], "/w==");
    }
}
