//! Tables worked out by hand from the numbered sentences of the rules, so that the twin can be
//! trusted on its own.

mod conditions;
mod episodes;
mod evidence;
mod fields;
mod generated;
mod intake;
mod kinds;
mod latches;
mod score;

use super::run::{Run, run};
use super::{Rules, time};
use serde_json::{Value, json};

/// 2026-11-22T10:00:00Z, where every table begins.
pub const START: i64 = 1_795_341_600_000;

/// A rules file with the signals a, b, c (tracks of these names) and x (any identify), and with
/// `sections` as written.
fn rules(sections: &str) -> Rules {
    Rules::from_text(&format!(
        r#"{{"version": 1, "signals": {{"a": {{"on": "track", "name": "a"}},
        "b": {{"on": "track", "name": "b"}}, "c": {{"on": "track", "name": "c"}},
        "x": {{"on": "identify"}}}}, {sections}}}"#
    ))
}

/// Reads `id[@lead] time name-or-traits` as one event in hotlead's own form. The id `-` is none.
/// The time counts from [`START`]; traits, a JSON object, make an identify event.
fn line(short: &str) -> String {
    let (id, rest) = short.split_once(' ').unwrap();
    let (when, what) = rest.split_once(' ').unwrap();
    let (id, lead) = id.split_once('@').unwrap_or((id, "u1"));
    let mut event = json!({"lead": {"user_id": lead}, "time": time::text(at(when))});
    if id != "-" {
        event["id"] = id.into();
    }
    if what.starts_with('{') {
        event["type"] = "identify".into();
        event["traits"] = serde_json::from_str(what).unwrap();
    } else {
        event["type"] = "track".into();
        event["name"] = what.into();
    }
    event.to_string()
}

fn at(offset: &str) -> i64 {
    START + time::duration(offset)
}

fn told(rules: &Rules, shorts: &[&str]) -> Run {
    let lines: Vec<String> = shorts.iter().map(|short| line(short)).collect();
    run(rules, &["user_id"], &lines, "events.ndjson")
}

/// Checks what each event decides: `rule decision(by or reason)`, several with commas.
fn story(rules: &Rules, steps: &[(&str, &str, &str)]) {
    let shorts: Vec<&str> = steps.iter().map(|(short, _, _)| *short).collect();
    let mut before = 0;
    for (i, (short, expected, why)) in steps.iter().enumerate() {
        let decisions = told(rules, &shorts[..=i]).decisions;
        let new: Vec<String> = decisions[before..].iter().map(brief).collect();
        assert_eq!(new.join(", "), *expected, "step {i} `{short}`: {why}");
        before = decisions.len();
    }
}

fn brief(decision: &Value) -> String {
    let text = |key: &str| decision[key].as_str().unwrap_or_default();
    let rule = decision["rule"].as_str().map_or(String::new(), |rule| format!("{rule} "));
    let why = format!("{}{}", text("by"), text("reason"));
    let why = if why.is_empty() { why } else { format!("({why})") };
    format!("{rule}{}{why}", text("decision"))
}
