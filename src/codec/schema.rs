//! The JSON Schemas of what is published and of what is taken in, generated from the types; and hotlead's own event as
//! a type.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ops::Notice;
use crate::core::alert::Alert;
use crate::core::event::Kind;

/// The schema of an alert's JSON form, `schemas/alert/v1.json`.
pub fn alert() -> Schema {
    schema_for!(Alert)
}

/// The schema of hotlead's own event, `schemas/event/v1.json`.
pub fn event() -> Schema {
    schema_for!(OwnEvent)
}

/// The schema of what operators have to know, `schemas/ops/v1.json`.
pub fn ops() -> Schema {
    schema_for!(Notice)
}

/// Any JSON members.
pub type Members = BTreeMap<String, Value>;

/// hotlead's own event: for senders that speak none of the other formats.
///
/// Members that are not named here are allowed and not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Event")]
pub struct OwnEvent {
    /// Unique per lead: an id counts once. Without one, the record's coordinates stand in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it happened; without it the record's timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// What it is.
    pub r#type: Kind,
    /// Of a track event: what was done. Of a page or screen: its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose it is.
    pub lead: OwnLead,
    /// The page that was viewed, or on which something was done: path, url, title, referrer.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub page: Members,
    /// What else is known of what happened.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub properties: Members,
    /// What is known of the person; in a group event, of the company.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub traits: Members,
    /// The browser's name for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The sender's network address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

/// Whose an event is: at least one id or the e-mail address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Lead")]
pub struct OwnLead {
    /// The id of a known user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The id of a visitor that is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    /// The person's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The id of the user's company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
}

/// RFC 3339 (UTC if it names no zone), or a number: below 1e11 seconds since 1970, else milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Time {
    /// In words.
    Text(String),
    /// Since 1970.
    Number(f64),
}

/// The files of a folder of `schemas/`, by name: what was published once and must still read.
#[cfg(test)]
pub(super) fn fixtures(folder: &str) -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(folder);
    let files = std::fs::read_dir(&folder).expect("a folder of fixtures");
    let mut fixtures: Vec<_> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("text");
            (path.display().to_string(), text)
        })
        .collect();
    fixtures.sort();
    assert!(!fixtures.is_empty(), "no fixtures in {}", folder.display());
    fixtures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Decoder, Record};
    use crate::core::event::{FieldPath, FieldTable};

    /// A name in `schemas/`, and the schema of its newest version.
    type Named = (&'static str, fn() -> Schema);

    const SCHEMAS: [Named; 3] = [("alert", alert), ("event", event), ("ops", ops)];

    /// `HOTLEAD_UPDATE=1` writes the files anew; look at the difference before you commit it.
    #[test]
    fn schemas_in_the_repository_are_those_of_the_types() {
        for (name, schema) in SCHEMAS {
            let path = format!("{}/schemas/{name}/v1.json", env!("CARGO_MANIFEST_DIR"));
            let now = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
            if std::env::var_os("HOTLEAD_UPDATE").is_some() {
                std::fs::write(&path, &now).expect("a file that can be written");
            }
            let was = std::fs::read_to_string(&path).expect("the schema's file");
            assert!(was == now, "{path} has drifted: run the tests with HOTLEAD_UPDATE=1");
        }
    }

    #[test]
    fn fixtures_are_valid_by_their_schema() {
        for (name, schema) in SCHEMAS {
            let schema = jsonschema::validator_for(schema().as_value()).expect("a schema");
            for (file, text) in fixtures(&format!("{name}/v1")) {
                let value: Value = serde_json::from_str(&text).expect("JSON");
                assert!(schema.is_valid(&value), "{file}");
            }
            assert!(!schema.is_valid(&serde_json::json!({ "id": 1 })));
        }
    }

    #[test]
    fn every_own_event_still_decodes() {
        let mut decoder = Decoder::new(&FieldTable::new(), &[FieldPath::UserId, FieldPath::Email]);
        for (file, text) in fixtures("event/v1") {
            let own: OwnEvent = serde_json::from_str(&text).expect("an own event");
            let value = Some(text.as_bytes());
            let record = Record { value, ..Record::default() };
            let event = decoder.decode(record).unwrap_or_else(|letter| panic!("{file}: {letter:?}"));
            assert_eq!(event.kind, own.r#type, "{file}");
            assert_eq!(event.id, own.id.as_deref(), "{file}");
        }
    }
}
