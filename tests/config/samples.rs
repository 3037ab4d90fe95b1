//! The samples check without a fault or warning, and the schemas say of them what the reader says.

use std::path::Path;

use hotlead::config::fault::Severity;
use hotlead::config::settings::{Needed, Reference, Surroundings};
use hotlead::config::{rules, schema, settings};
use serde_json::Value;

use super::{compare, files, root};

/// Gives every secret a value that fits.
pub(super) fn surroundings() -> Surroundings<'static> {
    Surroundings {
        host: Some("host-1".into()),
        secret: &|reference| {
            Ok(match reference {
                Reference::Env(name) if name.contains("URL") => "https://hooks.slack.com/services/T0/B0/x".into(),
                Reference::File(name) if name.ends_with(".pem") => {
                    "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n".into()
                }
                Reference::Env(_) | Reference::File(_) => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
            })
        },
        missing: Severity::Fault,
        needed: Needed::All,
    }
}

#[test]
fn the_schemas_are_those_of_the_code() {
    for (name, schema) in [("rules", schema::rules()), ("config", schema::config())] {
        let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        compare(&root().join(format!("schemas/{name}.schema.json")), &text);
        jsonschema::meta::validate(&schema).expect("a schema");
    }
}

#[test]
fn the_samples_check_without_a_warning() {
    for path in files(&root().join("deploy/rules"), "yaml") {
        let text = std::fs::read_to_string(&path).expect("a text");
        let (spec, faults) = rules::read(&path.to_string_lossy(), &text);
        assert!(faults.is_empty(), "{faults}");
        assert!(!spec.expect("rules").rules.is_empty());
    }
    let path = root().join("deploy/hotlead.yaml");
    let text = std::fs::read_to_string(&path).expect("a text");
    let (settings, faults) = settings::read(&path.to_string_lossy(), &text, &surroundings());
    assert!(faults.is_empty(), "{faults}");
    let rules = settings.expect("settings").rules;
    assert!(rules.exists(), "{}", rules.display());
}

#[test]
fn the_samples_and_no_misspelt_file_are_valid_by_their_schemas() {
    let mut samples = files(&root().join("deploy/rules"), "yaml");
    samples.push(root().join("deploy/hotlead.yaml"));
    for path in samples {
        let (schema, name) = schema_of(&path);
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let value = yaml(&path);
        let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{} by {name}: {errors:?}", path.display());
    }
    let validator = jsonschema::validator_for(&schema::rules()).expect("a schema");
    for name in [
        "key_misspelt_in_rule",
        "condition_two_keys",
        "matcher_misspelt",
        "duration_in_wrong_order",
        "field_unknown",
        "all_empty",
    ] {
        let value = yaml(&root().join(format!("tests/config/faults/{name}.yaml")));
        assert!(!validator.is_valid(&value), "{name}");
    }
}

#[test]
fn the_samples_name_their_schema_in_the_first_line() {
    let mut samples = files(&root().join("deploy/rules"), "yaml");
    samples.extend(files(&root().join("deploy"), "yaml").into_iter().filter(|path| path.ends_with("hotlead.yaml")));
    for path in samples {
        let text = std::fs::read_to_string(&path).expect("a text");
        let first = text.lines().next().unwrap_or_default();
        let schema = first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_default();
        let file = path.parent().expect("a folder").join(schema);
        let (_, name) = schema_of(&path);
        let named = file.file_name().and_then(|n| n.to_str());
        assert_eq!(named, Some(name), "{}", path.display());
        assert!(file.exists(), "{}", file.display());
    }
}

fn schema_of(path: &Path) -> (Value, &'static str) {
    match path.ends_with("hotlead.yaml") {
        true => (schema::config(), "config.schema.json"),
        false => (schema::rules(), "rules.schema.json"),
    }
}

/// A file as an editor sees it, read by other code than ours.
pub(super) fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a text");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
