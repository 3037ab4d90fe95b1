//! Reads the files that a command names; what is wrong with them goes to standard error, once and the same way.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{exit, say};
use crate::backtest::sample::{self, Found, Sample};
use crate::config::fault::Faults;
use crate::config::settings::Settings;
use crate::config::{self, LoadError};
use crate::core::rule::RuleSet;

/// The config file, with all its secrets; or the exit code.
pub(super) fn settings(path: &Path) -> Result<Settings, u8> {
    config::load(path).map_err(|error| tell(&error))
}

/// The config file for a command that sends nothing; or the exit code.
pub(super) fn settings_for_reading(path: &Path) -> Result<Settings, u8> {
    config::load_for_reading(path).map_err(|error| tell(&error))
}

/// The same with every sink, also where its secret cannot be had: something that is none stands in its place.
pub(super) fn settings_with_all_sinks(path: &Path) -> Result<Settings, u8> {
    let settings = settings_for_reading(path)?;
    Ok(Settings { sinks: settings_without_secrets(path)?.sinks, ..settings })
}

/// The config file for a command that only looks at what would be sent; or the exit code.
pub(super) fn settings_without_secrets(path: &Path) -> Result<Settings, u8> {
    config::load_without_secrets(path).map_err(|error| tell(&error))
}

/// The alerts of a file, or those that its events lead to by the config's rules; `-` is standard input. None at all is an
/// exit code too.
pub(super) fn alerts(settings: &Settings, file: &str) -> Result<Vec<Found>, u8> {
    let text = match file {
        "-" => io::read_to_string(io::stdin().lock()),
        path => std::fs::read_to_string(path),
    };
    let text = text.map_err(|error| {
        say::line(format_args!("{file}: {error}"));
        exit::NO_INPUT
    })?;
    let said = |fault: String| {
        say::line(format_args!("{file}: {fault}"));
        exit::NOT_SO
    };
    let events = match sample::read(text.as_bytes()).map_err(said)? {
        Sample::Alerts(alerts) => return Ok(alerts),
        Sample::Events(events) => events,
    };
    let rules = Arc::new(rules(&settings.rules)?);
    let alerts = sample::fired(&events, rules, &settings.lead_key, file).map_err(|error| said(format!("{error:?}")))?;
    if alerts.is_empty() {
        let why = format!("hotlead backtest --rules {} --events {file} --decisions", settings.rules.display());
        return Err(said(format!("these events lead to no alert; why: {why}")));
    }
    Ok(alerts)
}

/// The config file for a command that uses one sink: with the secrets of that sink. Or the exit code, also if there is no
/// such sink.
pub(super) fn settings_for_sink(path: &Path, id: &str) -> Result<Settings, u8> {
    // First of all: whoever misspelt the id does not want to hear of other sinks' secrets.
    sinks(path, Some(id))?;
    config::load_for_sink(path, id).map_err(|error| tell(&error))
}

/// The ids of all sinks in the config file, or the one that was named; or the exit code, also if there is no such sink.
pub(super) fn sinks(path: &Path, id: Option<&str>) -> Result<Vec<String>, u8> {
    let mut known = config::sink_ids(path).map_err(|error| tell(&error))?;
    if let Some(id) = id {
        if !known.iter().any(|known| known == id) {
            say::line(no_such_sink(id, &known));
            return Err(exit::CONFIG);
        }
        known.retain(|known| known == id);
    }
    Ok(known)
}

/// What to say about an id that no sink has.
pub(super) fn no_such_sink(id: &str, known: &[String]) -> String {
    let hint = config::did_you_mean(id, known.iter().map(String::as_str));
    match known {
        [] => format!("no sink {id:?}: the config file names none"),
        _ => format!("no sink {id:?}; there is: {}{hint}", known.join(", ")),
    }
}

/// The rules file, compiled; its warnings are printed. Or the exit code.
pub(super) fn rules(path: &Path) -> Result<RuleSet, u8> {
    let (spec, warnings) = config::load_rules(path).map_err(|error| tell(&error))?;
    say::lines(warnings);
    Ok(RuleSet::compile(spec))
}

/// The same for a config that asks for rules of this file: what it asks for in vain is printed too.
pub(super) fn rules_of(config: &Path, path: &Path) -> Result<RuleSet, u8> {
    let rules = rules(path)?;
    let mut faults = Faults::new(&config.to_string_lossy());
    config::asked::compare(config, rules.spec(), &path.display().to_string(), &mut faults);
    say::lines(faults);
    Ok(rules)
}

fn tell(error: &LoadError) -> u8 {
    say::lines(error);
    match error {
        LoadError::Unreadable { .. } => exit::NO_INPUT,
        LoadError::Faulty(_) => exit::CONFIG,
    }
}
