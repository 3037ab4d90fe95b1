//! JSON Schemas of both files, for editors, made from the same tables that the reader goes by.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::rules::RULES_FILE;
use super::settings::CONFIG_FILE;
use super::shape::{Choice, Is, Key, Need, Shape};
use super::suggest::COMMON_FIELDS;
use crate::core::limits::{MAX_POINTS, MAX_SENTENCE};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of rules.yaml.
pub fn rules() -> Value {
    file(&RULES_FILE)
}

/// The schema of hotlead.yaml.
pub fn config() -> Value {
    file(&CONFIG_FILE)
}

fn file(top: &'static Shape) -> Value {
    let mut writer = Writer::default();
    let mut schema = writer.map(top);
    schema.insert("$schema".into(), DIALECT.into());
    schema.insert("title".into(), top.name.into());
    let definitions: Map<_, _> =
        writer.definitions.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    schema.insert("$defs".into(), definitions.into());
    schema.into()
}

#[derive(Default)]
struct Writer {
    definitions: BTreeMap<&'static str, Value>,
}

impl Writer {
    fn map(&mut self, shape: &'static Shape) -> Map<String, Value> {
        let properties: Map<_, _> = shape.all_keys().map(|key| (key.name.to_owned(), self.key(key))).collect();
        let required: Vec<_> = shape.all_keys().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
        let mut schema = Map::new();
        schema.insert("description".into(), shape.says.into());
        schema.insert("type".into(), "object".into());
        schema.insert("properties".into(), properties.into());
        schema.insert("additionalProperties".into(), false.into());
        if !required.is_empty() {
            schema.insert("required".into(), required.into());
        }
        let choices = |keys: &[&str]| keys.iter().map(|key| json!({ "required": [key] })).collect();
        match shape.choice {
            Choice::Free => {}
            Choice::One(keys) => {
                schema.insert("oneOf".into(), Value::Array(choices(keys)));
            }
            Choice::Some(keys) => {
                schema.insert("anyOf".into(), Value::Array(choices(keys)));
            }
        }
        schema
    }

    fn key(&mut self, key: &'static Key) -> Value {
        let mut schema = self.value(key.is);
        if let Value::Object(map) = &mut schema {
            map.insert("description".into(), key.says.into());
        }
        schema
    }

    /// A reference to a map's definition, which is made at the first one.
    fn reference(&mut self, shape: &'static Shape) -> Value {
        if !self.definitions.contains_key(shape.name) {
            // Conditions hold conditions: the name is taken before the definition is made.
            self.definitions.insert(shape.name, Value::Null);
            let definition = self.map(shape).into();
            self.definitions.insert(shape.name, definition);
        }
        json!({ "$ref": format!("#/$defs/{}", shape.name) })
    }

    fn value(&mut self, is: Is) -> Value {
        match is {
            Is::Map(shape) => self.reference(shape),
            Is::Named(shape) => {
                let map = self.reference(shape);
                json!({ "type": ["object", "null"], "propertyNames": name(), "additionalProperties": map })
            }
            Is::List(shape) => {
                json!({ "type": "array", "minItems": 1, "items": self.reference(shape) })
            }
            Is::Maps(shape) => json!({ "type": ["array", "null"], "items": self.reference(shape) }),
            Is::WordOr(word, shape) => {
                json!({ "anyOf": [{ "const": word }, self.reference(shape)] })
            }
            Is::Matcher => self.matcher(),
            Is::Fields => json!({
                "type": "object", "minProperties": 1, "propertyNames": field(), "additionalProperties": self.matcher(),
            }),
            Is::AlertFields => json!({
                "type": "object", "minProperties": 1, "additionalProperties": self.matcher(),
                "propertyNames": { "anyOf": [
                    { "enum": super::settings::fields::ALERT_FIELDS }, { "pattern": "^lead(\\.[^.]+)+$" },
                ] },
            }),
            other => plain(other),
        }
    }

    fn matcher(&mut self) -> Value {
        let tests = self.reference(&super::rules::MATCHER);
        json!({ "anyOf": [any(), { "type": "array", "minItems": 1, "items": any() }, tests] })
    }
}

/// What needs no definition.
fn plain(is: Is) -> Value {
    match is {
        Is::Version => json!({ "const": 1 }),
        Is::Text => json!({ "type": "string", "minLength": 1, "maxLength": MAX_SENTENCE }),
        Is::Name => name(),
        Is::SinkId => json!({ "type": "string", "pattern": "^[a-z0-9-]{1,40}$" }),
        Is::Truth => json!({ "type": "boolean" }),
        Is::Whole(from, to) => json!({ "type": "integer", "minimum": from, "maximum": to }),
        Is::Number => json!({ "type": "number" }),
        Is::Points => json!({ "type": "number", "minimum": -MAX_POINTS, "maximum": MAX_POINTS }),
        Is::Duration => duration(),
        Is::HalfLife => json!({ "anyOf": [{ "const": "never" }, duration()] }),
        Is::Start => json!({ "anyOf": [{ "enum": ["latest", "earliest"] }, duration()] }),
        Is::Word(words) => json!({ "enum": words }),
        Is::Secret => secret(),
        Is::Secrets => json!({
            "anyOf": [secret(), { "type": "array", "minItems": 1, "maxItems": 2, "items": secret() }],
        }),
        Is::AnyOf => {
            json!({ "anyOf": [any(), { "type": "array", "minItems": 1, "items": any() }] })
        }
        Is::TextOf => {
            let text = json!({ "type": "string", "minLength": 1 });
            json!({ "anyOf": [text, { "type": "array", "minItems": 1, "items": text }] })
        }
        Is::SecretMap => json!({ "type": ["object", "null"], "additionalProperties": secret() }),
        Is::AnyMap => json!({ "type": ["object", "null"], "additionalProperties": any() }),
        Is::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Is::TextsOrTruth => json!({ "anyOf": [{ "type": "boolean" }, plain(Is::Texts)] }),
        _ => any(),
    }
}

fn any() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

fn name() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" })
}

fn duration() -> Value {
    json!({ "type": "string", "pattern": "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$" })
}

fn secret() -> Value {
    json!({ "type": "string", "pattern": "^(env|file):.+" })
}

/// Names of fields: those without a path, and any path below the others.
fn field() -> Value {
    let (below, whole): (Vec<&str>, Vec<&str>) =
        crate::core::event::FieldPath::NAMES.into_iter().partition(|name| name.ends_with('.'));
    let below: Vec<_> = below.iter().filter_map(|name| name.strip_suffix('.')).collect();
    let names = [whole, COMMON_FIELDS.to_vec()].concat();
    json!({ "anyOf": [
        { "enum": names },
        { "pattern": format!("^({})(\\.[^.]+)+$", below.join("|")) },
    ] })
}
