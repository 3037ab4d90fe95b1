//! Where the program's output and the twin's first differ.

use crate::twin::{Alert, Rules, time};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Fails with the first line of `--decisions` that differs.
pub fn same_decisions(program: &[Value], twin: &[Value]) -> Result<(), String> {
    for at in 0..program.len().max(twin.len()) {
        let (ours, theirs) = (program.get(at), twin.get(at));
        if ours != theirs {
            let shown = |line: Option<&Value>| line.map_or("(no line)".into(), Value::to_string);
            let before: Vec<String> = twin[at.saturating_sub(3).min(twin.len())..at.min(twin.len())]
                .iter()
                .map(|line| format!("      both: {line}\n"))
                .collect();
            return Err(format!(
                "decision {}:\n{}   program: {}\n      twin: {}",
                at + 1,
                before.concat(),
                shown(ours),
                shown(theirs)
            ));
        }
    }
    Ok(())
}

/// Fails with the first alert that differs in what the rules decide to the letter.
pub fn same_alerts(program: &[Value], twin: &[Alert], rules: &Rules) -> Result<(), String> {
    if program.len() != twin.len() {
        return Err(format!("{} alerts, the twin has {}", program.len(), twin.len()));
    }
    let mut ids = BTreeSet::new();
    for (at, (alert, expected)) in program.iter().zip(twin).enumerate() {
        let id = alert["id"].as_str().unwrap_or_default();
        let is_hex = id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let differs = if id.len() != 32 || !is_hex {
            Some("id: not 32 hex digits".to_string())
        } else if !ids.insert(id) {
            Some("id: not unique".to_string())
        } else {
            difference(alert, expected).or_else(|| evidence_differs(alert, expected, rules))
        };
        if let Some(differs) = differs {
            return Err(format!("alert {}: {differs}\n   program: {alert}\n      twin: {expected:?}", at + 1));
        }
    }
    Ok(())
}

fn difference(alert: &Value, expected: &Alert) -> Option<String> {
    let points = |tenths: i64| json!(tenths as f64 / 10.0);
    let score = expected.score;
    #[rustfmt::skip]
    let fields = [
        ("/rule",               json!(expected.rule)),
        ("/tier",               json!(expected.tier)),
        ("/campaign",           json!(expected.campaign)),
        ("/kind",               json!(expected.kind)),
        ("/lead/key",           json!(expected.lead)),
        ("/time",               json!(time::text(expected.time))),
        ("/episode_start",      json!(time::text(expected.episode_start))),
        ("/flags",              json!(expected.flags)),
        ("/score/total",        points(score.total())),
        ("/score/fit",          points(score.fit)),
        ("/score/behaviour",    points(score.behaviour)),
        ("/trigger/event_id",   json!(expected.trigger.0)),
        ("/trigger/time",       json!(time::text(expected.trigger.1))),
    ];
    fields.into_iter().find_map(|(path, expected)| {
        let found = alert.pointer(path).cloned().unwrap_or_default();
        let same = match (found.as_f64(), expected.as_f64()) {
            // 15 and 15.0 are one number.
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
            _ => found == expected,
        };
        (!same).then(|| format!("{path}: {found}, the twin has {expected}"))
    })
}

/// For a rule that reads the score the lines add up to the behaviour, as printed; otherwise they
/// are the same events as the twin's, whatever their order.
fn evidence_differs(alert: &Value, expected: &Alert, rules: &Rules) -> Option<String> {
    let lines = alert["evidence"].as_array().cloned().unwrap_or_default();
    let rule = rules.rules.iter().find(|rule| rule.id == expected.rule)?;
    if rule.when.reads_score() {
        let tenths = |line: &Value| (line["points"].as_f64().unwrap_or(f64::NAN) * 10.0).round() as i64;
        let sum: i64 = lines.iter().map(tenths).sum();
        let behaviour = expected.score.behaviour;
        return (sum != behaviour).then(|| format!("evidence adds up to {sum} tenths, not {behaviour}"));
    }
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_string();
    let found: BTreeSet<(String, String)> =
        lines.iter().map(|line| (text(line, "signal"), text(line, "time"))).collect();
    let wanted: BTreeSet<(String, String)> = expected
        .evidence
        .iter()
        .map(|line| (line.signal.clone().unwrap_or_default(), line.time.map_or(String::new(), time::text)))
        .collect();
    (found != wanted).then(|| format!("evidence {found:?}, the twin has {wanted:?}"))
}
