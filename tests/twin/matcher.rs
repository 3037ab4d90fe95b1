//! Whether one field satisfies one matcher, read straight from the JSON of the rules.

use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

static WHOLE_NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$").unwrap());

/// Whether `field` satisfies `matcher`. A scalar means equals, a list means one of, and several
/// keys of a map must all hold.
pub fn satisfied(matcher: &Value, field: Option<&Value>) -> bool {
    match matcher {
        Value::Object(keys) => keys.iter().all(|(key, wanted)| one_key(key, wanted, field)),
        wanted => one_key("equals", wanted, field),
    }
}

/// Null and blank text are absent everywhere.
pub fn present(field: Option<&Value>) -> Option<&Value> {
    field.filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        _ => true,
    })
}

fn one_key(key: &str, wanted: &Value, field: Option<&Value>) -> bool {
    let field = present(field);
    match (key, field) {
        ("exists", field) => wanted.as_bool() == Some(field.is_some()),
        ("not", field) => !satisfied(wanted, field),
        (_, None) => false,
        // Of a list value one element is enough; a list in a matcher means any of them.
        (_, Some(Value::Array(elements))) => elements.iter().any(|element| one_key(key, wanted, Some(element))),
        (_, Some(value)) => match wanted {
            Value::Array(choices) => choices.iter().any(|choice| scalar(key, choice, value)),
            single => scalar(key, single, value),
        },
    }
}

fn scalar(key: &str, wanted: &Value, value: &Value) -> bool {
    match key {
        "equals" | "in" => equals(wanted, value),
        "prefix" => texts(wanted, value).is_some_and(|(w, v)| v.starts_with(&w)),
        "suffix" => texts(wanted, value).is_some_and(|(w, v)| v.ends_with(&w)),
        "contains" => texts(wanted, value).is_some_and(|(w, v)| v.contains(&w)),
        "matches" => as_text(value).is_some_and(|v| Regex::new(wanted.as_str().unwrap()).unwrap().is_match(&v)),
        "at_least" => numbers(wanted, value).is_some_and(|(w, v)| v >= w),
        "at_most" => numbers(wanted, value).is_some_and(|(w, v)| v <= w),
        "above" => numbers(wanted, value).is_some_and(|(w, v)| v > w),
        "below" => numbers(wanted, value).is_some_and(|(w, v)| v < w),
        other => panic!("a matcher that the rules don't know: {other}"),
    }
}

/// The matcher's type decides how the two compare.
fn equals(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::Number(_) => numbers(wanted, value).is_some_and(|(w, v)| w == v),
        Value::String(_) => texts(wanted, value).is_some_and(|(w, v)| w == v),
        Value::Bool(wanted) => match value {
            Value::Bool(value) => wanted == value,
            Value::String(text) => text.to_lowercase() == wanted.to_string(),
            _ => false,
        },
        _ => false,
    }
}

fn texts(wanted: &Value, value: &Value) -> Option<(String, String)> {
    Some((as_text(wanted)?.to_lowercase(), as_text(value)?.to_lowercase()))
}

/// A text as it is, a number in its shortest form; nothing else is text.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(format!("{}", number.as_f64()?)),
        _ => None,
    }
}

fn numbers(wanted: &Value, value: &Value) -> Option<(f64, f64)> {
    Some((wanted.as_f64()?, as_number(value)?))
}

/// A number, or a text that is wholly one.
fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => WHOLE_NUMBER.is_match(text).then(|| text.parse().unwrap()),
        _ => None,
    }
}
