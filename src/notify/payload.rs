//! What of an alert a sink gets to know: fields that it must not learn are masked wherever they stand, and of the rest
//! only what its payload has.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::config::settings::{Payload, Sink, Target};

/// Shorter values are masked in their own field only: in a sentence they would take letters out of words.
const SHORTEST_ANYWHERE: usize = 3;

/// Texts that are ours, not the lead's: they stay as they are.
const OURS: [&str; 6] = ["id", "rule", "tier", "kind", "campaign", "rules_version"];

/// What one sink gets to know of each alert.
#[derive(Clone, Debug, Default)]
pub struct Disclosure {
    mask: Vec<&'static str>,
    payload: Payload,
}

impl Disclosure {
    /// As the config says of this sink.
    pub fn of(sink: &Sink) -> Self {
        let payload = match &sink.target {
            Target::Slack { .. } | Target::Bot(_) => Payload::Full,
            Target::Webhook(webhook) => webhook.payload.clone(),
        };
        Self { mask: sink.mask.clone(), payload }
    }

    /// The alert with its masked values; the very same bytes if nothing is masked.
    ///
    /// # Errors
    /// If the bytes are no JSON object.
    pub fn masked<'a>(&self, as_published: &'a [u8]) -> serde_json::Result<Cow<'a, [u8]>> {
        if self.mask.is_empty() {
            return Ok(Cow::Borrowed(as_published));
        }
        let mut alert: Map<String, Value> = serde_json::from_slice(as_published)?;
        let mut found = Vec::new();
        for path in &self.mask {
            match at(&mut alert, path) {
                Some(Value::String(value)) => {
                    let shown = hidden(value);
                    found.push((value.clone(), shown.clone()));
                    *value = shown;
                }
                Some(Value::Object(traits)) => traits.clear(),
                _ => {}
            }
        }
        found.retain(|(value, _)| value.chars().count() >= SHORTEST_ANYWHERE);
        // The longest first: an address may hold the name.
        found.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        for (name, value) in alert.iter_mut().filter(|(name, _)| !OURS.contains(&name.as_str())) {
            match (name.as_str(), value) {
                ("lead", Value::Object(lead)) => {
                    let masked = |name: &str| self.mask.iter().any(|path| path.strip_prefix("lead.") == Some(name));
                    lead.iter_mut().filter(|(name, _)| !masked(name)).for_each(|(_, value)| hide_in(value, &found));
                }
                (_, value) => hide_in(value, &found),
            }
        }
        serde_json::to_vec(&alert).map(Cow::Owned)
    }

    /// Whether a field of the alert may be seen.
    pub fn shows(&self, field: &str) -> bool {
        let parent = field.split_once('.').map(|(parent, _)| parent);
        match &self.payload {
            Payload::Fields(fields) => fields.iter().any(|known| *known == field || Some(*known) == parent),
            _ => true,
        }
    }

    /// What of the alert goes into a webhook's body.
    ///
    /// # Errors
    /// If the bytes are no JSON object.
    pub fn projected<'a>(&self, alert: Cow<'a, [u8]>) -> serde_json::Result<Cow<'a, [u8]>> {
        let Payload::Fields(fields) = &self.payload else {
            return Ok(alert);
        };
        let mut whole: Map<String, Value> = serde_json::from_slice(&alert)?;
        let mut part = Map::new();
        for field in fields {
            let Some(value) = at(&mut whole, field) else {
                continue;
            };
            let value = value.clone();
            match field.split_once('.') {
                None => {
                    part.insert((*field).to_owned(), value);
                }
                Some((parent, name)) => {
                    let parent = part.entry(parent).or_insert_with(|| Value::Object(Map::new()));
                    if let Value::Object(parent) = parent {
                        parent.insert(name.to_owned(), value);
                    }
                }
            }
        }
        serde_json::to_vec(&part).map(Cow::Owned)
    }
}

/// The value at a path of one or two names.
fn at<'a>(alert: &'a mut Map<String, Value>, path: &str) -> Option<&'a mut Value> {
    match path.split_once('.') {
        None => alert.get_mut(path),
        Some((parent, name)) => alert.get_mut(parent)?.get_mut(name),
    }
}

/// `j***@acme.example` for an address, `D***` for anything else.
fn hidden(value: &str) -> String {
    let first: String = value.chars().take(1).collect();
    match value.rsplit_once('@') {
        Some((_, domain)) => format!("{first}***@{domain}"),
        None => format!("{first}***"),
    }
}

/// Masks values in every text below, in any case and percent-encoded too.
fn hide_in(value: &mut Value, found: &[(String, String)]) {
    match value {
        Value::String(text) => {
            for (value, shown) in found {
                let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
                let path = form.replace('+', "%20");
                let twice: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
                for spelling in [value, &form, &path, &twice] {
                    *text = replace_any_case(text, spelling, shown);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(item, found)),
        Value::Object(map) => map.values_mut().for_each(|value| hide_in(value, found)),
        _ => {}
    }
}

/// Case is told apart in letters beyond ASCII only.
fn replace_any_case(text: &str, wanted: &str, with: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match rest.get(..wanted.len()) {
            Some(head) if head.eq_ignore_ascii_case(wanted) => {
                replaced.push_str(with);
                rest = &rest[wanted.len()..];
            }
            _ => {
                replaced.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const FULL: &[u8] = include_bytes!("../../schemas/alert/v1/full.json");

    fn alert() -> Value {
        let mut alert: Value = serde_json::from_slice(FULL).expect("JSON");
        alert["lead"]["key"] = json!("dana@acme.example");
        alert["reason"] = json!("Dana@ACME.example asked for a demo; DANA RUIZ did");
        alert["evidence"][1]["label"] = json!("/u/dana%40acme.example/pricing");
        alert
    }

    fn masked(mask: &[&'static str], alert: &Value) -> Value {
        let disclosure = Disclosure { mask: mask.to_vec(), ..Disclosure::default() };
        let bytes = serde_json::to_vec(alert).expect("JSON");
        serde_json::from_slice(&disclosure.masked(&bytes).expect("an object")).expect("JSON")
    }

    #[test]
    fn a_masked_value_goes_wherever_it_stands() {
        let shown = masked(&["lead.email", "lead.name"], &alert());
        assert_eq!(shown["lead"]["email"], "d***@acme.example");
        assert_eq!(shown["lead"]["key"], "d***@acme.example", "the key is the address too");
        assert_eq!(shown["lead"]["name"], "D***");
        assert_eq!(shown["reason"], "d***@acme.example asked for a demo; D*** did");
        assert_eq!(shown["evidence"][1]["label"], "/u/d***@acme.example/pricing");
        assert_eq!((&shown["lead"]["company"], &shown["id"]), (&alert()["lead"]["company"], &alert()["id"]));
    }

    #[test]
    fn masked_traits_are_gone_and_others_hold_no_masked_value() {
        let mut alert = alert();
        alert["lead"]["traits"] = json!({ "country": "DE", "contact": "Dana Ruiz" });
        assert_eq!(masked(&["lead.traits"], &alert)["lead"]["traits"], json!({}));
        assert_eq!(masked(&["lead.name"], &alert)["lead"]["traits"], json!({ "country": "DE", "contact": "D***" }));
    }

    #[test]
    fn without_a_mask_the_bytes_are_the_same() {
        assert!(matches!(Disclosure::default().masked(FULL), Ok(Cow::Borrowed(FULL))));
        assert!(matches!(Disclosure::default().projected(FULL.into()), Ok(Cow::Borrowed(FULL))));
    }

    #[test]
    fn a_payload_holds_its_fields_and_nothing_else() {
        let projected = |fields: &[&'static str]| {
            let disclosure = Disclosure { payload: Payload::Fields(fields.to_vec()), ..Disclosure::default() };
            let bytes = disclosure.projected(FULL.into()).expect("an object").into_owned();
            String::from_utf8(bytes).expect("text")
        };
        let thin = r#"{"id":"9f0c2b7d4e6a8135c0d1e2f3a4b5c6d7","kind":"opened","lead":{"key":"u1"},"rule":"pricing-surge","tier":"hot","time":"2026-11-22T10:02:14.120Z"}"#;
        assert_eq!(projected(crate::config::settings::fields::THIN_FIELDS), thin);
        assert_eq!(
            projected(&["score.total", "lead.email", "lead.name"]),
            r#"{"lead":{"email":"dana@acme.example","name":"Dana Ruiz"},"score":{"total":65.0}}"#
        );
        assert_eq!(
            projected(&["flags", "campaign"]),
            r#"{"campaign":"pricing-case-studies","flags":["unsubscribed"]}"#
        );
    }

    #[test]
    fn a_value_is_masked_however_an_address_spells_it() {
        let mut alert = alert();
        alert["lead"]["name"] = json!("Dana Ruiz");
        let spelled = ["/p/Dana%20Ruiz/1", "/p?q=Dana+Ruiz", "/p?q=dana%2520ruiz", "/p/Dana Ruiz"];
        alert["evidence"] = spelled.iter().map(|label| json!({ "label": label })).collect();
        let disclosure = Disclosure { mask: vec!["lead.name"], payload: Payload::Full };
        let bytes = serde_json::to_vec(&alert).expect("JSON");
        let masked: Value = serde_json::from_slice(&disclosure.masked(&bytes).expect("an object")).expect("JSON");
        let labels: Vec<_> =
            masked["evidence"].as_array().expect("lines").iter().map(|line| line["label"].clone()).collect();
        assert_eq!(labels, ["/p/D***/1", "/p?q=D***", "/p?q=D***", "/p/D***"]);
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_masked_value(email in "[a-zA-Z0-9.+_]{1,12}@[a-z]{2,8}\\.example", around in ".{0,12}") {
            let mut alert = alert();
            alert["lead"]["email"] = json!(email);
            alert["lead"]["key"] = json!(email);
            alert["reason"] = json!(format!("{around}{}{around}", email.to_uppercase()));
            let shown = masked(&["lead.email"], &alert).to_string().to_lowercase();
            // A one-letter name is its own first letter.
            prop_assume!(email.find('@') > Some(1));
            prop_assert!(!shown.contains(&email.to_lowercase()), "{shown}");
        }
    }
}
