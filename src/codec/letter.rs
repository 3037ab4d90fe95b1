//! A dead letter read back: what our headers say of it, and the record as it was before.

use super::dead_letter::CUT;
use super::time;
use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;

/// Every header that we add to a dead letter. Only the newest of each is ours: a record may have come with others.
const OURS: [&str; 9] = [
    "hotlead_sink",
    "hotlead_reason",
    "hotlead_detail",
    "hotlead_attempts",
    "hotlead_first_failed",
    "hotlead_last_status",
    "hotlead_source",
    "hotlead_redrives",
    "hotlead_time",
];

/// Names and values.
pub type Headers = Vec<(String, Option<Vec<u8>>)>;

/// See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// The sink that gave it up; `None` of an event that could not be read.
    pub sink: Option<String>,
    /// Why.
    pub reason: String,
    /// Where and what, without any value.
    pub detail: String,
    /// The coordinates of the record that it was.
    pub source: String,
    /// Attempts to deliver it.
    pub attempts: Option<u32>,
    /// When the first of them failed.
    pub first_failed: Option<Timestamp>,
    /// The last HTTP status.
    pub last_status: Option<u16>,
    /// How often it came back from here before.
    pub redrives: u32,
    /// The event's own time, or its record's.
    pub time: Option<Timestamp>,
    /// Those that the record came with.
    pub headers: Headers,
}

impl Letter {
    /// Reads the headers of a record of the dead-letter topic. What is missing is empty.
    pub fn read(mut headers: Headers) -> Self {
        let mut letter = Self::default();
        let mut seen = [false; OURS.len()];
        // Ours were put behind all others.
        while let Some((name, _)) = headers.last()
            && let Some(index) = OURS.iter().position(|own| own == name)
            && !std::mem::replace(&mut seen[index], true)
            && let Some((name, value)) = headers.pop()
        {
            let text = String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
            letter.note(&name, text);
        }
        letter.headers = headers;
        letter
    }

    fn note(&mut self, name: &str, text: String) {
        match name {
            "hotlead_sink" => self.sink = Some(text),
            "hotlead_reason" => self.reason = text,
            "hotlead_detail" => self.detail = text,
            "hotlead_attempts" => self.attempts = text.parse().ok(),
            "hotlead_first_failed" => self.first_failed = time::from_text(&text),
            "hotlead_last_status" => self.last_status = text.parse().ok(),
            "hotlead_source" => self.source = text,
            "hotlead_redrives" => self.redrives = text.parse().unwrap_or(0),
            "hotlead_time" => self.time = time::from_text(&text),
            _ => {}
        }
    }

    /// Whether its value was left out because it was larger than the topic took.
    pub fn is_cut(&self) -> bool {
        self.sink.is_none() && self.detail.ends_with(CUT)
    }

    /// The id of the alert that it was, as the CloudEvents header has it.
    pub fn alert_id(&self) -> Option<&[u8]> {
        let header = self.headers.iter().find(|(name, _)| name == "ce_id");
        header.and_then(|(_, value)| value.as_deref())
    }

    /// The coordinates taken apart: topic, partition, offset.
    pub fn place(&self) -> Option<(&str, Partition, Offset)> {
        place(&self.source)
    }
}

/// Takes `topic/partition@offset` apart.
pub fn place(source: &str) -> Option<(&str, Partition, Offset)> {
    let (topic, rest) = source.rsplit_once('/')?;
    let (_, partition, offset) = place_within(rest)?;
    Some((topic, partition, offset))
}

/// Takes `partition@offset` apart; the topic is empty.
pub fn place_within(text: &str) -> Option<(&str, Partition, Offset)> {
    let (partition, offset) = text.split_once('@')?;
    let partition = partition.parse::<u32>().ok().and_then(|number| i32::try_from(number).ok())?;
    let offset = offset.parse::<u64>().ok().and_then(|offset| i64::try_from(offset).ok())?;
    Some(("", Partition(partition), Offset(offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Some(value.as_bytes().to_vec()))).collect()
    }

    #[test]
    fn a_delivery_is_read_back_with_the_alerts_own_headers() {
        let own = [("ce_id", "0123456789abcdef0123456789abcdef"), ("content-type", "application/json")];
        let ours = [
            ("hotlead_sink", "crm"),
            ("hotlead_reason", "exhausted"),
            ("hotlead_detail", "status 503"),
            ("hotlead_attempts", "12"),
            ("hotlead_first_failed", "2026-11-22T10:02:14.120Z"),
            ("hotlead_last_status", "503"),
            ("hotlead_source", "hotlead.alerts/2@1234"),
            ("hotlead_redrives", "1"),
        ];
        let letter = Letter::read(headers(&[&own[..], &ours[..]].concat()));
        let expected = Letter {
            sink: Some("crm".into()),
            reason: "exhausted".into(),
            detail: "status 503".into(),
            source: "hotlead.alerts/2@1234".into(),
            attempts: Some(12),
            first_failed: Some(Timestamp::from_millis(1_795_341_734_120)),
            last_status: Some(503),
            redrives: 1,
            headers: headers(&own),
            ..Letter::default()
        };
        assert_eq!(letter, expected);
        assert_eq!(letter.alert_id(), Some(own[0].1.as_bytes()));
        assert_eq!(letter.place(), Some(("hotlead.alerts", Partition(2), Offset(1234))));
    }

    #[test]
    fn headers_that_a_record_came_with_stay_even_if_they_are_named_like_ours() {
        let came = [("hotlead_reason", "theirs"), ("a", "1")];
        let again = [("hotlead_reason", "theirs"), ("hotlead_reason", "not_json"), ("hotlead_source", "e/0@1")];
        let letter = Letter::read(headers(&[&came[..], &again[1..]].concat()));
        assert_eq!((letter.reason.as_str(), letter.headers), ("not_json", headers(&came)));
        let letter = Letter::read(headers(&again));
        assert_eq!((letter.reason.as_str(), letter.headers), ("not_json", headers(&again[..1])));
        assert_eq!((letter.sink, letter.attempts), (None, None));
    }

    #[test]
    fn coordinates_are_whole_or_none() {
        #[rustfmt::skip]
        let rows = [
            ("engagement/2@1234",   Some(("engagement", 2, 1234))),
            ("a/b@c/0@0",           Some(("a/b@c", 0, 0))),
            ("engagement/-1@1",     None),
            ("engagement/1@-1",     None),
            ("engagement@1",        None),
            ("",                    None),
        ];
        for (text, expected) in rows {
            let found = place(text).map(|(topic, partition, offset)| (topic, partition.0, offset.0));
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
