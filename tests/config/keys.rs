//! Every key that a schema names is read: a nonsense value at any place of a file that uses all keys is a fault there.

use std::collections::BTreeSet;

use hotlead::config::fault::Faults;
use hotlead::config::{rules, schema, settings};
use serde_json::{Value, json};

use super::root;
use super::samples::{surroundings, yaml};

fn rules_faults(text: &str) -> Faults {
    rules::read("rules.yaml", text).1
}

fn config_faults(text: &str) -> Faults {
    settings::read("hotlead.yaml", text, &surroundings()).1
}

#[test]
fn a_nonsense_value_at_any_key_is_a_fault_at_that_key() {
    type Read = fn(&str) -> Faults;
    let both: [(&str, Read); 2] = [("all-rules-keys", rules_faults), ("all-config-keys", config_faults)];
    for (name, read) in both {
        let whole = yaml(&root().join(format!("tests/config/{name}.yaml")));
        let faults = read(&whole.to_string());
        assert!(faults.is_empty(), "{faults}");
        for pointer in pointers(&whole) {
            let mut damaged = whole.clone();
            *damaged.pointer_mut(&pointer).expect("a place") = json!([[[]]]);
            let faults = read(&damaged.to_string());
            // `/rules/0/when` is `rules[0].when` in faults.
            let plain =
                |text: &str| text.replace(['/', '[', ']', '.'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
            let there = plain(&pointer);
            let found = faults.iter().any(|fault| plain(&fault.key).starts_with(&there));
            assert!(found, "{name}: nonsense at {pointer} gives {faults}");
        }
    }
}

#[test]
fn the_files_that_use_all_keys_do() {
    for (name, schema) in [("all-rules-keys", schema::rules()), ("all-config-keys", schema::config())] {
        let mut used = BTreeSet::new();
        keys_used(&yaml(&root().join(format!("tests/config/{name}.yaml"))), &mut used);
        let mut named = BTreeSet::new();
        keys_named(&schema, &mut named);
        let unused: Vec<_> = named.difference(&used).collect();
        assert!(unused.is_empty(), "{name} does not use {unused:?}");
    }
}

/// JSON pointers of every value below the top.
fn pointers(value: &Value) -> Vec<String> {
    let below = |key: &str, value: &Value| {
        let here = format!("/{key}");
        let rest = pointers(value).into_iter().map(|rest| format!("/{key}{rest}"));
        std::iter::once(here).chain(rest).collect::<Vec<_>>()
    };
    match value {
        Value::Object(map) => map.iter().flat_map(|(key, value)| below(key, value)).collect(),
        Value::Array(list) => {
            let items = list.iter().enumerate();
            items.flat_map(|(index, value)| below(&index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}

fn keys_used(value: &Value, used: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                used.insert(key.clone());
                keys_used(value, used);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys_used(value, used)),
        _ => {}
    }
}

/// The keys of the top and of every definition.
fn keys_named(schema: &Value, named: &mut BTreeSet<String>) {
    let definitions = schema["$defs"].as_object().into_iter().flat_map(|defs| defs.values());
    for shape in std::iter::once(schema).chain(definitions) {
        let properties = shape["properties"].as_object().expect("a map's schema");
        named.extend(properties.keys().cloned());
    }
}
