//! `hotlead tail`: alerts from the alert topic, a line each.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use rdkafka::Message;

use super::{From, Stretch, exit, files, say};
use crate::config::settings::Settings;
use crate::core::alert::Alert;
use crate::core::plain::plain;
use crate::source::{Begin, ProbeFault, Reader};

/// Prints alerts and answers with the exit code; `json`: the record's value as it is.
pub fn run(config: &Path, stretch: &Stretch, json: bool) -> u8 {
    let settings = match files::settings_for_reading(config) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let group = format!("{}.tail", settings.group);
    follow(&settings, &group, &settings.topics.alerts, stretch, |message, out| {
        let value = message.payload().unwrap_or_default();
        if json {
            out.write_all(value)?;
        } else {
            out.write_all(line(value).as_bytes())?;
        }
        out.write_all(b"\n")
    })
}

/// One readable line of an alert.
fn line(value: &[u8]) -> String {
    match serde_json::from_slice::<Alert>(value) {
        Ok(alert) => {
            let lead = &alert.lead;
            let who = lead.name.as_deref().or(lead.email.as_deref()).unwrap_or(&lead.key);
            let company = lead.company.as_deref().map_or_else(String::new, |c| format!(" ({c})"));
            let (kind, tier, rule, reason) = (alert.kind.name(), &alert.tier, &alert.rule, &alert.reason);
            let (time, score) = (alert.time, alert.score.total);
            let text = format!("{time}  {kind:<7}  {tier}  {who}{company}  {rule}: {reason}  [{score:.1}]");
            plain(&text).into_owned()
        }
        Err(fault) => format!("(no alert: {fault})"),
    }
}

/// Reads a topic and shows each record; returns the exit code.
pub(super) fn follow(
    settings: &Settings,
    group: &str,
    topic: &str,
    stretch: &Stretch,
    mut show: impl FnMut(&rdkafka::message::BorrowedMessage<'_>, &mut dyn Write) -> io::Result<()>,
) -> u8 {
    let begin = match stretch.from {
        From::Beginning => Begin::Beginning,
        From::End => Begin::End,
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut reader = match Reader::open(&settings.kafka, group, topic, begin) {
        Ok(Some(reader)) => reader,
        Ok(None) => {
            say::line(format_args!("topic {topic} does not exist (`hotlead run` creates the topics it writes)"));
            return exit::UNAVAILABLE;
        }
        Err(fault) => {
            say::line(&fault);
            return match fault {
                ProbeFault::Config(_) => exit::CONFIG,
                _ => exit::UNAVAILABLE,
            };
        }
    };
    let mut quiet = false;
    let mut is_empty = true;
    let written = loop {
        if stretch.until_end && reader.at_end() {
            if is_empty {
                say::line(nothing(topic, begin));
            }
            break out.flush();
        }
        let wait = Duration::from_millis(100);
        let next = match reader.next(wait) {
            Ok(next) => next,
            Err(fault) => {
                say::line(&fault);
                return exit::UNAVAILABLE;
            }
        };
        let Some(message) = next else {
            // Nothing is there: whoever waits at the other end sees what came.
            if !std::mem::replace(&mut quiet, true)
                && let Err(fault) = out.flush()
            {
                break Err(fault);
            }
            continue;
        };
        (quiet, is_empty) = (false, false);
        if let Err(fault) = show(&message, &mut out) {
            break Err(fault);
        }
    };
    written.map_or_else(|fault| say::unwritten(&fault), |()| exit::DONE)
}

/// What is said instead of no output at all.
fn nothing(topic: &str, begin: Begin) -> String {
    match begin == Begin::Beginning {
        true => format!("topic {topic} has no records"),
        false => format!("topic {topic}: nothing came after its end; --from beginning reads all of it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_for_people_and_safe_for_a_terminal() {
        let alert = r#"{"id":"000000000000000000000000000000aa","rule":"surge","tier":"hot","kind":"opened",
            "lead":{"key":"u1","name":"Dana\u001b[31m Ruiz\u202e","company":"Acme"},"time":"2026-11-22T10:02:14.120Z",
            "episode_start":"2026-11-22T10:02:14.120Z","reason":"3 pricing views in 41 min","flags":[],
            "score":{"total":65.0,"fit":20.0,"behaviour":45.0},
            "trigger":{"event_id":"e","time":"2026-11-22T10:02:14.120Z","source":"engagement/2@1234"},
            "evidence":[],"rules_version":"sha256:00"}"#;
        assert_eq!(
            line(alert.as_bytes()),
            "2026-11-22T10:02:14.120Z  opened   hot  Dana\u{fffd}[31m Ruiz\u{fffd} (Acme)  surge: 3 pricing views in 41 min  [65.0]"
        );
        assert!(line(b"x").starts_with("(no alert: "));
    }
}
