//! `hotlead render FILE`: what alerts look like at the other side.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::{exit, files, say};
use crate::backtest::sample::Found;
use crate::config::settings::{Settings, Sink, Target};
use crate::core::alert::AlertKind;
use crate::notify::message::Writer;
use crate::notify::route::Routes;
use crate::notify::slack::{Use, limits};

/// Prints each alert as each sink that takes it gets it, or as the one that is named does; answers with the exit code: 1
/// if there is nothing to print, or Slack would not take it.
pub fn run(config: &Path, file: &str, sink: Option<&str>, as_json: bool) -> u8 {
    let settings = match files::settings_without_secrets(config) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let known: Vec<_> = settings.sinks.iter().map(|sink| sink.id.clone()).collect();
    if let Some(unknown) = sink.filter(|id| !known.iter().any(|known| known == id)) {
        super::say::line(files::no_such_sink(unknown, &known));
        return exit::CONFIG;
    }
    let alerts = match files::alerts(&settings, file) {
        Ok(alerts) => alerts,
        Err(code) => return code,
    };
    let rendered = render(&settings, &alerts, sink, as_json, &mut io::stdout().lock());
    rendered.unwrap_or_else(|fault| say::unwritten(&fault))
}

fn render(
    settings: &Settings,
    alerts: &[Found],
    only: Option<&str>,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<u8> {
    let routes = Routes::new(&settings.routing);
    let (mut any, mut all_fit) = (false, true);
    for found in alerts {
        for sink in &settings.sinks {
            let wanted = only.map_or_else(|| routes.takes(&sink.id, Some(&found.value)), |id| id == sink.id);
            // An incoming webhook can only post: what changes a card is not sent there.
            let passed_over = matches!(sink.target, Target::Slack { .. }) && found.alert.kind != AlertKind::Opened;
            if !wanted || passed_over {
                continue;
            }
            any = true;
            let (row, uses) = one(settings, sink, found);
            all_fit &= uses.iter().all(Use::fits);
            if as_json {
                writeln!(out, "{row}")?;
            } else {
                print(&row, &uses, out)?;
            }
        }
    }
    Ok(if any && all_fit { exit::DONE } else { exit::NOT_SO })
}

/// What one sink gets for one alert, and what of Slack's limits it uses.
fn one(settings: &Settings, sink: &Sink, found: &Found) -> (Value, Vec<Use>) {
    let alert = &found.alert;
    // As if it were sent at once: the same alert looks the same whenever it is asked about.
    let written = Writer::of(sink, &settings.group).write(&found.value, alert, false, None, alert.trigger.time);
    let mut row = json!({ "sink": sink.id, "alert": alert.id.to_string() });
    let message = match written {
        Ok(message) => message,
        Err(fault) => {
            row["fault"] = fault.into();
            return (row, Vec::new());
        }
    };
    row["body"] = serde_json::from_slice(&message.body).unwrap_or_default();
    let mut headers = serde_json::Map::new();
    for (name, value) in &message.headers {
        headers.insert(name.to_string(), value.to_str().unwrap_or_default().into());
    }
    let uses = match &sink.target {
        Target::Slack { .. } | Target::Bot(_) => limits(&row["body"]),
        Target::Webhook(webhook) => {
            headers.insert("webhook-id".to_owned(), alert.id.to_string().into());
            for (name, _) in &webhook.headers {
                headers.insert(name.to_ascii_lowercase(), "[secret]".into());
            }
            Vec::new()
        }
    };
    row["headers"] = headers.into();
    if !uses.is_empty() {
        row["limits"] = json!(uses);
        row["fits"] = uses.iter().all(Use::fits).into();
    }
    (row, uses)
}

fn print(row: &Value, uses: &[Use], out: &mut dyn Write) -> io::Result<()> {
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    writeln!(out, "{} gets of alert {}:", text("sink"), text("alert"))?;
    for (name, value) in row["headers"].as_object().into_iter().flatten() {
        writeln!(out, "{name}: {}", value.as_str().unwrap_or_default())?;
    }
    let body = serde_json::to_string_pretty(&row["body"])?;
    writeln!(
        out,
        "{}{}",
        body.trim_end(),
        row["fault"].as_str().map(|fault| format!("\n{fault}")).unwrap_or_default()
    )?;
    for one in uses {
        let verdict = if one.fits() { "" } else { "  TOO MUCH" };
        writeln!(out, "  {}: {} of {}{verdict}", one.what, one.used, one.limit)?;
    }
    Ok(())
}
