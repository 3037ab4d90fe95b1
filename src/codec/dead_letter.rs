//! The headers that say, beside a dead letter's original bytes and headers, why it is one.

use super::DeadLetter;
use crate::core::time::Timestamp;

/// How the detail ends of a dead letter that lies there without its value.
pub const CUT: &str = "is larger than this topic takes";

/// The headers of a dead letter, to be added after those that the record had: names and values.
///
/// `source` is the record's coordinates as outputs print them, `time` the record's timestamp. The record itself goes
/// along unchanged: key, value, headers.
pub fn headers(letter: &DeadLetter, source: &str, time: Option<Timestamp>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("hotlead_reason", letter.reason.name().to_owned()),
        ("hotlead_detail", letter.detail.clone()),
        ("hotlead_source", source.to_owned()),
    ];
    // The event's own time says more; of most dead letters only the record's is known.
    if let Some(time) = letter.time.or(time) {
        headers.push(("hotlead_time", time.to_string()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Reason, refuse};

    #[test]
    fn headers_have_the_pinned_names() {
        let time = Timestamp::from_millis(1_795_341_734_120);
        let mut letter = refuse(Reason::NotJson, "no JSON at byte 7");
        let mut wanted = vec![
            ("hotlead_reason", "not_json".to_owned()),
            ("hotlead_detail", "no JSON at byte 7".to_owned()),
            ("hotlead_source", "engagement/2@1234".to_owned()),
        ];
        assert_eq!(headers(&letter, "engagement/2@1234", None), wanted);
        wanted.push(("hotlead_time", "2026-11-22T10:02:14.120Z".to_owned()));
        assert_eq!(headers(&letter, "engagement/2@1234", Some(time)), wanted);
        letter.time = Some(time);
        let later = Timestamp::from_millis(1_795_341_734_999);
        assert_eq!(headers(&letter, "engagement/2@1234", Some(later)), wanted);
    }

    #[test]
    fn reasons_are_a_closed_set_of_labels() {
        let names = Reason::ALL.map(Reason::name);
        #[rustfmt::skip]
        let pinned = [
            "too_large", "empty", "not_utf8", "too_deep", "not_json", "unknown_format", "no_type", "bad_time", "no_lead",
        ];
        assert_eq!(names, pinned);
    }
}
