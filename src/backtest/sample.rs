//! A small file of alerts, or of events that lead to some: what `route test` and `render` look at.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::decisions::Alerts;
use super::{Backtest, BacktestError};
use crate::codec::alert;
use crate::core::alert::Alert;
use crate::core::event::FieldPath;
use crate::core::rule::RuleSet;

/// An alert, and its JSON form as it stands on the alert topic.
#[derive(Clone, Debug)]
pub struct Found {
    /// Read.
    pub alert: Alert,
    /// To the byte.
    pub value: Vec<u8>,
}

/// What a file holds.
#[derive(Debug)]
pub enum Sample {
    /// Alerts, also out of webhooks' bodies.
    Alerts(Vec<Found>),
    /// Events, one a line.
    Events(Vec<u8>),
}

/// Reads JSON values, however they are spread over lines.
///
/// # Errors
/// What is wrong, and in which line.
pub fn read(text: &[u8]) -> Result<Sample, String> {
    let (mut alerts, mut events) = (Vec::new(), Vec::new());
    for value in serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>() {
        let raw = value.map_err(|error| format!("not JSON: {error}"))?;
        let json: Value = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
        if is_alert(&json) {
            alerts.push(found(raw.get().as_bytes().to_vec())?);
        } else if json.get("data").is_some_and(is_alert) {
            alerts.push(found(json["data"].to_string().into_bytes())?);
        } else {
            // Text with line feeds in it has them escaped, so only layout goes.
            events.extend(raw.get().bytes().map(|byte| if byte == b'\n' || byte == b'\r' { b' ' } else { byte }));
            events.push(b'\n');
        }
    }
    match (alerts.is_empty(), events.is_empty()) {
        (false, true) => Ok(Sample::Alerts(alerts)),
        (true, false) => Ok(Sample::Events(events)),
        (true, true) => Err("holds no JSON".to_owned()),
        (false, false) => Err("holds alerts and events: only one kind at a time".to_owned()),
    }
}

/// The alerts that events lead to, in order of firing; `path` is how their file was typed.
///
/// # Errors
/// None that memory does not give.
pub fn fired(
    events: &[u8],
    rules: Arc<RuleSet>,
    lead_key: &[FieldPath],
    path: &str,
) -> Result<Vec<Found>, BacktestError> {
    let mut alerts = Alerts(Vec::new());
    Backtest::new(rules, lead_key, path).run(events, &mut alerts)?;
    let lines = alerts.0.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.filter_map(|line| found(line.to_vec()).ok()).collect())
}

/// What only alerts have, in all their versions.
fn is_alert(json: &Value) -> bool {
    ["rule", "kind", "lead", "evidence", "rules_version"].iter().all(|name| json.get(name).is_some())
}

fn found(value: Vec<u8>) -> Result<Found, String> {
    match alert::read(&value) {
        Ok(alert) => Ok(Found { alert, value }),
        Err(error) => Err(format!("not an alert: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = include_str!("../../schemas/alert/v1/full.json");

    #[test]
    fn alerts_and_events_are_told_apart() {
        let event = r#"{"type":"track","name":"Demo Requested","user_id":"u1"}"#;
        let body = format!(r#"{{"type":"hotlead.alert.opened","timestamp":"2026-11-22T10:02:14.120Z","data":{FULL}}}"#);
        let cut = r#"{"rule":"a","kind":"opened","lead":{},"evidence":[],"rules_version":"x"}"#;
        #[rustfmt::skip]
        let rows = [
            (FULL.to_owned(),               Ok((1, 0))),
            (format!("{FULL}\n{FULL}"),     Ok((2, 0))),
            (body,                          Ok((1, 0))),
            (event.to_owned(),              Ok((0, 1))),
            (event.replace(',', ",\n"),     Ok((0, 1))),
            (format!("{event}\n{event}"),   Ok((0, 2))),
            (format!("{event}{FULL}"),      Err("holds alerts and events")),
            (" \n".to_owned(),              Err("holds no JSON")),
            ("{".to_owned(),                Err("not JSON: ")),
            (cut.to_owned(),                Err("not an alert: missing field")),
        ];
        for (text, expected) in rows {
            match (read(text.as_bytes()), expected) {
                (Ok(Sample::Alerts(alerts)), Ok((n, 0))) => assert_eq!(alerts.len(), n, "{text}"),
                (Ok(Sample::Events(events)), Ok((0, n))) => {
                    assert_eq!(events.iter().filter(|byte| **byte == b'\n').count(), n, "{text}");
                }
                (Err(error), Err(words)) => assert!(error.starts_with(words), "{text}: {error}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
    }
}
