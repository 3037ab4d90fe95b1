//! One line of the file as an event: two formats brought to the same fields.

use super::matcher::present;
use super::rules::Rules;
use super::time;
use serde_json::{Map, Value, json};

/// What a line says. Whatever can't be read is `None`.
pub struct Event {
    /// `topic/partition@offset`, or `file:line`.
    pub source: String,
    /// Leads of different topics and partitions have nothing to do with one another.
    pub scope: Option<(String, i64)>,
    pub id: Option<String>,
    pub lead: Option<String>,
    /// The event's own time, clamped to its record's timestamp if it lies too far ahead.
    pub time: Option<i64>,
    pub kind: Option<String>,
    /// All fields by their names in rules, as one JSON object.
    pub fields: Value,
    /// What the event says about its lead; null and blank are left out.
    pub traits: Vec<(String, Value)>,
    /// Why the line can't be taken in.
    pub dead: Option<&'static str>,
}

impl Event {
    pub fn read(rules: &Rules, lead_key: &[&str], line: &str, file_line: &str) -> Event {
        let Ok(whole) = serde_json::from_str::<Value>(line) else {
            return Event::dead(file_line, None, "not_json");
        };
        let (value, record) = match (whole.get("record"), whole.get("value")) {
            (Some(record), Some(value)) => (value, Some(record)),
            _ => (&whole, None),
        };
        let scope = record.map(|r| (string(&r["topic"]), r["partition"].as_i64().unwrap_or(0)));
        let source = match (&scope, record) {
            (Some((topic, partition)), Some(r)) => format!("{topic}/{partition}@{}", r["offset"]),
            _ => file_line.to_string(),
        };
        let Some(own) = brought_to_our_form(value) else {
            return Event::dead(&source, scope, "unknown_format");
        };
        let stamp = record.and_then(|r| r["timestamp"].as_i64()).filter(|stamp| *stamp >= time::YEAR_2000);
        Event::from_our_form(rules, lead_key, own, source, scope, stamp)
    }

    fn dead(source: &str, scope: Option<(String, i64)>, reason: &'static str) -> Event {
        Event {
            source: source.to_string(),
            scope,
            id: None,
            lead: None,
            time: None,
            kind: None,
            fields: Value::Null,
            traits: Vec::new(),
            dead: Some(reason),
        }
    }

    fn from_our_form(
        rules: &Rules,
        lead_key: &[&str],
        own: Own,
        source: String,
        scope: Option<(String, i64)>,
        stamp: Option<i64>,
    ) -> Event {
        let time = time::instant(&own.time).map(|time| match stamp {
            Some(stamp) if time - stamp > rules.max_future_skew => stamp,
            _ => time,
        });
        let kind = present(Some(&own.kind)).map(string);
        let lead = lead_key.iter().find_map(|key| present(own.fields.get(key)).map(string));
        let dead = match (&kind, time, &lead) {
            (None, _, _) => Some("no_type"),
            (_, None, _) => Some("bad_time"),
            (_, _, None) => Some("no_lead"),
            _ => None,
        };
        let id = present(Some(&own.id)).map(string);
        let traits = said_about_the_lead(&own, kind.as_deref());
        Event { source, scope, id, lead, time, kind, fields: own.fields, traits, dead }
    }

    /// The id that counts once per lead: its own, else where it lies.
    pub fn identity(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.source)
    }

    /// Follows a dotted path into the fields.
    pub fn field(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.fields, |at, key| at.get(key))
    }
}

/// An event of either format with its parts in their places.
struct Own {
    id: Value,
    time: Value,
    kind: Value,
    fields: Value,
    /// Traits of a person beside those of the event itself (`context.traits`).
    context_traits: Value,
}

fn brought_to_our_form(value: &Value) -> Option<Own> {
    let has = |keys: &[&str]| keys.iter().any(|key| value.get(key).is_some());
    if has(&["messageId", "userId", "anonymousId", "timestamp", "originalTimestamp"]) {
        Some(from_segment(value))
    } else if has(&["time", "lead"]) {
        Some(from_own(value))
    } else {
        None
    }
}

fn from_own(value: &Value) -> Own {
    let (lead, context) = (&value["lead"], &value["context"]);
    let email = first([&lead["email"], persons_email(value), &context["traits"]["email"]]);
    let fields = json!({
        "name": value["name"], "user_id": lead["user_id"], "anonymous_id": lead["anonymous_id"],
        "group_id": lead["group_id"], "user_agent": value["user_agent"], "ip": value["ip"],
        "page": page([&value["page"], &context["page"]]),
        "campaign": value["campaign"], "properties": value["properties"],
        "traits": value["traits"], "context": context,
    });
    Own {
        id: value["id"].clone(),
        time: value["time"].clone(),
        kind: value["type"].clone(),
        fields: with_email(fields, &email),
        context_traits: context["traits"].clone(),
    }
}

fn from_segment(value: &Value) -> Own {
    let context = &value["context"];
    let is_page = value["type"] == "page" || value["type"] == "screen";
    let own_page = if is_page { &value["properties"] } else { &Value::Null };
    let email = first([persons_email(value), &context["traits"]["email"], &Value::Null]);
    let name = if value["type"] == "track" { &value["event"] } else { &value["name"] };
    let fields = json!({
        "name": name, "user_id": value["userId"], "anonymous_id": value["anonymousId"],
        "group_id": first([&value["groupId"], &context["groupId"], &Value::Null]),
        "user_agent": context["userAgent"], "ip": context["ip"],
        "page": page([own_page, &context["page"]]),
        "campaign": context["campaign"], "properties": value["properties"],
        "traits": value["traits"], "context": context,
    });
    Own {
        id: value["messageId"].clone(),
        time: first([&value["timestamp"], &value["originalTimestamp"], &Value::Null]),
        kind: value["type"].clone(),
        fields: with_email(fields, &email),
        context_traits: context["traits"].clone(),
    }
}

/// A group's e-mail is not the person's.
fn persons_email(value: &Value) -> &Value {
    if value["type"] == "group" { &Value::Null } else { &value["traits"]["email"] }
}

/// Merges `page.*` key by key, the first that has a key wins; a missing path comes from the URL.
fn page(sources: [&Value; 2]) -> Value {
    let mut page = Map::new();
    for (key, value) in sources.iter().filter_map(|source| source.as_object()).flatten() {
        if present(page.get(key)).is_none() {
            page.insert(key.clone(), value.clone());
        }
    }
    if present(page.get("path")).is_none()
        && let Some(url) = present(page.get("url")).and_then(Value::as_str)
    {
        page.insert("path".into(), path_of(url).into());
    }
    Value::Object(page)
}

/// What lies between the host and `?` or `#`; at least a slash.
fn path_of(url: &str) -> String {
    let without_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = without_scheme.find(['?', '#']).unwrap_or(without_scheme.len());
    let address = &without_scheme[..end];
    address.find('/').map_or("/".to_string(), |slash| address[slash..].to_string())
}

fn with_email(mut fields: Value, email: &Value) -> Value {
    if let Some(email) = present(Some(email)).and_then(Value::as_str) {
        let email = email.trim().to_lowercase();
        if let Some((_, domain)) = email.rsplit_once('@') {
            fields["email_domain"] = domain.into();
        }
        fields["email"] = email.into();
    }
    fields
}

/// The traits that the event carries: its own, else those of its context, and its e-mail.
/// A group's `name` is a company; its `email` is not the lead's.
fn said_about_the_lead(own: &Own, kind: Option<&str>) -> Vec<(String, Value)> {
    let mut said: Vec<(String, Value)> = Vec::new();
    let about_group = kind == Some("group");
    let mut say = |name: &str, value: &Value| {
        if present(Some(value)).is_some() && said.iter().all(|(known, _)| known != name) {
            said.push((name.to_string(), value.clone()));
        }
    };
    for name in ["email", "email_domain"] {
        say(name, &own.fields[name]);
    }
    for (name, value) in own.fields["traits"].as_object().into_iter().flatten() {
        match (about_group, name.as_str()) {
            (true, "name") => say("company", value),
            (true, "email") | (false, "email") => {}
            (_, name) => say(name, value),
        }
    }
    for (name, value) in own.context_traits.as_object().into_iter().flatten() {
        if name != "email" {
            say(name, value);
        }
    }
    said
}

fn first(choices: [&Value; 3]) -> Value {
    choices.into_iter().find(|value| present(Some(value)).is_some()).cloned().unwrap_or_default()
}

/// A text as it is, anything else as its JSON.
fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}
