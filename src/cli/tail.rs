//! `hotlead tail`: alerts from the alert topic, a line each.

use std::io::{self, Write};
use std::time::Duration;

use rdkafka::Message;

use crate::config::settings::Settings;
use crate::core::alert::Alert;
use crate::source::{Begin, ProbeFault, Reader};

/// How a topic is read by a command.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Where it begins.
    pub begin: Begin,
    /// Whether it stops at the end that the topic had at the start.
    pub until_end: bool,
}

/// Writes alerts to `out` and returns the exit code; `json`: the record's value as it is.
pub fn tail(settings: &Settings, reading: Reading, json: bool, out: &mut dyn Write) -> u8 {
    let group = format!("{}.tail", settings.group);
    follow(
        settings,
        &group,
        &settings.topics.alerts,
        reading,
        out,
        |message, out| {
            let value = message.payload().unwrap_or_default();
            if json {
                out.write_all(value)?;
            } else {
                out.write_all(line(value).as_bytes())?;
            }
            out.write_all(b"\n")
        },
    )
}

/// One readable line of an alert.
fn line(value: &[u8]) -> String {
    match serde_json::from_slice::<Alert>(value) {
        Ok(alert) => {
            let lead = &alert.lead;
            let who = lead
                .name
                .as_deref()
                .or(lead.email.as_deref())
                .unwrap_or(&lead.key);
            let company = lead
                .company
                .as_deref()
                .map_or_else(String::new, |c| format!(" ({c})"));
            let (tier, rule, reason) = (&alert.tier, &alert.rule, &alert.reason);
            let text = format!(
                "{}  {tier}  {who}{company}  {rule}: {reason}  [{:.1}]",
                alert.time, alert.score.total
            );
            // Names come from outside: no control character reaches the terminal.
            text.chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect()
        }
        Err(fault) => format!("(no alert: {fault})"),
    }
}

/// Reads a topic and shows each record; returns the exit code.
pub(super) fn follow(
    settings: &Settings,
    group: &str,
    topic: &str,
    reading: Reading,
    out: &mut dyn Write,
    mut show: impl FnMut(&rdkafka::message::BorrowedMessage<'_>, &mut dyn Write) -> io::Result<()>,
) -> u8 {
    let mut reader = match Reader::open(&settings.kafka, group, topic, reading.begin) {
        Ok(Some(reader)) => reader,
        Ok(None) => {
            eprintln!("topic {topic} does not exist");
            return 69;
        }
        Err(fault) => {
            eprintln!("{fault}");
            return match fault {
                ProbeFault::Config(_) => 78,
                _ => 69,
            };
        }
    };
    let mut quiet = false;
    let written = loop {
        if reading.until_end && reader.at_end() {
            break out.flush();
        }
        let wait = Duration::from_millis(100);
        let Some(message) = reader.next(wait) else {
            // Nothing is there: whoever waits at the other end sees what came.
            if !std::mem::replace(&mut quiet, true)
                && let Err(fault) = out.flush()
            {
                break Err(fault);
            }
            continue;
        };
        quiet = false;
        if let Err(fault) = show(&message, out) {
            break Err(fault);
        }
    };
    match written {
        Ok(()) => 0,
        // `tail | head` ends quietly.
        Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(fault) => {
            eprintln!("cannot write: {fault}");
            70
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_for_people_and_safe_for_a_terminal() {
        let alert = r#"{"id":"000000000000000000000000000000aa","rule":"surge","tier":"hot","kind":"opened",
            "lead":{"key":"u1","name":"Dana\u001b[31m Ruiz","company":"Acme"},"time":"2026-11-22T10:02:14.120Z",
            "episode_start":"2026-11-22T10:02:14.120Z","reason":"3 pricing views in 41 min","flags":[],
            "score":{"total":65.0,"fit":20.0,"behaviour":45.0},
            "trigger":{"event_id":"e","time":"2026-11-22T10:02:14.120Z","source":"engagement/2@1234"},
            "evidence":[],"rules_version":"sha256:00"}"#;
        assert_eq!(
            line(alert.as_bytes()),
            "2026-11-22T10:02:14.120Z  hot  Dana [31m Ruiz (Acme)  surge: 3 pricing views in 41 min  [65.0]"
        );
        assert!(line(b"x").starts_with("(no alert: "));
    }
}
