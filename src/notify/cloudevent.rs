//! An alert as a CloudEvent over HTTP in binary mode: its attributes as headers (CloudEvents 1.0, HTTP binding 3.1).

use std::fmt::Write as _;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::codec;
use crate::core::alert::Alert;

/// The attributes of an alert of the deployment `group`: the same as on the alert topic, but that the optional ones tell
/// only fields of the alert that `shows` says may be seen.
pub fn attributes(alert: &Alert, group: &str, shows: impl Fn(&str) -> bool) -> HeaderMap {
    let optional = |field: &str, value: String| if shows(field) { value } else { String::new() };
    let attributes = [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", alert.id.to_string()),
        ("ce-source", format!("/hotlead/{group}")),
        ("ce-type", codec::alert::type_of(alert.kind).to_owned()),
        ("ce-subject", optional("lead.key", alert.lead.key.clone())),
        ("ce-time", optional("time", alert.time.to_string())),
    ];
    // An empty attribute is not allowed, so it is left out.
    let named = attributes.into_iter().filter(|(_, value)| !value.is_empty());
    let header = |(name, value): (&'static str, String)| {
        let value = HeaderValue::from_str(&encode(&value)).expect("percent-encoded text is a header's value");
        (HeaderName::from_static(name), value)
    };
    named.map(header).collect()
}

/// Everything but printable ASCII percent-encoded, and the blank, the quotation mark and the percent sign too.
fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' => {
                let _ = write!(encoded, "%{byte:02X}");
            }
            b'!'..=b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Timestamp;
    use crate::notify::sample;

    #[test]
    fn what_the_receiver_may_not_see_is_no_attribute() {
        let alert = sample::alert(1, Timestamp::from_millis(1_795_341_734_000));
        let names = |shows: &dyn Fn(&str) -> bool| {
            let headers = attributes(&alert, "eu", shows);
            ["ce-id", "ce-subject", "ce-time"].map(|name| headers.contains_key(name))
        };
        assert_eq!(names(&|_| true), [true, true, true]);
        assert_eq!(names(&|field| field == "time"), [true, false, true]);
        assert_eq!(names(&|_| false), [true, false, false]);
    }

    #[test]
    fn values_are_encoded_as_the_binding_says() {
        #[rustfmt::skip]
        let rows = [
            ("/hotlead/eu-1",       "/hotlead/eu-1"),
            ("dana@acme.example",   "dana@acme.example"),
            ("Euro € 😀",           "Euro%20%E2%82%AC%20%F0%9F%98%80"),
            ("100%\"\r\n\u{7f}",    "100%25%22%0D%0A%7F"),
            ("~!",                  "~!"),
        ];
        for (value, expected) in rows {
            assert_eq!(encode(value), expected);
        }
    }
}
