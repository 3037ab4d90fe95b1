//! An alert as a record of the alert topic, a CloudEvent in binary mode; and back.

use std::borrow::Cow;

use crate::core::alert::{Alert, AlertKind};

/// Most alerts fit: room for them is taken once, and not grown into.
const USUAL_BYTES: usize = 2048;

/// The parts of an alert's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRecord {
    /// The lead's key: alerts of one lead stay in order.
    pub key: String,
    /// The alert's JSON form (`schemas/alert/v1.json`).
    pub value: Vec<u8>,
    /// The attributes of a CloudEvent, and the media type of its data.
    pub headers: [(&'static str, Cow<'static, str>); 7],
}

/// The record of an alert of the deployment `group`.
pub fn record(alert: &Alert, group: &str) -> AlertRecord {
    AlertRecord {
        key: alert.lead.key.clone(),
        value: value(alert),
        headers: [
            ("ce_specversion", "1.0".into()),
            ("ce_id", alert.id.to_string().into()),
            ("ce_source", format!("/hotlead/{group}").into()),
            ("ce_type", type_of(alert.kind).into()),
            ("ce_subject", alert.lead.key.clone().into()),
            ("ce_time", alert.time.to_string().into()),
            ("content-type", "application/json".into()),
        ],
    }
}

/// The type of the CloudEvent.
pub fn type_of(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Opened => "hotlead.alert.opened.v1",
        AlertKind::Updated => "hotlead.alert.updated.v1",
        AlertKind::Closed => "hotlead.alert.closed.v1",
    }
}

/// An alert's JSON form on one line, without a line feed.
pub fn value(alert: &Alert) -> Vec<u8> {
    let mut json = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut json, alert).expect("an alert has text keys and finite points");
    json
}

/// Reads an alert from its JSON form. Members that we do not know are passed over: a later version may have written
/// them.
///
/// # Errors
/// What is missing or wrong, and where.
pub fn read(value: &[u8]) -> Result<Alert, serde_json::Error> {
    serde_json::from_slice(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::schema::fixtures;

    #[test]
    fn every_alert_ever_published_still_reads() {
        for (name, text) in fixtures("alert/v1") {
            let alert = read(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let again: serde_json::Value = serde_json::from_slice(&value(&alert)).expect("our own JSON");
            let mut was: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            if let Some(alert) = was.as_object_mut() {
                alert.remove("from_a_later_version");
            }
            assert_eq!(again, was, "{name}: nothing may be lost");
        }
    }

    #[test]
    fn a_record_has_the_pinned_key_headers_and_order_of_members() {
        let (_, text) = fixtures("alert/v1").remove(0);
        let alert = read(text.as_bytes()).expect("an alert");
        let record = record(&alert, "hotlead");
        assert_eq!(record.key, "u1");
        #[rustfmt::skip]
        let wanted = [
            ("ce_specversion", "1.0"), ("ce_id", "9f0c2b7d4e6a8135c0d1e2f3a4b5c6d7"), ("ce_source", "/hotlead/hotlead"),
            ("ce_type", "hotlead.alert.opened.v1"), ("ce_subject", "u1"), ("ce_time", "2026-11-22T10:02:14.120Z"),
            ("content-type", "application/json"),
        ];
        assert_eq!(record.headers, wanted.map(|(name, value)| (name, value.into())));
        let value = String::from_utf8(record.value).expect("text");
        let start = r#"{"id":"9f0c2b7d4e6a8135c0d1e2f3a4b5c6d7","rule":"pricing-surge","tier":"hot","kind":"opened","lead":{"key":"u1","#;
        assert!(value.starts_with(start), "{value}");
        assert!(value.contains(r#""score":{"total":65.0,"fit":20.0,"behaviour":45.0}"#));
    }
}
