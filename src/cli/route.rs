//! `hotlead route test FILE`: where alerts go.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::{exit, files, say};
use crate::backtest::sample::Found;
use crate::config::settings::Settings;
use crate::core::plain::plain;
use crate::notify::route::Routes;

/// One line of `--json`.
#[derive(Serialize)]
struct Row<'a> {
    alert: String,
    kind: &'a str,
    rule: &'a str,
    lead: &'a str,
    sinks: &'a [&'a str],
    /// By their ids: who gets it too while one of these sinks cannot be reached.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fallbacks: BTreeMap<&'a str, &'a str>,
}

/// Prints where each alert goes, and answers with the exit code: 1 if none goes anywhere, or one does not go where it is
/// expected.
pub fn test(config: &Path, file: &str, expected: &[String], json: bool) -> u8 {
    let settings = match files::settings_without_secrets(config) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let alerts = match files::alerts(&settings, file) {
        Ok(alerts) => alerts,
        Err(code) => return code,
    };
    let known: Vec<_> = settings.routing.sinks.iter().map(|sink| sink.id.clone()).collect();
    if let Some(unknown) = expected.iter().find(|id| !known.contains(id)) {
        super::say::line(files::no_such_sink(unknown, &known));
        return exit::CONFIG;
    }
    let reported = report(&settings, &alerts, expected, json, &mut io::stdout().lock());
    reported.unwrap_or_else(|fault| say::unwritten(&fault))
}

fn report(
    settings: &Settings,
    alerts: &[Found],
    expected: &[String],
    json: bool,
    out: &mut dyn Write,
) -> io::Result<u8> {
    let routes = Routes::new(&settings.routing);
    let (mut as_expected, mut anywhere) = (true, false);
    for Found { alert, value } in alerts {
        let value = serde_json::from_slice(value).unwrap_or_default();
        let sinks = routes.route(&value);
        let fallbacks = routes.fallbacks(&sinks);
        anywhere |= !sinks.is_empty();
        as_expected &= expected.iter().all(|id| sinks.contains(&id.as_str()));
        let (kind, rule, lead) = (alert.kind.name(), alert.rule.as_str(), alert.lead.key.as_str());
        if json {
            let row = Row { alert: alert.id.to_string(), kind, rule, lead, sinks: &sinks, fallbacks };
            serde_json::to_writer(&mut *out, &row)?;
            writeln!(out)?;
        } else {
            let named = |sink: &&str| match fallbacks.get(sink) {
                Some(fallback) => format!("{sink} (fallback {fallback})"),
                None => (*sink).to_owned(),
            };
            let all: Vec<_> = sinks.iter().map(named).collect();
            let to = if all.is_empty() { "nobody".to_owned() } else { all.join(", ") };
            writeln!(out, "{} {kind} {} {} -> {to}", alert.id, plain(rule), plain(lead))?;
        }
    }
    Ok(if anywhere && as_expected { exit::DONE } else { exit::NOT_SO })
}
