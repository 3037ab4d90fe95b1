//! The real program as a function from rules and events to decisions and alerts.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The events file as typed on the command line, of which sources speak.
pub const EVENTS_FILE: &str = "events.ndjson";
const RULES_FILE: &str = "rules.yaml";

/// Runs `hotlead backtest` twice over the same files: the lines of `--decisions`, and the alerts
/// of `--json`.
///
/// # Errors
///
/// What the program wrote on stderr if it did not end with 0, and a line that is not JSON.
pub fn backtest(rules_text: &str, lead_key: &[&str], lines: &[String]) -> Result<(Vec<Value>, Vec<Value>), String> {
    let folder = tempfile::tempdir().map_err(|error| format!("temporary folder: {error}"))?;
    let write =
        |name: &str, text: &str| fs::write(folder.path().join(name), text).map_err(|error| format!("{name}: {error}"));
    write(RULES_FILE, rules_text)?;
    write(EVENTS_FILE, &lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    let decisions = output(folder.path(), lead_key, "--decisions")?;
    let alerts = output(folder.path(), lead_key, "--json")?;
    Ok((decisions, alerts))
}

fn output(folder: &Path, lead_key: &[&str], form: &str) -> Result<Vec<Value>, String> {
    let ended = Command::new(env!("CARGO_BIN_EXE_hotlead"))
        .current_dir(folder)
        .args(["backtest", "--rules", RULES_FILE, "--events", EVENTS_FILE])
        .args(["--lead-key", &lead_key.join(","), form])
        .output()
        .map_err(|error| format!("hotlead backtest {form}: {error}"))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        return Err(format!("hotlead backtest {form}: {}\n{said}", ended.status));
    }
    String::from_utf8_lossy(&ended.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|error| format!("{form}: {error}: {line}")))
        .collect()
}
