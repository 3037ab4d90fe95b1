//! Links with fields of an alert in them: `https://crm.example.com/?email={lead.email}`.

use serde_json::Value;
use url::Url;

use super::fields::{ALERT_FIELDS, LEAD};
use super::read::Reader;
use crate::config::suggest::did_you_mean;
use crate::config::view::View;

/// Characters of a link on a card: a browser's limit is 2,000, and the card has one of its own.
const MAX_LINK: usize = 1_500;

/// See the module's documentation. Filled in, it is always a link to the host that the file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTemplate(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// By its path in the alert.
    Field(String),
}

impl LinkTemplate {
    /// The link for an alert's JSON form; `None` if a field of it is absent there.
    pub fn fill(&self, alert: &Value) -> Option<String> {
        let mut link = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => link.push_str(text),
                Part::Field(path) => encode(&value(alert, path)?, &mut link),
            }
        }
        (link.chars().count() <= MAX_LINK).then_some(link)
    }

    fn parse(text: &str) -> Option<Self> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (path, left) = after.split_once('}')?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Field(path.trim().to_owned()));
            rest = left;
        }
        parts.push(Part::Text(rest.to_owned()));
        let stray = |part: &Part| matches!(part, Part::Text(text) if text.contains('}'));
        (!parts.iter().any(stray)).then_some(Self(parts))
    }

    fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Field(path) => Some(path.as_str()),
            Part::Text(_) => None,
        })
    }
}

/// A text, number or truth value; a trait of the lead may stand among its traits.
fn value(alert: &Value, path: &str) -> Option<String> {
    let below = |path: &str| path.split('.').try_fold(alert, |value, name| value.get(name));
    let of_lead = || alert.get("lead")?.get("traits")?.get(path.strip_prefix(LEAD)?);
    match below(path).or_else(of_lead)? {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.clone()),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        _ => None,
    }
}

/// Whatever stands in a value stays within its place of the link.
fn encode(value: &str, link: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => link.push(char::from(byte)),
            _ => link.push_str(&format!("%{byte:02X}")),
        }
    }
}

impl Reader<'_> {
    /// A link with fields in braces, none of which the sink must not learn.
    pub(super) fn link(&mut self, view: &View<'_>, masked: &[&str]) -> Option<LinkTemplate> {
        let text = view.text(self.faults)?;
        let Some(template) = LinkTemplate::parse(text) else {
            view.fault(self.faults, "has a brace without its other: fields stand as {lead.email}");
            return None;
        };
        let before = self.faults.len();
        for path in template.fields() {
            let is_trait = path.strip_prefix(LEAD).is_some_and(|name| !name.is_empty() && !name.contains('.'));
            if !is_trait && !ALERT_FIELDS.contains(&path) {
                let hint = did_you_mean(path, ALERT_FIELDS.iter().copied());
                view.fault(self.faults, format!("an alert has no field {{{path}}}{hint}"));
            } else if masked.contains(&path) {
                view.fault(self.faults, format!("must not name {{{path}}}, which mask keeps from this sink"));
            }
        }
        // A field may stand behind the host only: nobody's name may lead elsewhere.
        let host = |part: &Part| match part {
            Part::Text(text) => Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https")),
            Part::Field(_) => None,
        };
        let url = template.0.first().and_then(host);
        let begins_a_path = matches!(template.0.first(), Some(Part::Text(text)) if text.matches('/').count() >= 3);
        if url.is_none_or(|url| !url.has_host() || !url.username().is_empty()) || !begins_a_path {
            view.must_be(self.faults, "a link such as https://crm.example.com/?email={lead.email}");
        }
        (self.faults.len() == before).then_some(template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whatever_stands_in_a_field_stays_in_its_place() {
        let alert = json!({
            "rule": "a", "score": { "total": 65.5 },
            "lead": { "key": "u1", "email": "d&a=1#@acme.example/../é|>", "name": " ", "traits": { "plan": "pro" } },
        });
        #[rustfmt::skip]
        let rows = [
            ("https://crm.example.com/?e={lead.email}",  Some("https://crm.example.com/?e=d%26a%3D1%23%40acme.example%2F..%2F%C3%A9%7C%3E")),
            ("https://crm.example.com/{lead.key}/{ rule }", Some("https://crm.example.com/u1/a")),
            ("https://crm.example.com/{score.total}",    Some("https://crm.example.com/65.5")),
            ("https://crm.example.com/{lead.plan}",      Some("https://crm.example.com/pro")),
            ("https://crm.example.com/{lead.name}",      None),
            ("https://crm.example.com/{lead.company}",   None),
            ("https://crm.example.com/leads",            Some("https://crm.example.com/leads")),
        ];
        for (template, expected) in rows {
            let template = LinkTemplate::parse(template).expect("a template");
            assert_eq!(template.fill(&alert).as_deref(), expected, "{template:?}");
        }
        for broken in ["https://x.test/{lead.key", "https://x.test/lead.key}", "https://x.test/{a}}"] {
            assert_eq!(LinkTemplate::parse(broken), None, "{broken}");
        }
    }
}
