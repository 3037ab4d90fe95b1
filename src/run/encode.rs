//! Outputs to records.

use crate::codec::DeadLetter;
use crate::core::alert::Alert;
use crate::core::time::Timestamp;
use crate::sink::{Outgoing, Target};
use crate::source::Message;

/// An alert as a CloudEvent in binary mode.
pub(super) fn alert(alert: &Alert, group: &str) -> Outgoing {
    let headers = [
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", alert.id.to_string()),
        ("ce_source", format!("/hotlead/{group}")),
        ("ce_type", format!("hotlead.alert.{}.v1", alert.kind.name())),
        ("ce_subject", alert.lead.key.clone()),
        ("ce_time", alert.time.to_string()),
        ("content-type", "application/json".to_owned()),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), Some(value.into_bytes())));
    let value = serde_json::to_vec(alert).expect("an alert has only names as keys");
    Outgoing {
        target: Target::Alerts,
        key: Some(alert.lead.key.clone().into_bytes()),
        value: Some(value),
        headers: headers.into(),
    }
}

/// A record that could not be read: as it came, with the reason. A value larger than `max_value` bytes is left out.
pub(super) fn dead_letter(
    message: Message<'_>,
    letter: &DeadLetter,
    source: &str,
    max_value: usize,
) -> Outgoing {
    let mut headers: Vec<(String, Option<Vec<u8>>)> = Vec::new();
    message.each_header(|name, value| {
        let name = String::from_utf8_lossy(name).into_owned();
        headers.push((name, value.map(<[u8]>::to_vec)));
    });
    let value = message.value();
    let fits = value.is_none_or(|value| value.len() <= max_value);
    let detail = if fits {
        letter.detail.clone()
    } else {
        let bytes = value.map_or(0, <[u8]>::len);
        format!(
            "{}; the value of {bytes} bytes is larger than this topic takes",
            letter.detail
        )
    };
    let time = message
        .time()
        .map_or_else(String::new, |time: Timestamp| time.to_string());
    let reasons = [
        ("hotlead_reason", letter.reason.name().to_owned()),
        ("hotlead_detail", detail),
        ("hotlead_source", source.to_owned()),
        ("hotlead_time", time),
    ];
    headers.extend(reasons.map(|(name, value)| (name.to_owned(), Some(value.into_bytes()))));
    Outgoing {
        target: Target::DeadLetters,
        key: message.key().map(<[u8]>::to_vec),
        value: value.filter(|_| fits).map(<[u8]>::to_vec),
        headers,
    }
}
